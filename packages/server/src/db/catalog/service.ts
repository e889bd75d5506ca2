/** Keeps the catalogue current: loads it, reloads it when DDL or an operator says so, and tells who listens. */
import type pg from 'pg'
import type { Clock } from '../../kernel/clock.ts'
import { AppError, toError } from '../../kernel/errors.ts'
import type { Service } from '../../kernel/service.ts'
import { singleFlight } from '../../kernel/single-flight.ts'
import type { Pool } from '../pool.ts'
import type { Catalog } from './catalog.ts'
import { Listener } from './listener.ts'
import { loadCatalog } from './load.ts'
import { fingerprint, timeZoneNames } from './queries.sql.ts'

export interface CatalogServiceOptions {
  /** The owner's pool: sees every object. */
  readonly pool: Pool
  /** How to reach the same database, for the listening connection. */
  readonly connection: pg.ClientConfig
  readonly clock: Clock
  /** Told about a reload or a reconnection that failed; it is tried again. */
  readonly onError?: (error: Error) => void
  /** How often to look for changes where no event trigger announces them. */
  readonly pollMs?: number
}

/** Our own event trigger, and PostgREST's channel (`notify pgrst, 'reload schema'`). */
const CHANNELS = ['teahouse_ddl', 'pgrst']

export class CatalogService implements Service {
  readonly #options: CatalogServiceOptions
  readonly #listener: Listener
  readonly #listeners = new Set<(catalog: Catalog) => void>()
  readonly #catchUp: () => Promise<void>
  readonly #timeZones: () => Promise<ReadonlySet<string>>
  #knownZones: ReadonlySet<string> | null = null
  #current: Catalog | null = null
  /** How many reloads were asked for, and up to which one the current catalogue answers. */
  #wanted = 0
  #loaded = 0
  #fingerprint = ''
  #cancelPoll: () => void = () => {}
  #stopped = false

  constructor(options: CatalogServiceOptions) {
    this.#options = options
    this.#listener = new Listener({
      connection: options.connection,
      channels: CHANNELS,
      clock: options.clock,
      onNotice: () => this.#refreshInBackground(),
      onGap: () => this.#refreshInBackground(),
      onError: (error) => options.onError?.(error),
    })
    this.#catchUp = singleFlight(() => this.#loadWhileBehind())
    this.#timeZones = singleFlight(() => this.#loadTimeZones())
  }

  /** Listens first and loads then, so that no change falls between. */
  async start(): Promise<void> {
    this.#stopped = false
    await this.#listener.start()
    await this.refresh()
    this.#schedulePoll()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelPoll()
    await this.#listener.stop()
  }

  /** The newest snapshot. */
  get current(): Catalog {
    if (this.#current === null) {
      throw new AppError('unavailable', 'The schema has not been read yet.', { reason: 'schema_unread', retryAfter: 1 })
    }
    return this.#current
  }

  /** Calls `listener` with every later snapshot; the returned function ends that. */
  onChange(listener: (catalog: Catalog) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Loads anew. The answer was read after this call, also when a load was already under way. */
  async refresh(): Promise<Catalog> {
    this.#wanted += 1
    await this.#caughtUp()
    return this.current
  }

  /** Makes sure that DDL which committed before this call is in the answer. Used before telling a client that something does not exist. */
  async settle(): Promise<Catalog> {
    const heard = await this.#listener.roundTrip()
    // Without announcements, or with the listening connection away, the fingerprint tells.
    if (!heard || !this.current.announcesDdl) await this.#checkFingerprint()
    await this.#caughtUp()
    return this.current
  }

  /** Names of time zones. Read once, when first asked for: Postgres walks a directory tree to answer. */
  async timeZones(): Promise<ReadonlySet<string>> {
    return this.#knownZones ?? this.#timeZones()
  }

  async #loadTimeZones(): Promise<ReadonlySet<string>> {
    const rows = await this.#options.pool.many<{ name: string }>(timeZoneNames)
    this.#knownZones = new Set(rows.map((row) => row.name))
    return this.#knownZones
  }

  async #caughtUp(): Promise<void> {
    const goal = this.#wanted
    while (this.#loaded < goal) await this.#catchUp()
  }

  async #loadWhileBehind(): Promise<void> {
    while (this.#loaded < this.#wanted) {
      const goal = this.#wanted
      if (!(this.#current?.announcesDdl ?? false)) this.#fingerprint = await this.#readFingerprint()
      const next = await loadCatalog(this.#options.pool, (this.#current?.version ?? 0) + 1)
      this.#current = next
      this.#loaded = goal
      for (const listener of this.#listeners) this.#tell(listener, next)
    }
  }

  #tell(listener: (catalog: Catalog) => void, catalog: Catalog): void {
    try {
      listener(catalog)
    } catch (error) {
      this.#options.onError?.(toError(error))
    }
  }

  #refreshInBackground(): void {
    if (this.#stopped) return
    this.#wanted += 1
    this.#caughtUp().catch((error: unknown) => this.#options.onError?.(toError(error)))
  }

  async #readFingerprint(): Promise<string> {
    const row = await this.#options.pool.maybeOne<{ fingerprint: string }>(fingerprint)
    return row?.fingerprint ?? ''
  }

  async #checkFingerprint(): Promise<void> {
    if ((await this.#readFingerprint()) !== this.#fingerprint) this.#wanted += 1
  }

  #schedulePoll(): void {
    if (this.#stopped) return
    this.#cancelPoll = this.#options.clock.after(this.#options.pollMs ?? 1_000, () => {
      this.#poll()
        .catch((error: unknown) => this.#options.onError?.(toError(error)))
        .finally(() => this.#schedulePoll())
    })
  }

  async #poll(): Promise<void> {
    // A failed background reload leaves us behind; this is also where it is tried again.
    if (!this.current.announcesDdl) await this.#checkFingerprint()
    await this.#caughtUp()
  }
}
