/** One joined channel of one socket: broadcast, presence and postgres_changes of a topic, under the rights of one token. */
import type { Caller } from '../../../identity/caller.ts'
import { toError } from '../../../kernel/errors.ts'
import type { JsonObject } from '../../../kernel/json.ts'
import type { MessageBody, Topic, TopicMessage } from '../../../live/broadcast.ts'
import type { ChannelExtension, ChannelRead } from '../../../live/channel-access.ts'
import type { Frame } from '../../../sockets/frame.ts'
import { BoundChanges, type NumberedBinding, numberBindings, publicMessage } from './bindings.ts'
import { type ChangeDispatch, Gathered } from './change-dispatch.ts'
import { ChannelPresence } from './channel-presence.ts'
import { encodeFrame, type Incoming, type Outgoing, type ProtocolVersion } from './codec.ts'
import type { ChangeFrames, SharedFrames } from './frames.ts'
import type { JoinRequest } from './join.ts'
import { type RealtimeLimits, refusals } from './limits.ts'
import type { RealtimeServices } from './services.ts'

/** What a channel has of its socket. */
export interface ChannelHost {
  readonly version: ProtocolVersion
  send(frame: Frame): void
  /** The channel is over; the socket forgets it. */
  ended(channel: Channel): void
}

export interface ChannelOptions {
  readonly services: RealtimeServices
  readonly limits: RealtimeLimits
  readonly frames: SharedFrames
  readonly dispatch: ChangeDispatch
  readonly host: ChannelHost
  /** As the client writes it: `realtime:room`. */
  readonly topic: string
  /** Without the prefix. */
  readonly name: string
  readonly joinRef: string | null
  readonly request: JoinRequest
  readonly caller: Caller
  /** The text that proved the caller, to notice when the same one comes again. */
  readonly token: string
}

type State = 'joining' | 'joined' | 'closed'

/** How often a token is looked at again: it may have been revoked. */
const RECHECK_MS = 300_000

export class Channel {
  readonly topic: string
  readonly joinRef: string | null
  readonly #options: ChannelOptions
  readonly #id: string
  readonly #place: Topic
  readonly #bindings: readonly NumberedBinding[]
  readonly #gathered = new Gathered()
  readonly #presence: ChannelPresence
  #state: State = 'joining'
  #caller: Caller
  #token: string
  #changes: BoundChanges | null = null
  #read: ChannelRead = { broadcast: true, presence: true }
  #mayWrite: Partial<Record<ChannelExtension, boolean>> = {}
  #leaveBroadcast: (() => void) | null = null
  #cancelRecheck: () => void = () => {}
  #stopListening: () => void = () => {}

  constructor(options: ChannelOptions) {
    const { services, request } = options
    this.#options = options
    this.topic = options.topic
    this.joinRef = options.joinRef
    this.#caller = options.caller
    this.#token = options.token
    this.#id = services.ids.uuid()
    this.#place = { name: options.name, private: request.private }
    this.#bindings = numberBindings(request.bindings)
    this.#presence = this.#makePresence()
  }

  get joined(): boolean {
    return this.#state === 'joined'
  }

  /** Authorises, subscribes and answers the join with `ref`. */
  async join(ref: string | null): Promise<void> {
    const { access } = this.#options.services
    if (this.#place.private) this.#read = await access.read(this.#caller, this.#place.name)
    if (this.#state === 'closed') return
    if (!this.#read.broadcast) {
      this.#reply(ref, 'error', { reason: refusals.notReadable(this.#place.name) })
      this.dispose()
      return
    }
    const changes = await this.#openChanges(this.#caller)
    // The socket may have gone while the database was asked. The type narrowed above does not know of awaits.
    if ((this.#state as State) === 'closed') {
      changes?.close()
      return
    }
    this.#changes = changes
    this.#start(ref)
    await this.#replay()
  }

  #start(ref: string | null): void {
    const { request, services } = this.#options
    this.#state = 'joined'
    this.#leaveBroadcast = services.broadcasts.join(this.#place, {
      id: this.#id,
      receive: (message) => this.#receive(message),
    })
    this.#changes?.activate()
    this.#reply(ref, 'ok', { postgres_changes: this.#bindings.map(({ sent, id }) => ({ ...sent, id })) })
    if (request.presence.enabled) this.#presence.watch()
    if (request.broadcast.replicationReady) this.#announceReplication()
    if (this.#bindings.length > 0) this.#announceChanges()
    this.#scheduleRecheck()
    this.#listenForRevocation()
  }

  /** A logout or a ban ends what was opened before it, within a moment on every node. */
  #listenForRevocation(): void {
    const stop = this.#options.services.identity.onRevoked?.((subject) => {
      const { userId, claims } = this.#caller
      if (subject === userId || subject === claims.session_id) this.#recheck().catch(() => this.fail())
    })
    if (stop !== undefined) this.#stopListening = stop
  }

  /** A push that is not about joining or leaving. */
  async handle(message: Incoming): Promise<void> {
    switch (message.event) {
      case 'broadcast':
        return this.#broadcast(message)
      case 'presence':
        return this.#presencePush(message)
      case 'access_token':
        return this.#newToken(message.payload)
      default:
        this.#reply(message.ref, 'error', { reason: refusals.unknownEvent(message.event) })
    }
  }

  /** True when a broadcast can be handled at once, without asking the database. */
  isImmediate(message: Incoming): boolean {
    return (
      message.event === 'broadcast' && this.joined && (!this.#place.private || this.#mayWrite.broadcast !== undefined)
    )
  }

  leave(ref: string | null): void {
    this.#reply(ref, 'ok', {})
    this.close()
  }

  /** Ends the channel in the way that clients do not join again. */
  close(): void {
    if (this.#state === 'closed') return
    this.#push('phx_close', '{}', this.joinRef)
    this.dispose()
  }

  /** Ends the channel in the way that makes clients join again, and their apps read again. */
  fail(): void {
    if (this.#state === 'closed') return
    this.#push('phx_error', '{}', this.joinRef)
    this.dispose()
  }

  /** Ends the channel without a word: the socket is gone, or has been told. */
  dispose(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#cancelRecheck()
    this.#stopListening()
    this.#changes?.close()
    this.#leaveBroadcast?.()
    this.#presence.close()
    this.#options.host.ended(this)
  }

  flushChanges(frames: ChangeFrames): void {
    for (const { projection, ids } of this.#gathered.take()) {
      if (this.joined) this.#options.host.send(frames.frame(this.topic, ids, projection, this.#options.host.version))
    }
  }

  // --- postgres_changes

  async #openChanges(caller: Caller): Promise<BoundChanges | null> {
    if (this.#bindings.length === 0) return null
    const changes = new BoundChanges(this.#bindings, {
      matched: (id, change, projection) => {
        if (this.#gathered.add(id, projection)) this.#options.dispatch.gather(this, change)
      },
      resync: () => this.fail(),
      status: (failure) => this.#tellChanges(failure),
    })
    await changes.open(this.#options.services.live, caller)
    return changes
  }

  #announceChanges(): void {
    this.#options.services.live.ready(10_000).then(
      () => this.#tellChanges(this.#changes?.failure ?? null),
      () => this.#tellChanges('Unable to subscribe to changes: the database does not stream its changes right now'),
    )
  }

  #tellChanges(failure: string | null): void {
    this.#system('postgres_changes', failure === null ? 'ok' : 'error', failure ?? 'Subscribed to PostgreSQL')
  }

  #announceReplication(): void {
    this.#options.services.live.ready(10_000).then(
      () => this.#system('broadcast', 'ok', 'Replication connection established'),
      () => this.#system('broadcast', 'error', 'The replication connection could not be established'),
    )
  }

  // --- broadcast

  async #broadcast(message: Incoming): Promise<void> {
    const { broadcast } = this.#options.request
    const { event } = message.payload
    const body = message.raw ?? jsonBody(message.payload)
    const refuse = (reason: string) => {
      if (broadcast.ack) this.#reply(message.ref, 'error', { reason })
    }
    if (typeof event !== 'string' || event === '') return refuse('the event of a broadcast is a non-empty string')
    if (body.bytes.length > this.#options.limits.payloadBytes) return refuse(refusals.payloadTooLarge)
    if (!this.#isAllowed('broadcast') && !(await this.#askWrite('broadcast')))
      return refuse(refusals.notWritable(this.#place.name))
    if (!this.joined) return
    this.#options.services.broadcasts.publish({ topic: this.#place, event, body, sender: this.#id })
    if (broadcast.ack) this.#reply(message.ref, 'ok', {})
  }

  #receive(message: TopicMessage): void {
    const { request, host, frames } = this.#options
    if (!this.joined || (message.sender === this.#id && !request.broadcast.self)) return
    host.send(frames.broadcast(this.topic, message, host.version))
  }

  async #replay(): Promise<void> {
    const { request, services, host, frames } = this.#options
    const { replay } = request.broadcast
    if (replay === null || !request.private) return
    for (const stored of await services.access.replay(this.#place.name, new Date(replay.since), replay.limit)) {
      const meta = { replayed: true, id: stored.id }
      if (this.joined)
        host.send(
          frames.broadcast(
            this.topic,
            { topic: this.#place, event: stored.event, body: stored.body, meta, sender: null },
            host.version,
          ),
        )
    }
  }

  // --- presence

  #makePresence(): ChannelPresence {
    const { services, limits, request, host, frames } = this.#options
    return new ChannelPresence({
      presence: services.presence,
      clock: services.clock,
      limits,
      place: this.#place,
      key: request.presence.key ?? services.ids.uuid(),
      mayRead: () => this.#read.presence,
      mayTrack: async () => this.#isAllowed('presence') || this.#askWrite('presence'),
      joined: () => this.joined,
      tellState: (state) => this.#push('presence_state', state, null),
      tellDiff: (diff) => {
        if (this.joined) host.send(frames.diff(this.topic, diff, host.version))
      },
    })
  }

  async #presencePush(message: Incoming): Promise<void> {
    const refusal = await this.#presence.handle(message)
    if (refusal === undefined) return
    if (refusal === null) this.#reply(message.ref, 'ok', {})
    else this.#reply(message.ref, 'error', { reason: refusal })
  }

  // --- rights

  #isAllowed(extension: ChannelExtension): boolean {
    return !this.#place.private || this.#mayWrite[extension] === true
  }

  async #askWrite(extension: ChannelExtension): Promise<boolean> {
    this.#mayWrite[extension] ??= await this.#options.services.access.write(this.#caller, this.#place.name, extension)
    return this.#mayWrite[extension]
  }

  /** A token that arrives while the channel is joined: never answered, and the same one again changes nothing. */
  async #newToken(payload: JsonObject): Promise<void> {
    const token = payload.access_token
    if (typeof token !== 'string' || token === '' || token === this.#token || token.startsWith('sb_')) return
    await this.#authenticate(token)
  }

  async #authenticate(token: string): Promise<void> {
    let caller: Caller
    try {
      caller = await this.#options.services.identity.authenticateToken(token)
    } catch (error) {
      this.#expel(refusals.token(publicMessage(error, 'The token could not be checked')))
      return
    }
    if (this.#state !== 'joined') return
    const same = caller.role === this.#caller.role && caller.claimsText === this.#caller.claimsText
    this.#token = token
    this.#caller = caller
    this.#scheduleRecheck()
    if (!same || this.#place.private) await this.#reauthorise(caller)
  }

  /** Puts the rights of another token in force. What the old one allowed is delivered until then, nothing twice. */
  async #reauthorise(caller: Caller): Promise<void> {
    this.#mayWrite = {}
    if (this.#place.private) {
      this.#read = await this.#options.services.access.read(caller, this.#place.name)
      if (!this.#read.broadcast) return this.#expel(refusals.notReadable(this.#place.name))
    }
    const next = await this.#openChanges(caller)
    if (this.#state !== 'joined' || this.#caller !== caller) {
      next?.close()
      return
    }
    this.#changes?.close()
    this.#changes = next
    next?.activate()
  }

  #scheduleRecheck(): void {
    const { clock } = this.#options.services
    this.#cancelRecheck()
    const { expiresAt } = this.#caller
    const left = expiresAt === null ? RECHECK_MS : expiresAt * 1000 - clock.now()
    this.#cancelRecheck = clock.after(Math.max(0, Math.min(left, RECHECK_MS)), () => {
      // Rights that cannot be checked are no rights: the client joins again, and is then checked.
      this.#recheck().catch(() => this.fail())
    })
  }

  async #recheck(): Promise<void> {
    if (this.#state !== 'joined') return
    const { expiresAt } = this.#caller
    const late = expiresAt === null ? -1 : this.#options.services.clock.now() / 1000 - expiresAt
    if (late >= 0) return this.#expel(refusals.token(`Token has expired ${Math.floor(late)} seconds ago`))
    await this.#authenticate(this.#token)
  }

  #expel(message: string): void {
    this.#system('system', 'error', message)
    this.close()
  }

  // --- sending

  #system(extension: string, status: 'ok' | 'error', message: string): void {
    if (!this.joined) return
    this.#push('system', JSON.stringify({ extension, status, message, channel: this.#options.name }), null)
  }

  #push(event: string, payload: string, ref: string | null): void {
    this.#send({ joinRef: this.joinRef, ref, topic: this.topic, event, payload })
  }

  #reply(ref: string | null, status: 'ok' | 'error', response: object): void {
    if (ref === null) return
    this.#send({
      joinRef: this.joinRef,
      ref,
      topic: this.topic,
      event: 'phx_reply',
      payload: JSON.stringify({ status, response }),
    })
  }

  #send(message: Outgoing): void {
    if (this.#state === 'closed') return
    const { host } = this.#options
    host.send(encodeFrame(message, host.version))
  }

  /** A failure of ours while handling a push: told to whoever waits for it, and to the log. */
  failed(ref: string | null, error: unknown): void {
    this.#options.services.log.warn(
      { error: toError(error).message, topic: this.#options.name },
      'a realtime push failed',
    )
    const reason = publicMessage(error, 'InternalServerError')
    const joining = this.#state === 'joining'
    this.#reply(ref, 'error', { reason: joining ? refusals.unavailable : reason })
    if (joining) this.dispose()
  }
}

const jsonBody = (payload: JsonObject): MessageBody => ({
  encoding: 'json',
  bytes: Buffer.from(JSON.stringify(payload.payload ?? {})),
})
