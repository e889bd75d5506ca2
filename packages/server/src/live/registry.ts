/** Keeps subscriptions planned: makes them, moves them between groups when keys change, and plans them anew when the schema does. */
import type { Catalog, Relation } from '../db/catalog/catalog.ts'
import type { CatalogService } from '../db/catalog/service.ts'
import type { Pool } from '../db/pool.ts'
import { toPredicate } from '../expr/predicate.ts'
import type { RowChange, RowOperation } from '../feed/change.ts'
import type { Feed } from '../feed/feed.ts'
import { toError } from '../kernel/errors.ts'
import { PolicyReader } from '../policy/read-policy.ts'
import { judge } from './evaluate.ts'
import { Group, groupKey } from './group.ts'
import type { Matcher } from './matcher.ts'
import { type Membership, ParameterSet, setKey, watchMembership } from './parameter-sets.ts'
import { groupSpecOf, type Plan, plan } from './plan.ts'
import { type Projection, publishedBy } from './projection.ts'
import { type IdentityRow, ownIdentities, validateExpr } from './row-checks.sql.ts'
import type { Subscription, SubscriptionSink, SubscriptionSpec, SubscriptionStatus } from './subscription.ts'

/** Who is told when a group matches: a subscriber, or a parameter set that must be fetched again. */
export type Target =
  | { readonly kind: 'subscriber'; readonly sink: SubscriptionSink; readonly projection: Projection }
  | { readonly kind: 'set'; readonly set: ParameterSet }

export interface RegistryOptions {
  readonly feed: Feed
  readonly catalog: CatalogService
  readonly owner: Pool
  readonly requests: Pool
  readonly matcher: Matcher<Target>
  readonly onError: (error: Error) => void
}

/** A subscription's place in one table. */
interface Place {
  readonly planned: Plan
  readonly sets: readonly ParameterSet[]
  readonly target: Target
  group: Group<Target> | null
}

interface Entry {
  readonly spec: SubscriptionSpec
  places: readonly Place[]
  status: SubscriptionStatus
  closed: boolean
}

interface SetRecord {
  readonly set: ParameterSet
  readonly group: Group<Target>
  readonly users: Set<Place>
  /** Subscriptions that are being made with it. */
  pins: number
  /** Version of the keys that the users' groups hold. */
  grouped: number
}

/** Planned but not yet in force. */
interface Draft {
  readonly plans: readonly Plan[]
  readonly status: SubscriptionStatus
}

const ALL: ReadonlySet<RowOperation> = new Set(['INSERT', 'UPDATE', 'DELETE'])
const OK: SubscriptionStatus = { ok: true }

export class Registry {
  readonly #options: RegistryOptions
  readonly #reader = new PolicyReader()
  readonly #entries = new Set<Entry>()
  readonly #sets = new Map<string, SetRecord>()
  readonly #watched = new Set<number>()
  /** How many sets read each table: most tables have none, and their changes need no second look. */
  readonly #setTables = new Map<number, number>()
  readonly #projections = new Map<string, Projection>()
  #identities: ReadonlyMap<number, readonly string[] | 'full'> = new Map()
  #identitiesVersion = -1
  #built = -1

  constructor(options: RegistryOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#entries.size
  }

  async subscribe(spec: SubscriptionSpec): Promise<Subscription> {
    const entry: Entry = { spec, places: [], status: OK, closed: false }
    const { catalog } = this.#options
    let draft = await this.#draft(spec, catalog.current)
    // Before saying no, make sure that the schema is the newest one.
    if (!draft.status.ok) draft = await this.#draft(spec, await catalog.settle())
    draft = await this.#validated(draft)
    const pinned: SetRecord[] = []
    for (;;) {
      const { version } = catalog.current
      pinned.push(...(await this.#loadSets(draft, spec)))
      if (catalog.current.version === version) break
      draft = await this.#draft(spec, catalog.current)
    }
    this.#entries.add(entry)
    this.#place(entry, draft)
    this.#unpin(pinned)
    return {
      get status() {
        return entry.status
      },
      close: () => this.#close(entry),
    }
  }

  /** Plans everything anew for a newer schema. Nothing may be matched meanwhile. */
  async rebuild(catalog: Catalog): Promise<void> {
    if (catalog.version <= this.#built) return
    this.#built = catalog.version
    this.#projections.clear()
    const drafts: [Entry, Draft][] = []
    const pinned: SetRecord[] = []
    for (const entry of this.#entries) {
      const draft = await this.#draft(entry.spec, catalog)
      pinned.push(...(await this.#loadSets(draft, entry.spec)))
      drafts.push([entry, draft])
    }
    for (const [entry, draft] of drafts) {
      if (entry.closed) continue
      const before = entry.status
      this.#place(entry, draft)
      if (JSON.stringify(before) !== JSON.stringify(entry.status)) entry.spec.sink.status(entry.status)
    }
    this.#unpin(pinned)
  }

  /** Marks the sets that a row change may concern; answers whether there are any. */
  touchRows(change: RowChange): boolean {
    if (!this.#setTables.has(change.relation.oid)) return false
    let touched = false
    for (const group of this.#options.matcher.candidates(change.relation, [change.old, change.new])) {
      for (const target of group.members) {
        if (target.kind !== 'set') break
        const known = change.op === 'INSERT' || change.oldIsFull
        const concerns = [change.old, change.new].some((row) => row !== null && judge(group, change, row) !== null)
        // Without the old row nobody knows whose membership this was.
        if (!known || concerns) {
          target.set.touch()
          touched = true
        }
      }
    }
    return touched
  }

  /** Marks every set that reads a table; answers whether there are any. */
  touchTable(oid: number): boolean {
    let touched = false
    for (const { set } of this.#sets.values()) {
      if (set.membership.relation.oid !== oid) continue
      set.touch()
      touched = true
    }
    return touched
  }

  /** Fetches touched sets and moves their users. Nothing may be matched meanwhile. */
  async reloadSets(): Promise<void> {
    await Promise.all([...this.#sets.values()].filter(({ set }) => set.dirty).map((record) => this.#loadSet(record)))
  }

  resync(reason: string): void {
    for (const entry of this.#entries) entry.spec.sink.resync(reason)
    // Memberships may have changed unheard, too.
    for (const { set } of this.#sets.values()) set.touch()
  }

  async #draft(spec: SubscriptionSpec, catalog: Catalog): Promise<Draft> {
    await this.#loadIdentities(catalog)
    const { relations, status } = tablesOf(spec, catalog)
    if (!status.ok) return { plans: [], status }
    const exact = spec.schema !== '*' && spec.table !== '*'
    const plans: Plan[] = []
    for (const relation of relations) {
      const planned = this.#plan(spec, catalog, relation)
      if (typeof planned !== 'string') plans.push(planned)
      else if (exact) return { plans: [], status: { ok: false, reason: planned } }
    }
    return { plans, status }
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

  /** Constants that JavaScript cannot read are shown to Postgres once, when the subscription is made. */
  async #validated(draft: Draft): Promise<Draft> {
    for (const { filter, relation } of draft.plans) {
      if (toPredicate(filter) !== 'unsupported') continue
      try {
        await this.#options.owner.batch([{ ...validateExpr(relation, filter), planKey: '' }])
      } catch (error) {
        return { plans: [], status: { ok: false, reason: toError(error).message } }
      }
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

  /** The sets of a draft, loaded and pinned: they stay until `#unpin`, whoever else lets go of them. */
  async #loadSets(draft: Draft, spec: SubscriptionSpec): Promise<readonly SetRecord[]> {
    const pinned: SetRecord[] = []
    for (const { memberships } of draft.plans) {
      for (const membership of memberships.values()) {
        const record = this.#ensureSet(membership, spec)
        record.pins++
        pinned.push(record)
        await this.#loadSet(record)
      }
    }
    return pinned
  }

  #unpin(records: readonly SetRecord[]): void {
    for (const record of records) {
      record.pins--
      this.#dropIfUnused(record)
    }
  }

  #ensureSet(membership: Membership, { caller }: SubscriptionSpec): SetRecord {
    const key = setKey(membership, caller)
    const known = this.#sets.get(key)
    if (known !== undefined) return known
    const set = new ParameterSet(membership, caller)
    const spec = { relation: membership.relation, operations: ALL, expr: membership.where, opaque: [] }
    // Sets of one table and condition share a group; the prefix keeps them apart from subscribers.
    const group = this.#options.matcher.ensure(
      membership.relation.oid,
      groupKey(spec, 'set'),
      () => new Group(spec, 'set'),
    )
    group.members.add({ kind: 'set', set })
    const record: SetRecord = { set, group, users: new Set(), pins: 0, grouped: 0 }
    this.#sets.set(key, record)
    this.#countSets(membership.relation.oid, 1)
    return record
  }

  /** First the feed carries the table, then the keys are read: no change can fall between. */
  async #watch(membership: Membership): Promise<void> {
    const { oid } = membership.relation
    if (this.#watched.has(oid)) return
    await watchMembership(this.#options.owner, membership)
    this.#watched.add(oid)
  }

  async #loadSet(record: SetRecord): Promise<void> {
    const { set } = record
    try {
      await this.#watch(set.membership)
      await set.load(this.#options.requests)
    } catch (error) {
      // What cannot be watched or read (a missing privilege, say) fails in the policy too: Postgres then answers for each event.
      this.#options.onError(toError(error))
      set.surrender()
    }
    if (record.grouped === set.version) return
    record.grouped = set.version
    for (const place of record.users) this.#regroup(place)
  }

  #setOf(membership: Membership, entry: SubscriptionSpec): ParameterSet {
    const record = this.#sets.get(setKey(membership, entry.caller))
    if (record === undefined) throw new RangeError('a membership was planned but not loaded')
    return record.set
  }

  #place(entry: Entry, draft: Draft): void {
    const old = entry.places
    entry.status = draft.status
    entry.places = draft.plans.map((planned) => {
      const sets = [...planned.memberships.values()].map((membership) => this.#setOf(membership, entry.spec))
      const place: Place = {
        planned,
        sets,
        target: { kind: 'subscriber', sink: entry.spec.sink, projection: planned.projection },
        group: null,
      }
      for (const set of sets) this.#recordOf(set)?.users.add(place)
      this.#regroup(place)
      return place
    })
    for (const place of old) this.#displace(place)
  }

  #recordOf(set: ParameterSet): SetRecord | undefined {
    return this.#sets.get(set.key)
  }

  #regroup(place: Place): void {
    const spec = groupSpecOf(place.planned, (membership) => {
      const found = place.sets.find(
        (set) => set.membership.relation.oid === membership.relation.oid && sameMembership(set.membership, membership),
      )
      if (found === undefined) throw new RangeError('a place without its set')
      return found
    })
    const { matcher } = this.#options
    const next = spec === null ? null : matcher.ensure(spec.relation.oid, groupKey(spec), () => new Group(spec))
    if (next === place.group) return
    this.#leaveGroup(place)
    next?.members.add(place.target)
    place.group = next
  }

  #leaveGroup(place: Place): void {
    const { group } = place
    if (group === null) return
    group.members.delete(place.target)
    if (group.members.size === 0) this.#options.matcher.remove(group)
    place.group = null
  }

  #displace(place: Place): void {
    this.#leaveGroup(place)
    for (const set of place.sets) {
      const record = this.#recordOf(set)
      record?.users.delete(place)
      if (record !== undefined) this.#dropIfUnused(record)
    }
  }

  #close(entry: Entry): void {
    if (entry.closed) return
    entry.closed = true
    this.#entries.delete(entry)
    for (const place of entry.places) this.#displace(place)
    entry.places = []
  }

  #countSets(oid: number, difference: number): void {
    const count = (this.#setTables.get(oid) ?? 0) + difference
    if (count > 0) this.#setTables.set(oid, count)
    else this.#setTables.delete(oid)
  }

  #dropIfUnused({ set, users, group, pins }: SetRecord): void {
    if (users.size > 0 || pins > 0 || !this.#sets.delete(set.key)) return
    this.#countSets(set.membership.relation.oid, -1)
    for (const target of group.members) if (target.kind === 'set' && target.set === set) group.members.delete(target)
    if (group.members.size === 0) this.#options.matcher.remove(group)
  }
}

const sameMembership = (left: Membership, right: Membership): boolean =>
  left === right || (left.column === right.column && JSON.stringify(left.where) === JSON.stringify(right.where))

/** The published tables that a subscription speaks of. */
const tablesOf = (
  spec: SubscriptionSpec,
  catalog: Catalog,
): { relations: readonly Relation[]; status: SubscriptionStatus } => {
  const publication = catalog.publications.find(({ name }) => name === spec.publication)
  const published = (relation: Relation) =>
    publication !== undefined &&
    (relation.kind === 'table' || relation.kind === 'partitioned') &&
    publishedBy(catalog, publication, relation) !== null
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
