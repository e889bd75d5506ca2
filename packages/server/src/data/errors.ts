/** Why a request does not fit the schema. Each dialect words them in its own way. */
import type { FunctionInfo } from '../db/catalog/catalog.ts'
import type { Relationship } from './relationships.ts'

export type DataProblem =
  | {
      readonly kind: 'relation_unknown'
      readonly schema: string
      readonly name: string
      readonly similar: string | null
    }
  | {
      readonly kind: 'relationship_unknown'
      readonly schema: string
      readonly origin: string
      readonly target: string
      readonly hint: string | null
      /** A name that may have been meant, and in whose place. */
      readonly similar: { readonly name: string; readonly of: string } | null
    }
  | {
      readonly kind: 'relationship_ambiguous'
      readonly origin: string
      readonly target: string
      readonly candidates: readonly Relationship[]
    }
  | {
      readonly kind: 'column_unknown'
      readonly relation: string
      readonly column: string
      readonly similar: string | null
    }
  | { readonly kind: 'payload_column_unknown'; readonly relation: string; readonly column: string }
  | {
      readonly kind: 'function_unknown'
      readonly schema: string
      readonly name: string
      readonly keys: readonly string[]
      readonly body: 'json' | 'text' | 'xml' | 'bytea' | null
      readonly similar: string | null
    }
  | { readonly kind: 'function_ambiguous'; readonly candidates: readonly FunctionInfo[] }
  | { readonly kind: 'not_embedded'; readonly name: string }
  | { readonly kind: 'order_not_to_one'; readonly origin: string; readonly target: string }
  | { readonly kind: 'embed_filter'; readonly name: string }
  | { readonly kind: 'aggregates_disabled' }
  | { readonly kind: 'not_implemented'; readonly what: string }
  | { readonly kind: 'put_filters' }
  | { readonly kind: 'too_complex'; readonly what: string }
  | { readonly kind: 'max_affected_call' }

/** Thrown while a request is put together, before anything was sent to Postgres. */
export class DataError extends Error {
  readonly problem: DataProblem

  constructor(problem: DataProblem) {
    super(problem.kind)
    this.name = 'DataError'
    this.problem = problem
  }
}
