/** Waiting for a condition with a deadline: what tests do instead of sleeping. */
import { setTimeout as delay } from 'node:timers/promises'

/** Looks until `condition` is true; rejects with what was waited for. */
export const until = async (what: string, condition: () => boolean): Promise<void> => {
  const deadline = performance.now() + 5_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within 5 s: ${what}`)
    await delay(10)
  }
}
