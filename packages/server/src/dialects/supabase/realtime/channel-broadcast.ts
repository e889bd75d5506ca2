/** The broadcasts of one channel: what its client says to the others, what it hears, and what was stored before it came. */
import type { JsonObject } from '../../../kernel/json.ts'
import type { MessageBody, Topic, TopicMember, TopicMessage } from '../../../live/broadcast.ts'
import type { Incoming } from './codec.ts'
import type { Ground } from './ground.ts'
import type { JoinRequest } from './join.ts'
import { refusals } from './limits.ts'

/** What broadcasts need of their channel. */
export interface BroadcastHolder {
  readonly ground: Ground
  readonly place: Topic
  readonly joined: boolean
  mayBroadcast(): Promise<boolean>
  tellBroadcast(message: TopicMessage): void
  fail(): void
}

export class ChannelBroadcast implements TopicMember {
  readonly #holder: BroadcastHolder
  readonly #asked: JoinRequest['broadcast']
  #id: string | null = null

  constructor(holder: BroadcastHolder, asked: JoinRequest['broadcast']) {
    this.#holder = holder
    this.#asked = asked
  }

  /** Unique on all nodes; made up when it is first needed, since most channels only listen. */
  get id(): string {
    this.#id ??= this.#holder.ground.services.ids.uuid()
    return this.#id
  }

  join(): void {
    this.#holder.ground.services.broadcasts.join(this.#holder.place, this)
  }

  leave(): void {
    this.#holder.ground.services.broadcasts.leave(this.#holder.place, this)
  }

  /** Sends a push on; answers why it was refused, null when it was sent, undefined when nobody waits for an answer. */
  async handle(message: Incoming): Promise<string | null | undefined> {
    const refusal = await this.#send(message)
    return this.#asked.ack ? refusal : undefined
  }

  async #send(message: Incoming): Promise<string | null | undefined> {
    const { ground, place } = this.#holder
    const { event } = message.payload
    const body = message.raw ?? jsonBody(message.payload)
    if (typeof event !== 'string' || event === '') return 'the event of a broadcast is a non-empty string'
    if (body.bytes.length > ground.limits.payloadBytes) return refusals.payloadTooLarge
    if (place.private && !(await this.#holder.mayBroadcast())) return refusals.notWritable(place.name)
    if (!this.#holder.joined) return undefined
    ground.services.broadcasts.publish({ topic: place, event, body, sender: this.id })
    return null
  }

  receive(message: TopicMessage): void {
    const own = message.sender !== null && message.sender === this.#id
    if (this.#holder.joined && !(own && !this.#asked.self)) this.#holder.tellBroadcast(message)
  }

  /** Messages of another node may be lost: whoever depends on them reads again after joining again. */
  missed(): void {
    this.#holder.fail()
  }

  /** What was stored in a private topic, for clients that ask for it. */
  async replay(): Promise<void> {
    const { ground, place } = this.#holder
    const { replay } = this.#asked
    if (replay === null || !place.private) return
    for (const stored of await ground.services.access.replay(place.name, new Date(replay.since), replay.limit)) {
      const meta = { replayed: true, id: stored.id }
      if (this.#holder.joined)
        this.#holder.tellBroadcast({ topic: place, event: stored.event, body: stored.body, meta, sender: null })
    }
  }
}

const jsonBody = (payload: JsonObject): MessageBody => ({
  encoding: 'json',
  bytes: Buffer.from(JSON.stringify(payload.payload ?? {})),
})
