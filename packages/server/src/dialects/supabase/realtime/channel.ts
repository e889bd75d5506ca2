/** One joined channel of one socket: its life, what it is sent, and what it sends. Rights, changes and presence have files of their own. */
import type { RowChange } from '../../../feed/change.ts'
import type { Caller } from '../../../identity/caller.ts'
import { toError } from '../../../kernel/errors.ts'
import type { Topic, TopicMessage } from '../../../live/broadcast.ts'
import type { PresenceDiff } from '../../../live/presence.ts'
import type { Projection } from '../../../live/projection.ts'
import type { Frame } from '../../../sockets/frame.ts'
import { type BindingEvents, BoundChanges, publicMessage } from './bindings.ts'
import { Gathered } from './change-dispatch.ts'
import { type BroadcastHolder, ChannelBroadcast } from './channel-broadcast.ts'
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

export class Channel implements BindingEvents, BroadcastHolder, PresenceHolder, RightsHolder {
  readonly topic: string
  readonly joinRef: string | null
  readonly place: Topic
  readonly #host: ChannelHost
  readonly #request: JoinRequest
  readonly #rights: ChannelRights
  readonly #broadcast: ChannelBroadcast
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
    this.#broadcast = new ChannelBroadcast(this, options.request.broadcast)
  }

  get ground(): Ground {
    return this.#host.ground
  }

  get joined(): boolean {
    return this.#state === 'joined'
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
    await this.#broadcast.replay()
  }

  #start(ref: string | null): void {
    const { bindings, presence, broadcast } = this.#request
    const { rechecks } = this.ground
    this.#state = 'joined'
    this.#broadcast.join()
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
        return this.#broadcastPush(message)
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
    this.ground.rechecks.remove(this.#rights)
    this.#changes?.close()
    this.#broadcast.leave()
    this.#presence?.close()
    this.#host.ended(this)
  }

  // --- postgres_changes

  async #openChanges(caller: Caller): Promise<BoundChanges | null> {
    const { bindings } = this.#request
    return bindings.length === 0
      ? null
      : BoundChanges.open(this.ground.services.live, caller, bindings, this, this.#changes)
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

  async #broadcastPush(message: Incoming): Promise<void> {
    this.#answer(message.ref, await this.#broadcast.handle(message))
  }

  mayBroadcast(): Promise<boolean> {
    return this.#rights.mayWrite('broadcast')
  }

  tellBroadcast(message: TopicMessage): void {
    this.#host.send(this.ground.frames.broadcast(this.topic, message, this.#host.version))
  }

  // --- presence

  #ensurePresence(): ChannelPresence {
    this.#presence ??= new ChannelPresence(this, this.#request.presence.key)
    return this.#presence
  }

  async #presencePush(message: Incoming): Promise<void> {
    this.#answer(message.ref, await this.#ensurePresence().handle(message))
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

  /** Answers a push: null when it was done, undefined when nobody is there to be answered. */
  #answer(ref: string | null, refusal: string | null | undefined): void {
    if (refusal === null) this.#reply(ref, 'ok', {})
    else if (refusal !== undefined) this.#reply(ref, 'error', { reason: refusal })
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
