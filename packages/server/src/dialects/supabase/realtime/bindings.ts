/** The postgres_changes part of a channel: subscribes its bindings, numbers them, and says in upstream's words how it went. */
import type { RowChange, RowOperation } from '../../../feed/change.ts'
import type { Caller } from '../../../identity/caller.ts'
import { AppError } from '../../../kernel/errors.ts'
import type { Live } from '../../../live/live.ts'
import type { Projection } from '../../../live/projection.ts'
import type { Subscription, SubscriptionStatus } from '../../../live/subscription.ts'
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
  status(failure: string | null): void
}

/** The bindings of a channel for one caller. */
export class BoundChanges {
  readonly #events: BindingEvents
  readonly #bindings: readonly NumberedBinding[]
  readonly #subscriptions = new Map<number, Subscription>()
  #active = false
  #told: string | null = null

  constructor(bindings: readonly NumberedBinding[], events: BindingEvents) {
    this.#bindings = bindings
    this.#events = events
  }

  /** Subscribes everything; nothing is told before `activate`. */
  async open(live: Live, caller: Caller): Promise<void> {
    const distinct = new Map(
      this.#bindings.filter(({ error }) => error === null).map((binding) => [binding.id, binding]),
    )
    await Promise.all([...distinct.values()].map((binding) => this.#subscribe(live, caller, binding)))
  }

  activate(): void {
    this.#active = true
    this.#told = this.failure
  }

  close(): void {
    this.#active = false
    for (const subscription of this.#subscriptions.values()) subscription.close()
    this.#subscriptions.clear()
  }

  /** Why the bindings do not all work; null when they do. */
  get failure(): string | null {
    for (const binding of this.#bindings) {
      if (binding.error !== null) return binding.error
      const status: SubscriptionStatus | undefined = this.#subscriptions.get(binding.id)?.status
      if (status !== undefined && !status.ok) return describe(binding, status.reason)
    }
    return null
  }

  async #subscribe(live: Live, caller: Caller, binding: NumberedBinding): Promise<void> {
    const { id, schema, table, event, conditions, select } = binding
    const subscription = await live.subscribe({
      schema,
      table,
      conditions,
      select,
      caller,
      operations: OPERATIONS[event],
      publication: PUBLICATION,
      sink: {
        matched: (change, projection) => {
          if (this.#active) this.#events.matched(id, change, projection)
        },
        resync: (reason) => {
          if (this.#active) this.#events.resync(reason)
        },
        status: () => this.#tell(),
      },
    })
    this.#subscriptions.set(id, subscription)
  }

  #tell(): void {
    const { failure } = this
    if (!this.#active || failure === this.#told) return
    this.#told = failure
    this.#events.status(failure)
  }
}

const describe = ({ sent, event, schema, table }: Binding, reason: string): string => {
  const filter = typeof sent.filter === 'string' ? `, filter: ${sent.filter.slice(0, 200)}` : ''
  return `Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the given connect parameters: [event: ${event}, schema: ${schema}, table: ${table}${filter}]. ${reason}`
}

/** What a client is told of a failure of ours. */
export const publicMessage = (error: unknown, otherwise: string): string =>
  error instanceof AppError ? error.message : otherwise
