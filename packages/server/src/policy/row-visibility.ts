/** Which rows of a relation a caller may see: row-level security as one condition, or as SQL text where it cannot be read. */
import type { Catalog, Policy, Relation } from '../db/catalog/catalog.ts'
import { and, type Expr, or } from '../expr/ast.ts'
import { fold } from '../expr/fold.ts'
import type { PolicyCaller } from './claims.ts'
import type { PolicyReader } from './read-policy.ts'
import { effectiveRoles, escapesRowSecurity } from './roles.ts'

export type RowVisibility =
  | { readonly kind: 'all' }
  | { readonly kind: 'none' }
  /** `expr` is null when the policies are opaque; `text` says the same in SQL, about a row named like the relation. */
  | { readonly kind: 'rows'; readonly expr: Expr | null; readonly text: string }

/** What row-level security lets `caller` select. Privileges are another question. */
export const rowVisibility = (
  reader: PolicyReader,
  catalog: Catalog,
  relation: Relation,
  caller: PolicyCaller,
): RowVisibility => {
  if (escapesRowSecurity(catalog, relation, caller.role)) return { kind: 'all' }
  const roles = effectiveRoles(catalog, caller.role)
  const applying = relation.policies.filter(
    (policy) =>
      (policy.command === 'all' || policy.command === 'select') && policy.roles.some((role) => roles.has(role)),
  )
  const permissive = applying.filter((policy) => policy.permissive)
  const restrictive = applying.filter((policy) => !policy.permissive)
  if (permissive.length === 0) return { kind: 'none' }
  const read = (policy: Policy) => reader.read(textOf(policy), relation, catalog, caller)
  const expr = combine(permissive.map(read), restrictive.map(read))
  if (expr?.kind === 'constant') return expr.value === true ? { kind: 'all' } : { kind: 'none' }
  return { kind: 'rows', expr, text: reader.shared(sqlText(permissive, restrictive)) }
}

/** A policy without `using` admits every row. */
const textOf = (policy: Policy): string => policy.using ?? 'true'

/** Permissive policies add up, restrictive ones each take away. One that always admits makes the other permissive ones irrelevant, readable or not. */
const combine = (permissive: readonly (Expr | null)[], restrictive: readonly (Expr | null)[]): Expr | null => {
  const open = permissive.some((expr) => expr?.kind === 'constant' && expr.value === true)
  const admitted = open ? [] : permissive
  const readable = [...admitted, ...restrictive].filter((expr) => expr !== null)
  if (readable.length < admitted.length + restrictive.length) return null
  const admits = open ? [] : [or(admitted.filter((expr) => expr !== null))]
  return fold(and([...admits, ...restrictive.filter((expr) => expr !== null)]))
}

const sqlText = (permissive: readonly Policy[], restrictive: readonly Policy[]): string => {
  const any = permissive.map((policy) => `(${textOf(policy)})`).join(' or ')
  return [`(${any})`, ...restrictive.map((policy) => `(${textOf(policy)})`)].join(' and ')
}
