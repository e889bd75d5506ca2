/** What a subscriber asks for in a dialect's own filter, before columns and types are known. */

/** Comparison operators of SQL under the names that clients use. */
export type ConditionOperator =
  | 'eq'
  | 'neq'
  | 'lt'
  | 'lte'
  | 'gt'
  | 'gte'
  | 'in'
  | 'like'
  | 'ilike'
  | 'is'
  | 'match'
  | 'imatch'
  | 'isdistinct'

/** One condition on one column. Values are text; the column's type decides how they are read. `in` has any number of values, the others one. */
export interface Condition {
  readonly column: string
  readonly op: ConditionOperator
  readonly negated: boolean
  readonly values: readonly string[]
}
