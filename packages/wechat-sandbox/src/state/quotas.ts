/** Counts calls in windows of a minute and of a Beijing day. */
import { refuse } from '../errcodes.ts'
import type { Clock } from '../kernel/clock.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const BEIJING = 8 * 60 * MINUTE

interface Window {
  index: number
  count: number
}

const MOST = 50_000

export class Quotas {
  readonly #clock: Clock
  readonly #windows = new Map<string, Window>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** One call more in this minute; beyond the limit 45011, or the code that the call has for it. */
  minute(what: string, limit: number, errcode: 45009 | 45011 = 45011): void {
    if (!this.#take(`m ${what}`, Math.floor(this.#clock.now() / MINUTE), limit)) refuse(errcode)
  }

  /** One call more today; 45009 beyond the limit. Days begin at midnight in Beijing. */
  day(what: string, limit: number): void {
    if (!this.#take(`d ${what}`, Math.floor((this.#clock.now() + BEIJING) / DAY), limit)) refuse(45009)
  }

  clear(): void {
    this.#windows.clear()
  }

  #take(key: string, index: number, limit: number): boolean {
    const window = this.#windows.get(key)
    if (window === undefined || window.index !== index) {
      if (this.#windows.size >= MOST) this.#windows.clear()
      this.#windows.set(key, { index, count: 1 })
      return limit > 0
    }
    if (window.count >= limit) return false
    window.count += 1
    return true
  }
}
