/** Timers: each turn is taken by exactly one node, in the transaction that moves the timer to its next turn. */
import type { Pool } from '../db/pool.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Service } from '../kernel/service.ts'
import type { Log } from '../observe/log.ts'
import { nextRun } from './config.ts'
import { moveTimer, takeDueTimer } from './functions.sql.ts'

export interface Turn {
  readonly function: string
  readonly timer: string
  /** When it was due. */
  readonly at: Date
}

const LOOK_EVERY_MS = 500
/** A turn that nobody was there to take is skipped: a nightly job should not run at noon. */
const TOO_LATE_MS = 60_000

export const createTimers = (
  { db, clock, log }: { readonly db: Pool; readonly clock: Clock; readonly log: Log },
  fire: (turn: Turn) => void,
): Service & { readonly look: () => Promise<void> } => {
  let cancel = (): void => {}
  let looking: Promise<void> = Promise.resolve()
  let stopped = false

  const look = async (): Promise<void> => {
    for (;;) {
      const turn = await take(db, new Date(clock.now()))
      if (turn === null) return
      if (clock.now() - turn.at.getTime() <= TOO_LATE_MS) fire(turn)
      else
        log.warn(
          { function: turn.function, timer: turn.timer, due: turn.at },
          'a timer was skipped: nobody ran at its time',
        )
    }
  }
  const schedule = (): void => {
    if (stopped) return
    cancel = clock.after(LOOK_EVERY_MS, () => {
      looking = look()
        .catch((error: unknown) => log.warn({ error }, 'timers could not be read'))
        .finally(schedule)
    })
  }
  return {
    look,
    start: async () => schedule(),
    async stop() {
      stopped = true
      cancel()
      await looking
    },
  }
}

const take = (db: Pool, now: Date): Promise<Turn | null> =>
  db.transaction(async (tx) => {
    const row = await tx.maybeOne<{ function: string; name: string; cron: string; next_at: string }>(takeDueTimer(now))
    if (row === null) return null
    await tx.run(moveTimer(row.function, row.name, { last: now, next: nextRun(row.cron, now) }))
    return { function: row.function, timer: row.name, at: new Date(row.next_at) }
  })
