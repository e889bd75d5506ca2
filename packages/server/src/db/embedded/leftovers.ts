/**
 * What an earlier life of the cluster left behind: a postmaster whose supervisor was killed, sessions whose postmaster was killed, a
 * `postmaster.pid` that names a pid which is a stranger's by now. Only processes that are provably of this cluster get a signal.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Layout } from './cluster.ts'
import { EmbeddedError, systemCode } from './error.ts'
import { waitUntil } from './process.ts'
import type { EmbeddedLog } from './server-log.ts'

interface ProcessSeen {
  readonly pid: number
  /** The command line; PostgreSQL's children show a title instead. */
  readonly words: readonly string[]
}

const linux = process.platform === 'linux'
const patienceMs = 5000

/** Ends everything of this cluster that still runs and removes a stale `postmaster.pid`. Throws when the files are in use by someone else. */
export async function clearLeftovers(layout: Layout, mark: string, log: EmbeddedLog): Promise<void> {
  const ours = clusterProcesses(layout, mark)
  if (ours.length > 0) {
    log.warn(`ending ${ours.length} processes of PostgreSQL that an earlier server left running on ${layout.cluster}`)
    await end(layout, mark)
  }
  const pid = postmasterPid(layout)
  if (pid === null || !isAlive(pid)) return
  if (isForeignPostmaster(layout, pid)) {
    const what = `${layout.cluster} is in use by a PostgreSQL server that Teahouse did not start (process ${pid})`
    throw new EmbeddedError('foreign_postmaster', `${what}; stop that server first`)
  }
  // PostgreSQL would take the stranger for its own postmaster and refuse to start for ever.
  rmSync(join(layout.cluster, 'postmaster.pid'), { force: true })
}

/** Kills what a dead postmaster left: its sessions hold the shared memory, and none of them can commit any more. */
export async function killOrphanedSessions(layout: Layout, mark: string): Promise<void> {
  signal(clusterProcesses(layout, mark), 'SIGKILL')
  await waitUntil(() => clusterProcesses(layout, mark).length === 0, { ms: patienceMs })
}

async function end(layout: Layout, mark: string): Promise<void> {
  const gone = () => clusterProcesses(layout, mark).length === 0
  // Fast shutdown for a postmaster; sessions without one have nothing to wait for.
  for (const step of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    const seen = clusterProcesses(layout, mark)
    const postmaster = seen.filter((process) => isMarked(process.words, mark))
    signal(
      step === 'SIGKILL' || postmaster.length === 0 ? seen : postmaster,
      postmaster.length === 0 ? 'SIGKILL' : step,
    )
    if (await waitUntil(gone, { ms: patienceMs, everyMs: 20 })) return
  }
  throw new EmbeddedError(
    'orphan_stuck',
    `PostgreSQL processes of an earlier server on ${layout.cluster} do not end; end them by hand`,
  )
}

function signal(processes: readonly ProcessSeen[], name: NodeJS.Signals): void {
  for (const { pid } of processes) {
    try {
      process.kill(pid, name)
    } catch (error) {
      if (systemCode(error) !== 'ESRCH') throw error
    }
  }
}

/** Every living process of this cluster: the marked postmaster, and its children by title or by working folder. */
function clusterProcesses(layout: Layout, mark: string): ProcessSeen[] {
  const own = process.pid
  return listProcesses().filter(({ pid, words }) => {
    if (pid === own || !isServer(words)) return false
    const claimed = isMarked(words, mark) || words[0]?.startsWith(`postgres: ${mark}: `) === true
    // A command line is only a claim; the working folder, where the system shows it, is the proof.
    return claimed && worksIn(pid, layout.cluster) !== false
  })
}

function isServer(words: readonly string[]): boolean {
  return isTitle(words) || basename(words[0] ?? '') === 'postgres'
}

function isTitle(words: readonly string[]): boolean {
  return words[0]?.startsWith('postgres: ') === true
}

function isMarked(words: readonly string[], mark: string): boolean {
  return words.includes(`cluster_name=${mark}`)
}

function isForeignPostmaster(layout: Layout, pid: number): boolean {
  const found = listProcesses().find((process) => process.pid === pid)
  if (found === undefined || !/^(postgres|postmaster)$/.test(basename(found.words[0] ?? ''))) return false
  const inside = worksIn(pid, layout.cluster)
  if (inside !== null) return inside
  if (!linux) return found.words.includes(layout.cluster)
  // Not ours to look into. PostgreSQL insists that the folder is its user's own, so another user's process is a stranger's.
  return userOf(pid) === statSync(layout.cluster).uid
}

/** Whether the process's working folder is this one; null where the system does not tell. */
function worksIn(pid: number, folder: string): boolean | null {
  if (!linux) return null
  try {
    const at = statSync(`/proc/${pid}/cwd`)
    const wanted = statSync(folder)
    return at.ino === wanted.ino && at.dev === wanted.dev
  } catch {
    return null
  }
}

function userOf(pid: number): number | null {
  try {
    const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
    return uid === undefined ? null : Number(uid)
  } catch {
    return null
  }
}

function listProcesses(): ProcessSeen[] {
  if (!linux) return listWithPs()
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      // A zombie has no command line and so is nobody's.
      const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0')
      return words[0] === '' ? [] : [{ pid: Number(name), words }]
    } catch {
      return []
    }
  })
}

function listWithPs(): ProcessSeen[] {
  const lines = execFileSync('ps', ['-axww', '-o', 'pid=,command='], { encoding: 'utf8' }).split('\n')
  return lines.flatMap((line) => {
    const match = /^\s*(\d+) (.*)$/.exec(line)
    if (match?.[1] === undefined || match[2] === undefined) return []
    return [{ pid: Number(match[1]), words: match[2].startsWith('postgres: ') ? [match[2]] : match[2].split(' ') }]
  })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return systemCode(error) === 'EPERM'
  }
}

/** The pid in `postmaster.pid`; null when there is none. */
export function postmasterPid(layout: Layout): number | null {
  const pid = Math.abs(Number.parseInt(pidFile(layout)[0] ?? '', 10))
  return Number.isInteger(pid) && pid > 0 ? pid : null
}

/** Whether the postmaster with this pid says that it accepts connections. */
export function saysReady(layout: Layout, pid: number): boolean {
  const lines = pidFile(layout)
  return lines[0] === String(pid) && lines[7]?.trim() === 'ready'
}

function pidFile(layout: Layout): string[] {
  try {
    return readFileSync(join(layout.cluster, 'postmaster.pid'), 'utf8').split('\n')
  } catch {
    return []
  }
}
