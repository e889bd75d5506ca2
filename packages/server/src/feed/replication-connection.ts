/** One logical replication session over `pg`: starts the slot's stream, hands on raw messages, sends acknowledgements. Knows no rows. */
import pg from 'pg'
import { formatLsn, type Lsn } from './lsn.ts'

/** The parts of pg's connection that a replication stream drives. */
interface Wire {
  readonly stream: { pause(): void; resume(): void; destroy(): void; end(done: () => void): void }
  query(text: string): void
  sendCopyFromChunk(chunk: Buffer): void
}

export interface StreamHandler {
  /** The body of one XLogData message. The bytes are only valid during the call. */
  data(bytes: Buffer): void
  /** The server has nothing more before `position`; `replyNow` when it wants to hear from us. */
  keepalive(position: Lsn, replyNow: boolean): void
}

/** Seconds are enough: Postgres only shows this time in pg_stat_replication. */
const POSTGRES_EPOCH_MS = 946_684_800_000

/** pg's Submittable for START_REPLICATION: stays active for as long as the stream does. */
class Stream {
  readonly ended: Promise<void>
  wire: Wire | null = null
  readonly #text: string
  readonly #handler: StreamHandler
  #end: () => void = () => {}
  #fail: (error: unknown) => void = () => {}

  constructor(text: string, handler: StreamHandler) {
    this.#text = text
    this.#handler = handler
    this.ended = new Promise((resolve, reject) => {
      this.#end = resolve
      this.#fail = reject
    })
    this.ended.catch(() => {})
  }

  submit(wire: Wire): void {
    this.wire = wire
    wire.query(this.#text)
  }

  handleCopyData(message: { chunk: Buffer }): void {
    const { chunk } = message
    try {
      if (chunk[0] === 0x77) this.#handler.data(chunk.subarray(25))
      else if (chunk[0] === 0x6b) this.#handler.keepalive(chunk.readBigUInt64BE(1), chunk[17] === 1)
    } catch (error) {
      // An undecodable message must not be skipped: the session ends, and the next one starts from the last acknowledged position.
      this.fail(error)
    }
  }

  fail(error: unknown): void {
    this.#fail(error)
    this.wire?.stream.destroy()
  }

  handleError(error: unknown): void {
    this.#fail(error)
  }

  handleReadyForQuery(): void {
    this.#end()
  }

  handleCommandComplete(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleCopyInResponse(): void {}
}

/** An open replication session. */
export class ReplicationConnection {
  readonly #client: pg.Client
  #stream: Stream | null = null
  #lost: Error | null = null

  private constructor(client: pg.Client) {
    this.#client = client
    client.on('error', (error) => {
      this.#lost = error
      this.#stream?.fail(error)
    })
    client.on('end', () => {
      this.#lost ??= new Error('the replication connection ended')
      this.#stream?.fail(this.#lost)
    })
  }

  static async open(connection: pg.ClientConfig, applicationName: string): Promise<ReplicationConnection> {
    // `replication` is a start-up parameter that pg passes on but its types do not name.
    const config: pg.ClientConfig & { replication: string } = {
      ...connection,
      application_name: applicationName,
      replication: 'database',
      keepAlive: true,
      connectionTimeoutMillis: 10_000,
    }
    const client = new pg.Client(config)
    const open = new ReplicationConnection(client)
    await client.connect()
    // Values arrive as text made by this session, so its settings decide their form; the matcher and the JSON writer rely on them.
    await client.query(
      `set datestyle = 'ISO, YMD'; set timezone = 'UTC'; set intervalstyle = 'postgres'; set extra_float_digits = 1; set bytea_output = 'hex'; set xmloption = 'content'; set search_path = ''`,
    )
    return open
  }

  /** Runs one statement before the stream starts. Replication sessions know the simple protocol only, so it has no parameters. */
  async rows(text: string): Promise<readonly Record<string, unknown>[]> {
    const result = await this.#client.query(text)
    // Rows are objects by pg's contract; the author of each statement reads the columns it named.
    return result.rows as Record<string, unknown>[]
  }

  /** Streams until the connection is lost or closed; rejects with the reason. `text` is a START_REPLICATION command. */
  async stream(text: string, handler: StreamHandler): Promise<void> {
    if (this.#lost !== null) throw this.#lost
    const stream = new Stream(text, handler)
    this.#stream = stream
    // pg's types know only its own Submittable implementations; this one implements the interface that pg-cursor does.
    this.#client.query(stream as unknown as pg.Submittable)
    await stream.ended
  }

  /** Tells the server that everything before `flushed` was handed on and may be forgotten. */
  acknowledge(flushed: Lsn, now: number): void {
    const message = Buffer.allocUnsafe(34)
    message[0] = 0x72
    message.writeBigUInt64BE(flushed, 1)
    message.writeBigUInt64BE(flushed, 9)
    message.writeBigUInt64BE(flushed, 17)
    message.writeBigInt64BE(BigInt(now - POSTGRES_EPOCH_MS) * 1000n, 25)
    message[33] = 0
    this.#stream?.wire?.sendCopyFromChunk(message)
  }

  /** Stops reading from the socket, so that a slow consumer slows the server's sender instead of filling memory. */
  pause(): void {
    this.#stream?.wire?.stream.pause()
  }

  resume(): void {
    this.#stream?.wire?.stream.resume()
  }

  /** Ends the stream with `error`, as if the connection had failed. */
  fail(error: Error): void {
    this.#stream?.fail(error)
  }

  /** Sends a last acknowledgement and lets the socket empty itself, so that little is repeated to whoever reads next. */
  async finish(flushed: Lsn, now: number): Promise<void> {
    const { wire } = this.#stream ?? {}
    if (this.#lost !== null || wire === null || wire === undefined) return
    this.acknowledge(flushed, now)
    await new Promise<void>((resolve) => wire.stream.end(resolve))
  }

  async close(): Promise<void> {
    this.#stream?.fail(new Error('the replication connection was closed'))
    await this.#client.end().catch(() => {})
  }
}

export interface StartOptions {
  readonly slot: string
  readonly publication: string
  /** `server_version_num`, which decides the protocol version. */
  readonly serverVersion: number
}

/** The START_REPLICATION command: protocol 4 exists from 16 on, 3 from 15 on. Streaming of open transactions stays off: only what committed is told. */
export const startCommand = ({ slot, publication, serverVersion }: StartOptions): string => {
  const version = serverVersion >= 160_000 ? 4 : 3
  return `START_REPLICATION SLOT "${slot}" LOGICAL ${formatLsn(0n)} (proto_version '${version}', publication_names '"${publication}"', messages 'true')`
}
