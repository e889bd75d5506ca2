/**
 * Takes away bytes that no row names any more.
 *
 * Two sources. Triggers note every version whose row was deleted or replaced, by whomever: those go at once. A crash between storing bytes
 * and committing their row leaves bytes that nobody noted: a sweep finds them once they are older than the grace.
 * Neither may take the bytes of an upload that is just committing, however long it was held up: whoever commits a row holds a shared lock on
 * its version and looks again whether the bytes are there; the collector takes the exclusive lock before it looks for rows.
 */
import type { Pool } from '../db/pool.ts'
import type { Clock } from '../kernel/clock.ts'
import { toError } from '../kernel/errors.ts'
import type { Service } from '../kernel/service.ts'
import { singleFlight } from '../kernel/single-flight.ts'
import type { Log } from '../observe/log.ts'
import type { BlobId, BlobStore } from './blob-store.ts'
import { claimBlobs, forgetReleased, referencedVersions, releasedVersions } from './objects.sql.ts'

export interface CollectorOptions {
  readonly owner: Pool
  readonly store: BlobStore
  readonly clock: Clock
  readonly log: Log
  /** Milliseconds between two looks at the released blobs. */
  readonly interval?: number
  /** Milliseconds that unnoted bytes are left alone, and between two sweeps of the whole store. */
  readonly grace?: number
}

export interface Collector extends Service {
  /** Something was deleted or replaced: collect soon. */
  kick(): void
  /** Removes those of these blobs that no row names. For an upload whose commit failed, or whose outcome is unknown. */
  reclaim(ids: readonly BlobId[]): Promise<number>
  /** Removes every released blob. Answers how many were removed. */
  drain(): Promise<number>
  /** Looks through the whole store. Answers how many blobs and unfinished files were removed. */
  sweep(): Promise<number>
}

const PORTION = 200

export const createCollector = (options: CollectorOptions): Collector => {
  const { owner, store, clock, log, interval = 30_000, grace = 3_600_000 } = options
  let stopped = true
  let wanted = false
  let running: Promise<void> | null = null
  let cancel = () => {}
  let sweptAt = Number.NEGATIVE_INFINITY

  const reclaim = (ids: readonly BlobId[]): Promise<number> =>
    owner.transaction(async (tx) => {
      await tx.many(claimBlobs(ids))
      const kept = new Set((await tx.many<{ version: string }>(referencedVersions(ids))).map((row) => row.version))
      const lost = ids.filter((id) => !kept.has(id))
      for (const id of lost) await store.remove(id)
      await tx.run(forgetReleased(ids))
      return lost.length
    })

  const drain = singleFlight(async () => {
    let removed = 0
    for (;;) {
      const rows = await owner.many<{ version: string }>(releasedVersions(PORTION))
      if (rows.length === 0) return removed
      removed += await reclaim(rows.map((row) => row.version))
    }
  })

  const sweep = singleFlight(async () => {
    const before = clock.now() - grace
    sweptAt = clock.now()
    let removed = await store.removeUnfinished(before)
    for await (const ids of inPortions(store.list(before))) {
      const rows = await owner.many<{ version: string }>(referencedVersions(ids))
      const kept = new Set(rows.map((row) => row.version))
      const suspects = ids.filter((id) => !kept.has(id))
      if (suspects.length > 0) removed += await reclaim(suspects)
    }
    return removed
  })

  const collect = async (): Promise<void> => {
    try {
      await drain()
      if (clock.now() - sweptAt >= grace) await sweep()
    } catch (error) {
      log.warn({ error: toError(error).message }, 'unused files could not be removed; trying again later')
    }
  }

  const run = (): void => {
    wanted = false
    running ??= collect().finally(() => {
      running = null
      schedule(wanted ? 0 : interval)
    })
  }

  const schedule = (ms: number): void => {
    cancel()
    if (!stopped) cancel = clock.after(ms, run)
  }

  return {
    reclaim,
    drain,
    sweep,
    kick: () => {
      wanted = true
      if (running === null) schedule(0)
    },
    start: async () => {
      stopped = false
      schedule(0)
    },
    stop: async () => {
      stopped = true
      cancel()
      await running
    },
  }
}

async function* inPortions(entries: AsyncIterable<{ readonly id: BlobId }>): AsyncIterable<readonly BlobId[]> {
  let ids: BlobId[] = []
  for await (const { id } of entries) {
    ids.push(id)
    if (ids.length === PORTION) {
      yield ids
      ids = []
    }
  }
  if (ids.length > 0) yield ids
}
