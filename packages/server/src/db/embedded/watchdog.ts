/** A small shell beside each postmaster that stops it when this process dies without doing so: PostgreSQL must not run on unseen for ever. */
import { spawn } from 'node:child_process'
import { unrefStream } from './process.ts'

/**
 * Waits for a word on its input. When the input ends without one, its writer has died: fast shutdown, and an immediate one if that takes long.
 * Each signal goes out only while the pid is still this cluster's postmaster.
 */
const script = `trap '' INT TERM HUP
read -r word && exit 0
mine() { { tr '\\000' ' ' <"/proc/$1/cmdline" || ps -ww -o command= -p "$1"; } 2>/dev/null | grep -q "cluster_name=$2"; }
mine "$1" "$2" && kill -INT "$1"
n=0
while [ "$n" -lt 200 ] && mine "$1" "$2"; do sleep 0.1; n=$((n + 1)); done
mine "$1" "$2" && kill -QUIT "$1"`

/** Starts the watchdog of one postmaster; the returned function dismisses it. Without `/bin/sh` there is none, and the next start cleans up. */
export function startWatchdog(pid: number, mark: string): () => void {
  const watchdog = spawn('/bin/sh', ['-c', script, 'teahouse-watchdog', String(pid), mark], {
    cwd: '/',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  watchdog.on('error', () => undefined)
  watchdog.stdin?.on('error', () => undefined)
  watchdog.unref()
  unrefStream(watchdog.stdin)
  return () => watchdog.stdin?.end('done\n')
}
