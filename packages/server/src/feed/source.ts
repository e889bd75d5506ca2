/** What the feed wants of a source of changes, and the loop in which every source lives. */
import { createHash } from 'node:crypto'
import { databaseError } from '../db/pool.ts'
import type { Clock } from '../kernel/clock.ts'
import { toError } from '../kernel/errors.ts'
import type { Statement } from '../sql/sql.ts'
import type { Change } from './change.ts'
import type { Lsn, Watermark } from './lsn.ts'

/** `log`: the write-ahead log. `outbox`: triggers on the tables, where the log may not be read. */
export type SourceKind = 'log' | 'outbox'

/** `standby`: another server leads. `streaming`: this one does. */
export type SourceState = 'starting' | 'standby' | 'streaming' | 'waiting' | 'stopped'

/** What a source tells its owner. */
export interface SourceSink {
  /** Changes in commit order. The source reads on once the promise resolves, and acknowledges only then. */
  changes(batch: readonly Change[]): Promise<void> | void
  /** Where nodes share a log: what to run, within the source's own transaction, instead of telling changes. Affects no row when another leads. */
  appending?(batch: readonly Change[]): Statement
  /** The transaction in which changes up to `last` were appended has committed. */
  appended?(last: Watermark): Promise<void>
  /** The source is about to be made anew: what changes until `epoch` may never be told. */
  renewing?(): Promise<void>
  /** The source is new: changes before `floor` may never be told. */
  epoch(floor: Watermark, reason: 'created' | 'lost'): Promise<void> | void
  /** This server leads now, and everything before `confirmed` was handed on. Answers the position after which to tell, if that is known better. */
  lead?(confirmed: Lsn): Promise<Watermark>
  /** This server leads no more. */
  resigned?(): void
  state(state: SourceState): void
  failed(error: Error): void
}

export interface SourceLag {
  /** Bytes between what was handed on and the newest. */
  readonly bytes: number | null
  /** Bytes that are kept on disk for the source. */
  readonly retained: number | null
}

export interface ChangeSource {
  readonly kind: SourceKind
  /** Position of the newest change that was handed on. */
  readonly last: Watermark
  /** How far everything was handed on; null while this server does not lead. */
  readonly reached: Lsn | null
  /** Key of the leader's lock; null before the first connection. */
  readonly lockKey: bigint | null
  start(): void
  stop(): Promise<void>
  /** Tries to lead at once, when it waits. */
  nudge(): void
  /** Ends the present session with `error`; the next one begins by itself. */
  fail(error: Error): void
  lag(): Promise<SourceLag>
}

/** Advisory locks are numbers. */
export const lockKeyOf = (name: string): bigint =>
  createHash('sha256').update(`feed:${name}`).digest().readBigInt64BE(0)

const FIRST_BACKOFF_MS = 50
const MAX_BACKOFF_MS = 2000
/** A killed server's sender lives until Postgres notices the closed socket: soon. */
const BUSY_BACKOFF_MS = 200

export interface LoopOptions {
  readonly clock: Clock
  readonly sink: Pick<SourceSink, 'state' | 'failed'>
  /** How often to ask whether nobody leads any more, where nobody else asks. */
  readonly standbyMs: number
  /** One connection's life: resolves when another server leads, rejects when the connection ended. */
  session(): Promise<void>
}

/** Runs sessions one after the other until it is stopped. */
export class SourceLoop {
  readonly #options: LoopOptions
  #stopping = false
  #wake: () => void = () => {}
  #loop: Promise<void> | null = null

  constructor(options: LoopOptions) {
    this.#options = options
  }

  get stopping(): boolean {
    return this.#stopping
  }

  start(): void {
    this.#loop ??= this.#run()
  }

  /** Ends the loop; `endSession` ends what it may be in. */
  async stop(endSession: () => Promise<void>): Promise<void> {
    this.#stopping = true
    this.#wake()
    await endSession()
    await this.#loop
  }

  nudge(): void {
    this.#wake()
  }

  async #run(): Promise<void> {
    const { sink, clock, standbyMs } = this.#options
    let backoff = FIRST_BACKOFF_MS
    while (!this.#stopping) {
      sink.state('starting')
      const started = clock.now()
      let pause = standbyMs
      try {
        await this.#options.session()
        sink.state('standby')
      } catch (error) {
        if (this.#stopping) break
        // A session that worked for a while starts again at once; one that keeps failing must not spin.
        const worked = clock.now() - started > MAX_BACKOFF_MS
        const most = isSlotBusy(error) ? BUSY_BACKOFF_MS : MAX_BACKOFF_MS
        backoff = worked ? FIRST_BACKOFF_MS : Math.min(backoff * 2, most)
        pause = backoff
        sink.state('waiting')
        sink.failed(toError(error))
      }
      if (!this.#stopping) await this.#sleep(pause)
    }
    sink.state('stopped')
  }

  async #sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(ms, resolve)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
    this.#wake = () => {}
  }
}

/** Whether Postgres says that another connection still reads the slot: the case right after a server was killed. */
export const isSlotBusy = (error: unknown): boolean => databaseError(error)?.code === '55006'
