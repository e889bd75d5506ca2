/** A subscription's place in one table: the group that asks its question, moved when the keys of a membership change. */
import { Group, groupKey } from './group.ts'
import type { Matcher } from './matcher.ts'
import { groupSpecOf, type Plan } from './plan.ts'
import type { Projection } from './projection.ts'
import type { SetRecord, SetRegistry, SetUser } from './set-registry.ts'
import type { SubscriptionSink, SubscriptionSpec } from './subscription.ts'
import type { Target } from './target.ts'

/** What all places work with. */
export interface Ground {
  readonly matcher: Matcher<Target>
  readonly sets: SetRegistry
}

export class Place implements SetUser {
  readonly kind = 'subscriber'
  readonly sink: SubscriptionSink
  readonly #ground: Ground
  readonly #planned: Plan
  readonly #sets: readonly SetRecord[]
  #group: Group<Target> | null = null

  /** Takes the place at once. The sets of the plan are loaded. */
  constructor(ground: Ground, planned: Plan, { sink, caller }: SubscriptionSpec) {
    this.#ground = ground
    this.#planned = planned
    this.sink = sink
    this.#sets =
      planned.memberships.size === 0
        ? NONE
        : [...planned.memberships.values()].map((membership) => ground.sets.find(membership, caller))
    for (const { users } of this.#sets) users.add(this)
    this.#regroup()
  }

  get projection(): Projection {
    return this.#planned.projection
  }

  /** Whether Postgres decides about every row. */
  get opaque(): boolean {
    return (this.#group?.spec.opaque.length ?? 0) > 0
  }

  keysChanged(): void {
    this.#regroup()
    this.sink.rights?.()
  }

  leave(): void {
    this.#leaveGroup()
    for (const record of this.#sets) this.#ground.sets.release(record, this)
  }

  #regroup(): void {
    const { memberships } = this.#planned
    const order = [...memberships.values()]
    const spec = groupSpecOf(this.#planned, (membership) => {
      const record = this.#sets[order.indexOf(membership)]
      if (record === undefined) throw new RangeError('a place without its set')
      return record.set
    })
    const { matcher } = this.#ground
    const next = spec === null ? null : matcher.ensure(spec.relation.oid, groupKey(spec), () => new Group(spec))
    if (next === this.#group) return
    this.#leaveGroup()
    next?.members.add(this)
    this.#group = next
  }

  #leaveGroup(): void {
    const group = this.#group
    if (group === null) return
    group.members.delete(this)
    if (group.members.size === 0) this.#ground.matcher.remove(group)
    this.#group = null
  }
}

const NONE: readonly SetRecord[] = []
