/**
 * Frames over the database's own `notify`: for several nodes without another service. Notices never ride on a transaction that writes rows,
 * because committing them takes a lock that all who notify share.
 */
import pg from 'pg'
import type { Clock } from '../kernel/clock.ts'
import { AppError, toError } from '../kernel/errors.ts'
import type { Transport, TransportEvents } from './transport.ts'

export interface PostgresTransportOptions {
  readonly connection: pg.ClientConfig
  readonly clock: Clock
  readonly node: string
}

const CHANNEL = 'teahouse_bus'
/** A notice holds 7999 bytes of text, and base64 makes four characters of three bytes. */
const MAX_FRAME = 5_900
const MAX_BATCH = 200
/** Bytes that may wait for the database; what comes on top is dropped until it has caught up. */
const MAX_WAITING = 16 * 1024 * 1024
/** A query that takes longer has lost its connection. */
const ANSWER_MS = 5_000
const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 2_000

const NOTIFY = `select pg_catalog.pg_notify('${CHANNEL}', frame) from unnest($1::text[]) as frame`
const EVICT = `select pg_catalog.pg_terminate_backend(pid)
                 from pg_catalog.pg_stat_activity
                where datname = pg_catalog.current_database()
                  and usename = current_user
                  and application_name = $1`

export class PostgresTransport implements Transport {
  readonly kind = 'postgres'
  readonly maxFrame = MAX_FRAME
  readonly #options: PostgresTransportOptions
  #events: TransportEvents | null = null
  #client: pg.Client | null = null
  #pending: Buffer[] = []
  #pendingBytes = 0
  #sending: Promise<void> | null = null
  #cancelRetry: () => void = () => {}
  #stopped = false

  constructor(options: PostgresTransportOptions) {
    this.#options = options
  }

  async start(events: TransportEvents): Promise<void> {
    this.#events = events
    await this.#connect(events)
  }

  send(frame: Buffer): void {
    if (this.#client === null || this.#pendingBytes > MAX_WAITING) return
    this.#pending.push(frame)
    this.#pendingBytes += frame.length
    // Whatever is published in this turn travels together.
    this.#sending ??= new Promise<void>((resolve) => setImmediate(resolve))
      .then(() => this.#sendAll())
      .finally(() => {
        this.#sending = null
      })
  }

  evict(node: string): void {
    // Its session would hold the queue of notices back for all.
    this.#query(EVICT, [`teahouse bus ${node}`]).catch((error) => this.#events?.lost(toError(error)))
  }

  async stop(): Promise<void> {
    await this.#sending
    this.#stopped = true
    this.#cancelRetry()
    const client = this.#client
    this.#client = null
    await client?.end().catch(() => {})
  }

  async #sendAll(): Promise<void> {
    while (this.#pending.length > 0 && this.#client !== null) {
      const batch = this.#pending.splice(0, MAX_BATCH)
      for (const frame of batch) this.#pendingBytes -= frame.length
      try {
        await this.#query(NOTIFY, [batch.map((frame) => frame.toString('base64'))])
      } catch (error) {
        // Whoever misses the frames asks for them once the connection is back.
        this.#events?.lost(toError(error))
      }
    }
  }

  async #query(text: string, values: readonly unknown[]): Promise<void> {
    const client = this.#client
    if (client === null) return
    const cancel = this.#options.clock.after(ANSWER_MS, () => this.#lost(client))
    try {
      await client.query(text, [...values])
    } finally {
      cancel()
    }
  }

  async #connect(events: TransportEvents): Promise<void> {
    const { connection, node } = this.#options
    const client = new pg.Client({
      ...connection,
      application_name: `teahouse bus ${node}`,
      keepAlive: true,
      connectionTimeoutMillis: ANSWER_MS,
    })
    client.on('error', () => this.#lost(client))
    client.on('end', () => this.#lost(client))
    let own = 0
    client.on('notification', ({ payload, processId }) => {
      if (processId !== own && payload !== undefined) events.frame(Buffer.from(payload, 'base64'))
    })
    try {
      await client.connect()
      const { rows } = await client.query<{ pid: number }>('select pg_catalog.pg_backend_pid() as pid')
      own = rows[0]?.pid ?? 0
      await client.query(`listen ${CHANNEL}`)
    } catch (cause) {
      await client.end().catch(() => {})
      throw new AppError('unavailable', `The bus cannot use the database: ${toError(cause).message}`, { cause })
    }
    if (this.#stopped) await client.end()
    else this.#client = client
  }

  #lost(client: pg.Client): void {
    if (this.#stopped || this.#client !== client) return
    this.#client = null
    this.#pending = []
    this.#pendingBytes = 0
    // A polite end would wait for an answer that may never come.
    void client.end().catch(() => {})
    socketOf(client)?.destroy()
    this.#events?.lost(new Error('the connection of the bus to the database was lost; trying again'))
    this.#retry(FIRST_RETRY_MS)
  }

  #retry(delay: number): void {
    this.#cancelRetry = this.#options.clock.after(delay, () => {
      const events = this.#events
      if (events === null || this.#stopped) return
      this.#connect(events).then(
        () => events.restored(),
        () => this.#retry(Math.min(delay * 2, LAST_RETRY_MS)),
      )
    })
  }
}

/** pg has the socket, but its types do not. */
const socketOf = (client: pg.Client): { destroy(): void } | undefined =>
  (client as unknown as { connection?: { stream?: { destroy(): void } } }).connection?.stream
