/**
 * Cloud functions: the operator's own code, run beside the server in processes that can hurt nobody but their callers.
 *
 * A function is found by name, run by a warm process of its current version, and answers with what it returned or why it could not. What a
 * dialect adds (who calls, in its own variables; credentials for its own API) comes in as environment of the one invocation.
 */
import { join } from 'node:path'
import type { Pool } from '../db/pool.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Ids } from '../kernel/ids.ts'
import type { Service } from '../kernel/service.ts'
import type { Log } from '../observe/log.ts'
import { type Code, type Current, createCode } from './code.ts'
import type { FunctionConfig } from './config.ts'
import { type Answer, type Failure, failure, type Invocation, type Outcome } from './invocation.ts'
import { type Ground, isBounded, prepareGround } from './launch.ts'
import { createFunctionLogs, type FunctionLogs } from './logs.ts'
import { type PoolLimits, ProcessPool } from './pool.ts'
import type { ProcessLog } from './process.ts'
import { createTimers, type Turn } from './timers.ts'

export type { Answer, Failure, FailureReason, HttpEvent, Invocation, LogEntry, Outcome } from './invocation.ts'

export interface FunctionsOptions {
  /** The owner's. */
  readonly db: Pool
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
  readonly limits: PoolLimits
  /** Tells servers on one machine apart, for example the data dir. */
  readonly seed: string
  /** Variables of each process in the dialects' own words, there when the code is loaded. */
  readonly base?: (name: string) => Readonly<Record<string, string>>
  /** Variables of one invocation in the dialects' own words. Null caller: a timer. */
  readonly environment?: (invocation: Invocation, id: string) => Readonly<Record<string, string>>
}

export interface Functions extends Service {
  /** Runs the current version. Throws AppError `not_found`; whatever goes wrong inside is an answer. */
  invoke(invocation: Invocation): Promise<Outcome>
  /** Configuration of the current version. Throws AppError `not_found`. */
  configOf(name: string): Promise<FunctionConfig>
  readonly logs: FunctionLogs
}

/** The largest reply that WeChat's clients accept is 1 MB; over HTTP, files are sent too. */
export const DEFAULT_LIMITS: PoolLimits = { processes: 16, reply: 6 * 1024 * 1024, queue: 1_000, idle: 60_000 }

interface Running {
  readonly ground: Ground
  readonly code: Code
  readonly pool: ProcessPool
}

export const createFunctions = (options: FunctionsOptions): Functions => {
  const { db, clock, ids, log } = options
  const logs = createFunctionLogs(db, clock, log)
  let running: Promise<Running> | null = null
  let stopped = false

  /** Nothing is started on a server that has no functions. */
  const start = (): Promise<Running> => {
    running ??= prepareGround(options.seed).then((ground) => {
      if (!isBounded()) log.warn({}, 'functions run without limits on memory and processes here: see the documentation')
      const code = createCode({ db, clock, folder: join(ground.folder, 'code'), base: options.base ?? (() => ({})) })
      return { ground, code, pool: new ProcessPool(ground, options.limits, clock) }
    })
    return running
  }
  const invoke = async (invocation: Invocation): Promise<Outcome> => {
    const { code, pool } = await start()
    const version = await code.find(invocation.name)
    const id = ids.uuid()
    const began = clock.now()
    const say = (entry: ProcessLog): void =>
      logs.add({
        name: version.name,
        version: version.version,
        invocation: entry.invocation ?? id,
        at: new Date(clock.now()),
        level: entry.level,
        message: entry.text,
      })
    const answer = stopped
      ? failure('busy', 'The server is stopping')
      : await run({ code, pool, version, id, say }, invocation, options)
    const milliseconds = clock.now() - began
    if (answer.kind === 'failed') say({ invocation: id, level: 'error', text: textOf(answer) })
    say({ invocation: id, level: 'report', text: reportOf(invocation, answer, milliseconds) })
    pool.retire(code.isCurrent)
    return { answer, id, version: version.version, milliseconds }
  }
  const timers = createTimers({ db, clock, log }, (turn) => {
    invoke(timerInvocation(turn)).catch((error: unknown) => log.warn({ error, turn }, 'a timer could not be run'))
  })
  return {
    invoke,
    logs,
    async configOf(name) {
      const { code } = await start()
      return (await code.find(name)).config
    },
    async start() {
      await Promise.all([logs.start(), timers.start()])
    },
    async stop() {
      stopped = true
      await timers.stop()
      const now = await running?.catch(() => null)
      await now?.pool.stop()
      await logs.stop()
      await now?.ground.remove()
    },
  }
}

interface Run {
  readonly code: Code
  readonly pool: ProcessPool
  readonly version: Current
  readonly id: string
  readonly say: (entry: ProcessLog) => void
}

const run = async (
  { code, pool, version, id, say }: Run,
  invocation: Invocation,
  options: FunctionsOptions,
): Promise<Answer> => {
  const { clock } = options
  const { timeout, memory } = version.config
  const runnable = await code.runnable(version)
  const lease = await pool.lease(runnable, { nested: invocation.trigger === 'function', patience: timeout * 1000 })
  if (!('process' in lease)) return lease
  lease.onLog(say)
  try {
    return await lease.process.call(
      {
        type: 'call',
        id,
        name: version.name,
        version: String(version.version),
        memory,
        deadline: clock.now() + timeout * 1000,
        event: invocation.event,
        http: invocation.http ?? null,
        env: { ...options.environment?.(invocation, id), ...invocation.env },
      },
      timeout * 1000,
    )
  } finally {
    lease.release()
  }
}

/** What WeChat gives a function that a timer started. */
const timerInvocation = ({ function: name, timer, at }: Turn): Invocation => ({
  name,
  caller: null,
  trigger: 'timer',
  event: JSON.stringify({ Message: '', Time: at.toISOString(), TriggerName: timer, Type: 'Timer' }),
})

const textOf = ({ reason, name, message, stack }: Failure): string =>
  stack === '' ? `${reason}: ${name}: ${message}` : `${reason}: ${stack}`

const reportOf = ({ trigger }: Invocation, answer: Answer, milliseconds: number): string =>
  JSON.stringify({ trigger, outcome: answer.kind === 'failed' ? answer.reason : 'ok', milliseconds })
