/** The SQL back end: a condition as a fragment. Values become parameters, so that their type comes from the other side as Postgres sees it. */
import { assertNever } from '../kernel/errors.ts'
import { type Fragment, frag, ident, join, keyword, param } from '../sql/sql.ts'
import type { Compare, Expr, Field, List, Operand, SqlOperator } from './ast.ts'

/** How the caller names things. */
export interface SqlContext {
  /** The column itself, without its path, of the row at that depth. */
  column(field: Field): Fragment
  /** A constant on its way to be compared with `field`: for columns with a representation of their own. */
  coerce?(field: Field, constant: Fragment): Fragment
  /** Fills a parameter in; without it an open parameter is refused. */
  parameter?(path: readonly string[]): Fragment
  /** The context inside `exists`, where depth 0 is a row of `alias`. */
  nested?(alias: Fragment): SqlContext
}

export const toSql = (expr: Expr, context: SqlContext): Fragment => {
  switch (expr.kind) {
    case 'constant':
      return keyword(expr.value === null ? 'null::boolean' : String(expr.value))
    case 'and':
    case 'or':
      return frag`(${join(
        expr.items.map((item) => toSql(item, context)),
        ` ${expr.kind} `,
      )})`
    case 'not':
      return frag`not (${toSql(expr.item, context)})`
    case 'exists': {
      const alias = ident('inner')
      const inner = context.nested?.(alias)
      if (inner === undefined) throw new RangeError('this place takes no subquery')
      return frag`exists (select 1 from ${ident(expr.relation.schema, expr.relation.name)} ${alias} where ${toSql(expr.where, inner)})`
    }
    case 'compare':
      return compareSql(expr, context)
  }
}

const SIGNS = {
  eq: '=',
  neq: '<>',
  gt: '>',
  gte: '>=',
  lt: '<',
  lte: '<=',
  like: 'like',
  ilike: 'ilike',
  match: '~',
  imatch: '~*',
  isdistinct: 'is distinct from',
  contains: '@>',
  contained: '<@',
  overlaps: '&&',
  strictlyLeft: '<<',
  strictlyRight: '>>',
  notExtendsRight: '&<',
  notExtendsLeft: '&>',
  adjacent: '-|-',
} as const satisfies Partial<Record<SqlOperator, string>>

const IS_VALUES: Readonly<Record<string, string>> = {
  null: 'is null',
  not_null: 'is not null',
  true: 'is true',
  false: 'is false',
  unknown: 'is unknown',
}

const FTS = {
  fts: 'to_tsquery',
  plainFts: 'plainto_tsquery',
  phraseFts: 'phraseto_tsquery',
  webFts: 'websearch_to_tsquery',
} as const satisfies Partial<Record<SqlOperator, string>>

const compareSql = (expr: Compare, context: SqlContext): Fragment => {
  const { operator, left, right } = expr
  switch (operator) {
    case 'is':
      return frag`${operandSql(left, context)} ${keyword(IS_VALUES[right.kind === 'value' ? (right.text ?? 'null') : ''] ?? 'is null')}`
    case 'in':
      return frag`${operandSql(left, context)} = any (${listSql(right, left, context)})`
    case 'fts':
    case 'plainFts':
    case 'phraseFts':
    case 'webFts':
      return searchSql(expr, FTS[operator], context)
    default:
      return binarySql(expr, SIGNS[operator], context)
  }
}

const binarySql = (expr: Compare, sign: string, context: SqlContext): Fragment => {
  const left = operandSql(expr.left, context)
  const right = constantSql(expr.right, expr.left, context)
  if (expr.quantifier === undefined) return frag`${left} ${keyword(sign)} ${right}`
  return frag`${left} ${keyword(sign)} ${keyword(expr.quantifier)} (${right})`
}

const searchSql = (expr: Compare, query: string, context: SqlContext): Fragment => {
  const language = expr.language === undefined ? frag`` : frag`${param(expr.language)}::regconfig, `
  const left = operandSql(expr.left, context)
  const isVector = expr.left.kind === 'field' && expr.left.path.length === 0 && expr.left.type?.name === 'tsvector'
  const vector = isVector ? left : frag`to_tsvector(${language}${left})`
  return frag`${vector} @@ ${keyword(query)}(${language}${constantSql(expr.right, expr.left, context)})`
}

/** A constant beside `other`: coerced when that column asks for it. */
const constantSql = (operand: Operand, other: Operand, context: SqlContext): Fragment => {
  const plain = operandSql(operand, context)
  if (operand.kind !== 'value' || other.kind !== 'field' || other.path.length > 0) return plain
  return context.coerce?.(other, plain) ?? plain
}

const listSql = (right: Operand, left: Operand, context: SqlContext): Fragment => {
  if (right.kind !== 'list') return operandSql(right, context)
  if (left.kind === 'field' && left.path.length === 0 && context.coerce !== undefined) {
    const coerced = right.values.map((text) => context.coerce?.(left, param(text)) ?? param(text))
    const changed = right.values.some((text, index) => !isParam(coerced[index], text))
    if (changed) return frag`array[${join(coerced)}]`
  }
  return param(arrayText(right))
}

const isParam = (fragment: Fragment | undefined, text: string): boolean => {
  const [only, ...others] = fragment?.chunks ?? []
  return others.length === 0 && only !== undefined && 'value' in only && only.value === text
}

/** An array literal in which every element is quoted: none of them can be read as null or as nested braces. */
export const arrayText = ({ values }: List): string =>
  `{${values.map((text) => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`).join(',')}}`

const operandSql = (operand: Operand, context: SqlContext): Fragment => {
  switch (operand.kind) {
    case 'field':
      return fieldSql(operand, context)
    case 'value':
      return param(operand.text)
    case 'list':
      return param(arrayText(operand))
    case 'parameter': {
      const filled = context.parameter?.(operand.path)
      if (filled === undefined) throw new RangeError('a parameter was left open')
      return filled
    }
    default:
      return assertNever(operand)
  }
}

const JSON_TYPES = new Set(['json', 'jsonb'])

/** A column, or what its path leads to. Composite and array columns are entered as JSON. */
export const fieldSql = (field: Field, context: SqlContext): Fragment => {
  const column = context.column(field)
  if (field.path.length === 0) return column
  const root = JSON_TYPES.has(field.type?.name ?? '') ? column : frag`to_jsonb(${column})`
  const steps = field.path.map(({ step, value, asText }) => {
    const arrow = keyword(asText ? '->>' : '->')
    return step === 'index' ? frag`${arrow}${param(value)}::int` : frag`${arrow}${param(value)}::text`
  })
  return join([root, ...steps], '')
}
