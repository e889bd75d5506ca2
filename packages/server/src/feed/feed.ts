/**
 * The change feed of one app: every committed row change, in commit order, to every listener, with a short memory for listeners that were
 * away. Where changes may have been missed, listeners are told so; the feed never skips in silence.
 */
import type { Pool } from '../db/pool.ts'
import type { Ids } from '../kernel/ids.ts'
import type { Service } from '../kernel/service.ts'
import type { Change } from './change.ts'
import { ChangeLog, type LogLimits } from './log.ts'
import type { Watermark } from './lsn.ts'
import * as statements from './slot.sql.ts'
import { WalSource, type WalSourceOptions, type WalState } from './wal-source.ts'

export interface FeedListener {
  /** Changes in feed order. The feed reads on once every listener's promise has resolved. */
  changes(batch: readonly Change[]): Promise<void> | void
  /** Changes may have been missed: whoever depends on them must read again. */
  resync(reason: string): void
}

export interface FeedOptions extends Omit<WalSourceOptions, 'publication' | 'name'> {
  readonly pool: Pool
  readonly ids: Ids
  readonly publication?: string
  readonly name?: string
  readonly limits?: LogLimits
  readonly onError?: (error: Error) => void
}

export interface FeedLag {
  /** Bytes of log between what was handed on and the newest. */
  readonly bytes: number | null
  /** Bytes of log that the slot keeps on disk. */
  readonly retained: number | null
  /** Seconds between the newest change's commit and now, while changes wait; null before the first. */
  readonly lastCommit: number | null
}

const LIMITS: LogLimits = { changes: 20_000, bytes: 32 * 1024 * 1024 }
/** How often newly published tables are looked for where no event trigger tells. */
const SYNC_EVERY_MS = 5000

export class Feed implements Service {
  readonly #options: FeedOptions
  readonly #source: WalSource
  readonly #log: ChangeLog
  readonly #listeners = new Set<FeedListener>()
  readonly #waiting = new Set<() => void>()
  #epoch: string
  #state: WalState = 'stopped'
  #lastCommit: number | null = null
  #cancelSync: () => void = () => {}

  constructor(options: FeedOptions) {
    this.#options = options
    this.#epoch = options.ids.uuid()
    this.#log = new ChangeLog(options.limits ?? LIMITS)
    const { connection, clock } = options
    this.#source = new WalSource(
      { connection, clock, publication: options.publication ?? 'teahouse_feed', name: options.name ?? 'feed' },
      {
        changes: (batch) => this.#deliver(batch),
        epoch: (floor, reason) => this.#newEpoch(floor, reason),
        state: (state) => this.#setState(state),
        failed: (error) => options.onError?.(error),
      },
    )
  }

  /** Identifies an unbroken run of the feed: positions of another epoch mean nothing in this one. */
  get epoch(): string {
    return this.#epoch
  }

  get state(): WalState {
    return this.#state
  }

  /** Position of the newest change that listeners have had. */
  get position(): Watermark {
    return this.#source.last
  }

  /** Starts reading and resolves at once: a database that is away is no reason not to serve. */
  async start(): Promise<void> {
    await this.syncPublication()
    this.#source.start()
    this.#scheduleSync()
  }

  async stop(): Promise<void> {
    this.#cancelSync()
    await this.#source.stop()
  }

  /** Resolves once changes are being read (here or on the leading node); rejects after `ms`. */
  async ready(ms = 30_000): Promise<void> {
    if (this.#isReady()) return
    await new Promise<void>((resolve, reject) => {
      const done = () => {
        cancel()
        this.#waiting.delete(done)
        resolve()
      }
      const cancel = this.#options.clock.after(ms, () => {
        this.#waiting.delete(done)
        reject(new Error(`the change feed is ${this.#state} after ${ms} ms`))
      })
      this.#waiting.add(done)
    })
  }

  /** Adds a listener; the returned function removes it. */
  listen(listener: FeedListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Changes after a position of this epoch; null when some are gone and the reader must start over. */
  since(epoch: string, seen: Watermark): readonly Change[] | null {
    return epoch === this.#epoch ? this.#log.since(seen) : null
  }

  /** Makes the feed carry what is published now. Failure is reported, not thrown: the next round tries again. */
  async syncPublication(): Promise<void> {
    try {
      await this.#options.pool.many(statements.syncPublication())
    } catch (error) {
      if (error instanceof Error) this.#options.onError?.(error)
    }
  }

  async lag(): Promise<FeedLag> {
    const row = await this.#options.pool.maybeOne<statements.LagRow>(statements.slotLag(this.#source.slot))
    const number = (text: string | null | undefined) => (text === null || text === undefined ? null : Number(text))
    const lastCommit = this.#lastCommit === null ? null : this.#options.clock.now() / 1000 - this.#lastCommit / 1e6
    return { bytes: number(row?.bytes), retained: number(row?.retained), lastCommit }
  }

  #isReady(): boolean {
    return this.#state === 'streaming' || this.#state === 'standby'
  }

  #setState(state: WalState): void {
    this.#state = state
    if (this.#isReady()) for (const done of [...this.#waiting]) done()
  }

  #deliver(batch: readonly Change[]): Promise<void> | void {
    this.#log.append(batch)
    this.#lastCommit = batch[batch.length - 1]?.commitTime ?? this.#lastCommit
    const waits: Promise<void>[] = []
    for (const listener of this.#listeners) {
      const wait = listener.changes(batch)
      if (wait !== undefined) waits.push(wait)
    }
    if (waits.length === 0) return undefined
    return Promise.all(waits).then(() => {})
  }

  #newEpoch(floor: Watermark, reason: 'created' | 'lost'): void {
    this.#log.reset(floor)
    this.#epoch = this.#options.ids.uuid()
    if (reason === 'lost') this.#resync('the change feed started anew')
  }

  #resync(reason: string): void {
    for (const listener of this.#listeners) listener.resync(reason)
  }

  #scheduleSync(): void {
    this.#cancelSync = this.#options.clock.after(SYNC_EVERY_MS, () => {
      void this.syncPublication().finally(() => this.#scheduleSync())
    })
  }
}
