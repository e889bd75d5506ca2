/** One joined channel of one socket: its life, what it is sent, and what it sends. Rights, changes and presence have files of their own. */
import type { RowChange } from '../../../feed/change.ts'
import type { Caller } from '../../../identity/caller.ts'
import { toError } from '../../../kernel/errors.ts'
import type { JsonObject } from '../../../kernel/json.ts'
import type { MessageBody, Topic, TopicMember, TopicMessage } from '../../../live/broadcast.ts'
import type { PresenceDiff } from '../../../live/presence.ts'
import type { Projection } from '../../../live/projection.ts'
import type { Frame } from '../../../sockets/frame.ts'
import { type BindingEvents, BoundChanges, publicMessage } from './bindings.ts'
import { Gathered } from './change-dispatch.ts'
import { ChannelPresence, type PresenceHolder } from './channel-presence.ts'
import { ChannelRights, type RightsHolder } from './channel-rights.ts'
import { encodeFrame, type Incoming, type Outgoing, type ProtocolVersion } from './codec.ts'
import type { ChangeFrames } from './frames.ts'
import type { Ground } from './ground.ts'
import type { JoinRequest } from './join.ts'
import { refusals } from './limits.ts'

/** What a channel has of its socket. */
export interface ChannelHost {
  readonly ground: Ground
  readonly version: ProtocolVersion
  send(frame: Frame): void
  authenticate(token: string): Promise<Caller>
  /** The channel is over; the socket forgets it. */
  ended(channel: Channel): void
}

export interface ChannelOptions {
  readonly host: ChannelHost
  /** As the client writes it: `realtime:room`. */
  readonly topic: string
  /** Without the prefix. */
  readonly name: string
  readonly joinRef: string | null
  readonly request: JoinRequest
  readonly caller: Caller
  readonly token: string
}

type State = 'joining' | 'joined' | 'closed'

const READY_MS = 10_000

export class Channel implements TopicMember, BindingEvents, PresenceHolder, RightsHolder {
  readonly topic: string
  readonly joinRef: string | null
  readonly place: Topic
  readonly #host: ChannelHost
  readonly #request: JoinRequest
  readonly #rights: ChannelRights
  #id: string | null = null
  #gathered: Gathered | null = null
  #presence: ChannelPresence | null = null
  #state: State = 'joining'
  #changes: BoundChanges | null = null

  constructor(options: ChannelOptions) {
    this.#host = options.host
    this.topic = options.topic
    this.joinRef = options.joinRef
    this.#request = options.request
    this.place = { name: options.name, private: options.request.private }
    this.#rights = new ChannelRights(this, options.caller, options.token)
  }

  get ground(): Ground {
    return this.#host.ground
  }

  get joined(): boolean {
    return this.#state === 'joined'
  }

  /** Whoever joins reads afterwards; whoever brings another token does not. */
  get isNewcomer(): boolean {
    return this.#state === 'joining'
  }

  /** Unique on all nodes; made up when it is first needed, since most channels only listen. */
  get id(): string {
    this.#id ??= this.ground.services.ids.uuid()
    return this.#id
  }

  /** Authorises, subscribes and answers the join with `ref`. */
  async join(ref: string | null): Promise<void> {
    const read = await this.#rights.load()
    if (this.#state === 'closed') return
    if (!read.broadcast) {
      this.#reply(ref, 'error', { reason: refusals.notReadable(this.place.name) })
      this.dispose()
      return
    }
    const changes = await this.#openChanges(this.#rights.caller)
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
    const { bindings, presence, broadcast } = this.#request
    const { services, rechecks } = this.ground
    this.#state = 'joined'
    services.broadcasts.join(this.place, this)
    this.#changes?.activate()
    this.#reply(ref, 'ok', { postgres_changes: bindings.map(({ sent, id }) => ({ ...sent, id })) })
    if (presence.enabled) this.#ensurePresence().watch()
    if (broadcast.replicationReady) this.#announceReplication()
    if (bindings.length > 0) this.#announceChanges()
    rechecks.add(this.#rights)
  }

  /** A push that is not about joining or leaving. */
  async handle(message: Incoming): Promise<void> {
    switch (message.event) {
      case 'broadcast':
        return this.#broadcast(message)
      case 'presence':
        return this.#presencePush(message)
      case 'access_token':
        return this.#rights.newToken(message.payload.access_token)
      default:
        this.#reply(message.ref, 'error', { reason: refusals.unknownEvent(message.event) })
    }
  }

  /** True when a broadcast can be handled at once, without asking the database. */
  isImmediate(message: Incoming): boolean {
    return message.event === 'broadcast' && this.joined && this.#rights.knows('broadcast')
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
    const { services, rechecks } = this.ground
    rechecks.remove(this.#rights)
    this.#changes?.close()
    services.broadcasts.leave(this.place, this)
    this.#presence?.close()
    this.#host.ended(this)
  }

  // --- postgres_changes

  async #openChanges(caller: Caller): Promise<BoundChanges | null> {
    const { bindings } = this.#request
    return bindings.length === 0 ? null : BoundChanges.open(this.ground.services.live, caller, bindings, this)
  }

  matched(id: number, change: RowChange, projection: Projection): void {
    this.#gathered ??= new Gathered()
    if (this.#gathered.add(id, projection)) this.ground.dispatch.gather(this, change)
  }

  resync(): void {
    this.fail()
  }

  flushChanges(frames: ChangeFrames): void {
    for (const { projection, ids } of this.#gathered?.take() ?? []) {
      if (this.joined) this.#host.send(frames.frame(this.topic, ids, projection, this.#host.version))
    }
    this.#gathered = null
  }

  changesStatus(failure: string | null): void {
    this.#system('postgres_changes', failure === null ? 'ok' : 'error', failure ?? 'Subscribed to PostgreSQL')
  }

  #announceChanges(): void {
    this.ground.services.live.ready(READY_MS).then(
      () => this.changesStatus(this.#changes?.failure ?? null),
      () => this.changesStatus('Unable to subscribe to changes: the database does not stream its changes right now'),
    )
  }

  #announceReplication(): void {
    this.ground.services.live.ready(READY_MS).then(
      () => this.#system('broadcast', 'ok', 'Replication connection established'),
      () => this.#system('broadcast', 'error', 'The replication connection could not be established'),
    )
  }

  // --- broadcast

  async #broadcast(message: Incoming): Promise<void> {
    const { ack } = this.#request.broadcast
    const { event } = message.payload
    const body = message.raw ?? jsonBody(message.payload)
    const refuse = (reason: string) => {
      if (ack) this.#reply(message.ref, 'error', { reason })
    }
    if (typeof event !== 'string' || event === '') return refuse('the event of a broadcast is a non-empty string')
    if (body.bytes.length > this.ground.limits.payloadBytes) return refuse(refusals.payloadTooLarge)
    if (this.place.private && !(await this.#rights.mayWrite('broadcast')))
      return refuse(refusals.notWritable(this.place.name))
    if (!this.joined) return
    this.ground.services.broadcasts.publish({ topic: this.place, event, body, sender: this.id })
    if (ack) this.#reply(message.ref, 'ok', {})
  }

  receive(message: TopicMessage): void {
    const own = message.sender !== null && message.sender === this.#id
    if (!this.joined || (own && !this.#request.broadcast.self)) return
    this.#host.send(this.ground.frames.broadcast(this.topic, message, this.#host.version))
  }

  /** Messages of another node may be lost: whoever depends on them reads again after joining again. */
  missed(): void {
    this.fail()
  }

  async #replay(): Promise<void> {
    const { replay } = this.#request.broadcast
    if (replay === null || !this.place.private) return
    const { services, frames } = this.ground
    for (const stored of await services.access.replay(this.place.name, new Date(replay.since), replay.limit)) {
      const meta = { replayed: true, id: stored.id }
      const message = { topic: this.place, event: stored.event, body: stored.body, meta, sender: null }
      if (this.joined) this.#host.send(frames.broadcast(this.topic, message, this.#host.version))
    }
  }

  // --- presence

  #ensurePresence(): ChannelPresence {
    this.#presence ??= new ChannelPresence(this, this.#request.presence.key)
    return this.#presence
  }

  async #presencePush(message: Incoming): Promise<void> {
    const refusal = await this.#ensurePresence().handle(message)
    if (refusal === undefined) return
    if (refusal === null) this.#reply(message.ref, 'ok', {})
    else this.#reply(message.ref, 'error', { reason: refusal })
  }

  get mayReadPresence(): boolean {
    return this.#rights.mayReadPresence
  }

  mayTrack(): Promise<boolean> {
    return this.#rights.mayWrite('presence')
  }

  tellState(state: string): void {
    this.#push('presence_state', state, null)
  }

  tellDiff(diff: PresenceDiff): void {
    if (this.joined && this.mayReadPresence)
      this.#host.send(this.ground.frames.diff(this.topic, diff, this.#host.version))
  }

  // --- rights

  authenticate(token: string): Promise<Caller> {
    return this.#host.authenticate(token)
  }

  /** Puts the rights of another token in force. What the old one allowed is delivered until then, nothing twice. */
  async renewed(caller: Caller): Promise<void> {
    const read = await this.#rights.load()
    if (!read.broadcast) return this.expel(refusals.notReadable(this.place.name))
    const next = await this.#openChanges(caller)
    if (this.#state !== 'joined' || this.#rights.caller !== caller) {
      next?.close()
      return
    }
    this.#changes?.close()
    this.#changes = next
    next?.activate()
  }

  expel(message: string): void {
    this.#system('system', 'error', message)
    this.close()
  }

  // --- sending

  #system(extension: string, status: 'ok' | 'error', message: string): void {
    if (!this.joined) return
    this.#push('system', JSON.stringify({ extension, status, message, channel: this.place.name }), null)
  }

  #push(event: string, payload: string, ref: string | null): void {
    this.#send({ joinRef: this.joinRef, ref, topic: this.topic, event, payload })
  }

  #reply(ref: string | null, status: 'ok' | 'error', response: object): void {
    if (ref === null) return
    const payload = JSON.stringify({ status, response })
    this.#send({ joinRef: this.joinRef, ref, topic: this.topic, event: 'phx_reply', payload })
  }

  #send(message: Outgoing): void {
    if (this.#state !== 'closed') this.#host.send(encodeFrame(message, this.#host.version))
  }

  /** A failure of ours while handling a push: told to whoever waits for it, and to the log. */
  failed(ref: string | null, error: unknown): void {
    const { log } = this.ground.services
    log.warn({ error: toError(error).message, topic: this.place.name }, 'a realtime push failed')
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
