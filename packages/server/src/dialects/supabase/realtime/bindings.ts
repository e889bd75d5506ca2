/** The postgres_changes part of a channel: subscribes its bindings, numbers them, and says in upstream's words how it went. */
import type { RowChange, RowOperation } from '../../../feed/change.ts'
import type { Caller } from '../../../identity/caller.ts'
import { AppError } from '../../../kernel/errors.ts'
import type { Live } from '../../../live/live.ts'
import type { Projection } from '../../../live/projection.ts'
import type { Subscription, SubscriptionSink } from '../../../live/subscription.ts'
import type { Snapshot } from '../../../live/windows/snapshot.ts'
import type { Binding, ChangeEvent } from './join.ts'

export const PUBLICATION = 'supabase_realtime'

export interface NumberedBinding extends Binding {
  readonly id: number
}

/**
 * Numbers bindings by what they ask for, not by who asks: channels with the same topic and bindings then share every frame. Two bindings of one
 * channel that ask the same have the same number; a collision of different ones is stepped over.
 */
export const numberBindings = (bindings: readonly Binding[]): readonly NumberedBinding[] => {
  const taken = new Map<number, string>()
  return bindings.map((binding) => {
    const text = JSON.stringify(binding.sent)
    let id = hash(text)
    while (taken.has(id) && taken.get(id) !== text) id = id === 0x7fffffff ? 1 : id + 1
    taken.set(id, text)
    return { ...binding, id }
  })
}

/** FNV-1a, as a positive integer that every client's number type holds. */
const hash = (text: string): number => {
  let state = 0x811c9dc5
  for (let index = 0; index < text.length; index++) state = Math.imul(state ^ text.charCodeAt(index), 0x01000193)
  return state & 0x7fffffff || 1
}

const OPERATIONS: Readonly<Record<ChangeEvent, ReadonlySet<RowOperation>>> = {
  INSERT: new Set(['INSERT']),
  UPDATE: new Set(['UPDATE']),
  DELETE: new Set(['DELETE']),
  '*': new Set(['INSERT', 'UPDATE', 'DELETE']),
}

export interface BindingEvents {
  matched(id: number, change: RowChange, projection: Projection): void
  resync(reason: string): void
  /** The first failure among the bindings, or null when all of them work; called when that changes after the start. */
  changesStatus(failure: string | null): void
}

/** The bindings of a channel for one caller. */
export class BoundChanges {
  readonly events: BindingEvents
  readonly #bound: readonly Bound[]
  #active = false
  #known: Snapshot | null = null
  #told: string | null = null

  private constructor(events: BindingEvents, bindings: readonly NumberedBinding[]) {
    this.events = events
    this.#bound = bindings
      .filter(({ id }, index) => bindings.findIndex((other) => other.id === id) === index)
      .map((binding) => new Bound(this, binding))
  }

  /**
   * Subscribes everything; nothing is told before `activate`. A newcomer is not told what has committed before: it reads afterwards. Whoever takes
   * the place of `previous`, with another token, does not read again, and is owed all that `previous` was.
   */
  static async open(
    live: Live,
    caller: Caller,
    bindings: readonly NumberedBinding[],
    events: BindingEvents,
    previous: BoundChanges | null,
  ): Promise<BoundChanges> {
    const bound = new BoundChanges(events, bindings)
    try {
      const known = previous === null ? live.present.now() : previous.#known
      ;[bound.#known] = await Promise.all([known, ...bound.#bound.map((each) => each.subscribe(live, caller))])
    } catch (error) {
      bound.close()
      throw error
    }
    return bound
  }

  /** Whether a newcomer finds the change by reading. */
  knows(change: RowChange): boolean {
    if (this.#known === null) return false
    if (this.#known.isPast(change.commitTime)) this.#known = null
    return this.#known?.holds(change) ?? false
  }

  get active(): boolean {
    return this.#active
  }

  activate(): void {
    this.#active = true
    this.#told = this.failure
  }

  close(): void {
    this.#active = false
    for (const each of this.#bound) each.close()
  }

  /** Why the bindings do not all work; null when they do. */
  get failure(): string | null {
    for (const each of this.#bound) if (each.failure !== null) return each.failure
    return null
  }

  /** One of them works, or works no longer. */
  tell(): void {
    const { failure } = this
    if (!this.#active || failure === this.#told) return
    this.#told = failure
    this.events.changesStatus(failure)
  }
}

/** One binding and its subscription. */
class Bound implements SubscriptionSink {
  readonly #all: BoundChanges
  readonly #binding: NumberedBinding
  #subscription: Subscription | null = null
  #closed = false

  constructor(all: BoundChanges, binding: NumberedBinding) {
    this.#all = all
    this.#binding = binding
  }

  async subscribe(live: Live, caller: Caller): Promise<void> {
    const { schema, table, event, conditions, select, error } = this.#binding
    if (error !== null) return
    const operations = OPERATIONS[event]
    const asked = { schema, table, conditions, select, operations, caller, publication: PUBLICATION, sink: this }
    this.#subscription = await live.subscribe(asked)
    if (this.#closed) this.#subscription.close()
  }

  get failure(): string | null {
    if (this.#binding.error !== null) return this.#binding.error
    const status = this.#subscription?.status
    return status === undefined || status.ok ? null : describe(this.#binding, status.reason)
  }

  close(): void {
    this.#closed = true
    this.#subscription?.close()
  }

  matched(change: RowChange, projection: Projection): void {
    if (this.#all.active && !this.#all.knows(change)) this.#all.events.matched(this.#binding.id, change, projection)
  }

  resync(reason: string): void {
    if (this.#all.active) this.#all.events.resync(reason)
  }

  status(): void {
    this.#all.tell()
  }
}

const describe = ({ sent, event, schema, table }: Binding, reason: string): string => {
  const filter = typeof sent.filter === 'string' ? `, filter: ${sent.filter.slice(0, 200)}` : ''
  return `Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the given connect parameters: [event: ${event}, schema: ${schema}, table: ${table}${filter}]. ${reason}`
}

/** What a client is told of a failure of ours. */
export const publicMessage = (error: unknown, otherwise: string): string =>
  error instanceof AppError ? error.message : otherwise
