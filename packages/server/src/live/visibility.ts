/**
 * Waits until transactions that the log has told are visible to queries. A commit is in the log a moment before other sessions see it: asking at
 * once would read rights as they were before the very change that made us ask.
 */
import type { Pool } from '../db/pool.ts'
import type { Clock } from '../kernel/clock.ts'
import { allVisible } from './visibility.sql.ts'

/** The moment is microseconds; longer means that the database is in trouble, and then the next query will say so. */
const MAX_TRIES = 2000
const RETRY_MS = 1

export const waitUntilVisible = async (owner: Pool, clock: Clock, xids: Iterable<number>): Promise<void> => {
  const wanted = [...new Set(xids)]
  if (wanted.length === 0) return
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const row = await owner.maybeOne<{ visible: boolean }>(allVisible(wanted))
    if (row?.visible !== false) return
    await new Promise<void>((resolve) => {
      clock.after(RETRY_MS, resolve)
    })
  }
}
