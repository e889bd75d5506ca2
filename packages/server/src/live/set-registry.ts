/** Keeps the parameter sets that subscriptions need: loads each once, notes which changes concern it, and moves its users when its keys change. */
import { isConnectionLoss } from '../db/failures.ts'
import type { Pool } from '../db/pool.ts'
import type { RowChange, RowOperation } from '../feed/change.ts'
import type { Caller } from '../identity/caller.ts'
import { Bag } from '../kernel/bag.ts'
import { toError } from '../kernel/errors.ts'
import { judge } from './evaluate.ts'
import { Group, groupKey } from './group.ts'
import type { Matcher } from './matcher.ts'
import { type Membership, ParameterSet, setKey, watchMembership } from './parameter-sets.ts'
import type { Target } from './target.ts'

export interface SetRegistryOptions {
  readonly owner: Pool
  readonly requests: Pool
  readonly matcher: Matcher<Target>
  readonly onError: (error: Error) => void
}

/** Whoever depends on the keys of a set. */
export interface SetUser {
  /** The keys are different now. Nothing is matched meanwhile. */
  keysChanged(): void
}

/** One set with its users. */
export interface SetRecord {
  readonly set: ParameterSet
  readonly group: Group<Target>
  readonly users: Bag<SetUser>
  /** Subscriptions that are being made with it. */
  pins: number
  /** Version of the keys that the users know. */
  grouped: number
}

const ALL: ReadonlySet<RowOperation> = new Set(['INSERT', 'UPDATE', 'DELETE'])

export class SetRegistry {
  readonly #options: SetRegistryOptions
  readonly #sets = new Map<string, SetRecord>()
  readonly #watched = new Set<number>()
  /** How many sets read each table: most tables have none, and their changes need no second look. */
  readonly #tables = new Map<number, number>()

  constructor(options: SetRegistryOptions) {
    this.#options = options
  }

  /** The sets of memberships, loaded and pinned: they stay until `unpin`, whoever else lets go of them. */
  async load(memberships: Iterable<Membership>, caller: Caller): Promise<readonly SetRecord[]> {
    const pinned: SetRecord[] = []
    try {
      for (const membership of memberships) {
        const record = this.#ensure(membership, caller)
        record.pins++
        pinned.push(record)
        await this.#loadOne(record)
      }
    } catch (error) {
      this.unpin(pinned)
      throw error
    }
    return pinned
  }

  unpin(records: readonly SetRecord[]): void {
    for (const record of records) {
      record.pins--
      this.#dropIfUnused(record)
    }
  }

  /** The set of a membership that is loaded. */
  find(membership: Membership, caller: Caller): SetRecord {
    const record = this.#sets.get(setKey(membership, caller))
    if (record === undefined) throw new RangeError('a membership was planned but not loaded')
    return record
  }

  release(record: SetRecord, user: SetUser): void {
    record.users.delete(user)
    this.#dropIfUnused(record)
  }

  /** Marks the sets that a row change may concern; answers whether there are any. */
  touchRows(change: RowChange): boolean {
    if (!this.#tables.has(change.relation.oid)) return false
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

  touchAll(): void {
    for (const { set } of this.#sets.values()) set.touch()
  }

  /** Fetches touched sets and tells their users. Nothing may be matched meanwhile. */
  async reload(): Promise<void> {
    await Promise.all([...this.#sets.values()].filter(({ set }) => set.dirty).map((record) => this.#loadOne(record)))
  }

  #ensure(membership: Membership, caller: Caller): SetRecord {
    const key = setKey(membership, caller)
    const known = this.#sets.get(key)
    if (known !== undefined) return known
    const set = new ParameterSet(membership, caller)
    const spec = { relation: membership.relation, operations: ALL, expr: membership.where, opaque: [], rowFilter: null }
    // Sets of one table and condition share a group; the prefix keeps them apart from subscribers.
    const group = this.#options.matcher.ensure(
      membership.relation.oid,
      groupKey(spec, 'set'),
      () => new Group(spec, 'set'),
    )
    group.members.add({ kind: 'set', set })
    const record: SetRecord = { set, group, users: new Bag(), pins: 0, grouped: 0 }
    this.#sets.set(key, record)
    this.#count(membership.relation.oid, 1)
    return record
  }

  /** First the feed carries the table, then the keys are read: no change can fall between. */
  async #watch(membership: Membership): Promise<void> {
    const { oid } = membership.relation
    if (this.#watched.has(oid)) return
    await watchMembership(this.#options.owner, membership)
    this.#watched.add(oid)
  }

  async #loadOne(record: SetRecord): Promise<void> {
    const { set } = record
    try {
      await this.#watch(set.membership)
      await set.load(this.#options.requests)
    } catch (error) {
      // A database that is away says nothing about rights.
      if (isConnectionLoss(error)) throw error
      // What cannot be watched or read (a missing privilege, say) fails in the policy too: Postgres then answers for each event.
      this.#options.onError(toError(error))
      set.surrender()
    }
    if (record.grouped === set.version) return
    record.grouped = set.version
    for (const user of record.users) user.keysChanged()
  }

  #count(oid: number, difference: number): void {
    const count = (this.#tables.get(oid) ?? 0) + difference
    if (count > 0) this.#tables.set(oid, count)
    else this.#tables.delete(oid)
  }

  #dropIfUnused({ set, users, group, pins }: SetRecord): void {
    if (users.size > 0 || pins > 0 || !this.#sets.delete(set.key)) return
    this.#count(set.membership.relation.oid, -1)
    for (const target of group.members) if (target.kind === 'set' && target.set === set) group.members.delete(target)
    if (group.members.size === 0) this.#options.matcher.remove(group)
  }
}
