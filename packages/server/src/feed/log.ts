/** The last changes of the feed, bounded in number and bytes, so that a listener that was away for a moment can catch up. */
import { type Change, sizeOf } from './change.ts'
import type { Watermark } from './lsn.ts'

export interface LogLimits {
  readonly changes: number
  readonly bytes: number
}

/** A ring of changes in feed order. */
export class ChangeLog {
  readonly #limits: LogLimits
  #entries: Change[] = []
  #start = 0
  #bytes = 0
  /** Position before the oldest change that is still here: who has seen this much misses nothing. */
  #floor: Watermark

  constructor(limits: LogLimits, floor: Watermark = '') {
    this.#limits = limits
    this.#floor = floor
  }

  append(changes: readonly Change[]): void {
    for (const change of changes) {
      this.#entries.push(change)
      this.#bytes += sizeOf(change)
    }
    this.#trim()
  }

  /** Everything after `seen`, oldest first; null when some of it is gone already. */
  since(seen: Watermark): readonly Change[] | null {
    if (seen < this.#floor) return null
    let low = this.#start
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const watermark = this.#entries[middle]?.watermark ?? ''
      if (watermark > seen) high = middle
      else low = middle + 1
    }
    return this.#entries.slice(low)
  }

  /** Forgets everything: positions of another epoch mean nothing here. */
  reset(floor: Watermark): void {
    this.#entries = []
    this.#start = 0
    this.#bytes = 0
    this.#floor = floor
  }

  get size(): number {
    return this.#entries.length - this.#start
  }

  get bytes(): number {
    return this.#bytes
  }

  #trim(): void {
    while (this.size > this.#limits.changes || (this.#bytes > this.#limits.bytes && this.size > 0)) {
      const oldest = this.#entries[this.#start]
      if (oldest === undefined) break
      this.#floor = oldest.watermark
      this.#bytes -= sizeOf(oldest)
      this.#start++
    }
    // Moving the live part to the front once half of the array is dead keeps the cost of each append constant.
    if (this.#start > 1024 && this.#start * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#start)
      this.#start = 0
    }
  }
}
