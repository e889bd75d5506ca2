/** Time as a dependency, so that tests decide what time it is. */

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
