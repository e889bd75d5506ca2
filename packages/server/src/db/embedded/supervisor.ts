/** Keeps one postmaster alive: starts it, sees when it is ready, starts it again when it dies, stops it, and never lets it outlive this process. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { ownFolder } from './address.ts'
import type { Layout } from './cluster.ts'
import { EmbeddedError, messageOf } from './error.ts'
import { clearLeftovers, killOrphanedSessions, saysReady } from './leftovers.ts'
import { trySpawn, unrefStream } from './process.ts'
import { launch, openData, type Runner } from './runner.ts'
import type { EmbeddedLog, ServerLog } from './server-log.ts'
import { startWatchdog } from './watchdog.ts'

/** How a postmaster ended. */
export interface PostmasterExit {
  readonly code: number | null
  readonly signal: string | null
}

/** What the supervisor runs. */
export interface PostmasterPlan {
  readonly layout: Layout
  readonly runner: Runner
  readonly mark: string
  readonly socketDir: string | null
  readonly port: number
  readonly log: EmbeddedLog
  readonly serverLog: ServerLog
}

const backOffMs = [0, 100, 250, 500, 1000, 2000, 5000, 10_000] as const
// A server that was up this long has earned a fresh row of quick restarts.
const settledMs = 60_000
const fastStopMs = 10_000
// PostgreSQL itself kills what does not follow an immediate shutdown after 5 s.
const immediateStopMs = 7000

/** The life of one cluster's postmaster. */
export class Supervisor {
  readonly #plan: PostmasterPlan
  readonly #exitListeners = new Set<(exit: PostmasterExit) => void>()
  readonly #restartListeners = new Set<() => void>()
  readonly #stopping = new AbortController()
  #child: ChildProcess | null = null
  #dismissWatchdog: () => void = () => undefined
  #life: Promise<void> = Promise.resolve()
  #stopped: Promise<void> | null = null

  constructor(plan: PostmasterPlan) {
    this.#plan = plan
  }

  /** The postmaster's pid; null while there is none. */
  get pid(): number | null {
    return this.#child?.pid ?? null
  }

  /** Called with every death of the postmaster that `stop` did not ask for. */
  onExit(listener: (exit: PostmasterExit) => void): () => void {
    this.#exitListeners.add(listener)
    return () => this.#exitListeners.delete(listener)
  }

  /** Called when a new postmaster accepts connections after such a death. */
  onRestart(listener: () => void): () => void {
    this.#restartListeners.add(listener)
    return () => this.#restartListeners.delete(listener)
  }

  /** Starts the postmaster and resolves when it accepts connections. */
  async start(): Promise<void> {
    const ended = await this.#launch()
    this.#life = this.#keepAlive(ended)
  }

  /** Fast shutdown, immediate after a deadline, kill after another. Resolves when no process of the cluster is left. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    this.#stopping.abort()
    const child = this.#child
    if (child !== null) await this.#end(child)
    await this.#life
    this.#plan.serverLog.close()
  }

  async #end(child: ChildProcess): Promise<void> {
    child.ref()
    for (const [signal, ms] of [
      ['SIGINT', fastStopMs],
      ['SIGQUIT', immediateStopMs],
      ['SIGKILL', immediateStopMs],
    ] as const) {
      if (hasEnded(child)) return
      child.kill(signal)
      if (await endsWithin(child, ms)) {
        if (signal === 'SIGKILL') await killOrphanedSessions(this.#plan.layout, this.#plan.mark)
        return
      }
      this.#plan.log.warn(`postgres did not stop within ${ms / 1000} s of ${signal}`)
    }
  }

  /** Starts one postmaster; resolves, once it is ready, to a promise of its end. */
  async #launch(): Promise<{ readonly exit: Promise<PostmasterExit> }> {
    const { layout, mark, log, serverLog, socketDir, runner } = this.#plan
    await clearLeftovers(layout, mark, log)
    if (this.#stopping.signal.aborted) throw this.#startFailure()
    if (socketDir !== null) ownFolder(socketDir, runner)
    serverLog.forget()
    const child = this.#spawn()
    this.#child = child
    const exit = endOf(child)
    void exit.then(() => {
      this.#dismissWatchdog()
      if (this.#child === child) this.#child = null
    })
    if (child.pid !== undefined) this.#dismissWatchdog = startWatchdog(child.pid, mark)
    await this.#ready(child, exit)
    child.unref()
    return { exit }
  }

  #spawn(): ChildProcess {
    const { runner, layout, serverLog } = this.#plan
    const data = openData(layout.cluster)
    try {
      const command = launch(runner, 'postgres', this.#arguments(data.path))
      // Its own session: Ctrl-C in the terminal is for the server, which then stops its database in order.
      const child = trySpawn(command, ['ignore', 'ignore', 'pipe', data.handle ?? 'ignore'], { detached: true })
      if (child instanceof Error)
        throw new EmbeddedError('start_failed', `PostgreSQL did not start: ${child.message}`, child)
      child.stderr?.setEncoding('utf8').on('data', (text: string) => serverLog.write(text))
      unrefStream(child.stderr)
      return child
    } finally {
      data.close()
    }
  }

  #arguments(dataPath: string): string[] {
    const { port, socketDir, mark } = this.#plan
    const fixed = {
      listen_addresses: '127.0.0.1',
      port,
      unix_socket_directories: socketDir ?? '',
      unix_socket_permissions: '0700',
      cluster_name: mark,
    }
    return ['-D', dataPath, ...Object.entries(fixed).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  }

  async #ready(child: ChildProcess, exit: Promise<PostmasterExit>): Promise<void> {
    const { layout, log } = this.#plan
    let ended: PostmasterExit | null = null
    void exit.then((how) => {
      ended = how
    })
    const began = performance.now()
    let nextWord = began + 10_000
    // Recovery after a crash takes as long as it takes; only the process's own end is a failure.
    while (child.pid === undefined || !saysReady(layout, child.pid)) {
      if (ended !== null) throw this.#startFailure()
      if (performance.now() > nextWord) {
        log.info(`postgres is still recovering after ${Math.round((performance.now() - began) / 1000)} s`)
        nextWord += 10_000
      }
      await delay(10)
    }
  }

  #startFailure(): EmbeddedError {
    const { serverLog, layout, port } = this.#plan
    if (this.#stopping.signal.aborted) return new EmbeddedError('stopped', 'PostgreSQL was stopped while it started')
    const reason = serverLog.last(/\b(FATAL|PANIC): /) || serverLog.lastLine() || 'no reason given'
    if (/could not create any TCP\/IP sockets|could not bind/.test(reason)) {
      return new EmbeddedError('port_in_use', `port ${port} of 127.0.0.1 is in use`)
    }
    return new EmbeddedError('start_failed', `PostgreSQL did not start: ${reason} (more in ${layout.logFile})`)
  }

  async #keepAlive(first: { readonly exit: Promise<PostmasterExit> }): Promise<void> {
    let running = first
    let failures = 0
    while (true) {
      const began = performance.now()
      const exit = await running.exit
      if (this.#stopping.signal.aborted) return
      if (performance.now() - began > settledMs) failures = 0
      this.#plan.log.error(
        `postgres ended unexpectedly (${exit.signal ?? `exit code ${exit.code}`}); starting it again`,
      )
      for (const listener of this.#exitListeners) listener(exit)
      const next = await this.#restart(failures)
      if (next === null) return
      running = next
      failures += 1
      this.#plan.log.info('postgres is back')
      for (const listener of this.#restartListeners) listener()
    }
  }

  /** Tries until it is up again, ever more slowly; null when the supervisor is stopped meanwhile. */
  async #restart(failures: number): Promise<{ readonly exit: Promise<PostmasterExit> } | null> {
    const { layout, mark, log } = this.#plan
    for (let attempt = failures; ; attempt += 1) {
      const pause = backOffMs[Math.min(attempt, backOffMs.length - 1)] ?? 0
      await delay(pause, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
      if (this.#stopping.signal.aborted) return null
      try {
        await killOrphanedSessions(layout, mark)
        return await this.#launch()
      } catch (error) {
        if (this.#stopping.signal.aborted) return null
        log.error(`postgres could not be started again: ${messageOf(error)}`)
      }
    }
  }
}

const lastWordsMs = 300

/** The end of a child, after its last words where they come soon: a session that survives its postmaster may hold the log's pipe open. */
function endOf(child: ChildProcess): Promise<PostmasterExit> {
  return new Promise((resolve) => {
    child.once('error', () => resolve({ code: null, signal: null }))
    child.once('exit', (code, signal) => {
      const timer = setTimeout(() => resolve({ code, signal }), lastWordsMs)
      child.once('close', () => {
        clearTimeout(timer)
        resolve({ code, signal })
      })
    })
  })
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined
}

async function endsWithin(child: ChildProcess, ms: number): Promise<boolean> {
  if (hasEnded(child)) return true
  await once(child, 'exit', { signal: AbortSignal.timeout(ms) }).catch(() => undefined)
  return hasEnded(child)
}
