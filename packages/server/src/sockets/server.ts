/** WebSocket upgrades of the one HTTP server: routes by path, refuses in HTTP's own words, and finds peers that went away without a word. */
import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { type Server as Upgrader, WebSocketServer } from 'ws'
import type { Clock } from '../kernel/clock.ts'
import {
  Connection,
  type ConnectionEvents,
  type ConnectionGround,
  closeCodes,
  Peer,
  type QueueLimits,
  WriteTurn,
} from './connection.ts'

/** What a route decides about an upgrade. */
export type UpgradeDecision =
  | { readonly accept: (connection: Connection) => ConnectionEvents; readonly maxPayload?: number }
  | { readonly refuse: { readonly status: number; readonly body: unknown } }

export interface UpgradeRoute {
  /** The exact path, for example `/realtime/v1/websocket`. */
  readonly path: string
  decide(request: IncomingMessage, url: URL): Promise<UpgradeDecision>
}

export interface SocketServerOptions {
  readonly clock: Clock
  readonly limits?: QueueLimits
  /** Largest incoming message in bytes. */
  readonly maxPayload?: number
  /** A peer that was silent this long is pinged, and cut off after twice as long. */
  readonly idleMs?: number
}

const LIMITS: QueueLimits = { frames: 10_000, bytes: 4 * 1024 * 1024 }
const MAX_PAYLOAD = 3 * 1024 * 1024
const IDLE_MS = 30_000
/** How long peers may take to answer the close of a stopping server. */
const STOP_GRACE_MS = 1000

export class SocketServer {
  readonly #options: SocketServerOptions
  readonly #ground: ConnectionGround
  readonly #routes = new Map<string, UpgradeRoute>()
  readonly #connections = new Set<Connection>()
  readonly #upgrader: Upgrader<typeof Peer>
  readonly #idleMs: number
  #cancelSweep: () => void = () => {}
  #onEmpty: () => void = () => {}
  #stopping = false

  constructor(options: SocketServerOptions) {
    this.#options = options
    this.#idleMs = options.idleMs ?? IDLE_MS
    this.#ground = {
      turn: new WriteTurn(),
      limits: options.limits ?? LIMITS,
      clock: options.clock,
      onClosed: (connection) => this.#closed(connection),
    }
    this.#upgrader = new WebSocketServer<typeof Peer>({
      noServer: true,
      WebSocket: Peer,
      perMessageDeflate: false,
      clientTracking: false,
      maxPayload: options.maxPayload ?? MAX_PAYLOAD,
    })
    this.#sweep()
  }

  route(route: UpgradeRoute): void {
    this.#routes.set(route.path, route)
  }

  /** Takes over the upgrades of an HTTP server. */
  listen(server: Server): void {
    server.on('upgrade', (request, socket, head) => this.handleUpgrade(request, socket, head))
  }

  get size(): number {
    return this.#connections.size
  }

  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', ignore)
    if (this.#stopping) {
      refuse(socket, 503, { message: 'The server is shutting down.' })
      return
    }
    const url = parseUrl(request.url)
    const route = url === null ? undefined : this.#routes.get(trimSlash(url.pathname))
    if (url === null || route === undefined) {
      refuse(socket, 404, { message: 'There is nothing at this address.' })
      return
    }
    route
      .decide(request, url)
      .then((decision) => {
        if ('refuse' in decision) refuse(socket, decision.refuse.status, decision.refuse.body)
        // ws listens for errors of the sockets that it takes over.
        else if (!socket.destroyed) this.#accept(request, socket, head, decision.accept)
      })
      .catch(() => refuse(socket, 500, { message: 'Something went wrong here.' }))
  }

  /** Closes every connection with "going away", so that clients reconnect elsewhere; who does not answer in time is cut off. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#cancelSweep()
    for (const connection of [...this.#connections]) {
      connection.close(closeCodes.goingAway, 'the server is shutting down')
    }
    await this.#emptied(STOP_GRACE_MS)
    for (const connection of this.#connections) connection.terminate()
    await this.#emptied(STOP_GRACE_MS)
    this.#upgrader.close()
  }

  /** Resolves when no connection is left, or after `ms`. */
  async #emptied(ms: number): Promise<void> {
    if (this.#connections.size === 0) return
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(ms, resolve)
      this.#onEmpty = () => {
        cancel()
        resolve()
      }
    })
  }

  #accept(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    accept: (connection: Connection) => ConnectionEvents,
  ): void {
    this.#upgrader.handleUpgrade(request, socket, head, (ws) => {
      // ws listens for errors from here on.
      socket.off('error', ignore)
      const connection = new Connection(ws, socket, this.#ground)
      this.#connections.add(connection)
      connection.attach(accept(connection))
    })
  }

  #closed(connection: Connection): void {
    this.#connections.delete(connection)
    if (this.#connections.size === 0) this.#onEmpty()
  }

  /** Half-open sockets: a cable that was pulled sends no FIN. */
  #sweep(): void {
    const { clock } = this.#options
    this.#cancelSweep = clock.after(this.#idleMs / 2, () => {
      const now = clock.now()
      for (const connection of this.#connections) {
        const silent = now - connection.lastHeard
        if (silent > this.#idleMs * 2) connection.terminate()
        else if (silent > this.#idleMs) connection.ping()
      }
      this.#sweep()
    })
  }
}

/** A peer that vanishes during the handshake must not become an unhandled error. */
const ignore = (): void => {}

const parseUrl = (text: string | undefined): URL | null => {
  try {
    return new URL(text ?? '/', 'http://localhost')
  } catch {
    return null
  }
}

const trimSlash = (path: string): string => (path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path)

/** A complete HTTP answer on the raw socket: there is no response object for an upgrade. */
const refuse = (socket: Duplex, status: number, body: unknown): void => {
  const text = JSON.stringify(body)
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}\r\n` +
      'connection: close\r\ncontent-type: application/json; charset=utf-8\r\n' +
      `content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  )
}
