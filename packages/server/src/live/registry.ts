/** Keeps subscriptions planned: makes them, and plans them anew when the schema changes. */
import type { Catalog, Relation } from '../db/catalog/catalog.ts'
import type { CatalogService } from '../db/catalog/service.ts'
import type { Pool } from '../db/pool.ts'
import type { Change, RowChange } from '../feed/change.ts'
import type { Clock } from '../kernel/clock.ts'
import { PolicyReader } from '../policy/read-policy.ts'
import type { Matcher } from './matcher.ts'
import { type Ground, Place } from './place.ts'
import { type Plan, plan } from './plan.ts'
import { type Projection, publishedBy } from './projection.ts'
import { type IdentityRow, ownIdentities, watchTable } from './row-checks.sql.ts'
import { type SetRecord, SetRegistry } from './set-registry.ts'
import type { Subscription, SubscriptionSpec, SubscriptionStatus } from './subscription.ts'
import type { Target } from './target.ts'
import { whyInvalid } from './validate.ts'
import { waitForWriters } from './visibility.ts'

export interface RegistryOptions {
  readonly catalog: CatalogService
  readonly owner: Pool
  readonly requests: Pool
  readonly matcher: Matcher<Target>
  readonly clock: Clock
  readonly onError: (error: Error) => void
}

/** Planned but not yet in force. */
interface Draft {
  /** Of the catalogue that it was planned with. */
  readonly version: number
  readonly plans: readonly Plan[]
  readonly status: SubscriptionStatus
}

const OK: SubscriptionStatus = { ok: true }

/** One subscription: its places in tables, and how it fares. */
class Entry implements Subscription {
  readonly spec: SubscriptionSpec
  places: readonly Place[] = []
  status: SubscriptionStatus = OK
  closed = false
  readonly #onClose: (entry: Entry) => void

  constructor(spec: SubscriptionSpec, onClose: (entry: Entry) => void) {
    this.spec = spec
    this.#onClose = onClose
  }

  get opaque(): boolean {
    return this.places.some((place) => place.opaque)
  }

  close(): void {
    if (!this.closed) this.#onClose(this)
  }
}

export class Registry {
  readonly #options: RegistryOptions
  readonly #ground: Ground
  readonly #reader = new PolicyReader()
  readonly #entries = new Set<Entry>()
  readonly #projections = new Map<string, Projection>()
  /** Tables that the feed carries for subscriptions without a publication. */
  readonly #watched = new Set<number>()
  #identities: ReadonlyMap<number, readonly string[] | 'full'> = new Map()
  #identitiesVersion = -1
  #built = -1
  readonly #onClose = (entry: Entry) => this.#close(entry)

  constructor(options: RegistryOptions) {
    this.#options = options
    this.#ground = { matcher: options.matcher, sets: new SetRegistry(options) }
  }

  get size(): number {
    return this.#entries.size
  }

  async subscribe(spec: SubscriptionSpec): Promise<Subscription> {
    const entry = new Entry(spec, this.#onClose)
    const { catalog } = this.#options
    let draft = await this.#draft(spec, catalog.current)
    // Before saying no, make sure that the schema is the newest one.
    if (!draft.status.ok) draft = await this.#draft(spec, await catalog.settle())
    const pinned: SetRecord[] = []
    try {
      for (;;) {
        draft = await this.#validated(draft)
        if (spec.publication === null) for (const { relation } of draft.plans) await this.#watch(relation)
        await this.#loadSets(draft, spec, pinned)
        // Newer rights may have been put in force while the database was asked, and nobody would do that again for this subscription.
        if (draft.version === catalog.current.version) break
        draft = await this.#draft(spec, catalog.current)
      }
      this.#entries.add(entry)
      this.#place(entry, draft)
    } finally {
      this.#ground.sets.unpin(pinned)
    }
    return entry
  }

  /** Plans everything anew for a newer schema. Nothing may be matched meanwhile. */
  async rebuild(catalog: Catalog): Promise<void> {
    if (catalog.version <= this.#built) return
    this.#projections.clear()
    const drafts: [Entry, Draft][] = []
    const pinned: SetRecord[] = []
    try {
      for (const entry of this.#entries) {
        const draft = await this.#draft(entry.spec, catalog)
        await this.#loadSets(draft, entry.spec, pinned)
        drafts.push([entry, draft])
      }
      for (const [entry, draft] of drafts) if (!entry.closed) this.#replan(entry, draft)
      this.#built = catalog.version
    } finally {
      this.#ground.sets.unpin(pinned)
    }
  }

  #replan(entry: Entry, draft: Draft): void {
    const before = entry.status
    this.#place(entry, draft)
    entry.spec.sink.rights?.()
    if (JSON.stringify(before) !== JSON.stringify(entry.status)) entry.spec.sink.status(entry.status)
  }

  /** Marks the memberships that a change may concern; answers whether there are any. */
  touch(change: RowChange | Extract<Change, { op: 'TRUNCATE' }>): boolean {
    const { sets } = this.#ground
    return change.op === 'TRUNCATE' ? sets.touchTable(change.relation.oid) : sets.touchRows(change)
  }

  /** Fetches touched memberships and moves whom they concern. Nothing may be matched meanwhile. */
  reloadSets(): Promise<void> {
    return this.#ground.sets.reload()
  }

  resync(reason: string): void {
    for (const entry of this.#entries) entry.spec.sink.resync(reason)
    // Memberships may have changed unheard, too.
    this.#ground.sets.touchAll()
  }

  async #draft(spec: SubscriptionSpec, catalog: Catalog): Promise<Draft> {
    await this.#loadIdentities(catalog)
    const { relations, status } = tablesOf(spec, catalog)
    const { version } = catalog
    if (!status.ok) return { version, plans: [], status }
    const exact = spec.schema !== '*' && spec.table !== '*'
    const plans: Plan[] = []
    for (const relation of relations) {
      const planned = this.#plan(spec, catalog, relation)
      if (typeof planned !== 'string') plans.push(planned)
      else if (exact) return { version, plans: [], status: { ok: false, reason: planned } }
    }
    return { version, plans, status }
  }

  #plan(spec: SubscriptionSpec, catalog: Catalog, relation: Relation): Plan | string {
    const publication = catalog.publications.find(({ name }) => name === spec.publication)
    const planned = plan({
      ...spec,
      catalog,
      relation,
      reader: this.#reader,
      published: publication === undefined ? null : publishedBy(catalog, publication, relation),
      ownIdentity: this.#identities.get(relation.oid) ?? null,
    })
    return typeof planned === 'string' ? planned : { ...planned, projection: this.#shared(planned.projection) }
  }

  /** One object for all who are shown the same. */
  #shared(projection: Projection): Projection {
    const known = this.#projections.get(projection.key)
    if (known !== undefined) return known
    this.#projections.set(projection.key, projection)
    return projection
  }

  async #validated(draft: Draft): Promise<Draft> {
    for (const { filter, relation } of draft.plans) {
      const reason = await whyInvalid(this.#options.owner, relation, filter)
      if (reason !== null) return { ...draft, plans: [], status: { ok: false, reason } }
    }
    return draft
  }

  async #loadIdentities(catalog: Catalog): Promise<void> {
    if (this.#identitiesVersion === catalog.version) return
    const rows = await this.#options.owner.many<IdentityRow>(ownIdentities())
    this.#identities = new Map(
      rows.map((row) => [
        Number(row.relid),
        row.own_identity === 'f' ? 'full' : row.own_identity === 'n' ? [] : (row.columns ?? []),
      ]),
    )
    this.#identitiesVersion = catalog.version
  }

  /** Loads a draft's sets and adds them to `pinned`, which the caller unpins. */
  async #loadSets(draft: Draft, { caller }: SubscriptionSpec, pinned: SetRecord[]): Promise<void> {
    for (const { memberships } of draft.plans) {
      pinned.push(...(await this.#ground.sets.load(memberships.values(), caller)))
    }
  }

  async #watch(relation: Relation): Promise<void> {
    if (this.#watched.has(relation.oid)) return
    const { owner, clock } = this.#options
    await owner.many(watchTable(relation, 'window'))
    await waitForWriters(owner, clock)
    this.#watched.add(relation.oid)
  }

  #place(entry: Entry, draft: Draft): void {
    const old = entry.places
    entry.status = draft.status
    entry.places = draft.plans.map((planned) => new Place(this.#ground, planned, entry.spec))
    for (const place of old) place.leave()
  }

  #close(entry: Entry): void {
    entry.closed = true
    this.#entries.delete(entry)
    for (const place of entry.places) place.leave()
    entry.places = []
  }
}

/** The tables that a subscription speaks of. */
const tablesOf = (
  spec: SubscriptionSpec,
  catalog: Catalog,
): { relations: readonly Relation[]; status: SubscriptionStatus } => {
  const publication = catalog.publications.find(({ name }) => name === spec.publication)
  const published = (relation: Relation) =>
    (relation.kind === 'table' || relation.kind === 'partitioned') &&
    (spec.publication === null || (publication !== undefined && publishedBy(catalog, publication, relation) !== null))
  if (spec.schema === '*' || spec.table === '*') {
    const inSchema = (relation: Relation) => spec.schema === '*' || relation.schema === spec.schema
    return { relations: catalog.relations.filter((relation) => inSchema(relation) && published(relation)), status: OK }
  }
  const relation = catalog.relation(spec.schema, spec.table)
  if (relation === undefined) return { relations: [], status: { ok: false, reason: 'the table does not exist' } }
  if (!published(relation))
    return { relations: [], status: { ok: false, reason: 'the table is not in the publication' } }
  return { relations: [relation], status: OK }
}
