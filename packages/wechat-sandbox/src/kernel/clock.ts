/** Time as a dependency: the sandbox's codes and tokens age as the test decides. */

export interface Clock {
  /** Milliseconds since 1970-01-01 UTC. */
  now(): number
  /** Calls back once after `ms`; the returned function cancels. The timer never keeps the process alive. */
  after(ms: number, callback: () => void): () => void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
}

/** A clock that can be moved ahead of another one, so that a code or token of a running sandbox can be made old. Timers keep real time. */
export class MovableClock implements Clock {
  readonly #base: Clock
  #ahead = 0

  constructor(base: Clock) {
    this.#base = base
  }

  now(): number {
    return this.#base.now() + this.#ahead
  }

  after(ms: number, callback: () => void): () => void {
    return this.#base.after(ms, callback)
  }

  /** Moves ahead by `ms`; answers the new time. */
  advance(ms: number): number {
    this.#ahead += ms
    return this.now()
  }

  /** Back to the base clock's time. */
  reset(): void {
    this.#ahead = 0
  }
}
