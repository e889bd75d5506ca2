/** The frames that this node sent last, so that a node that missed some can have them again. Bounded in number and bytes. */

export interface SentLimits {
  readonly frames: number
  readonly bytes: number
}

export class SentFrames {
  readonly #limits: SentLimits
  #frames: Buffer[] = []
  /** How many of the array's first entries are forgotten. */
  #start = 0
  #bytes = 0
  #next = 1

  constructor(limits: SentLimits) {
    this.#limits = limits
  }

  /** Number of the newest frame. */
  get last(): number {
    return this.#next - 1
  }

  /** Number of the oldest frame that is still here; one more than `last` when none is. */
  get floor(): number {
    return this.#next - (this.#frames.length - this.#start)
  }

  /** Number that the next frame must carry. */
  get next(): number {
    return this.#next
  }

  add(frame: Buffer): void {
    this.#frames.push(frame)
    this.#next++
    this.#bytes += frame.length
    while (this.#frames.length - this.#start > this.#limits.frames || this.#bytes > this.#limits.bytes) {
      const oldest = this.#frames[this.#start]
      if (oldest === undefined) break
      this.#bytes -= oldest.length
      this.#start++
    }
    // Moving the live part to the front once half of the array is dead keeps the cost of each frame constant.
    if (this.#start > 1024 && this.#start * 2 > this.#frames.length) {
      this.#frames = this.#frames.slice(this.#start)
      this.#start = 0
    }
  }

  /** Frames from one number to another, both included, as far as they are here. */
  range(from: number, to: number): readonly Buffer[] {
    const offset = this.#start - this.floor
    return this.#frames.slice(Math.max(from, this.floor) + offset, Math.max(0, to + 1 + offset))
  }
}
