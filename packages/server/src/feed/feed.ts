/**
 * The change feed of one app: every committed row change, in commit order, to every listener, with a short memory for listeners that were
 * away. Where changes may have been missed, listeners are told so; the feed never skips in silence.
 */
import type pg from 'pg'
import type { Bus } from '../bus/bus.ts'
import type { Pool } from '../db/pool.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Ids } from '../kernel/ids.ts'
import type { Service } from '../kernel/service.ts'
import type { Change } from './change.ts'
import { ChangeLog, type LogLimits } from './log.ts'
import type { Watermark } from './lsn.ts'
import { OutboxSource } from './outbox-source.ts'
import { SharedFeed } from './shared-feed.ts'
import * as statements from './slot.sql.ts'
import type { ChangeSource, SourceKind, SourceLag, SourceSink, SourceState } from './source.ts'
import { WalSource } from './wal-source.ts'

export interface FeedListener {
  /** Changes in feed order. The feed reads on once every listener's promise has resolved. */
  changes(batch: readonly Change[]): Promise<void> | void
  /** Changes may have been missed: whoever depends on them must read again. */
  resync(reason: string): void
  /** The feed has a place to tell from, for the first time: what changed before it will not be told. */
  began?(): void
}

export interface FeedOptions {
  readonly connection: pg.ClientConfig
  readonly pool: Pool
  readonly clock: Clock
  readonly ids: Ids
  /** Where there are other nodes, the feed is shared with them; a local bus, or none, means that this node is alone. */
  readonly bus?: Bus
  /** Where changes come from: the log unless this login may not read it. */
  readonly source?: SourceKind
  readonly publication?: string
  readonly name?: string
  readonly limits?: LogLimits
  readonly onError?: (error: Error) => void
}

export interface FeedLag extends SourceLag {
  /** Seconds between the newest change's commit and now, while changes wait; null before the first. */
  readonly lastCommit: number | null
}

const LIMITS: LogLimits = { changes: 20_000, bytes: 32 * 1024 * 1024 }
/** How often newly published tables are looked for where no event trigger tells. */
const SYNC_EVERY_MS = 5000
/** How often a node that is alone asks for the lead: another server of its kind may be ending. Where nodes know each other they are told. */
const STANDBY_ALONE_MS = 1000
const STANDBY_SHARED_MS = 30_000

export class Feed implements Service {
  readonly #options: FeedOptions
  readonly #source: ChangeSource
  readonly #shared: SharedFeed | null
  readonly #log: ChangeLog
  readonly #listeners = new Set<FeedListener>()
  readonly #waiting = new Set<() => void>()
  #epoch: string
  #state: SourceState = 'stopped'
  #lastCommit: number | null = null
  #cancelSync: () => void = () => {}

  constructor(options: FeedOptions) {
    this.#options = options
    this.#epoch = options.ids.uuid()
    this.#log = new ChangeLog(options.limits ?? LIMITS)
    const { bus } = options
    const isShared = bus !== undefined && bus.kind !== 'local'
    this.#shared = isShared ? this.#createShared(bus) : null
    this.#source = this.#createSource(this.#shared === null ? this.#aloneSink() : this.#sharedSink(this.#shared))
  }

  /** Identifies an unbroken run of the feed: positions of another epoch mean nothing in this one. */
  get epoch(): string {
    return this.#epoch
  }

  get state(): SourceState {
    return this.#state
  }

  /** Where the changes come from. */
  get source(): SourceKind {
    return this.#source.kind
  }

  /** Position of the newest change that listeners have had. */
  get position(): Watermark {
    return this.#shared?.seen ?? this.#source.last
  }

  /** Starts reading and resolves at once: a database that is away is no reason not to serve. */
  async start(): Promise<void> {
    await this.syncPublication()
    this.#shared?.start()
    this.#source.start()
    this.#scheduleSync()
  }

  async stop(): Promise<void> {
    this.#cancelSync()
    await this.#source.stop()
    await this.#shared?.stop()
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
    const lastCommit = this.#lastCommit === null ? null : this.#options.clock.now() / 1000 - this.#lastCommit / 1e6
    return { ...(await this.#source.lag()), lastCommit }
  }

  #createSource(sink: SourceSink): ChangeSource {
    const { connection, pool, clock, source, publication = 'teahouse_feed', name = 'feed' } = this.#options
    const standbyMs = this.#shared === null ? STANDBY_ALONE_MS : STANDBY_SHARED_MS
    const options = { connection, pool, clock, publication, name, standbyMs }
    return source === 'outbox' ? new OutboxSource(options, sink) : new WalSource(options, sink)
  }

  #aloneSink(): SourceSink {
    return {
      changes: (batch) => this.#deliver(batch),
      epoch: (floor, reason) => this.#newEpoch(this.#options.ids.uuid(), floor, reason === 'created'),
      state: (state) => this.#setState(state),
      failed: (error) => this.#options.onError?.(error),
    }
  }

  #sharedSink(shared: SharedFeed): SourceSink {
    return {
      changes: (batch) => shared.append(batch),
      appending: (batch) => shared.appending(batch),
      appended: (last) => shared.appended(last),
      renewing: () => shared.renewing(),
      epoch: (floor) => shared.renewed(floor),
      lead: (confirmed) => shared.lead(confirmed),
      resigned: () => shared.resign(),
      state: (state) => this.#setState(state),
      failed: (error) => this.#options.onError?.(error),
    }
  }

  #createShared(bus: Bus): SharedFeed {
    const { pool, clock, ids, onError, source, name = 'feed' } = this.#options
    return new SharedFeed({
      pool,
      bus,
      clock,
      ids,
      name,
      source: source ?? 'log',
      lockKey: () => this.#source.lockKey,
      reached: () => this.#source.reached,
      nobodyLeads: () => this.#source.nudge(),
      fenced: (error) => this.#source.fail(error),
      deliver: (batch) => this.#deliver(batch),
      epoch: (epoch, floor, first) => {
        this.#newEpoch(epoch, floor, first)
        this.#setState(this.#state)
      },
      gap: (floor) => {
        this.#log.reset(floor)
        this.#resync('this node was away for too long')
      },
      onError: (error) => onError?.(error),
    })
  }

  #isReady(): boolean {
    return (this.#state === 'streaming' || this.#state === 'standby') && (this.#shared?.attached ?? true)
  }

  #setState(state: SourceState): void {
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

  #newEpoch(epoch: string, floor: Watermark, first: boolean): void {
    this.#log.reset(floor)
    this.#epoch = epoch
    if (!first) this.#resync('the change feed started anew')
    else for (const listener of this.#listeners) listener.began?.()
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
