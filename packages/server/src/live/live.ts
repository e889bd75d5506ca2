/**
 * Subscriptions to row changes. Rights are decided when a subscription is made, and again when policies, memberships or the schema change; an
 * event then only looks up who wants it. No event costs a query per subscriber.
 */
import type { Catalog } from '../db/catalog/catalog.ts'
import type { CatalogService } from '../db/catalog/service.ts'
import type { Pool } from '../db/pool.ts'
import type { Change, RowChange, TruncateChange } from '../feed/change.ts'
import type { Feed } from '../feed/feed.ts'
import type { Clock } from '../kernel/clock.ts'
import { toError } from '../kernel/errors.ts'
import type { Service } from '../kernel/service.ts'
import { loadParser } from '../policy/parse-tree.ts'
import { Budget } from './budget.ts'
import { type Candidate, isJsonType, isOpen, judge, proven, settle } from './evaluate.ts'
import type { Group } from './group.ts'
import { Matcher, type MatcherStats } from './matcher.ts'
import { Present } from './present.ts'
import { Registry } from './registry.ts'
import type { Subscription, SubscriptionSpec } from './subscription.ts'
import type { Target } from './target.ts'
import { Transitions } from './transitions.ts'
import { waitUntilVisible } from './visibility.ts'

export interface LiveOptions {
  readonly feed: Feed
  readonly catalog: CatalogService
  readonly owner: Pool
  readonly requests: Pool
  readonly clock: Clock
  readonly onError: (error: Error) => void
  /** Opaque policy checks per second; past it subscribers are told to read again. */
  readonly probesPerSecond?: number
}

export interface LiveStats extends MatcherStats {
  readonly subscriptions: number
  readonly events: number
  readonly candidates: number
  readonly hits: number
  /** Statements sent to Postgres to decide events. */
  readonly queries: number
  readonly resyncs: number
}

const PROBES_PER_SECOND = 1000
const RENEW_AGAIN_MS = 1000

/** Hears every change of a table, matched or not, after it was given to those it concerns. */
export type TableFollower = (change: RowChange | TruncateChange) => void

/** A change with everybody whom it may concern. */
interface Found {
  readonly change: Change
  readonly candidates: readonly Candidate<Target>[]
}

export class Live implements Service {
  /** What has committed by now: changes in it are not news to a subscriber who reads after it has subscribed. */
  readonly present: Present
  readonly #options: LiveOptions
  readonly #matcher = new Matcher<Target>()
  readonly #registry: Registry
  readonly #budget: Budget
  readonly #transitions = new Transitions()
  readonly #afterChange = new Set<() => void>()
  readonly #followers = new Map<number, Set<TableFollower>>()
  #unlisten: (() => void)[] = []
  /** Everything that must not overlap with matching waits in this line. */
  #line: Promise<void> = Promise.resolve()
  #waiting = 0
  #counters = { events: 0, candidates: 0, hits: 0, queries: 0, resyncs: 0 }

  constructor(options: LiveOptions) {
    this.#options = options
    this.present = new Present(options.owner, options.clock)
    this.#registry = new Registry({ ...options, matcher: this.#matcher })
    this.#budget = new Budget(options.clock, options.probesPerSecond ?? PROBES_PER_SECOND)
  }

  async start(): Promise<void> {
    const { feed, catalog } = this.#options
    this.#unlisten = [
      feed.listen({
        changes: (batch) => this.#changes(batch),
        resync: (reason) => this.#resyncAll(reason),
        began: () => this.#resyncAll('the change feed has just begun'),
      }),
      catalog.onChange((next) => {
        if (!next.announcesDdl) void feed.syncPublication()
        void this.#exclusive(() => this.#orResync(() => this.#registry.rebuild(next)))
      }),
    ]
  }

  async stop(): Promise<void> {
    for (const unlisten of this.#unlisten) unlisten()
    this.#unlisten = []
    await this.#line
  }

  /** Begins a subscription; changes that commit after this resolves are delivered. Its status says whether it works. */
  async subscribe(spec: SubscriptionSpec): Promise<Subscription> {
    await loadParser()
    // Where no event trigger adds published tables to the feed, whoever asks for changes does.
    if (!this.catalog.announcesDdl) await this.#options.feed.syncPublication()
    return this.#registry.subscribe(spec)
  }

  /** Calls back after each change was given to everyone it concerns; the returned function ends that. */
  afterChange(callback: () => void): () => void {
    this.#afterChange.add(callback)
    return () => this.#afterChange.delete(callback)
  }

  /** Follows a table, which has subscriptions as long as this lasts; the returned function ends it. */
  followTable(oid: number, follower: TableFollower): () => void {
    const followers = this.#followers.get(oid) ?? new Set()
    this.#followers.set(oid, followers.add(follower))
    return () => {
      followers.delete(follower)
      if (followers.size === 0 && this.#followers.get(oid) === followers) this.#followers.delete(oid)
    }
  }

  /** Resolves once changes are being read. */
  ready(ms?: number): Promise<void> {
    return this.#options.feed.ready(ms)
  }

  get catalog(): Catalog {
    return this.#options.catalog.current
  }

  stats(): LiveStats {
    return { ...this.#matcher.stats(), ...this.#counters, subscriptions: this.#registry.size }
  }

  /** Runs `work` after everything before it in the line; the feed waits meanwhile. */
  #exclusive(work: () => Promise<void>): Promise<void> {
    this.#waiting++
    const run = this.#line.then(work).catch((error) => this.#options.onError(toError(error)))
    this.#line = run.finally(() => {
      this.#waiting--
    })
    return this.#line
  }

  /** What cannot be decided, because the database is away for instance, must not be passed over in silence. */
  async #orResync(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#resyncAll('changes could not be decided')
      throw error
    }
  }

  #changes(batch: readonly Change[]): Promise<void> | void {
    if (this.#waiting > 0) return this.#exclusive(() => this.#orResync(() => this.#process(batch, 0)))
    // The common case needs no query: everything is decided and sent within this turn.
    for (let index = 0; index < batch.length; index++) {
      const change = batch[index]
      if (change === undefined) continue
      const found = this.#collect(change)
      if (found === null || found.some(isOpen))
        return this.#exclusive(() => this.#orResync(() => this.#process(batch, index)))
      this.#deliver(change, found)
    }
    return undefined
  }

  /** The rest of a batch, from `start`, with whatever has to be awaited in between. */
  async #process(batch: readonly Change[], start: number): Promise<void> {
    let run: Found[] = []
    const marks: number[] = []
    for (let index = start; index < batch.length; index++) {
      const change = batch[index]
      if (change === undefined) continue
      const found = this.#collect(change)
      if (found !== null) {
        run.push({ change, candidates: found })
        continue
      }
      // A change of rights: what came before is decided with the old ones, what follows with the new ones.
      await this.#settleAndDeliver(run)
      run = []
      // A migration leaves many marks in a row; the last one stands for all.
      marks.push(change.xid)
      if (change.op === 'SCHEMA' && batch[index + 1]?.op === 'SCHEMA') continue
      await this.#renewRights(change, marks.splice(0))
      run.push({ change, candidates: this.#candidates(change) })
    }
    await this.#settleAndDeliver(run)
  }

  async #settleAndDeliver(run: readonly Found[]): Promise<void> {
    const open = run.flatMap(({ candidates }) => candidates.filter(isOpen))
    if (open.length > 0) {
      const { owner, requests, clock, onError } = this.#options
      // Policies that only Postgres can decide may read what the same transactions wrote.
      const opaque = open.filter(({ group }) => group.spec.opaque.length > 0)
      await waitUntilVisible(
        owner,
        clock,
        opaque.map(({ change }) => change.xid),
      )
      const mayProbe = () => this.#budget.take()
      this.#counters.queries++
      const shed = await settle(open, { owner, requests, onError, mayProbe }, (oid) => isJsonType(this.catalog, oid))
      for (const { group } of shed) this.#resync(group, 'too many changes to check')
    }
    for (const { change, candidates } of run) this.#deliver(change, candidates)
  }

  /** Candidates of a change; null when rights must be renewed before anything later is matched. */
  #collect(change: Change): readonly Candidate<Target>[] | null {
    this.#counters.events++
    if (change.op === 'SCHEMA') return null
    if (change.op === 'TRUNCATE') return this.#registry.touch(change) ? null : []
    if (!this.#matcher.watches(change.relation.oid)) return []
    return this.#registry.touch(change) ? null : this.#candidates(change)
  }

  #candidates(change: Change): readonly Candidate<Target>[] {
    if (change.op === 'SCHEMA' || change.op === 'TRUNCATE') return []
    // Clients of this service see a row as it is now, or as it was when it is gone.
    const row = change.op === 'DELETE' ? change.old : change.new
    if (row === null) return []
    const found: Candidate<Target>[] = []
    // An update can take a row out of what is published; whoever saw it is found by the old row.
    const rows = change.op === 'UPDATE' && this.#matcher.filters(change.relation.oid) ? [change.old, row] : [row]
    for (const group of this.#matcher.candidates(change.relation, rows)) {
      const candidate = this.#candidate(group, change)
      if (candidate !== null) found.push(candidate)
    }
    return found
  }

  #candidate(group: Group<Target>, change: RowChange): Candidate<Target> | null {
    this.#counters.candidates++
    const told = group.spec.rowFilter === null ? change : this.#transitions.told(group, change)
    const row = told?.op === 'DELETE' ? told.old : told?.new
    if (told === null || row === null || row === undefined || !group.spec.operations.has(told.op)) return null
    const candidate = group.proven ? proven(group, told, row) : judge(group, told, row)
    // A key is not enough to decide about a row: what cannot be decided is not shown.
    return candidate !== null && told.op === 'DELETE' && !told.oldIsFull && isOpen(candidate) ? null : candidate
  }

  #deliver(change: Change, candidates: readonly Candidate<Target>[]): void {
    if (change.op === 'SCHEMA') return
    for (const { group, verdict, change: told } of candidates) {
      if (!verdict) continue
      for (const target of group.members) {
        if (target.kind !== 'subscriber') continue
        this.#counters.hits++
        target.sink.matched(told, target.projection)
      }
    }
    if (candidates.length > 0) for (const callback of this.#afterChange) callback()
    const followers = this.#followers.get(change.relation.oid)
    if (followers !== undefined) for (const follower of followers) follower(change)
  }

  async #renewRights(change: Change, xids: readonly number[]): Promise<void> {
    await waitUntilVisible(this.#options.owner, this.#options.clock, xids)
    if (change.op === 'SCHEMA') {
      const next = await this.#options.catalog.refresh()
      await this.#registry.rebuild(next)
      return
    }
    // A subscription that began meanwhile may have read its keys before the change was visible.
    this.#registry.touch(change)
    await this.#registry.reloadSets()
  }

  /** Reads every right anew, and tries until that succeeds: whoever stays subscribed must not keep old ones. */
  #renewAll(): void {
    void this.#exclusive(async () => {
      try {
        await this.#registry.rebuild(this.catalog)
        await this.#registry.reloadSets()
      } catch (error) {
        this.#options.clock.after(RENEW_AGAIN_MS, () => {
          if (this.#unlisten.length > 0) this.#renewAll()
        })
        throw error
      }
    })
  }

  #resync(group: Group<Target>, reason: string): void {
    this.#counters.resyncs++
    for (const target of group.members) if (target.kind === 'subscriber') target.sink.resync(reason)
  }

  #resyncAll(reason: string): void {
    this.#counters.resyncs++
    this.#registry.resync(reason)
    this.#renewAll()
  }
}
