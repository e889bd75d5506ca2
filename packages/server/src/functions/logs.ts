/** What functions say: kept in memory for a moment and written together, told to live listeners at once. */
import type { Pool } from '../db/pool.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Service } from '../kernel/service.ts'
import type { Log } from '../observe/log.ts'
import { getLogs, type LogRow, putLogs, trimLogs } from './functions.sql.ts'

export interface StoredLog extends LogRow {
  /** Grows with time; a reader goes on after the last one it has seen. */
  readonly id: bigint
}

export interface FunctionLogs extends Service {
  add(row: LogRow): void
  /** The latest entries after an id, oldest first. */
  read(name: string, options?: { readonly after?: bigint; readonly limit?: number }): Promise<readonly StoredLog[]>
  /** Writes what was added so far. */
  flush(): Promise<void>
}

const FLUSH_MS = 200
const TRIM_MS = 600_000
/** Beyond this, entries are written at once; beyond ten times this, they are counted and dropped. */
const BATCH = 1_000
const KEPT_DAYS = 7
const KEPT_ROWS = 1_000_000

export const createFunctionLogs = (db: Pool, clock: Clock, log: Log): FunctionLogs => {
  let waiting: LogRow[] = []
  let dropped = 0
  let writing: Promise<void> = Promise.resolve()
  let cancelFlush: (() => void) | null = null
  let cancelTrim = (): void => {}

  const write = async (): Promise<void> => {
    cancelFlush?.()
    cancelFlush = null
    const rows = waiting
    waiting = []
    for (let at = 0; at < rows.length; at += BATCH) await db.run(putLogs(rows.slice(at, at + BATCH)))
    if (dropped > 0) log.warn({ dropped }, 'functions said more than could be written')
    dropped = 0
  }
  const flush = (): Promise<void> => {
    const rows = waiting
    writing = writing.then(write).catch((error: unknown) => {
      // Kept for the next attempt: the database is away for a moment.
      waiting = [...rows, ...waiting].slice(0, BATCH * 10)
      log.warn({ error }, 'the logs of functions could not be written')
    })
    return writing
  }
  const trim = (): void => {
    cancelTrim = clock.after(TRIM_MS, () => {
      const before = new Date(clock.now() - KEPT_DAYS * 86_400_000)
      db.run(trimLogs(before, KEPT_ROWS)).catch((error: unknown) => log.warn({ error }, 'old logs were not taken away'))
      trim()
    })
  }
  return {
    add(row) {
      if (waiting.length >= BATCH * 10) {
        dropped += 1
        return
      }
      // Postgres keeps no NUL in text.
      waiting.push({ ...row, message: row.message.replaceAll('\0', '\uFFFD') })
      if (waiting.length >= BATCH) void flush()
      else cancelFlush ??= clock.after(FLUSH_MS, () => void flush())
    },
    flush,
    async read(name, { after = 0n, limit = 200 } = {}) {
      await flush()
      const rows = await db.many<StoredRow>(getLogs(name, { after, limit }))
      return rows.map((row) => ({
        ...row,
        id: BigInt(row.id),
        name,
        version: Number(row.version),
        at: new Date(row.at),
      }))
    },
    start: async () => trim(),
    async stop() {
      cancelTrim()
      cancelFlush?.()
      await flush()
    },
  }
}

interface StoredRow extends Omit<StoredLog, 'id' | 'version' | 'at' | 'name'> {
  readonly id: string
  readonly version: string
  readonly at: string
}
