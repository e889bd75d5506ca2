/** One client's socket: decodes what arrives, keeps its channels, and answers everything that is not a channel's business. */
import type { Caller } from '../../../identity/caller.ts'
import { Budget } from '../../../live/budget.ts'
import { type Connection, type ConnectionEvents, closeCodes } from '../../../sockets/connection.ts'
import type { Frame } from '../../../sockets/frame.ts'
import { publicMessage } from './bindings.ts'
import type { ChangeDispatch } from './change-dispatch.ts'
import { Channel, type ChannelHost } from './channel.ts'
import {
  decodeBinary,
  decodeText,
  encodeFrame,
  type Incoming,
  type Malformed,
  type ProtocolVersion,
  truncatedName,
} from './codec.ts'
import type { SharedFrames } from './frames.ts'
import { parseJoin } from './join.ts'
import { type RealtimeLimits, refusals } from './limits.ts'
import type { RealtimeServices } from './services.ts'

export interface SessionOptions {
  readonly services: RealtimeServices
  readonly limits: RealtimeLimits
  readonly frames: SharedFrames
  readonly dispatch: ChangeDispatch
  readonly version: ProtocolVersion
  readonly connection: Connection
  /** Whom the key of the URL stands for. */
  readonly keyCaller: Caller
  readonly apikey: string
  readonly onClosed: () => void
}

const PREFIX = 'realtime:'

export class Session implements ConnectionEvents, ChannelHost {
  readonly version: ProtocolVersion
  readonly #options: SessionOptions
  readonly #channels = new Map<string, Channel>()
  /** Pushes of one topic are handled in order, also when one of them has to ask the database. */
  readonly #lines = new Map<string, Promise<void>>()
  readonly #joins: Budget
  readonly #events: Budget
  #closed = false

  constructor(options: SessionOptions) {
    const { services, limits } = options
    this.#options = options
    this.version = options.version
    this.#joins = new Budget(services.clock, limits.joinsPerSecond)
    this.#events = new Budget(services.clock, limits.eventsPerSecond)
  }

  text(message: string): void {
    this.#incoming(decodeText(message, this.version))
  }

  binary(message: Buffer): void {
    this.#incoming(decodeBinary(message))
  }

  closed(): void {
    if (this.#closed) return
    this.#closed = true
    for (const channel of [...this.#channels.values()]) channel.dispose()
    this.#options.onClosed()
  }

  send(frame: Frame): void {
    this.#options.connection.send(frame)
  }

  ended(channel: Channel): void {
    if (this.#channels.get(channel.topic) === channel) this.#channels.delete(channel.topic)
  }

  #incoming(message: Incoming | Malformed): void {
    if ('malformed' in message) this.#refuseMalformed(message)
    else if (message.topic === 'phoenix') this.#phoenix(message)
    else if (message.event === 'phx_join') this.#enqueue(message, () => this.#join(message))
    else this.#forChannel(message)
  }

  /** Whoever waits for an answer gets one; bytes that belong to nobody end the connection. */
  #refuseMalformed({ malformed, ref, joinRef, topic }: Malformed): void {
    const reason = refusals.malformed(malformed)
    if (ref === null || topic === null) this.#options.connection.close(closeCodes.invalidPayload, reason)
    else this.#reply({ ref, joinRef, topic }, 'error', { reason })
  }

  #phoenix(message: Incoming): void {
    if (message.event === 'heartbeat') this.#reply(message, 'ok', {})
    else this.#reply(message, 'error', { reason: refusals.unmatched })
  }

  #forChannel(message: Incoming): void {
    const channel = this.#find(message)
    const { event } = message
    if (event === 'phx_leave') {
      this.#enqueue(message, async () => this.#leave(message))
      return
    }
    if (!this.#events.take()) {
      this.#reply(message, 'error', { reason: refusals.tooManyEvents })
      return
    }
    // Most messages are broadcasts that nothing has to wait for.
    if (channel?.isImmediate(message) && !this.#lines.has(channel.topic)) {
      channel.handle(message).catch((error) => channel.failed(message.ref, error))
      return
    }
    this.#enqueue({ ...message, topic: channel?.topic ?? message.topic }, () => this.#toChannel(message))
  }

  async #toChannel(message: Incoming): Promise<void> {
    const channel = this.#find(message)
    if (channel?.joined) {
      await channel.handle(message).catch((error) => channel.failed(message.ref, error))
      return
    }
    // Clients send tokens to every channel they know of, and never wait for an answer.
    if (message.event !== 'access_token') this.#reply(message, 'error', { reason: refusals.unmatched })
  }

  /** The channel of a push. Old clients garble names outside of Latin-1 in binary frames; then the join's ref, or the garbled name, tells. */
  #find(message: Incoming): Channel | undefined {
    const named = this.#channels.get(message.topic)
    if (named !== undefined || message.raw === undefined) return named
    for (const channel of this.#channels.values()) {
      const sameJoin = message.joinRef !== null && channel.joinRef === message.joinRef
      if (sameJoin && truncatedName(channel.topic) === message.topic) return channel
    }
    return undefined
  }

  #enqueue(message: Incoming, work: () => Promise<void>): void {
    const { topic } = message
    const run = (this.#lines.get(topic) ?? Promise.resolve()).then(work).catch((error) => {
      this.#options.services.log.error({ error, topic }, 'a realtime message failed')
      this.#reply(message, 'error', { reason: 'InternalServerError' })
    })
    this.#lines.set(topic, run)
    void run.then(() => {
      if (this.#lines.get(topic) === run) this.#lines.delete(topic)
    })
  }

  #leave(message: Incoming): void {
    const channel = this.#channels.get(message.topic)
    // A leave of an earlier join must not end the present one.
    const stale = message.joinRef !== null && channel?.joinRef !== message.joinRef
    if (channel === undefined || stale) this.#reply(message, 'ok', {})
    else channel.leave(message.ref)
  }

  async #join(message: Incoming): Promise<void> {
    const { services, limits, keyCaller, apikey } = this.#options
    const refuse = (reason: string) => this.#reply(message, 'error', { reason })
    const { topic } = message
    if (this.#closed) return
    if (!topic.startsWith(PREFIX)) return refuse(refusals.unmatched)
    const name = topic.slice(PREFIX.length)
    if (name === '') return refuse(refusals.topicMissing)
    if (topic.length > limits.topicLength || topic.includes('\0')) return refuse(refusals.topicTooLong)
    if (!this.#joins.take()) return refuse(refusals.tooManyJoins)
    this.#channels.get(topic)?.close()
    if (this.#channels.size >= limits.channels) return refuse(refusals.tooManyChannels)
    const request = parseJoin(message.payload)
    if ('error' in request) return refuse(request.error)
    const own = request.accessToken !== null && !request.accessToken.startsWith('sb_') ? request.accessToken : null
    let caller = keyCaller
    try {
      if (own !== null) caller = await services.identity.authenticateToken(own)
    } catch (error) {
      return refuse(refusals.token(publicMessage(error, 'The token could not be checked')))
    }
    if (this.#closed) return
    const joinRef = message.joinRef ?? message.ref
    const channel = new Channel({
      ...this.#options,
      host: this,
      topic,
      name,
      joinRef,
      request,
      caller,
      token: own ?? apikey,
    })
    this.#channels.set(topic, channel)
    await channel.join(message.ref).catch((error) => channel.failed(message.ref, error))
  }

  #reply(to: Pick<Incoming, 'ref' | 'joinRef' | 'topic'>, status: 'ok' | 'error', response: object): void {
    if (to.ref === null) return
    const payload = JSON.stringify({ status, response })
    this.send(
      encodeFrame({ joinRef: to.joinRef, ref: to.ref, topic: to.topic, event: 'phx_reply', payload }, this.version),
    )
  }
}
