/**
 * The feed of several nodes. One of them leads: it reads the source, appends to the log that all share, and only then acknowledges. All of
 * them, the leader included, take their changes from that log. Whoever was replaced while it was paused or cut off can append no more, so
 * nothing is told twice.
 */
import type { Bus, BusChannel } from '../bus/bus.ts'
import type { Pool } from '../db/pool.ts'
import type { Clock } from '../kernel/clock.ts'
import { AppError, toError } from '../kernel/errors.ts'
import type { Ids } from '../kernel/ids.ts'
import type { Statement } from '../sql/sql.ts'
import type { Change } from './change.ts'
import { encodeChanges } from './change-codec.ts'
import { before, type Lsn, type Watermark } from './lsn.ts'
import { type Entry, Replica, type ReplicaOptions } from './replica.ts'
import * as statements from './shared-log.sql.ts'

export interface SharedFeedOptions extends Omit<ReplicaOptions, 'onError'> {
  readonly pool: Pool
  readonly bus: Bus
  readonly clock: Clock
  readonly ids: Ids
  readonly name: string
  /** Kind of the source; a feed that goes over to another one begins anew. */
  readonly source: string
  /** Key of the leader's lock; null before it is known. */
  lockKey(): bigint | null
  /** Nobody leads: try to. */
  nobodyLeads(): void
  /** This node was replaced. */
  fenced(error: Error): void
  /** How far everything was handed on; null while this node does not lead. */
  reached(): Lsn | null
  onError(error: Error): void
}

/** An entry on its way, or the news that there is one. */
interface Announced extends Entry {
  readonly node: string
}

const CHANNEL: BusChannel<Announced> = {
  name: 'feed.entry',
  encode: (entry) => Buffer.from(JSON.stringify(entry)),
  // Written by `encode` of the same version of the product.
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString('utf8')) as Announced,
}

const LOOK_EVERY_MS = 1_000
/** Before it knows where it is, a node looks more often. */
const FIRST_LOOK_MS = 100
/** A leader that is silent for so long is stopped or cut off, and is replaced. */
const SILENCE_MS = 4_000
const TRIM_EVERY = 5
const LOG_BYTES = 64 * 1024 * 1024
const LOG_MINUTES = 10
/** Larger entries are read from the table rather than sent. */
const MAX_SENT = 200 * 1024

export class SharedFeed {
  readonly #options: SharedFeedOptions
  readonly #replica: Replica
  #term: string | null = null
  #epoch = ''
  #lastEntry: Watermark = ''
  #cancelLook: () => void = () => {}
  #unsubscribe: () => void = () => {}
  #looking: Promise<void> = Promise.resolve()
  #rounds = 0
  #stopped = false

  constructor(options: SharedFeedOptions) {
    this.#options = options
    this.#replica = new Replica(options)
  }

  get attached(): boolean {
    return this.#replica.attached
  }

  get seen(): Watermark {
    return this.#replica.seen
  }

  start(): void {
    const { bus, name } = this.#options
    this.#unsubscribe = bus.subscribe(CHANNEL, name, (entry) => {
      if (entry.node !== bus.node) this.#replica.offer(entry).catch((error) => this.#options.onError(toError(error)))
    })
    this.#schedule()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelLook()
    this.#unsubscribe()
    await this.#looking
    await this.#replica.stop()
  }

  /** The source is about to be made anew: whatever changes from here on may be lost. */
  async renewing(): Promise<void> {
    await this.#options.pool.run(statements.closeEpoch(this.#options.name))
  }

  /** The source was made anew and tells what comes after `floor`. */
  async renewed(floor: Watermark): Promise<void> {
    await this.#open(floor)
  }

  /** This node leads, and the source goes on from `confirmed`. Answers the position up to which everything is in the log already. */
  async lead(confirmed: Lsn): Promise<Watermark> {
    const { pool, name, ids, bus, source } = this.#options
    const known = await pool.maybeOne<statements.EpochRow>(statements.findEpoch(name))
    if (known === null || !known.ready || known.source !== source) await this.#open(before(confirmed))
    else this.#epoch = known.epoch
    const term = ids.uuid()
    const row = await pool.maybeOne<{ last: Watermark }>(
      statements.takeLead({ name, term }, bus.node, before(confirmed)),
    )
    const last = row?.last ?? ''
    this.#lastEntry = last
    // First this node has what its predecessors appended, then it appends itself.
    await this.#replica.catchUp()
    this.#term = term
    return last
  }

  /** The source ended. */
  resign(): void {
    this.#term = null
  }

  /** Appends and tells; resolves once this node's own listeners had it. Rejects when another node leads. */
  async append(batch: readonly Change[]): Promise<void> {
    const last = batch[batch.length - 1]?.watermark
    if (last === undefined) return
    const payload = encodeChanges(batch)
    const entry = { epoch: this.#epoch, prev: this.#lastEntry, last, payload }
    const appended = await this.#options.pool.run(statements.append(this.#leading(), entry))
    if (appended === 0) throw this.#replaced()
    this.#lastEntry = last
    this.#announce(entry)
    await this.#replica.offer(entry, batch)
  }

  /** What appends within a transaction of the source's own; `appended` follows when that has committed. */
  appending(batch: readonly Change[]): Statement {
    const last = batch[batch.length - 1]?.watermark ?? this.#lastEntry
    const entry = { prev: this.#lastEntry, last, payload: encodeChanges(batch) }
    this.#lastEntry = last
    return statements.append(this.#leading(), entry)
  }

  async appended(last: Watermark): Promise<void> {
    this.#tellOthers(last)
    await this.#replica.catchUp()
  }

  /** Tells the other nodes that there is something to read. */
  #tellOthers(last: Watermark): void {
    this.#announce({ epoch: this.#epoch, prev: last, last, payload: null })
  }

  #announce(entry: Entry): void {
    const { bus, name } = this.#options
    const sends = bus.kind === 'nats' && entry.payload !== null && entry.payload.length <= MAX_SENT
    bus.publish(CHANNEL, name, { ...entry, payload: sends ? entry.payload : null, node: bus.node })
  }

  #leading(): statements.Leading {
    if (this.#term === null) throw this.#replaced()
    return { name: this.#options.name, term: this.#term }
  }

  #replaced(): AppError {
    return new AppError('conflict', 'Another node leads the change feed by now.')
  }

  async #open(floor: Watermark): Promise<void> {
    const { pool, name, ids, bus, source } = this.#options
    const epoch = ids.uuid()
    await pool.transaction(async (tx) => {
      await tx.run(statements.openEpoch(name, { epoch, source, floor, ready: true }))
      await tx.run(statements.emptyLog(name))
      await tx.run(statements.resetLeader({ name, term: ids.uuid() }, bus.node, floor))
    })
    this.#epoch = epoch
    this.#tellOthers(floor)
  }

  #schedule(): void {
    if (this.#stopped) return
    this.#cancelLook = this.#options.clock.after(this.attached ? LOOK_EVERY_MS : FIRST_LOOK_MS, () => {
      this.#looking = this.#look()
        .catch((error) => this.#options.onError(toError(error)))
        .finally(() => this.#schedule())
    })
  }

  async #look(): Promise<void> {
    this.#rounds++
    if (this.#term === null) await this.#follow()
    else await this.#keepLeading()
  }

  async #keepLeading(): Promise<void> {
    const { pool } = this.#options
    const reached = this.#options.reached()
    const leading = this.#leading()
    const kept = await pool.run(statements.advance(leading, reached === null ? '' : before(reached)))
    if (kept === 0 && this.#term === leading.term) {
      this.#term = null
      this.#options.fenced(this.#replaced())
    } else if (this.#rounds % TRIM_EVERY === 0) await pool.run(statements.trimLog(leading, LOG_BYTES, LOG_MINUTES))
  }

  async #follow(): Promise<void> {
    const { pool, name } = this.#options
    await this.#replica.catchUp()
    const key = this.#options.lockKey()
    if (key === null) return this.#options.nobodyLeads()
    const row = await pool.maybeOne<statements.SilenceRow>(statements.leaderSilence(name, key))
    if (row === null) return
    if (!row.free && (row.silence ?? 0) > SILENCE_MS) await pool.many(statements.deposeLeader(key))
    else if (!row.free) return
    this.#options.nobodyLeads()
  }
}
