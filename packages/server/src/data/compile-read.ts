/** One level of a read as SQL: columns, lateral joins for embeds, conditions, grouping, order and range. */
import { isDeepStrictEqual } from 'node:util'
import type { Column } from '../db/catalog/catalog.ts'
import type { Compare, Expr } from '../expr/ast.ts'
import { fieldSql, toSql } from '../expr/sql.ts'
import { empty, type Fragment, frag, ident, join, keyword, param } from '../sql/sql.ts'
import { type CompiledEmbed, compileEmbed, embedNullTest } from './compile-embed.ts'
import { DataError } from './errors.ts'
import type { OrderTerm, ReadNode, SelectEmbed, SelectField } from './query.ts'
import { type DataContext, representation, resolveName, type Source, typedField } from './source.ts'
import { typeSql } from './types.ts'

/** A column of the result. */
export interface OutputColumn {
  readonly sql: Fragment
  /** Null for `alias.*`, which names itself. */
  readonly name: string | null
  readonly aggregate: boolean
}

/** One level, ready to be put into a statement. */
export interface CompiledNode {
  readonly columns: readonly OutputColumn[]
  readonly joins: readonly Fragment[]
  readonly conditions: readonly Fragment[]
  /** The same conditions without need of the joins, for counting. */
  readonly countConditions: readonly Fragment[]
  readonly order: readonly Fragment[]
  readonly limit: bigint | null
  readonly offset: bigint
  readonly embeds: readonly CompiledEmbed[]
  /** Rows are grouped by every column that is no aggregate. */
  readonly grouped: boolean
}

export interface NodeOptions {
  /** Spell `*` out, because the columns are needed by name. */
  readonly expandAll?: boolean
  /** Aggregates are evaluated by the parent: only their arguments are selected here. */
  readonly hoist?: boolean
}

export const compileNode = (
  node: ReadNode,
  source: Source,
  context: DataContext,
  options: NodeOptions = {},
): CompiledNode => {
  const embedItems = node.select.filter((item) => item.kind === 'embed')
  const grouped = !options.hoist && node.select.some((item) => hasAggregate(item))
  if (!context.aggregates && node.select.some((item) => hasAggregate(item)))
    throw new DataError({ kind: 'aggregates_disabled' })
  const raw = options.hoist ?? false
  const embeds = embedItems.map((item) =>
    compileEmbed(item, source, context, { grouped, raw, orders: ordersOn(node, item) }),
  )
  let embedIndex = 0
  const columns = node.select.flatMap((item) => {
    if (item.kind === 'field') return fieldColumns(item, source, context, { ...options, grouped })
    const embed = embeds[embedIndex]
    embedIndex += 1
    return embed?.columns ?? []
  })
  const scope = { source, context, embeds }
  const inner = embeds.filter((embed) => embed.inner)
  return {
    columns,
    joins: embeds.map((embed) => embed.join),
    conditions: [conditionSql(node.where, scope, 'joined')].filter((each) => each !== null),
    countConditions: [
      ...[conditionSql(node.where, scope, 'exists')].filter((each) => each !== null),
      ...inner.map((embed) => embed.exists),
    ],
    order: node.order.map((term) => orderSql(term, scope, grouped ? positionOf(term, node) : null)),
    limit: restrict(node.limit, context.maxRows),
    offset: node.offset,
    embeds,
    grouped: !raw && columns.some((column) => column.aggregate),
  }
}

interface NodeScope {
  readonly source: Source
  readonly context: DataContext
  readonly embeds: readonly CompiledEmbed[]
}

export const hasAggregate = (item: SelectField | SelectEmbed): boolean =>
  item.kind === 'field' ? item.aggregate !== null : item.spread && item.node.select.some(hasAggregate)

const ordersOn = (node: ReadNode, item: SelectEmbed): readonly OrderTerm[] =>
  node.order.filter((term) => term.relation !== null && (item.alias ?? item.target) === term.relation)

const restrict = (limit: bigint | null, maxRows: number | null): bigint | null => {
  if (maxRows === null) return limit
  return limit === null || limit > BigInt(maxRows) ? BigInt(maxRows) : limit
}

// --- columns

const fieldColumns = (
  item: SelectField,
  source: Source,
  context: DataContext,
  options: NodeOptions & { readonly grouped: boolean },
): readonly OutputColumn[] => {
  if (item.name === '*' && item.aggregate === null) return allColumns(source, context, options)
  const name = item.alias ?? defaultName(item)
  if (item.aggregate === null) return [{ sql: plainSql(item, source, context), name, aggregate: false }]
  const argument = item.name === '*' ? keyword('*') : plainSql(item, source, context)
  if (options.hoist) {
    return [{ sql: item.name === '*' ? keyword('1') : argument, name, aggregate: true }]
  }
  return [{ sql: aggregateSql(item, argument), name, aggregate: true }]
}

/** An aggregate of `argument`, with the cast of its result. */
export const aggregateSql = (item: SelectField, argument: Fragment): Fragment => {
  const call = frag`${keyword(item.aggregate?.name ?? 'count')}(${argument})`
  return item.aggregate?.cast ? frag`cast(${call} as ${typeSql(item.aggregate.cast)})` : call
}

/** Without an alias a JSON path is named by its last key, an aggregate by its function. */
export const defaultName = (item: SelectField): string => {
  if (item.aggregate !== null) return item.aggregate.name
  return item.path.findLast((step) => step.step === 'key')?.value ?? item.name
}

const plainSql = (item: SelectField, source: Source, context: DataContext): Fragment => {
  const resolved = resolveName(item.name, source, context)
  const field = { kind: 'field', name: item.name, path: item.path, type: resolved.type, depth: 0 } as const
  const plain = fieldSql(field, { column: () => resolved.sql })
  if (item.cast !== null) return frag`cast(${plain} as ${typeSql(item.cast)})`
  const shown = item.path.length === 0 ? representation(resolved.column, 'to json', context) : null
  return shown === null ? plain : frag`${shown}(${plain})`
}

const allColumns = (
  source: Source,
  context: DataContext,
  options: NodeOptions & { readonly grouped: boolean },
): readonly OutputColumn[] => {
  source.onUse?.('*')
  const columns = source.columns?.filter((column) => !isInternal(column, source)) ?? null
  const spelled =
    options.expandAll ||
    options.grouped ||
    columns?.length !== source.columns?.length ||
    columns?.some((column) => representation(column, 'to json', context) !== null)
  if (columns === null || !spelled) return [{ sql: frag`${ident(source.alias)}.*`, name: null, aggregate: false }]
  return columns.map((column: Column) => ({
    sql: plainSql(
      { kind: 'field', name: column.name, path: [], alias: null, cast: null, aggregate: null },
      source,
      context,
    ),
    name: column.name,
    aggregate: false,
  }))
}

/** Insertion order and index keys of a document collection are nobody's fields. */
const isInternal = (column: Column, { relation }: Source): boolean =>
  column.name.startsWith('$') && relation?.schema === 'cloud'

// --- conditions

/** Null when the condition is always true. */
const conditionSql = (expr: Expr, scope: NodeScope, mode: 'joined' | 'exists'): Fragment | null => {
  if (expr.kind === 'constant' && expr.value === true) return null
  if (expr.kind === 'and' && expr.items.length > 0)
    return frag`${join(
      expr.items.map((item) => leafSql(item, scope, mode)),
      ' and ',
    )}`
  return leafSql(expr, scope, mode)
}

const leafSql = (expr: Expr, scope: NodeScope, mode: 'joined' | 'exists'): Fragment => {
  switch (expr.kind) {
    case 'and':
    case 'or':
      return frag`(${join(
        expr.items.map((item) => leafSql(item, scope, mode)),
        ` ${expr.kind} `,
      )})`
    case 'not':
      return frag`not (${leafSql(expr.item, scope, mode)})`
    case 'compare':
      return compareSql(expr, scope, mode)
    default:
      return toSql(expr, { column: (field) => ident(scope.source.alias, field.name) })
  }
}

const compareSql = (expr: Compare, scope: NodeScope, mode: 'joined' | 'exists'): Fragment => {
  const { left } = expr
  const embed =
    left.kind === 'field' && left.path.length === 0 ? scope.embeds.find((each) => each.name === left.name) : undefined
  if (embed !== undefined) return embedNullTest(embed, expr, mode)
  const { source, context } = scope
  const typed: Compare = { ...expr, left: left.kind === 'field' ? typedField(left, source, context) : left }
  return toSql(typed, {
    column: (field) => resolveName(field.name, source, context).sql,
    coerce: (field, constant) => {
      const read = representation(resolveName(field.name, source, context).column, 'from text', context)
      return read === null ? constant : frag`${read}(${constant})`
    },
  })
}

// --- order and range

/**
 * The column of a grouped select that an order by a JSON path means. The path holds parameters, so Postgres would not see that it is the
 * very expression that the rows are grouped by. Null where the order names a plain column, or what stands before cannot be counted.
 */
const positionOf = (term: OrderTerm, { select }: ReadNode): number | null => {
  if (term.relation !== null || term.path.length === 0) return null
  const at = select.findIndex(
    (item) => item.kind === 'field' && item.aggregate === null && item.cast === null && isSameField(item, term),
  )
  const plain = select.slice(0, at).every((item) => item.kind === 'field' && item.name !== '*')
  return at === -1 || !plain ? null : at + 1
}

const isSameField = (a: Pick<OrderTerm, 'name' | 'path'>, b: Pick<OrderTerm, 'name' | 'path'>): boolean =>
  a.name === b.name && isDeepStrictEqual(a.path, b.path)

const orderSql = (term: OrderTerm, scope: NodeScope, position: number | null): Fragment => {
  const direction = term.direction === null ? empty : keyword(` ${term.direction}`)
  const nulls = term.nulls === null ? empty : keyword(` nulls ${term.nulls}`)
  const value = position === null ? orderValue(term, scope) : keyword(String(position))
  return frag`${value}${direction}${nulls}`
}

const orderValue = (term: OrderTerm, { source, context, embeds }: NodeScope): Fragment => {
  if (term.relation !== null) {
    const embed = embeds.find((each) => each.name === term.relation)
    if (embed === undefined) throw new DataError({ kind: 'not_embedded', name: term.relation })
    return embed.orderValue(term, source.name)
  }
  const resolved = resolveName(term.name, source, context)
  return fieldSql(
    { kind: 'field', name: term.name, path: term.path, type: resolved.type, depth: 0 },
    { column: () => resolved.sql },
  )
}

const rangeSql = (node: CompiledNode): Fragment => {
  const limit = node.limit === null ? empty : frag` limit ${param(String(node.limit))}::bigint`
  const offset = node.offset === 0n ? empty : frag` offset ${param(String(node.offset))}::bigint`
  return frag`${limit}${offset}`
}

const columnSql = (column: OutputColumn): Fragment =>
  column.name === null ? column.sql : frag`${column.sql} as ${ident(column.name)}`

/** The whole select of a level. `extra` are further columns, for the parent's use only; `where` joins it to the parent. */
export const selectSql = (
  node: CompiledNode,
  from: Fragment,
  options: { readonly extra?: readonly Fragment[]; readonly where?: readonly Fragment[] } = {},
): Fragment => {
  const columns = [...node.columns.map(columnSql), ...(options.extra ?? [])]
  const list = join(columns)
  const conditions = [...(options.where ?? []), ...node.conditions]
  const where = conditions.length === 0 ? empty : frag` where ${join(conditions, ' and ')}`
  const order = node.order.length === 0 ? empty : frag` order by ${join(node.order)}`
  return frag`select ${list} from ${from}${join([empty, ...node.joins], ' ')}${where}${groupSql(node)}${order}${rangeSql(node)}`
}

/** By position: a JSON path holds parameters, and the same expression twice would be two different ones. */
const groupSql = (node: CompiledNode): Fragment => {
  if (!node.grouped) return empty
  const positions = node.columns.flatMap((column, index) => (column.aggregate ? [] : [keyword(String(index + 1))]))
  return positions.length === 0 ? empty : frag` group by ${join(positions)}`
}

/** What is counted: the same rows without order, range and columns. A grouped select is counted by its groups. */
export const countSql = (node: CompiledNode, from: Fragment): Fragment => {
  if (node.grouped) {
    return selectSql({ ...node, order: [], limit: null, offset: 0n }, from)
  }
  const where = node.countConditions.length === 0 ? empty : frag` where ${join(node.countConditions, ' and ')}`
  return frag`select 1 from ${from}${where}`
}
