/**
 * Waits until transactions that the log has told are visible to queries. A commit is in the log a moment before other sessions see it: asking at
 * once would read rights as they were before the very change that made us ask.
 */
import type { Pool } from '../db/pool.ts'
import type { Clock } from '../kernel/clock.ts'
import { allVisible, transactionRange } from './visibility.sql.ts'

/** The moment is microseconds; longer means that the database is in trouble, and then the next query will say so. */
const MAX_TRIES = 2000
const RETRY_MS = 1
/** A transaction that stays open for longer has to be waited for by nobody. */
const MAX_OPEN_MS = 2000

export const waitUntilVisible = async (owner: Pool, clock: Clock, xids: Iterable<number>): Promise<void> => {
  const wanted = [...new Set(xids)]
  if (wanted.length === 0) return
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const row = await owner.maybeOne<{ visible: boolean }>(allVisible(wanted))
    if (row?.visible !== false) return
    await pause(clock, RETRY_MS)
  }
}

/**
 * Waits until the transactions that are running now have ended: what they wrote before the feed carried a table is not told, so rows must be
 * read after them.
 */
export const waitForWriters = async (owner: Pool, clock: Clock): Promise<void> => {
  let fence: bigint | null = null
  for (let waited = 0; waited < MAX_OPEN_MS; waited += RETRY_MS) {
    const row = await owner.maybeOne<{ oldest: string; next: string }>(transactionRange())
    if (row === null) return
    fence ??= BigInt(row.next)
    if (BigInt(row.oldest) >= fence) return
    await pause(clock, RETRY_MS)
  }
}

const pause = (clock: Clock, ms: number): Promise<void> =>
  new Promise((resolve) => {
    clock.after(ms, resolve)
  })
