/** One client's socket: decodes what arrives, keeps its channels, and answers everything that is not a channel's business. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Caller } from '../../../identity/caller.ts'
import type { Identity } from '../../../identity/identity.ts'
import { Budget } from '../../../live/budget.ts'
import { type Connection, type ConnectionEvents, closeCodes } from '../../../sockets/connection.ts'
import type { Frame } from '../../../sockets/frame.ts'
import { publicMessage } from './bindings.ts'
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
import type { Ground } from './ground.ts'
import { type JoinError, type ParsedJoin, parseJoin } from './join.ts'
import { refusals } from './limits.ts'

export interface SessionOptions {
  readonly ground: Ground
  readonly version: ProtocolVersion
  readonly connection: Connection
  /** Who judges the tokens of this socket. */
  readonly identity: Identity
  /** What the guard of service keys looks at; null when the client sent nothing of it. */
  readonly headers: IncomingHttpHeaders | null
  /** Whom the key of the URL stands for. */
  readonly keyCaller: Caller
  readonly apikey: string
}

const PREFIX = 'realtime:'
const NO_HEADERS: IncomingHttpHeaders = {}
/** The channels of a socket that has none. */
const NONE: Channel[] = []

export class Session implements ConnectionEvents, ChannelHost {
  readonly version: ProtocolVersion
  readonly ground: Ground
  readonly #options: SessionOptions
  /** Few sockets have many. */
  #channels: Channel[] = NONE
  /** Pushes of one topic are handled in order, also when one of them has to ask the database. Null while nothing waits. */
  #lines: Map<string, Promise<void>> | null = null
  #joins: Budget | null = null
  #events: Budget | null = null
  #closed = false

  constructor(options: SessionOptions) {
    this.#options = options
    this.ground = options.ground
    this.version = options.version
    this.ground.sockets++
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
    for (const channel of [...this.#channels]) channel.dispose()
    this.ground.sockets--
  }

  send(frame: Frame): void {
    this.#options.connection.send(frame)
  }

  ended(channel: Channel): void {
    this.#channels =
      this.#channels.length === 1 && this.#channels[0] === channel ? NONE : without(this.#channels, channel)
  }

  async authenticate(token: string): Promise<Caller> {
    const { identity, headers } = this.#options
    const caller = await identity.authenticateToken(token)
    this.ground.services.guardServiceKey?.({ caller, headers: headers ?? NO_HEADERS })
    return caller
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
    const { services, limits } = this.ground
    this.#events ??= new Budget(services.clock, limits.eventsPerSecond)
    if (!this.#events.take()) {
      this.#reply(message, 'error', { reason: refusals.tooManyEvents })
      return
    }
    // Most messages are broadcasts that nothing has to wait for.
    if (channel?.isImmediate(message) && !this.#lines?.has(channel.topic)) {
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
    const named = this.#named(message.topic)
    if (named !== undefined || message.raw === undefined) return named
    for (const channel of this.#channels) {
      const sameJoin = message.joinRef !== null && channel.joinRef === message.joinRef
      if (sameJoin && truncatedName(channel.topic) === message.topic) return channel
    }
    return undefined
  }

  #named(topic: string): Channel | undefined {
    return this.#channels.find((channel) => channel.topic === topic)
  }

  #enqueue(message: Incoming, work: () => Promise<void>): void {
    const { topic } = message
    this.#lines ??= new Map()
    const lines = this.#lines
    const run = (lines.get(topic) ?? Promise.resolve()).then(work).catch((error) => {
      this.ground.services.log.error({ error, topic }, 'a realtime message failed')
      this.#reply(message, 'error', { reason: 'InternalServerError' })
    })
    lines.set(topic, run)
    void run.then(() => {
      if (lines.get(topic) !== run) return
      lines.delete(topic)
      if (lines.size === 0) this.#lines = null
    })
  }

  #leave(message: Incoming): void {
    const channel = this.#named(message.topic)
    // A leave of an earlier join must not end the present one.
    const stale = message.joinRef !== null && channel?.joinRef !== message.joinRef
    if (channel === undefined || stale) this.#reply(message, 'ok', {})
    else channel.leave(message.ref)
  }

  async #join(message: Incoming): Promise<void> {
    const request = this.#joinRequest(message)
    if (request === null) return
    const refuse = (reason: string) => this.#reply(message, 'error', { reason })
    if ('error' in request) return refuse(request.error)
    const { accessToken, ...asked } = request
    const own = accessToken !== null && !accessToken.startsWith('sb_') ? accessToken : null
    let caller = this.#options.keyCaller
    try {
      if (own !== null) caller = await this.authenticate(own)
    } catch (error) {
      return refuse(refusals.token(publicMessage(error, 'The token could not be checked')))
    }
    if (this.#closed) return
    const { topic } = message
    const channel = new Channel({
      host: this,
      topic,
      name: topic.slice(PREFIX.length),
      joinRef: message.joinRef ?? message.ref,
      request: this.ground.requests.share(asked),
      caller,
      token: own ?? this.#options.apikey,
    })
    if (this.#channels === NONE) this.#channels = [channel]
    else this.#channels.push(channel)
    await channel.join(message.ref).catch((error) => channel.failed(message.ref, error))
  }

  /** What a join asks for, once it is clear that it may be made at all; null when nobody is there any more. */
  #joinRequest(message: Incoming): ParsedJoin | JoinError | null {
    const { services, limits } = this.ground
    const { topic } = message
    if (this.#closed) return null
    if (!topic.startsWith(PREFIX)) return { error: refusals.unmatched }
    if (topic.length === PREFIX.length) return { error: refusals.topicMissing }
    if (topic.length > limits.topicLength || topic.includes('\0')) return { error: refusals.topicTooLong }
    this.#joins ??= new Budget(services.clock, limits.joinsPerSecond)
    if (!this.#joins.take()) return { error: refusals.tooManyJoins }
    this.#named(topic)?.close()
    if (this.#channels.length >= limits.channels) return { error: refusals.tooManyChannels }
    return parseJoin(message.payload)
  }

  #reply(to: Pick<Incoming, 'ref' | 'joinRef' | 'topic'>, status: 'ok' | 'error', response: object): void {
    if (to.ref === null) return
    const payload = JSON.stringify({ status, response })
    this.send(
      encodeFrame({ joinRef: to.joinRef, ref: to.ref, topic: to.topic, event: 'phx_reply', payload }, this.version),
    )
  }
}

const without = (channels: readonly Channel[], channel: Channel): Channel[] =>
  channels.filter((other) => other !== channel)
