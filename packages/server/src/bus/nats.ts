/** Frames over NATS: one subject for each app, to which all of its nodes listen. */
import type { Msg, NatsConnection, NodeConnectionOptions } from '@nats-io/transport-node'
import { AppError, toError } from '../kernel/errors.ts'
import type { Transport, TransportEvents } from './transport.ts'

export interface NatsTransportOptions {
  /** One or several `nats://user:password@host:4222`, comma separated; `tls://` for an encrypted connection. */
  readonly url: string
  /** Nodes with the same name hear each other. */
  readonly app: string
  readonly node: string
}

const MAX_FRAME = 256 * 1024
/** Bytes that may wait for the server; what comes on top is dropped until it has caught up. */
const MAX_WAITING = 16 * 1024 * 1024
const CONNECT_MS = 5_000
const RECONNECT_MS = 250
/** A connection that was cut without a word is noticed after about two of these. */
const PING_MS = 2_000

export class NatsTransport implements Transport {
  readonly kind = 'nats'
  maxFrame = MAX_FRAME
  readonly #options: NatsTransportOptions
  readonly #subject: string
  #connection: NatsConnection | null = null
  #connected = false
  #waiting = 0
  #flushing = false

  constructor(options: NatsTransportOptions) {
    this.#options = options
    this.#subject = `teahouse.${options.app}.bus`
  }

  async start(events: TransportEvents): Promise<void> {
    // Loaded only where it is used: most servers are alone.
    const { connect } = await import('@nats-io/transport-node')
    const { node, url } = this.#options
    let connection: NatsConnection
    try {
      connection = await connect({ ...addressOf(url), name: `teahouse ${node}`, ...POLICY })
      this.#connection = connection
      this.maxFrame = Math.min(MAX_FRAME, connection.info?.max_payload ?? MAX_FRAME)
      connection.subscribe(this.#subject, { callback: (error, message) => received(error, message, events) })
      // The server knows of the subscription once it has answered.
      await connection.flush()
    } catch (cause) {
      await this.stop()
      throw new AppError(
        'unavailable',
        `The NATS server ${placeOf(url)} cannot be reached: ${toError(cause).message}`,
        {
          cause,
        },
      )
    }
    this.#connected = true
    void this.#follow(connection, events)
  }

  send(frame: Buffer): void {
    const connection = this.#connection
    if (connection === null || !this.#connected || this.#waiting > MAX_WAITING) return
    this.#waiting += frame.length
    connection.publish(this.#subject, frame)
    if (this.#flushing) return
    this.#flushing = true
    const sent = this.#waiting
    const done = () => {
      this.#flushing = false
      this.#waiting = Math.max(0, this.#waiting - sent)
    }
    connection.flush().then(done, done)
  }

  async stop(): Promise<void> {
    const connection = this.#connection
    this.#connection = null
    const connected = this.#connected
    this.#connected = false
    if (connection === null) return
    // What was sent last, the goodbye for example, should still leave; but not wait for a server that is away.
    if (connected)
      await Promise.race([connection.flush(), new Promise((resolve) => setTimeout(resolve, 500).unref())]).catch(
        () => {},
      )
    await connection.close()
  }

  async #follow(connection: NatsConnection, events: TransportEvents): Promise<void> {
    for await (const status of connection.status()) {
      if (this.#connection !== connection) return
      if (status.type === 'disconnect') {
        this.#connected = false
        events.lost(new Error('the connection to NATS was lost; trying again'))
      } else if (status.type === 'reconnect') {
        this.#connected = true
        this.#waiting = 0
        events.restored()
      }
    }
  }
}

const POLICY: NodeConnectionOptions = {
  noEcho: true,
  timeout: CONNECT_MS,
  maxReconnectAttempts: -1,
  reconnectTimeWait: RECONNECT_MS,
  reconnectJitter: RECONNECT_MS,
  pingInterval: PING_MS,
  maxPingOut: 2,
  ignoreAuthErrorAbort: true,
}

const received = (error: Error | null, message: Msg, events: TransportEvents): void => {
  const { data } = message
  if (error === null) events.frame(Buffer.from(data.buffer, data.byteOffset, data.byteLength))
  else events.lost(error)
}

/** Takes names and passwords out of the URLs, where the client library does not look for them. */
const addressOf = (url: string): NodeConnectionOptions => {
  const parsed = url.split(',').map((each) => new URL(each.trim()))
  const servers = parsed.map(({ hostname, port }) => `${hostname}:${port || '4222'}`)
  const [first] = parsed
  const user = decodeURIComponent(first?.username ?? '')
  const pass = decodeURIComponent(first?.password ?? '')
  return {
    servers,
    ...(user !== '' && pass !== '' && { user, pass }),
    ...(user !== '' && pass === '' && { token: user }),
    ...(first?.protocol === 'tls:' && { tls: {} }),
  }
}

/** Without name and password. */
const placeOf = (url: string): string => [addressOf(url).servers ?? []].flat().join(', ')
