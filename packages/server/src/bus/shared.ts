/** A bus over a transport that may lose, repeat and reorder: numbered frames, signs of life, and sending again what somebody missed. */
import type { Clock } from '../kernel/clock.ts'
import { toError } from '../kernel/errors.ts'
import type { Ids } from '../kernel/ids.ts'
import { type Bus, type BusChannel, type BusHandler, PEER_SILENCE_MS, type PeerListener } from './bus.ts'
import { DATA_OVERHEAD, decodeEnvelope, decodeFrame, encodeEnvelope, encodeFrame, type Frame } from './frame.ts'
import { Handlers } from './handlers.ts'
import { Peer } from './peer.ts'
import { SentFrames, type SentLimits } from './sent.ts'
import type { Transport } from './transport.ts'

export interface SharedBusOptions {
  readonly transport: Transport
  readonly clock: Clock
  /** `NODE_LENGTH` characters, another name after every start. */
  readonly node: string
  readonly onError: (error: Error) => void
  /** What is kept to be sent again. */
  readonly sent?: SentLimits
}

/** A name for a node. */
export const nodeName = (ids: Ids): string => ids.secret(9)

const SENT: SentLimits = { frames: 20_000, bytes: 32 * 1024 * 1024 }
const BEAT_EVERY_MS = 1_000
/** Names are kept after their node went, so that one that comes back is known; the oldest are forgotten. */
const MAX_PEERS = 1_000
const EVICT_AFTER_MS = 15_000

export class SharedBus implements Bus {
  readonly node: string
  readonly kind: Bus['kind']
  readonly #options: SharedBusOptions
  readonly #handlers: Handlers
  readonly #sent: SentFrames
  readonly #peers = new Map<string, Peer>()
  readonly #listeners = new Set<PeerListener>()
  #cancelBeat: () => void = () => {}
  #beatAt = 0
  #running = false

  constructor(options: SharedBusOptions) {
    this.#options = options
    this.node = options.node
    this.kind = options.transport.kind
    this.#handlers = new Handlers((error) => options.onError(toError(error)))
    this.#sent = new SentFrames(options.sent ?? SENT)
  }

  async start(): Promise<void> {
    this.#running = true
    await this.#options.transport.start({
      frame: (bytes) => this.#received(bytes),
      restored: () => this.#beat(true),
      lost: (error) => this.#options.onError(error),
    })
    this.#beatAt = this.#options.clock.now()
    this.#beat(true)
    this.#scheduleBeat()
  }

  async stop(): Promise<void> {
    if (!this.#running) return
    this.#running = false
    this.#cancelBeat()
    this.#options.transport.send(encodeFrame({ kind: 'bye', node: this.node }))
    await this.#options.transport.stop()
    this.#handlers.clear()
  }

  publish<T>(channel: BusChannel<T>, subject: string, value: T): void {
    if (!this.#running) return
    this.#send(encodeEnvelope({ channel: channel.name, subject, payload: channel.encode(value) }))
    this.#handlers.tell(channel.name, subject, value)
  }

  subscribe<T>(channel: BusChannel<T>, subject: string, handler: BusHandler<T>): () => void {
    return this.#handlers.add(channel, subject, handler)
  }

  peers(): readonly string[] {
    return [...this.#peers].filter(([, peer]) => peer.present).map(([node]) => node)
  }

  onPeers(listener: PeerListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #send(message: Buffer): void {
    const { transport } = this.#options
    const room = transport.maxFrame - DATA_OVERHEAD
    const parts = Math.max(1, Math.ceil(message.length / room))
    for (let part = 0; part < parts; part++) {
      const body = message.subarray(part * room, (part + 1) * room)
      const frame = encodeFrame({ kind: 'data', node: this.node, seq: this.#sent.next, part, parts, body })
      this.#sent.add(frame)
      transport.send(frame)
    }
  }

  #received(bytes: Buffer): void {
    const frame = decodeFrame(bytes)
    if (frame === null || frame.node === this.node || !this.#running) return
    const now = this.#options.clock.now()
    if (frame.kind === 'bye') {
      this.#left(frame.node)
      return
    }
    const peer = this.#peer(frame.node, now)
    peer.heardAt = now
    if (!peer.present) {
      peer.present = true
      this.#tell((listener) => listener.up?.(frame.node))
    }
    this.#handle(frame, peer, now)
  }

  #handle(frame: Exclude<Frame, { kind: 'bye' }>, peer: Peer, now: number): void {
    if (frame.kind === 'data') peer.data(frame, now)
    else if (frame.kind === 'beat') {
      peer.beat(frame.seq, frame.floor, now)
      if (frame.hello) this.#beat(false)
    } else if (frame.target === this.node) this.#sendAgain(frame.from, frame.to)
  }

  #sendAgain(from: number, to: number): void {
    for (const frame of this.#sent.range(from, to)) this.#options.transport.send(frame)
    // What is gone is told by the floor.
    if (from < this.#sent.floor) this.#beat(false)
  }

  #peer(node: string, now: number): Peer {
    let peer = this.#peers.get(node)
    if (peer !== undefined) return peer
    peer = new Peer(
      {
        message: (bytes) => this.#message(bytes),
        want: (from, to) =>
          this.#options.transport.send(encodeFrame({ kind: 'want', node: this.node, target: node, from, to })),
        gap: () => this.#tell((listener) => listener.gap?.(node)),
      },
      now,
    )
    this.#peers.set(node, peer)
    for (const [name, { present }] of this.#peers) {
      if (this.#peers.size <= MAX_PEERS) break
      if (!present && name !== node) this.#peers.delete(name)
    }
    return peer
  }

  #message(bytes: Buffer): void {
    try {
      const { channel, subject, payload } = decodeEnvelope(bytes)
      this.#handlers.tellBytes(channel, subject, payload)
    } catch (error) {
      this.#options.onError(toError(error))
    }
  }

  #left(node: string): void {
    const peer = this.#peers.get(node)
    if (peer === undefined || !peer.present) return
    peer.present = false
    this.#tell((listener) => listener.down?.(node))
  }

  #tell(call: (listener: PeerListener) => void): void {
    for (const listener of [...this.#listeners]) {
      try {
        call(listener)
      } catch (error) {
        this.#options.onError(toError(error))
      }
    }
  }

  #beat(hello: boolean): void {
    const { last: seq, floor } = this.#sent
    this.#options.transport.send(encodeFrame({ kind: 'beat', node: this.node, seq, floor, hello }))
  }

  #scheduleBeat(): void {
    this.#cancelBeat = this.#options.clock.after(BEAT_EVERY_MS, () => {
      const now = this.#options.clock.now()
      const late = now - this.#beatAt > 2 * BEAT_EVERY_MS
      this.#beatAt = now
      this.#beat(late)
      this.#lookForSilence(now, late)
      this.#scheduleBeat()
    })
  }

  /** Who was away itself (a stopped process, a machine asleep) has heard nobody, and learns nothing from that. */
  #lookForSilence(now: number, wasAway: boolean): void {
    for (const [node, peer] of this.#peers) {
      if (wasAway) peer.heardAt = now
      else if (peer.present && now - peer.heardAt > PEER_SILENCE_MS) this.#left(node)
      else if (
        !peer.present &&
        now - peer.heardAt > EVICT_AFTER_MS &&
        now - peer.heardAt <= EVICT_AFTER_MS + 2 * BEAT_EVERY_MS
      )
        this.#options.transport.evict?.(node)
    }
  }
}
