/** The presence of one channel: what its client says of itself, and what it hears of the others. */
import type { Clock } from '../../../kernel/clock.ts'
import { isObject } from '../../../kernel/json.ts'
import type { Topic } from '../../../live/broadcast.ts'
import { Budget } from '../../../live/budget.ts'
import type { Presence, PresenceDiff, PresenceEntry } from '../../../live/presence.ts'
import type { Incoming } from './codec.ts'
import { stateText } from './frames.ts'
import { type RealtimeLimits, refusals } from './limits.ts'

export interface ChannelPresenceOptions {
  readonly presence: Presence
  readonly clock: Clock
  readonly limits: RealtimeLimits
  readonly place: Topic
  readonly key: string
  /** Whether the channel may hear of the others. */
  readonly mayRead: () => boolean
  /** Whether the client may say something of itself; asked of the database once. */
  readonly mayTrack: () => Promise<boolean>
  readonly joined: () => boolean
  readonly tellState: (state: string) => void
  readonly tellDiff: (diff: PresenceDiff) => void
}

export class ChannelPresence {
  readonly #options: ChannelPresenceOptions
  readonly #budget: Budget
  #leave: (() => void) | null = null
  #entry: PresenceEntry | null = null

  constructor(options: ChannelPresenceOptions) {
    this.#options = options
    this.#budget = new Budget(options.clock, options.limits.presencePerSecond)
  }

  /** Tells the state, and every difference from now on. */
  watch(): void {
    const { presence, place, mayRead, tellState, tellDiff } = this.#options
    if (this.#leave !== null || !mayRead()) return
    this.#leave = presence.watch(place, { presenceChanged: tellDiff })
    tellState(stateText(presence.state(place)))
  }

  /** Handles a push; answers why it was refused, null when it was done, undefined when nobody is there to be answered. */
  async handle({ payload: push }: Incoming): Promise<string | null | undefined> {
    const { event, payload } = push
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
    this.#leave?.()
    this.#leave = null
    this.#untrack()
  }

  async #track(meta: unknown): Promise<string | null | undefined> {
    const { limits, mayTrack, joined, place, presence, key } = this.#options
    if (!isObject(meta)) return 'the payload of a presence is an object'
    if (JSON.stringify(meta).length > limits.presenceBytes) return refusals.presenceTooLarge
    if (!(await mayTrack())) return refusals.notWritable(place.name)
    if (!joined()) return undefined
    // Who says something of themselves hears of the others too, whatever the join asked for.
    this.watch()
    this.#entry = presence.track(place, key, meta, this.#entry)
    return null
  }

  #untrack(): void {
    if (this.#entry === null) return
    this.#options.presence.untrack(this.#options.place, this.#entry)
    this.#entry = null
  }
}
