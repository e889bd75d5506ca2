/** A number of permits per second. Pure but for the clock. */
import type { Clock } from '../kernel/clock.ts'

/** A token bucket that holds one second's worth. */
export class Budget {
  readonly #clock: Clock
  readonly #perSecond: number
  #left: number
  #at: number

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock
    this.#perSecond = perSecond
    this.#left = perSecond
    this.#at = clock.now()
  }

  /** Takes one permit (or `count`) if there are any. */
  take(count = 1): boolean {
    const now = this.#clock.now()
    // A clock that is set back must not freeze the bucket.
    const elapsed = Math.max(0, now - this.#at)
    this.#at = now
    this.#left = Math.min(this.#perSecond, this.#left + (elapsed * this.#perSecond) / 1000)
    if (this.#left < count) return false
    this.#left -= count
    return true
  }
}
