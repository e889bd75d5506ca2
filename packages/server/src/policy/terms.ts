/** Reads the operands of a policy's comparisons: columns, constants and what the caller's token says. Anything else is null: opaque. Pure. */
import type { Catalog, Relation } from '../db/catalog/catalog.ts'
import type { FieldType } from '../expr/ast.ts'
import type { Json } from '../kernel/json.ts'
import { claimAt, jsonText, openidOf, type PolicyCaller, uidOf } from './claims.ts'
import { fieldTypeOf } from './field-type.ts'
import { type Node, namesOf, nodeOf } from './parse-tree.ts'

/** A relation that a name can refer to; depth 0 is the innermost row. */
export interface Scope {
  readonly relation: Relation
  readonly alias: string
  readonly depth: number
}

export interface Context {
  readonly catalog: Catalog
  readonly caller: PolicyCaller
  /** Innermost first. */
  readonly scopes: readonly Scope[]
}

/** An operand. `type` is the plain type name of a value, null for a literal that takes the other side's type. */
export type Term =
  | { readonly term: 'field'; readonly name: string; readonly depth: number; readonly type: FieldType }
  | { readonly term: 'value'; readonly text: string | null; readonly type: string | null }
  | { readonly term: 'json'; readonly value: Json | undefined }

const TYPE_NAMES: Readonly<Record<string, string>> = {
  bool: 'boolean',
  int2: 'smallint',
  int4: 'integer',
  int8: 'bigint',
  varchar: 'character varying',
  timestamptz: 'timestamp with time zone',
}
const TEXTUAL = new Set(['text', 'character varying'])

export const isTextual = (type: string | null): boolean => type !== null && TEXTUAL.has(type)

export const readTerm = (node: Node | null, context: Context): Term | null => {
  switch (node?.kind) {
    case 'ColumnRef':
      return readColumn(node, context)
    case 'A_Const':
      return readConstant(node)
    case 'TypeCast':
      return readCast(node, context)
    case 'FuncCall':
      return readCall(node, context)
    case 'SubLink':
      return readScalarSelect(node, context)
    case 'A_Expr':
      return readJsonStep(node, context)
    case 'SQLValueFunction':
      return node.fields.op === 'SVFOP_CURRENT_USER' || node.fields.op === 'SVFOP_CURRENT_ROLE'
        ? { term: 'value', text: context.caller.role, type: 'name' }
        : null
    default:
      return null
  }
}

const readColumn = (node: Node, context: Context): Term | null => {
  const names = namesOf(node.fields.fields)
  if (names === null || names.length === 0 || names.length > 2) return null
  const name = names[names.length - 1] ?? ''
  const qualifier = names.length === 2 ? names[0] : null
  for (const scope of context.scopes) {
    if (qualifier !== null && scope.alias !== qualifier) continue
    const column = scope.relation.column(name)
    if (column === undefined) continue
    return { term: 'field', name: column.name, depth: scope.depth, type: fieldTypeOf(column) }
  }
  return null
}

const readConstant = (node: Node): Term | null => {
  const { fields } = node
  if (fields.isnull === true) return { term: 'value', text: null, type: null }
  const inner = (key: string, name: string): Json | undefined => {
    const value = fields[key]
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? Reflect.get(value, name) : undefined
  }
  if ('sval' in fields) return { term: 'value', text: String(inner('sval', 'sval') ?? ''), type: null }
  // Protobuf leaves zero and false out.
  if ('ival' in fields) return { term: 'value', text: String(inner('ival', 'ival') ?? 0), type: 'integer' }
  if ('boolval' in fields)
    return { term: 'value', text: inner('boolval', 'boolval') === true ? 't' : 'f', type: 'boolean' }
  if ('fval' in fields) {
    const text = String(inner('fval', 'fval') ?? '')
    return /^\d+$/.test(text) ? { term: 'value', text, type: 'bigint' } : null
  }
  return null
}

const readCast = (node: Node, context: Context): Term | null => {
  const target = typeOf(node)
  const inner = readTerm(nodeOf(node.fields.arg), context)
  if (target === null || inner === null) return null
  if (inner.term === 'json') return target === 'json' || target === 'jsonb' ? inner : null
  if (inner.term === 'field') {
    // Only casts that change nothing may be dropped from a column.
    const harmless = target === inner.type.name || (isTextual(target) && isTextual(inner.type.name))
    return harmless ? inner : null
  }
  if (inner.text === null) return { ...inner, type: target }
  // Between text and a type of one spelling per value, reading the text later gives the same value; `name` cuts long texts.
  const readable =
    inner.type === null ||
    inner.type === target ||
    isTextual(inner.type) ||
    (inner.type === 'uuid' && isTextual(target)) ||
    (inner.type === 'name' && isTextual(target))
  return readable ? { ...inner, type: target } : null
}

/** Plain name of a cast's target; null for modifiers and arrays, which change values. */
const typeOf = (node: Node): string | null => {
  const type = node.fields.typeName
  if (typeof type !== 'object' || type === null || Array.isArray(type)) return null
  if (Reflect.get(type, 'arrayBounds') !== undefined || Reflect.get(type, 'typmods') !== undefined) return null
  const names = namesOf(Reflect.get(type, 'names'))
  const name = names?.[names.length - 1]
  return name === undefined ? null : (TYPE_NAMES[name] ?? name)
}

const readCall = (node: Node, context: Context): Term | null => {
  const names = namesOf(node.fields.funcname)
  const { claims, role } = context.caller
  const hasArguments = node.fields.args !== undefined
  if (names === null || names.length !== 2 || names[0] !== 'auth' || hasArguments)
    return readSetting(node, names, context)
  switch (names[1]) {
    case 'uid': {
      const uid = uidOf(claims)
      return uid === 'error' ? null : { term: 'value', text: uid, type: 'uuid' }
    }
    case 'role':
      return { term: 'value', text: jsonText(claims.role) ?? role, type: 'text' }
    case 'email':
      return { term: 'value', text: jsonText(claims.email), type: 'text' }
    case 'openid':
      return { term: 'value', text: openidOf(claims), type: 'text' }
    case 'jwt':
      return { term: 'json', value: claims }
    default:
      return null
  }
}

/** `current_setting('request.jwt.claims', true)`, the long way to the claims. */
const readSetting = (node: Node, names: readonly string[] | null, context: Context): Term | null => {
  if (names?.[names.length - 1] !== 'current_setting') return null
  const args = Array.isArray(node.fields.args) ? node.fields.args : []
  const setting = readTerm(nodeOf(args[0]), context)
  return setting?.term === 'value' && setting.text === 'request.jwt.claims'
    ? { term: 'json', value: context.caller.claims }
    : null
}

/** `(select auth.uid())`: the form that Postgres evaluates once per statement. */
const readScalarSelect = (node: Node, context: Context): Term | null => {
  if (node.fields.subLinkType !== 'EXPR_SUBLINK') return null
  const select = nodeOf(node.fields.subselect)
  if (
    select?.kind !== 'SelectStmt' ||
    select.fields.fromClause !== undefined ||
    select.fields.whereClause !== undefined
  )
    return null
  if (select.fields.op !== 'SETOP_NONE') return null
  const targets = Array.isArray(select.fields.targetList) ? select.fields.targetList : []
  const [target, ...others] = targets
  const result = nodeOf(target)
  return others.length === 0 && result?.kind === 'ResTarget' ? readTerm(nodeOf(result.fields.val), context) : null
}

/** `claims -> 'a' ->> 'b'`. */
const readJsonStep = (node: Node, context: Context): Term | null => {
  if (node.fields.kind !== 'AEXPR_OP') return null
  const operator = namesOf(node.fields.name)?.[0]
  if (operator !== '->' && operator !== '->>') return null
  const left = readTerm(nodeOf(node.fields.lexpr), context)
  const step = readTerm(nodeOf(node.fields.rexpr), context)
  if (left?.term !== 'json' || step?.term !== 'value' || step.text === null) return null
  const container = left.value
  // A number steps into arrays only, a text into objects only.
  const matches =
    step.type === 'integer'
      ? Array.isArray(container)
      : typeof container === 'object' && container !== null && !Array.isArray(container)
  const found =
    matches && typeof container === 'object' && container !== null ? claimAtStep(container, step.text) : undefined
  return operator === '->' ? { term: 'json', value: found } : { term: 'value', text: jsonText(found), type: 'text' }
}

const claimAtStep = (container: Json, step: string): Json | undefined =>
  Array.isArray(container) ? container.at(Number(step)) : claimAt(container as Parameters<typeof claimAt>[0], [step])
