/** Many callers, one piece of work: everyone who asks while it runs shares its result. */

/** Wraps `work` so that calls which overlap share one run. */
export const singleFlight = <T>(work: () => Promise<T>): (() => Promise<T>) => {
  let running: Promise<T> | null = null
  return () => {
    running ??= work().finally(() => {
      running = null
    })
    return running
  }
}
