/** Who is told when a group matches: a subscriber, or a parameter set that must be fetched again. */
import type { ParameterSet } from './parameter-sets.ts'
import type { Projection } from './projection.ts'
import type { SubscriptionSink } from './subscription.ts'

export type Target =
  | { readonly kind: 'subscriber'; readonly sink: SubscriptionSink; readonly projection: Projection }
  | { readonly kind: 'set'; readonly set: ParameterSet }
