/** Waiting for a condition with a deadline: what tests do instead of sleeping. */
import { setTimeout as delay } from 'node:timers/promises'

export interface Patience {
  /** Milliseconds after which waiting is a failure. */
  readonly within?: number
  /** Milliseconds between two looks. */
  readonly every?: number
}

/**
 * Looks until `condition` answers something truthy, and answers that. A condition that throws has not come true yet.
 * Rejects with a message that names `what` and the last error when the time is over.
 */
export const until = async <T>(
  what: string,
  condition: () => T | Promise<T>,
  { within = 5_000, every = 20 }: Patience = {},
): Promise<NonNullable<T>> => {
  const deadline = performance.now() + within
  let last: unknown = null
  for (;;) {
    try {
      const answer = await condition()
      if (answer) return answer
      last = null
    } catch (error) {
      last = error
    }
    if (performance.now() > deadline) {
      const reason = last === null ? '' : `: ${last instanceof Error ? last.message : String(last)}`
      throw new Error(`not within ${within} ms: ${what}${reason}`, { cause: last })
    }
    await delay(every)
  }
}
