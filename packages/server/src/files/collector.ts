/**
 * Takes away bytes that no row names any more.
 *
 * Two sources. Triggers note every version whose row was deleted or replaced, by whomever: those go at once. A crash between storing bytes
 * and committing their row leaves bytes that nobody noted: a sweep finds them once they are older than the grace.
 * Neither may take the bytes of an upload that is just committing, however long it was held up: whoever commits a row holds a shared lock on
 * its version and looks again whether the bytes are there; the collector takes the exclusive lock before it looks for rows.
 */
import type { Pool, Queryable } from '../db/pool.ts'
import type { Clock } from '../kernel/clock.ts'
import { toError } from '../kernel/errors.ts'
import type { Ids } from '../kernel/ids.ts'
import type { Service } from '../kernel/service.ts'
import { singleFlight } from '../kernel/single-flight.ts'
import type { Log } from '../observe/log.ts'
import type { BlobId, BlobStore } from './blob-store.ts'
import {
  claimBlobs,
  forgetReleased,
  proposeStoreLabel,
  referencedVersions,
  releasedVersions,
  storeLabel,
} from './objects.sql.ts'
import { deleteExpired } from './pending.sql.ts'

export interface CollectorOptions {
  readonly owner: Pool
  readonly store: BlobStore
  readonly clock: Clock
  readonly ids: Ids
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
  /** Looks through the whole store. Answers how many blobs and unfinished files were removed. Does nothing in a store that is not this database's. */
  sweep(): Promise<number>
  /** Marks a new store as this database's. Answers whether the store belongs to it. */
  bind(): Promise<boolean>
}

const PORTION = 200

export const createCollector = (options: CollectorOptions): Collector => new BlobCollector(options)

class BlobCollector implements Collector {
  readonly #options: Required<CollectorOptions>
  #stopped = true
  #wanted = false
  #running: Promise<void> | null = null
  #cancel = () => {}
  #sweptAt = Number.NEGATIVE_INFINITY

  constructor(options: CollectorOptions) {
    this.#options = { interval: 30_000, grace: 3_600_000, ...options }
  }

  async start(): Promise<void> {
    if (!(await this.bind())) {
      this.#options.log.warn({}, 'the stored files belong to another database: those without an object are left alone')
    }
    this.#stopped = false
    this.#schedule(0)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel()
    await this.#running
  }

  kick(): void {
    this.#wanted = true
    if (this.#running === null) this.#schedule(0)
  }

  reclaim(ids: readonly BlobId[]): Promise<number> {
    const { owner, store } = this.#options
    return owner.transaction(async (tx) => {
      await tx.many(claimBlobs(ids))
      const lost = await unreferenced(tx, ids)
      for (const id of lost) await store.remove(id)
      await tx.run(forgetReleased(ids))
      return lost.length
    })
  }

  readonly drain = singleFlight(async () => {
    let removed = 0
    for (;;) {
      const rows = await this.#options.owner.many<{ version: string }>(releasedVersions(PORTION))
      if (rows.length === 0) return removed
      removed += await this.reclaim(rows.map((row) => row.version))
    }
  })

  readonly sweep = singleFlight(async () => {
    const { owner, store, clock, grace } = this.#options
    this.#sweptAt = clock.now()
    // With a wrong database in its settings, a server would find every file unused.
    if (!(await this.bind())) return 0
    const before = clock.now() - grace
    let removed = await store.removeUnfinished(before)
    for await (const ids of inPortions(store.list(before))) {
      const suspects = await unreferenced(owner, ids)
      if (suspects.length > 0) removed += await this.reclaim(suspects)
    }
    return removed
  })

  async bind(): Promise<boolean> {
    const { owner, store, ids } = this.#options
    const label = await store.label()
    await owner.run(proposeStoreLabel(label ?? ids.uuid(), label === null))
    const expected = (await owner.maybeOne<{ label: string }>(storeLabel()))?.label ?? null
    if (label !== null || expected === null) return label !== null && label === expected
    for await (const _blob of store.list(Number.POSITIVE_INFINITY)) return false
    await store.setLabel(expected)
    return true
  }

  async #collect(): Promise<void> {
    const { clock, grace, log } = this.#options
    try {
      await this.#options.owner.run(deleteExpired(new Date(clock.now())))
      await this.drain()
      if (clock.now() - this.#sweptAt >= grace) await this.sweep()
    } catch (error) {
      log.warn({ error: toError(error).message }, 'unused files could not be removed; trying again later')
    }
  }

  #schedule(ms: number): void {
    this.#cancel()
    if (!this.#stopped) this.#cancel = this.#options.clock.after(ms, () => this.#run())
  }

  #run(): void {
    this.#wanted = false
    this.#running ??= this.#collect().finally(() => {
      this.#running = null
      this.#schedule(this.#wanted ? 0 : this.#options.interval)
    })
  }
}

/** Those of `ids` that no row names. */
const unreferenced = async (db: Queryable, ids: readonly BlobId[]): Promise<readonly BlobId[]> => {
  const rows = await db.many<{ version: string }>(referencedVersions(ids))
  const kept = new Set(rows.map((row) => row.version))
  return ids.filter((id) => !kept.has(id))
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
