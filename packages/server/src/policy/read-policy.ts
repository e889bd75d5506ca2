/**
 * Reads the SQL text of a row-level security policy into a condition, for one caller: what the token says is filled in at once.
 * Whatever is not understood exactly makes the whole policy opaque (null), and Postgres decides it.
 */
import type { Catalog, Relation } from '../db/catalog/catalog.ts'
import {
  and,
  compare,
  type Expr,
  FALSE,
  type Field,
  not,
  or,
  type SqlOperator,
  TRUE,
  UNKNOWN,
  value,
} from '../expr/ast.ts'
import { fold } from '../expr/fold.ts'
import type { PolicyCaller } from './claims.ts'
import { type Node, namesOf, nodeOf, nodesOf, parseExpression } from './parse-tree.ts'
import { type Context, isTextual, readTerm, type Scope, type Term } from './terms.ts'

/** Parsed once per text; trees are immutable. Bounded, because texts come and go with migrations. */
export class PolicyReader {
  readonly #trees = new Map<string, Node | null>()
  readonly #texts = new Map<string, string>()

  /** The condition that a policy puts on a row of `relation` for `caller`; null when it is opaque. Needs `loadParser` before. */
  read(text: string, relation: Relation, catalog: Catalog, caller: PolicyCaller): Expr | null {
    let tree = this.#trees.get(text)
    if (tree === undefined) {
      if (this.#trees.size > 2000) this.#trees.clear()
      tree = parseExpression(text)
      this.#trees.set(text, tree)
    }
    const expr = readCondition(tree, { catalog, caller, scopes: [{ relation, alias: relation.name, depth: 0 }] }, 0)
    return expr === null ? null : fold(expr)
  }

  /** One copy of a text that many subscriptions keep. */
  shared(text: string): string {
    if (this.#texts.size > 2000) this.#texts.clear()
    const known = this.#texts.get(text)
    if (known === undefined) this.#texts.set(text, text)
    return known ?? text
  }
}

const MAX_DEPTH = 50

const readCondition = (node: Node | null, context: Context, depth: number): Expr | null => {
  if (node === null || depth > MAX_DEPTH) return null
  switch (node.kind) {
    case 'BoolExpr':
      return readBoolean(node, context, depth)
    case 'A_Expr':
      return readOperator(node, context)
    case 'NullTest':
      return readNullTest(node, context)
    case 'BooleanTest':
      return readBooleanTest(node, context, depth)
    case 'SubLink':
      return readSubLink(node, context, depth)
    default:
      return readBareTerm(node, context)
  }
}

const readBoolean = (node: Node, context: Context, depth: number): Expr | null => {
  const items: Expr[] = []
  for (const argument of nodesOf(node.fields.args)) {
    const item = readCondition(argument, context, depth + 1)
    if (item === null) return null
    items.push(item)
  }
  switch (node.fields.boolop) {
    case 'AND_EXPR':
      return and(items)
    case 'OR_EXPR':
      return or(items)
    case 'NOT_EXPR': {
      const [item] = items
      // Under `not`, a membership could be too generous while its keys are being read anew.
      return item === undefined || containsExists(item) ? null : not(item)
    }
    default:
      return null
  }
}

const containsExists = (expr: Expr): boolean => {
  if (expr.kind === 'exists') return true
  if (expr.kind === 'and' || expr.kind === 'or') return expr.items.some(containsExists)
  return expr.kind === 'not' && containsExists(expr.item)
}

/** A boolean column, constant or claim standing alone. */
const readBareTerm = (node: Node, context: Context): Expr | null => {
  const term = readTerm(node, context)
  if (term?.term === 'field')
    return term.type.name === 'boolean' ? comparison('eq', term, { term: 'value', text: 't', type: 'boolean' }) : null
  if (term?.term !== 'value' || (term.type !== 'boolean' && term.text !== null)) return null
  return term.text === null ? UNKNOWN : constant(term.text === 't' || term.text === 'true')
}

const constant = (truth: boolean): Expr => (truth ? TRUE : FALSE)

const OPERATORS: Readonly<Record<string, SqlOperator>> = {
  '=': 'eq',
  '<>': 'neq',
  '<': 'lt',
  '<=': 'lte',
  '>': 'gt',
  '>=': 'gte',
}
const MIRRORED: Readonly<Partial<Record<SqlOperator, SqlOperator>>> = {
  eq: 'eq',
  neq: 'neq',
  isdistinct: 'isdistinct',
  lt: 'gt',
  lte: 'gte',
  gt: 'lt',
  gte: 'lte',
}

const readOperator = (node: Node, context: Context): Expr | null => {
  const names = namesOf(node.fields.name)
  // A qualified operator may be anybody's.
  const operator = names?.length === 1 ? OPERATORS[names[0] ?? ''] : undefined
  const left = readTerm(nodeOf(node.fields.lexpr), context)
  switch (node.fields.kind) {
    case 'AEXPR_OP':
      return operator === undefined ? null : comparison(operator, left, readTerm(nodeOf(node.fields.rexpr), context))
    case 'AEXPR_DISTINCT':
      return comparison('isdistinct', left, readTerm(nodeOf(node.fields.rexpr), context))
    case 'AEXPR_NOT_DISTINCT': {
      const distinct = comparison('isdistinct', left, readTerm(nodeOf(node.fields.rexpr), context))
      return distinct === null ? null : not(distinct)
    }
    case 'AEXPR_OP_ANY':
      return operator === 'eq' ? readAny(left, nodeOf(node.fields.rexpr), context) : null
    default:
      return null
  }
}

/** `x = any (array['a', 'b'])`, which is also how Postgres shows `x in ('a', 'b')`. */
const readAny = (left: Term | null, array: Node | null, context: Context): Expr | null => {
  const inner = array?.kind === 'TypeCast' ? nodeOf(array.fields.arg) : array
  if (inner?.kind !== 'A_ArrayExpr') return null
  const items: Expr[] = []
  for (const element of nodesOf(inner.fields.elements)) {
    const item = comparison('eq', left, readTerm(element, context))
    if (item === null) return null
    items.push(item)
  }
  return or(items)
}

/** A comparison whose sides are of one type, told by the column's. */
const comparison = (operator: SqlOperator, left: Term | null, right: Term | null): Expr | null => {
  if (left === null || right === null || left.term === 'json' || right.term === 'json') return null
  if (left.term === 'value' && right.term === 'value') return compareValues(operator, left, right)
  if (left.term === 'value') {
    const mirrored = MIRRORED[operator]
    return mirrored === undefined ? null : comparison(mirrored, right, left)
  }
  if (right.term === 'field') {
    const same = left.type.name === right.type.name && left.type.collation === right.type.collation
    return same ? compare(operator, fieldOf(left), fieldOf(right)) : null
  }
  return isComparable(left.type.name, right.type) ? compare(operator, fieldOf(left), value(right.text)) : null
}

const INTEGERS = new Set(['smallint', 'integer', 'bigint'])

const isComparable = (column: string, literal: string | null): boolean =>
  literal === null ||
  literal === column ||
  (isTextual(column) && isTextual(literal)) ||
  (INTEGERS.has(column) && INTEGERS.has(literal))

const fieldOf = (term: Extract<Term, { term: 'field' }>): Field => ({
  kind: 'field',
  name: term.name,
  path: [],
  type: term.type,
  depth: term.depth,
})

type ValueTerm = Extract<Term, { term: 'value' }>

/** Two constants: only texts and uuids, whose equality is that of their spelling. */
const compareValues = (operator: SqlOperator, left: ValueTerm, right: ValueTerm): Expr | null => {
  if (operator === 'isdistinct' && (left.text === null || right.text === null))
    return constant(left.text !== right.text)
  if (left.text === null || right.text === null) return UNKNOWN
  const known = (type: string | null) => type === null || isTextual(type) || type === 'name'
  const uuids = left.type === 'uuid' && right.type === 'uuid'
  if (!uuids && !(known(left.type) && known(right.type))) return null
  const equal = uuids ? left.text.toLowerCase() === right.text.toLowerCase() : left.text === right.text
  if (operator === 'eq') return constant(equal)
  return operator === 'neq' || operator === 'isdistinct' ? constant(!equal) : null
}

const readNullTest = (node: Node, context: Context): Expr | null => {
  const term = readTerm(nodeOf(node.fields.arg), context)
  const wanted = node.fields.nulltesttype === 'IS_NULL'
  if (term?.term === 'value') return constant((term.text === null) === wanted)
  if (term?.term === 'json') return constant((term.value === undefined) === wanted)
  return term === null ? null : compare('is', fieldOf(term), value(wanted ? 'null' : 'not_null'))
}

const TESTS: Readonly<Record<string, readonly [what: string, negated: boolean]>> = {
  IS_TRUE: ['true', false],
  IS_NOT_TRUE: ['true', true],
  IS_FALSE: ['false', false],
  IS_NOT_FALSE: ['false', true],
  IS_UNKNOWN: ['unknown', false],
  IS_NOT_UNKNOWN: ['unknown', true],
}

const readBooleanTest = (node: Node, context: Context, depth: number): Expr | null => {
  const [what, negated] = TESTS[String(node.fields.booltesttype)] ?? []
  if (what === undefined) return null
  const argument = nodeOf(node.fields.arg)
  const term = readTerm(argument, context)
  if (term?.term === 'field' && term.type.name === 'boolean') {
    const test = compare('is', fieldOf(term), value(what))
    return negated ? not(test) : test
  }
  const inner = readCondition(argument, context, depth + 1)
  if (inner?.kind !== 'constant') return null
  const holds = what === 'unknown' ? inner.value === null : inner.value === (what === 'true')
  return constant(holds !== negated)
}

/** `exists (select …)` and `x in (select …)` over one table: both become "some row of that table with …". */
const readSubLink = (node: Node, context: Context, depth: number): Expr | null => {
  const select = nodeOf(node.fields.subselect)
  const scope = select?.kind === 'SelectStmt' ? singleTable(select, context) : null
  if (select === null || scope === null) return null
  const scopes: readonly Scope[] = [scope, ...context.scopes.map((outer) => ({ ...outer, depth: outer.depth + 1 }))]
  const inside: Context = { ...context, scopes }
  const where =
    select.fields.whereClause === undefined ? TRUE : readCondition(nodeOf(select.fields.whereClause), inside, depth + 1)
  if (where === null || containsExists(where)) return null
  const relation = { schema: scope.relation.schema, name: scope.relation.name }
  if (node.fields.subLinkType === 'EXISTS_SUBLINK') return { kind: 'exists', relation, where }
  if (node.fields.subLinkType !== 'ANY_SUBLINK' || !isPlainEquality(node)) return null
  const [target, ...others] = nodesOf(select.fields.targetList)
  if (others.length > 0 || target?.kind !== 'ResTarget') return null
  const inner = readTerm(nodeOf(target.fields.val), inside)
  const outer = readTerm(nodeOf(node.fields.testexpr), { ...context, scopes: scopes.slice(1) })
  const same = comparison('eq', inner, outer)
  return same === null ? null : { kind: 'exists', relation, where: and([same, where]) }
}

/** `in` names no operator; `= any (select …)` names the plain one. */
const isPlainEquality = (node: Node): boolean => {
  if (node.fields.operName === undefined) return true
  const names = namesOf(node.fields.operName)
  return names?.length === 1 && names[0] === '='
}

const PLAIN_SELECT = new Set(['targetList', 'fromClause', 'whereClause', 'limitOption', 'op'])

/** The only table of a select without grouping, ordering, limits or set operations. */
const singleTable = (select: Node, context: Context): Scope | null => {
  if (Object.keys(select.fields).some((key) => !PLAIN_SELECT.has(key))) return null
  if (select.fields.op !== 'SETOP_NONE') return null
  const [from, ...others] = nodesOf(select.fields.fromClause)
  if (from?.kind !== 'RangeVar' || others.length > 0) return null
  const { relname, schemaname, alias, inh } = from.fields
  if (typeof relname !== 'string' || inh !== true) return null
  const relation = findRelation(context.catalog, typeof schemaname === 'string' ? schemaname : null, relname)
  if (relation === undefined || relation.kind !== 'table') return null
  const aliasName = typeof alias === 'object' && alias !== null ? Reflect.get(alias, 'aliasname') : undefined
  return { relation, alias: typeof aliasName === 'string' ? aliasName : relname, depth: 0 }
}

/** Policies are shown with the search path of the catalogue's connection: public and extensions. */
const findRelation = (catalog: Catalog, schema: string | null, name: string): Relation | undefined =>
  schema === null
    ? (catalog.relation('public', name) ?? catalog.relation('extensions', name))
    : catalog.relation(schema, name)
