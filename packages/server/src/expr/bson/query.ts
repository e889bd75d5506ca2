/**
 * Conditions on documents as data. The skeleton (constant, and, or, not) is that of `expr/ast.ts`; the leaves mean what MongoDB means:
 * two-valued, compared within one type, true for an array when one of its elements makes them true.
 */
import type { GeoTest } from './geo.ts'
import type { Pattern } from './regex.ts'
import type { Doc, Value } from './value.ts'

export type DocExpr =
  | { readonly kind: 'constant'; readonly value: boolean }
  | { readonly kind: 'and'; readonly items: readonly DocExpr[] }
  | { readonly kind: 'or'; readonly items: readonly DocExpr[] }
  | { readonly kind: 'not'; readonly item: DocExpr }
  | Leaf

/** A test of what lies at a path. The empty path is the value itself, without looking into arrays. */
export interface Leaf {
  readonly kind: 'leaf'
  readonly path: readonly string[]
  readonly test: Test
}

export type RangeOperator = 'gt' | 'gte' | 'lt' | 'lte'

export type Test =
  | { readonly op: 'eq' | RangeOperator; readonly value: Value }
  | { readonly op: 'in'; readonly values: readonly Value[]; readonly patterns: readonly Pattern[] }
  | { readonly op: 'exists' }
  | { readonly op: 'type'; readonly types: readonly string[] }
  | { readonly op: 'mod'; readonly divisor: number; readonly remainder: number }
  | { readonly op: 'regex'; readonly pattern: Pattern }
  | { readonly op: 'size'; readonly size: number }
  /** Some element of the array satisfies `where`: as a document of its own, or (`of: 'value'`) as the value at the empty path. */
  | { readonly op: 'elements'; readonly of: 'document' | 'value'; readonly where: DocExpr }
  | { readonly op: 'geo'; readonly geo: GeoTest }
  /** Decided by code: `$expr`. The path is empty and the value the whole document. */
  | { readonly op: 'custom'; readonly matches: (doc: Doc) => boolean }

export const TRUE: DocExpr = { kind: 'constant', value: true }
export const FALSE: DocExpr = { kind: 'constant', value: false }

/** Conjunction, flattened and without what is constant. */
export const allOf = (items: readonly DocExpr[]): DocExpr => {
  const flat = items.flatMap((item) => (item.kind === 'and' ? item.items : [item]))
  if (flat.some((item) => item.kind === 'constant' && !item.value)) return FALSE
  const rest = flat.filter((item) => item.kind !== 'constant')
  const [only = TRUE] = rest
  return rest.length < 2 ? only : { kind: 'and', items: rest }
}

/** Disjunction, flattened and without what is constant. */
export const anyOf = (items: readonly DocExpr[]): DocExpr => {
  const flat = items.flatMap((item) => (item.kind === 'or' ? item.items : [item]))
  if (flat.some((item) => item.kind === 'constant' && item.value)) return TRUE
  const rest = flat.filter((item) => item.kind !== 'constant')
  const [only = FALSE] = rest
  return rest.length < 2 ? only : { kind: 'or', items: rest }
}

export const negate = (item: DocExpr): DocExpr => {
  if (item.kind === 'constant') return item.value ? FALSE : TRUE
  return item.kind === 'not' ? item.item : { kind: 'not', item }
}

export const leaf = (path: readonly string[], test: Test): Leaf => ({ kind: 'leaf', path, test })

/** The conditions that must all hold. */
export const factsOf = (expr: DocExpr): readonly DocExpr[] => (expr.kind === 'and' ? expr.items : [expr])
