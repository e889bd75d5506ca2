/**
 * The write-ahead log as a source of changes: elects the leader, keeps the slot, streams, acknowledges what was handed on, and starts again
 * after every failure from where it was. Knows neither listeners nor matching.
 */
import type pg from 'pg'
import type { Pool } from '../db/pool.ts'
import type { Clock } from '../kernel/clock.ts'
import { AppError } from '../kernel/errors.ts'
import { before, type Lsn, parseLsn, type Watermark } from './lsn.ts'
import { ReplicationConnection, startCommand } from './replication-connection.ts'
import * as statements from './slot.sql.ts'
import { type ChangeSource, lockKeyOf, type SourceLag, SourceLoop, type SourceSink } from './source.ts'
import { StreamSession } from './stream-session.ts'

export interface WalSourceOptions {
  readonly connection: pg.ClientConfig
  /** For questions beside the stream. */
  readonly pool: Pool
  readonly publication: string
  /** Several servers of one deployment share a name and with it one slot; another deployment on the same database takes another name. */
  readonly name: string
  readonly clock: Clock
  readonly standbyMs: number
}

export class WalSource implements ChangeSource {
  readonly kind = 'log'
  readonly #options: WalSourceOptions
  readonly #sink: SourceSink
  readonly #loop: SourceLoop
  #last: Watermark = ''
  #slotSeen = false
  #connection: ReplicationConnection | null = null
  #stream: StreamSession | null = null
  #slot = ''

  constructor(options: WalSourceOptions, sink: SourceSink) {
    this.#options = options
    this.#sink = sink
    this.#loop = new SourceLoop({ ...options, sink, session: () => this.#session() })
  }

  get last(): Watermark {
    return this.#stream?.last ?? this.#last
  }

  get reached(): Lsn | null {
    return this.#stream?.flushed ?? null
  }

  get lockKey(): bigint | null {
    return this.#slot === '' ? null : lockKeyOf(this.#slot)
  }

  start(): void {
    this.#loop.start()
  }

  async stop(): Promise<void> {
    await this.#loop.stop(async () => {
      if (this.#stream !== null) await this.#connection?.finish(this.#stream.flushed, this.#options.clock.now())
      await this.#connection?.close()
    })
  }

  nudge(): void {
    this.#loop.nudge()
  }

  fail(error: Error): void {
    this.#connection?.fail(error)
  }

  async lag(): Promise<SourceLag> {
    const row = await this.#options.pool.maybeOne<statements.LagRow>(statements.slotLag(this.#slot))
    const number = (text: string | null | undefined) => (text === null || text === undefined ? null : Number(text))
    return { bytes: number(row?.bytes), retained: number(row?.retained) }
  }

  async #session(): Promise<void> {
    const { connection, name } = this.#options
    const replication = await ReplicationConnection.open(connection, `teahouse-feed-${name}`)
    this.#connection = replication
    try {
      if (!this.#loop.stopping) await this.#lead(replication)
    } finally {
      this.#connection = null
      await replication.close()
    }
  }

  async #lead(replication: ReplicationConnection): Promise<void> {
    const { name, publication } = this.#options
    const [server] = (await replication.rows(statements.serverIdentity().text)) as unknown as statements.ServerRow[]
    if (server === undefined) throw new AppError('internal', 'The database did not say which one it is.')
    this.#slot = slotName(name, server.database_oid)
    const [lock] = await replication.rows(statements.tryLead(lockKeyOf(this.#slot)).text)
    if (lock?.leading !== true) return
    await this.#options.pool.many(statements.closeOutbox())
    const confirmed = await this.#ensureSlot(replication)
    const base = await this.#sink.lead?.(confirmed)
    if (base !== undefined) this.#last = base
    const stream = new StreamSession({
      replication,
      sink: this.#sink,
      clock: this.#options.clock,
      last: this.#last,
      flushed: confirmed,
    })
    try {
      this.#stream = stream
      this.#sink.state('streaming')
      await stream.run(startCommand({ slot: this.#slot, publication, serverVersion: Number(server.version) }))
    } finally {
      this.#stream = null
      this.#last = stream.last
      this.#sink.resigned?.()
    }
  }

  /** Answers how far the slot's readers had come. */
  async #ensureSlot(replication: ReplicationConnection): Promise<Lsn> {
    const found = (await replication.rows(statements.findSlot(this.#slot).text)) as unknown as statements.SlotRow[]
    const slot = found[0]
    if (slot !== undefined && !slot.lost && slot.plugin === 'pgoutput') {
      this.#slotSeen = true
      return parseLsn(slot.confirmed ?? '0/0')
    }
    const published = await replication.rows(statements.publicationExists(this.#options.publication).text)
    // A slot that is older than its publication can never be read: decoding looks the publication up as of each change.
    if (published.length === 0)
      throw new AppError('unavailable', `The publication ${this.#options.publication} does not exist yet.`)
    await this.#sink.renewing?.()
    if (slot !== undefined) await replication.rows(statements.dropSlot(this.#slot).text)
    const [created] = await replication.rows(statements.createSlot(this.#slot).text)
    const position = parseLsn(String(created?.lsn ?? '0/0'))
    const reason = this.#slotSeen || slot !== undefined ? 'lost' : 'created'
    this.#slotSeen = true
    // Nothing before the new slot's starting point will be told again, and its positions may be lower than old ones after a restore.
    this.#last = before(position)
    await this.#sink.epoch(this.#last, reason)
    return position
  }
}

/** Slot names are cluster-wide and know only lower-case letters, digits and underscores; the database's oid keeps databases apart. */
export const slotName = (name: string, databaseOid: string): string =>
  `teahouse_${name.toLowerCase().replaceAll(/[^a-z0-9_]/g, '_')}_${databaseOid}`.slice(0, 63)
