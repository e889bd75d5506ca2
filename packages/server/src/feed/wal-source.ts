/**
 * The write-ahead log as a source of changes: elects the leader, keeps the slot, streams, acknowledges what was handed on, and starts again
 * after every failure from where it was. Knows neither listeners nor matching.
 */
import { createHash } from 'node:crypto'
import type pg from 'pg'
import { databaseError } from '../db/pool.ts'
import type { Clock } from '../kernel/clock.ts'
import { AppError, toError } from '../kernel/errors.ts'
import type { Change } from './change.ts'
import { type Lsn, parseLsn, type Watermark, watermarkOf } from './lsn.ts'
import { ReplicationConnection, startCommand } from './replication-connection.ts'
import * as statements from './slot.sql.ts'
import { StreamSession } from './stream-session.ts'

export interface WalSourceOptions {
  readonly connection: pg.ClientConfig
  readonly publication: string
  /** Several servers of one deployment share a name and with it one slot; another deployment on the same database takes another name. */
  readonly name: string
  readonly clock: Clock
}

/** What the source tells its owner. */
export interface WalSink {
  /** Changes in commit order. The source reads on once the promise resolves, and acknowledges only then. */
  changes(batch: readonly Change[]): Promise<void> | void
  /** The slot is new: changes before `floor` may never be told. */
  epoch(floor: Watermark, reason: 'created' | 'lost'): void
  state(state: WalState): void
  failed(error: Error): void
}

/** `standby`: another server leads. `streaming`: this one does. */
export type WalState = 'starting' | 'standby' | 'streaming' | 'waiting' | 'stopped'

const FIRST_BACKOFF_MS = 50
const MAX_BACKOFF_MS = 2000
/** A killed server's sender lives until Postgres notices the closed socket: soon. */
const BUSY_BACKOFF_MS = 200
const STANDBY_POLL_MS = 1000

export class WalSource {
  readonly #options: WalSourceOptions
  readonly #sink: WalSink
  #last: Watermark = ''
  #flushed: Lsn = 0n
  #slotSeen = false
  #stopping = false
  #wake: () => void = () => {}
  #connection: ReplicationConnection | null = null
  #stream: StreamSession | null = null
  #loop: Promise<void> | null = null
  #slot = ''

  constructor(options: WalSourceOptions, sink: WalSink) {
    this.#options = options
    this.#sink = sink
  }

  /** Name of the slot, known once the first connection was made. */
  get slot(): string {
    return this.#slot
  }

  /** Position of the newest change that was handed on. */
  get last(): Watermark {
    return this.#last
  }

  start(): void {
    this.#loop ??= this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping = true
    this.#wake()
    if (this.#stream !== null) await this.#connection?.finish(this.#stream.flushed, this.#options.clock.now())
    await this.#connection?.close()
    await this.#loop
  }

  async #run(): Promise<void> {
    let backoff = FIRST_BACKOFF_MS
    while (!this.#stopping) {
      this.#sink.state('starting')
      const started = this.#options.clock.now()
      let pause = STANDBY_POLL_MS
      try {
        await this.#session()
        this.#sink.state('standby')
      } catch (error) {
        if (this.#stopping) break
        // A stream that worked for a while starts again at once; one that keeps failing must not spin.
        const worked = this.#options.clock.now() - started > MAX_BACKOFF_MS
        backoff = worked
          ? FIRST_BACKOFF_MS
          : Math.min(backoff * 2, isSlotBusy(error) ? BUSY_BACKOFF_MS : MAX_BACKOFF_MS)
        pause = backoff
        this.#sink.state('waiting')
        this.#sink.failed(toError(error))
      } finally {
        const open = this.#connection
        this.#connection = null
        await open?.close()
      }
      if (!this.#stopping) await this.#sleep(pause)
    }
    this.#sink.state('stopped')
  }

  /** One connection's life. Answers false when another server leads. */
  async #session(): Promise<boolean> {
    const { connection, name, publication } = this.#options
    const replication = await ReplicationConnection.open(connection, `teahouse-feed-${name}`)
    if (this.#stopping) {
      await replication.close()
      return false
    }
    this.#connection = replication
    const [server] = (await replication.rows(statements.serverIdentity().text)) as unknown as statements.ServerRow[]
    if (server === undefined) throw new AppError('internal', 'The database did not say which one it is.')
    this.#slot = slotName(name, server.database_oid)
    const [lock] = await replication.rows(statements.tryLead(lockKey(this.#slot)).text)
    if (lock?.leading !== true) {
      this.#connection = null
      await replication.close()
      return false
    }
    await this.#ensureSlot(replication)
    const command = startCommand({ slot: this.#slot, publication, serverVersion: Number(server.version) })
    const stream = new StreamSession({
      replication,
      sink: this.#sink,
      clock: this.#options.clock,
      last: this.#last,
      flushed: this.#flushed,
    })
    try {
      this.#stream = stream
      this.#sink.state('streaming')
      await stream.run(command)
    } finally {
      this.#stream = null
      this.#last = stream.last
      this.#flushed = stream.flushed
    }
    return true
  }

  async #ensureSlot(replication: ReplicationConnection): Promise<void> {
    const found = (await replication.rows(statements.findSlot(this.#slot).text)) as unknown as statements.SlotRow[]
    const slot = found[0]
    if (slot !== undefined && !slot.lost && slot.plugin === 'pgoutput') {
      this.#slotSeen = true
      return
    }
    const published = await replication.rows(statements.publicationExists(this.#options.publication).text)
    // A slot that is older than its publication can never be read: decoding looks the publication up as of each change.
    if (published.length === 0)
      throw new AppError('unavailable', `The publication ${this.#options.publication} does not exist yet.`)
    if (slot !== undefined) await replication.rows(statements.dropSlot(this.#slot).text)
    const [created] = await replication.rows(statements.createSlot(this.#slot).text)
    const position = parseLsn(String(created?.lsn ?? '0/0'))
    const reason = this.#slotSeen || slot !== undefined ? 'lost' : 'created'
    this.#slotSeen = true
    this.#flushed = position
    // Nothing at or before the new slot's starting point will be told again, and its positions may be lower than old ones after a restore.
    this.#last = watermarkOf(position, 0)
    this.#sink.epoch(this.#last, reason)
  }

  async #sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(ms, resolve)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
  }
}

/** Slot names are cluster-wide and know only lower-case letters, digits and underscores; the database's oid keeps databases apart. */
export const slotName = (name: string, databaseOid: string): string =>
  `teahouse_${name.toLowerCase().replaceAll(/[^a-z0-9_]/g, '_')}_${databaseOid}`.slice(0, 63)

const lockKey = (slot: string): bigint => createHash('sha256').update(`feed:${slot}`).digest().readBigInt64BE(0)

/** Whether Postgres says that another connection still reads the slot: the case right after a server was killed. */
export const isSlotBusy = (error: unknown): boolean => databaseError(error)?.code === '55006'
