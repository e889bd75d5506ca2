/** When and with what people were last here. Kept in memory and written together: one statement for everybody every few seconds. */
import type { AuthContext } from './context.ts'
import { isUuid } from './principal.ts'
import { type Note, putSeen } from './seen.sql.ts'
import type { Device } from './session.ts'

export interface Seen {
  /** Notes that a user made a request. Costs a look into a map. */
  note(userId: string | null, device: Device): void
  /** Writes what was noted so far. */
  flush(): Promise<void>
  start(): void
  stop(): Promise<void>
}

const FLUSH_EVERY_MS = 5_000
/** Within a minute, a person is still here. */
const REFRESH_MS = 60_000
/** Beyond this many people at once the oldest notes are written first and the memory begins anew. */
const MOST = 50_000

export const createSeen = ({ db, clock, log }: Pick<AuthContext, 'db' | 'clock' | 'log'>): Seen => {
  let waiting = new Map<string, Note>()
  const written = new Map<string, number>()
  let cancel = (): void => {}
  let running: Promise<void> = Promise.resolve()

  const flush = async (): Promise<void> => {
    const rows = [...waiting]
    waiting = new Map()
    if (rows.length === 0) return
    if (written.size > MOST) written.clear()
    for (const [userId, { at }] of rows) written.set(userId, at)
    await db.run(putSeen(rows))
  }
  const schedule = (): void => {
    cancel = clock.after(FLUSH_EVERY_MS, () => {
      running = flush().catch((error: unknown) => log.warn({ error }, 'last visits could not be written'))
      schedule()
    })
  }
  return {
    note(userId, device) {
      if (!isUuid(userId)) return
      const now = clock.now()
      if (now - (written.get(userId) ?? 0) < REFRESH_MS) return
      if (waiting.size < MOST) waiting.set(userId, { at: now, device })
    },
    flush,
    start: schedule,
    async stop() {
      cancel()
      await running
      await flush().catch((error: unknown) => log.warn({ error }, 'last visits could not be written'))
    },
  }
}
