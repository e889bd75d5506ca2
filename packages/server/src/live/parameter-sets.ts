/**
 * Memberships: "some row of that table with the caller's id and this row's room". The caller's keys are fetched once and become plain values of
 * the condition; changes of the membership table fetch them again. No event costs a query, only a change of membership does.
 */
import { createHash } from 'node:crypto'
import type { Catalog, Relation } from '../db/catalog/catalog.ts'
import type { Pool } from '../db/pool.ts'
import { runAs } from '../db/scope.ts'
import { and, type Compare, type Expr, FALSE, type Field } from '../expr/ast.ts'
import { conjuncts } from '../expr/fold.ts'
import { toPredicate } from '../expr/predicate.ts'
import { comparisonOf } from '../expr/values.ts'
import type { Caller } from '../identity/caller.ts'
import type { PolicyReader } from '../policy/read-policy.ts'
import { selectableColumns } from '../policy/roles.ts'
import { rowVisibility } from '../policy/row-visibility.ts'
import { parameterKeys, watchTable } from './row-checks.sql.ts'

/** Above this a caller's memberships are no longer an index but a burden; Postgres then decides. */
const MAX_KEYS = 1000

/** A membership as the index wants it: the outer column must equal one of the keys. */
export interface Membership {
  readonly relation: Relation
  /** Column of the membership table whose values are the keys. */
  readonly column: string
  /** What makes a row of that table the caller's; constants only. */
  readonly where: Expr
  /** The column of the row in question. */
  readonly outer: Field
  /** What the caller may see of the membership table; part of the identity of the set. */
  readonly visible: string
}

/** Takes an `exists` apart; null when it is not a membership that can be followed. */
export const membershipOf = (
  expr: Extract<Expr, { kind: 'exists' }>,
  catalog: Catalog,
  reader: PolicyReader,
  caller: Caller,
): Membership | null => {
  const relation = catalog.relation(expr.relation.schema, expr.relation.name)
  if (relation === undefined) return null
  const parts = conjuncts(expr.where)
  const links = parts.filter((part): part is Compare => part.kind === 'compare' && linkOf(part) !== null)
  const [link, ...others] = links
  if (link === undefined || others.length > 0) return null
  const { inner, outer } = linkOf(link) ?? {}
  if (inner === undefined || outer === undefined || !sameComparable(inner, outer)) return null
  const where = and(parts.filter((part) => part !== link))
  // What remains must speak of the inner row alone, and JavaScript must be able to tell when a change concerns it.
  if (mentionsOuter(where) || toPredicate(where) === 'unsupported') return null
  const visibility = rowVisibility(reader, catalog, relation, caller)
  if (visibility.kind === 'rows' && (visibility.expr === null || hasExists(visibility.expr))) return null
  // Privileges belong to what the caller may see: without them fetching the keys fails, and Postgres then says so for every event.
  const columns = selectableColumns(catalog, relation, caller.role)
  const granted = columns === 'all' ? 'all' : [...columns].join()
  const seen = `${granted}|${visibility.kind === 'rows' ? JSON.stringify(visibility.expr) : visibility.kind}`
  const visible = createHash('sha1').update(seen).digest('base64')
  return { relation, column: inner.name, where, outer: { ...outer, depth: 0 }, visible }
}

/** `inner column = outer column`, in either order. */
const linkOf = ({ operator, left, right, quantifier }: Compare): { inner: Field; outer: Field } | null => {
  if (operator !== 'eq' || quantifier !== undefined || left.kind !== 'field' || right.kind !== 'field') return null
  if (left.depth === 0 && right.depth === 1) return { inner: left, outer: right }
  return left.depth === 1 && right.depth === 0 ? { inner: right, outer: left } : null
}

const sameComparable = (inner: Field, outer: Field): boolean =>
  inner.type !== null &&
  outer.type !== null &&
  inner.type.name === outer.type.name &&
  inner.type.collation === outer.type.collation &&
  comparisonOf(outer.type) !== undefined

const mentionsOuter = (expr: Expr): boolean => {
  switch (expr.kind) {
    case 'and':
    case 'or':
      return expr.items.some(mentionsOuter)
    case 'not':
      return mentionsOuter(expr.item)
    case 'compare':
      return [expr.left, expr.right].some((operand) => operand.kind === 'field' && operand.depth > 0)
    case 'exists':
      return true
    case 'constant':
      return false
  }
}

export const hasExists = (expr: Expr): boolean => {
  if (expr.kind === 'exists') return true
  if (expr.kind === 'and' || expr.kind === 'or') return expr.items.some(hasExists)
  return expr.kind === 'not' && hasExists(expr.item)
}

/** Puts each membership's keys in its place. */
export const withKeys = (
  expr: Expr,
  keysOf: (exists: Extract<Expr, { kind: 'exists' }>) => { outer: Field; keys: readonly string[] },
): Expr => {
  switch (expr.kind) {
    case 'exists': {
      const { outer, keys } = keysOf(expr)
      return keys.length === 0
        ? FALSE
        : { kind: 'compare', semantics: 'sql', operator: 'in', left: outer, right: { kind: 'list', values: keys } }
    }
    case 'and':
    case 'or':
      return { kind: expr.kind, items: expr.items.map((item) => withKeys(item, keysOf)) }
    default:
      return expr
  }
}

/** One caller's keys in one membership table, shared by every subscription that needs them. */
export class ParameterSet {
  readonly membership: Membership
  readonly key: string
  /** Sorted; 'too_many' when Postgres has to decide instead. */
  keys: readonly string[] | 'too_many' = []
  /** Grows with every difference of the keys. */
  version = 0
  readonly #caller: Caller
  #dirty = true
  #loading: Promise<void> | null = null

  constructor(membership: Membership, caller: Caller) {
    this.membership = membership
    this.#caller = caller
    this.key = setKey(membership, caller)
  }

  get dirty(): boolean {
    return this.#dirty
  }

  /** A row of the membership table that may concern this set has changed. */
  touch(): void {
    this.#dirty = true
  }

  /** Fetches the keys until nothing changed meanwhile. Calls that overlap share the work, so that an older answer never replaces a newer one. */
  async load(requests: Pool): Promise<void> {
    while (this.#dirty) {
      this.#loading ??= this.#loadOnce(requests).finally(() => {
        this.#loading = null
      })
      await this.#loading
    }
    if (this.#loading !== null) await this.#loading
  }

  /** Gives the set up: Postgres decides instead. */
  surrender(): void {
    this.#dirty = false
    this.#assign('too_many')
  }

  async #loadOnce(requests: Pool): Promise<void> {
    this.#dirty = false
    try {
      this.#assign(await this.#fetch(requests))
    } catch (error) {
      this.#dirty = true
      throw error
    }
  }

  #assign(keys: readonly string[] | 'too_many'): void {
    if (JSON.stringify(keys) === JSON.stringify(this.keys)) return
    this.keys = keys
    this.version++
  }

  async #fetch(requests: Pool): Promise<readonly string[] | 'too_many'> {
    const { relation, column, where } = this.membership
    const scope = {
      role: this.#caller.role,
      claims: this.#caller.claimsText,
      searchPath: '"public", "extensions"',
      readOnly: true,
    }
    const [result] = await runAs(requests, scope, [parameterKeys(relation, column, where, MAX_KEYS + 1)])
    const keys = (result?.rows ?? []).map((row) => row[0]).filter((key) => key !== null && key !== undefined)
    return keys.length > MAX_KEYS ? 'too_many' : keys.sort()
  }
}

/** A digest: the conditions are long, and every user's are different. */
export const setKey = ({ relation, column, where, visible }: Membership, caller: Caller): string =>
  createHash('sha1')
    .update(JSON.stringify([relation.oid, column, where, caller.role, visible]))
    .digest('base64')

/** Makes the feed carry the membership table, so that its changes are heard. */
export const watchMembership = async (owner: Pool, { relation }: Membership): Promise<void> => {
  await owner.many(watchTable(relation, 'membership'))
}
