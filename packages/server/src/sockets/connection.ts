/**
 * One WebSocket with a bounded queue of outgoing frames. What one event-loop turn sends becomes one write, and a peer that does not read
 * fills its own queue only, until it is cut off. Compression must stay off: frames are written past `ws`'s own sender.
 */
import type { Duplex } from 'node:stream'
import { type RawData, WebSocket } from 'ws'
import type { Clock } from '../kernel/clock.ts'
import type { Frame } from './frame.ts'

export interface QueueLimits {
  /** Frames that may wait while the peer does not read. */
  readonly frames: number
  /** Bytes that may wait, those in the socket's own buffer included. */
  readonly bytes: number
}

export interface ConnectionEvents {
  text(message: string): void
  binary(message: Buffer): void
  /** Called once, whatever ended the connection. */
  closed(): void
}

/** Close codes that the product uses. */
export const closeCodes = {
  normal: 1000,
  goingAway: 1001,
  invalidPayload: 1007,
  policy: 1008,
  tooBig: 1009,
  internal: 1011,
  tryLater: 1013,
} as const

/** Socket buffer above which frames stay in our queue: what the kernel and node hold cannot be taken back. */
const HIGH_WATER = 256 * 1024
/** How long a peer may take to answer a close before the socket is destroyed. */
const CLOSE_GRACE_MS = 3000

/** Collects the connections that have something to write in this turn of the event loop. */
export class WriteTurn {
  #dirty: Connection[] = []
  #scheduled = false

  add(connection: Connection): void {
    this.#dirty.push(connection)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#flush())
  }

  #flush(): void {
    const dirty = this.#dirty
    this.#dirty = []
    this.#scheduled = false
    // Members of one room have the same frames waiting: the joined bytes of one are the joined bytes of the next.
    const joiner = new Joiner()
    for (const connection of dirty) connection.flush(joiner)
  }
}

/** Joins frames to one buffer and remembers the last result, because neighbours usually ask for the same. */
export class Joiner {
  #frames: readonly Frame[] = []
  #joined: Buffer = Buffer.alloc(0)

  join(frames: readonly Frame[]): Buffer {
    const only = frames[0]
    if (frames.length === 1 && only !== undefined) return only
    if (!sameFrames(frames, this.#frames)) {
      this.#frames = frames
      this.#joined = Buffer.concat(frames)
    }
    return this.#joined
  }
}

const sameFrames = (left: readonly Frame[], right: readonly Frame[]): boolean =>
  left.length === right.length && left.every((frame, index) => frame === right[index])

/** What all connections of a server share, so that each keeps one reference only. */
export interface ConnectionGround {
  readonly turn: WriteTurn
  readonly limits: QueueLimits
  readonly clock: Clock
  readonly onClosed?: (connection: Connection) => void
}

/**
 * A WebSocket that knows its connection: listeners are then the same functions for all of them. With closures instead, ten thousand idle
 * sockets took 9 KB each beside the 7 that `ws` itself needs (measured); what a closure's scope kept of the handshake was most of it.
 */
export class Peer extends WebSocket {
  connection: Connection | null = null
}

/** ws calls listeners on the socket that they were added to, and only sockets of ours have these. */
const connectionOf = (socket: WebSocket): Connection | null => (socket as Peer).connection

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  connectionOf(this)?.received(data, isBinary)
}

function onSign(this: WebSocket): void {
  connectionOf(this)?.heard()
}

function onClose(this: WebSocket): void {
  connectionOf(this)?.gone()
}

/** A protocol violation of the peer; ws closes the connection with the right code by itself. */
const ignore = (): void => {}

export class Connection {
  readonly #ws: Peer
  readonly #socket: Duplex
  readonly #ground: ConnectionGround
  #events: ConnectionEvents | null = null
  #queue: Frame[] = EMPTY
  #queuedBytes = 0
  #dirty = false
  #blocked = false
  #closing = false
  #closed = false
  #lastHeard: number
  #overflowed = false
  #onOverflow: (() => void) | null = null

  constructor(ws: Peer, socket: Duplex, ground: ConnectionGround) {
    this.#ws = ws
    this.#socket = socket
    this.#ground = ground
    this.#lastHeard = ground.clock.now()
    ws.connection = this
  }

  /** Routes what arrives. Called once by whoever accepted the connection. */
  attach(events: ConnectionEvents): void {
    this.#events = events
    this.#ws.on('message', onMessage)
    this.#ws.on('pong', onSign)
    this.#ws.on('ping', onSign)
    this.#ws.on('error', ignore)
    this.#ws.on('close', onClose)
  }

  /** A message arrived. */
  received(data: RawData, isBinary: boolean): void {
    this.heard()
    const events = this.#events
    if (this.#closing || events === null) return
    try {
      if (isBinary) events.binary(toBuffer(data))
      else events.text(toBuffer(data).toString('utf8'))
    } catch {
      // A message that breaks its handler ends its own connection, never the process.
      this.close(closeCodes.internal, 'internal error')
    }
  }

  /** The peer gave a sign of life. */
  heard(): void {
    this.#lastHeard = this.#ground.clock.now()
  }

  /** The socket is closed. */
  gone(): void {
    this.#closed = true
    this.#drop()
    this.#ground.onClosed?.(this)
    this.#events?.closed()
  }

  /** Called once when the peer was cut off for not reading, before the connection closes. */
  set onOverflow(callback: () => void) {
    this.#onOverflow = callback
  }

  get open(): boolean {
    return !this.#closing && !this.#closed
  }

  /** Milliseconds (of the clock) when the peer was last heard of. */
  get lastHeard(): number {
    return this.#lastHeard
  }

  /** Bytes that the peer has not taken yet. */
  get backlog(): number {
    return this.#queuedBytes + this.#socket.writableLength
  }

  /** Queues a frame. It leaves with the others of this turn; a peer whose queue is full is cut off. */
  send(frame: Frame): void {
    if (this.#closing || this.#closed) return
    if (this.#queue === EMPTY) this.#queue = [frame]
    else this.#queue.push(frame)
    this.#queuedBytes += frame.length
    if (this.#blocked) this.#enforce()
    else this.#markDirty()
  }

  /** Writes what is queued. Called by WriteTurn. */
  flush(joiner: Joiner): void {
    this.#dirty = false
    if (this.#closed || this.#queue.length === 0) return
    if (this.#socket.writableLength > HIGH_WATER) {
      this.#block()
      this.#enforce()
      return
    }
    const frames = this.#queue
    this.#queue = EMPTY
    this.#queuedBytes = 0
    if (!this.#socket.write(joiner.join(frames)) && this.#socket.writableLength > HIGH_WATER) this.#block()
  }

  /** Sends what is queued, then closes with a code and a reason (at most 123 bytes of it). */
  close(code: number, reason: string): void {
    if (this.#closing || this.#closed) return
    if (!this.#overflowed) this.flush(new Joiner())
    this.#closing = true
    this.#drop()
    this.#ws.close(code, clip(reason))
    this.#ground.clock.after(CLOSE_GRACE_MS, () => {
      if (!this.#closed) this.#ws.terminate()
    })
  }

  /** Destroys the socket: for peers that are gone. */
  terminate(): void {
    this.#closing = true
    this.#ws.terminate()
  }

  ping(): void {
    if (this.open && this.#ws.readyState === this.#ws.OPEN) this.#ws.ping()
  }

  /** Nothing more is written until the socket has emptied itself. */
  #block(): void {
    if (this.#blocked) return
    this.#blocked = true
    // Listened for only while it matters: most sockets are never behind.
    this.#socket.once('drain', () => {
      this.#blocked = false
      if (this.#queue.length > 0) this.#markDirty()
    })
  }

  #markDirty(): void {
    if (this.#dirty) return
    this.#dirty = true
    this.#ground.turn.add(this)
  }

  #enforce(): void {
    if (this.#queue.length <= this.#ground.limits.frames && this.backlog <= this.#ground.limits.bytes) return
    this.#overflowed = true
    this.#drop()
    this.#onOverflow?.()
    this.close(closeCodes.tryLater, 'too far behind')
  }

  #drop(): void {
    this.#queue = EMPTY
    this.#queuedBytes = 0
  }
}

/** The queue of everybody who has nothing to send; never written to. */
const EMPTY: Frame[] = []

const toBuffer = (data: RawData): Buffer => {
  if (Buffer.isBuffer(data)) return data
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data)
}

/** The protocol allows 123 bytes of reason. */
const clip = (reason: string): string => (Buffer.byteLength(reason) <= 123 ? reason : reason.slice(0, 40))
