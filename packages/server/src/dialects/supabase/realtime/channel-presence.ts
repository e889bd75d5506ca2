/** The presence of one channel: what its client says of itself, and what it hears of the others. */
import { isObject } from '../../../kernel/json.ts'
import type { Topic } from '../../../live/broadcast.ts'
import { Budget } from '../../../live/budget.ts'
import type { PresenceDiff, PresenceEntry, PresenceMember } from '../../../live/presence.ts'
import type { Incoming } from './codec.ts'
import { stateText } from './frames.ts'
import type { Ground } from './ground.ts'
import { refusals } from './limits.ts'

/** What presence needs of its channel. */
export interface PresenceHolder {
  readonly ground: Ground
  readonly place: Topic
  readonly joined: boolean
  /** Whether the channel may hear of the others. */
  readonly mayReadPresence: boolean
  /** Whether the client may say something of itself; asked of the database once. */
  mayTrack(): Promise<boolean>
  tellState(state: string): void
  tellDiff(diff: PresenceDiff): void
}

export class ChannelPresence implements PresenceMember {
  readonly #holder: PresenceHolder
  #key: string | null
  #budget: Budget | null = null
  #watching = false
  #entry: PresenceEntry | null = null

  /** Without a key the server makes one up. */
  constructor(holder: PresenceHolder, key: string | null) {
    this.#holder = holder
    this.#key = key
  }

  /** Tells the state, and every difference from now on. */
  watch(): void {
    const { ground, place, mayReadPresence } = this.#holder
    if (this.#watching || !mayReadPresence) return
    const { presence } = ground.services
    this.#watching = true
    presence.watch(place, this)
    this.#holder.tellState(stateText(presence.state(place)))
  }

  presenceChanged(diff: PresenceDiff): void {
    this.#holder.tellDiff(diff)
  }

  /** Handles a push; answers why it was refused, null when it was done, undefined when nobody is there to be answered. */
  async handle({ payload: push }: Incoming): Promise<string | null | undefined> {
    const { event, payload } = push
    const { services, limits } = this.#holder.ground
    this.#budget ??= new Budget(services.clock, limits.presencePerSecond)
    if (!this.#budget.take()) return refusals.tooManyPresence
    switch (typeof event === 'string' ? event.toLowerCase() : '') {
      case 'track':
        return this.#track(payload ?? {})
      case 'untrack':
        this.#untrack()
        return null
      default:
        return `UnknownPresenceEvent: ${String(event).slice(0, 50)}`
    }
  }

  /** The channel is over. */
  close(): void {
    const { ground, place } = this.#holder
    if (this.#watching) ground.services.presence.unwatch(place, this)
    this.#watching = false
    this.#untrack()
  }

  async #track(meta: unknown): Promise<string | null | undefined> {
    const { ground, place } = this.#holder
    if (!isObject(meta)) return 'the payload of a presence is an object'
    if (JSON.stringify(meta).length > ground.limits.presenceBytes) return refusals.presenceTooLarge
    if (!(await this.#holder.mayTrack())) return refusals.notWritable(place.name)
    if (!this.#holder.joined) return undefined
    // Who says something of themselves hears of the others too, whatever the join asked for.
    this.watch()
    this.#key ??= ground.services.ids.uuid()
    this.#entry = ground.services.presence.track(place, this.#key, meta, this.#entry)
    return null
  }

  #untrack(): void {
    if (this.#entry === null) return
    const { ground, place } = this.#holder
    ground.services.presence.untrack(place, this.#entry)
    this.#entry = null
  }
}
