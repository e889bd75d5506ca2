/** What a dialect asks the live service for, and what it gets back. */
import type { Expr } from '../expr/ast.ts'
import type { RowChange, RowOperation } from '../feed/change.ts'
import type { Caller } from '../identity/caller.ts'
import type { Condition } from './condition.ts'
import type { Projection } from './projection.ts'

/** Receives the changes of one subscription. */
export interface SubscriptionSink {
  /** A change that the subscriber asked for and may see. Called in feed order. */
  matched(change: RowChange, projection: Projection): void
  /** Changes may have been missed: the subscriber must read again. */
  resync(reason: string): void
  /** The subscription began or ceased to work, for example because its table was published or dropped. Called on every difference after the first answer. */
  status(status: SubscriptionStatus): void
  /** What the subscriber may see has changed, by a policy or a membership: for whoever keeps rows. */
  rights?(): void
}

export type SubscriptionStatus = { readonly ok: true } | { readonly ok: false; readonly reason: string }

export interface SubscriptionSpec {
  /** `*` for every schema; then the table is `*` too. */
  readonly schema: string
  /** `*` for every table of the schema. */
  readonly table: string
  readonly operations: ReadonlySet<RowOperation>
  readonly conditions: readonly Condition[]
  /** A further condition on plain columns, with their types looked up. */
  readonly where?: Expr
  readonly select: readonly string[] | null
  readonly caller: Caller
  /** Only what this publication publishes is told; null for all tables, which the feed then begins to carry. */
  readonly publication: string | null
  readonly sink: SubscriptionSink
}

export interface Subscription {
  readonly status: SubscriptionStatus
  /** Whether Postgres decides about every row: then what is visible may change without any change of a row. */
  readonly opaque: boolean
  /** Ends it; nothing is delivered afterwards. Safe to call twice. */
  close(): void
}
