/** An embedded resource as a lateral join: one JSON value per row, or columns spread into the parent. */
import type { Relation } from '../db/catalog/catalog.ts'
import type { Compare } from '../expr/ast.ts'
import { fieldSql } from '../expr/sql.ts'
import { empty, type Fragment, frag, ident, join, keyword } from '../sql/sql.ts'
import {
  aggregateSql,
  type CompiledNode,
  compileNode,
  hasAggregate,
  type OutputColumn,
  selectSql,
} from './compile-read.ts'
import { DataError } from './errors.ts'
import type { OrderTerm, SelectEmbed, SelectField } from './query.ts'
import { type ColumnPairs, findRelationships, isToOne, type Relationship, relationshipsOf } from './relationships.ts'
import { mostSimilar } from './similar.ts'
import { type DataContext, resolveName, type Source } from './source.ts'

export interface CompiledEmbed {
  /** The name by which filters and orders mean it. */
  readonly name: string
  readonly toOne: boolean
  readonly inner: boolean
  readonly join: Fragment
  /** What the parent shows of it. */
  readonly columns: readonly OutputColumn[]
  /** Whether there are rows, as a condition of its own. */
  readonly exists: Fragment
  /** Whether there are rows, by looking at the join. */
  readonly present: Fragment
  /** A value of the related row for the parent's order. Throws when there may be several rows. */
  orderValue(term: OrderTerm, origin: string): Fragment
}

export interface EmbedOptions {
  /** The parent groups its rows, so the value must have an equality: jsonb. */
  readonly grouped: boolean
  /** The parent hands aggregates on to its own parent instead of evaluating them. */
  readonly raw: boolean
  /** Orders of the parent by columns of this embed. */
  readonly orders: readonly OrderTerm[]
}

export const compileEmbed = (
  item: SelectEmbed,
  parent: Source,
  context: DataContext,
  options: EmbedOptions,
): CompiledEmbed => {
  const relationship = chooseRelationship(item, parent, context)
  const toOne = isToOne(relationship)
  const number = context.nextAlias()
  const source: Source = {
    alias: `t${number}`,
    name: relationship.target.name,
    relation: relationship.target,
    columns: relationship.target.columns,
    row: ident(`t${number}`),
  }
  const hoist = item.spread && toOne
  const node = compileNode(item.node, source, context, { expandAll: item.spread, hoist })
  const link = linkOf(relationship, parent, source, number)
  const parts: Parts = { item, node, source, link, alias: `e${number}`, toOne, options, context, hoist }
  return toOne ? toOneEmbed(parts) : toManyEmbed(parts)
}

interface Parts {
  readonly item: SelectEmbed
  readonly node: CompiledNode
  readonly source: Source
  readonly link: Link
  readonly alias: string
  readonly toOne: boolean
  readonly options: EmbedOptions
  readonly context: DataContext
  readonly hoist: boolean
}

/** How the related rows hang on the parent's row. */
interface Link {
  readonly from: Fragment
  readonly where: readonly Fragment[]
}

const linkOf = (relationship: Relationship, parent: Source, source: Source, number: number): Link => {
  const target = ident(source.alias)
  const relation = (each: Relation) => ident(each.schema, each.name)
  if (relationship.kind === 'computed') {
    const { schema, name } = relationship.function
    parent.onUse?.('*')
    return { from: frag`${ident(schema, name)}(${parent.row}) as ${target}`, where: [] }
  }
  const { junction } = relationship
  const use = (pairs: ColumnPairs) => {
    for (const [near] of pairs) parent.onUse?.(near)
    return pairs
  }
  if (junction === null) {
    return {
      from: frag`${relation(relationship.target)} as ${target}`,
      where: equalities(use(relationship.pairs), parent.alias, source.alias),
    }
  }
  const middle = `j${number}`
  return {
    from: frag`${relation(relationship.target)} as ${target}, ${relation(junction.relation)} as ${ident(middle)}`,
    where: [
      ...equalities(use(junction.originPairs), parent.alias, middle),
      ...equalities(junction.targetPairs, source.alias, middle),
    ],
  }
}

const equalities = (pairs: ColumnPairs, near: string, far: string): Fragment[] =>
  pairs.map(([a, b]) => frag`${ident(far, b)} = ${ident(near, a)}`)

/** The conditions under which related rows exist, without any join of this level. */
const existsOf = ({ node, link }: Parts): Fragment => {
  const conditions = [...link.where, ...node.countConditions]
  const where = conditions.length === 0 ? empty : frag` where ${join(conditions, ' and ')}`
  return frag`exists (select 1 from ${link.from}${where})`
}

const joinKind = (item: SelectEmbed): Fragment =>
  keyword(item.join === 'inner' ? 'inner join lateral' : 'left join lateral')

// --- one related row

const toOneEmbed = (parts: Parts): CompiledEmbed => {
  const { item, node, link, alias, options } = parts
  const orders = options.orders.map((term, index) => ({ term, name: `#${index}`, sql: orderColumn(term, parts) }))
  const hidden = orders.map(({ name, sql }) => frag`${sql} as ${ident(name)}`)
  // A row without columns could not be told from no row.
  const extra = node.columns.length + hidden.length === 0 ? [frag`1 as ${ident('#')}`] : hidden
  const name = item.alias ?? item.target
  // Only a to-one function can answer more than one row; foreign keys cannot.
  const body = selectSql(node, link.from, { extra, where: link.where })
  return {
    name,
    toOne: true,
    inner: item.join === 'inner',
    join: frag`${joinKind(item)} (${body}) as ${ident(alias)} on true`,
    columns: item.spread
      ? spreadOne(parts)
      : node.columns.length === 0
        ? []
        : [objectColumn(parts, name, hidden.length > 0)],
    exists: existsOf(parts),
    present: frag`${ident(alias)} is distinct from null`,
    orderValue: (term) => ident(alias, orders.find((each) => each.term === term)?.name ?? ''),
  }
}

const orderColumn = (term: OrderTerm, { source, context }: Parts): Fragment => {
  const resolved = resolveName(term.name, source, context)
  const field = { kind: 'field', name: term.name, path: term.path, type: resolved.type, depth: 0 } as const
  return fieldSql(field, { column: () => resolved.sql })
}

/** The row as JSON. With columns that serve only the order, those are taken out again. */
const objectColumn = ({ alias, options, node, source }: Parts, name: string, hidden: boolean): OutputColumn => {
  const row = frag`row_to_json(${ident(alias)}.*)`
  const shown = hidden
    ? frag`case when ${ident(alias)} is distinct from null then (select row_to_json(shown) from (select ${join(visibleColumns(node, source, alias))}) as shown) end`
    : row
  return { sql: options.grouped ? frag`${shown}::jsonb` : shown, name, aggregate: false }
}

const visibleColumns = (node: CompiledNode, source: Source, alias: string): Fragment[] =>
  node.columns.flatMap((column) =>
    column.name !== null ? [ident(alias, column.name)] : (source.columns ?? []).map((each) => ident(alias, each.name)),
  )

/** The columns themselves; aggregates are evaluated here, over the parent's rows. */
const spreadOne = ({ item, node, alias, options }: Parts): readonly OutputColumn[] => {
  const aggregates = aggregateFields(item)
  let at = 0
  return node.columns.map((column) => {
    const value = ident(alias, column.name ?? '')
    if (!column.aggregate) return { sql: value, name: column.name, aggregate: false }
    const field = aggregates[at]
    at += 1
    return {
      sql: field === undefined || options.raw ? value : aggregateSql(field, value),
      name: column.name,
      aggregate: true,
    }
  })
}

/** The aggregates of a spread and of the spreads inside it, in the order of their columns. */
const aggregateFields = (item: SelectEmbed): readonly SelectField[] =>
  item.node.select.flatMap((each) => {
    if (each.kind === 'field') return each.aggregate === null ? [] : [each]
    return each.spread ? aggregateFields(each) : []
  })

// --- several related rows

const toManyEmbed = (parts: Parts): CompiledEmbed => {
  const { item, node, link, alias } = parts
  if (item.spread && hasAggregate(item)) {
    const what = 'Aggregates are not implemented for one-to-many or many-to-many spreads.'
    throw new DataError({ kind: 'not_implemented', what })
  }
  const name = item.alias ?? item.target
  const rows = selectSql(node, link.from, { where: link.where })
  const present = frag`${ident(alias, '#present')} is not null`
  const values = item.spread
    ? node.columns.map(
        (column) => frag`json_agg(${ident('r', column.name ?? '')})::jsonb as ${ident(column.name ?? '')}`,
      )
    : [frag`json_agg(r)${parts.options.grouped ? keyword('::jsonb') : empty} as ${ident('rows')}`]
  const body = frag`select ${join([...values, frag`nullif(count(*), 0) as ${ident('#present')}`])} from (${rows}) as r`
  return {
    name,
    toOne: false,
    inner: item.join === 'inner',
    join: frag`${joinKind(item)} (${body}) as ${ident(alias)} on ${item.join === 'inner' ? present : keyword('true')}`,
    columns: toManyColumns(parts, name),
    exists: existsOf(parts),
    present,
    orderValue: (_term, origin) => {
      throw new DataError({ kind: 'order_not_to_one', origin, target: name })
    },
  }
}

const toManyColumns = ({ item, node, alias }: Parts, name: string): readonly OutputColumn[] => {
  if (node.columns.length === 0) return []
  if (!item.spread) return [{ sql: frag`coalesce(${ident(alias, 'rows')}, '[]')`, name, aggregate: false }]
  return node.columns.map((column) => ({
    sql: frag`coalesce(${ident(alias, column.name ?? '')}, '[]')`,
    name: column.name,
    aggregate: false,
  }))
}

// --- names

/** `embed=is.null` and `embed=not.is.null`: whether there are related rows. Anything else is refused. */
export const embedNullTest = (embed: CompiledEmbed, expr: Compare, mode: 'joined' | 'exists'): Fragment => {
  const isNull = expr.operator === 'is' && expr.right.kind === 'value'
  const what = isNull && expr.right.kind === 'value' ? (expr.right.text ?? 'null') : ''
  if (what !== 'null' && what !== 'not_null') throw new DataError({ kind: 'embed_filter', name: embed.name })
  const present = mode === 'joined' ? embed.present : embed.exists
  return what === 'null' ? frag`not (${present})` : present
}

const chooseRelationship = (item: SelectEmbed, parent: Source, context: DataContext): Relationship => {
  const all = relationshipsOf(context.catalog)
  const origin = parent.relation
  const wanted = { target: item.target, hint: item.hint, schema: context.schema, served: context.servedSchemas }
  const found = origin === null ? [] : findRelationships(all, { ...wanted, origin })
  const [only, ...others] = found
  if (only === undefined) throw unknownRelationship(item, parent, context)
  if (others.length > 0) {
    throw new DataError({ kind: 'relationship_ambiguous', origin: parent.name, target: item.target, candidates: found })
  }
  return only
}

const unknownRelationship = (item: SelectEmbed, parent: Source, context: DataContext): DataError => {
  const related = targetsOf(parent.relation, context)
  const problem = {
    kind: 'relationship_unknown',
    schema: context.schema,
    origin: parent.name,
    target: item.target,
    hint: item.hint,
  } as const
  if (related.length === 0) return new DataError({ ...problem, similar: similarOrigin(parent, context) })
  const name = related.includes(item.target) ? null : mostSimilar(item.target, related)
  return new DataError({ ...problem, similar: name === null ? null : { name, of: item.target } })
}

/** Names of what can be embedded into a relation. */
const targetsOf = (relation: Relation | null, context: DataContext): readonly string[] =>
  (relation === null ? [] : (relationshipsOf(context.catalog).get(relation.oid) ?? []))
    .filter((each) => each.target.schema === context.schema)
    .map((each) => each.target.name)

/** Nothing can be embedded here; perhaps another relation was meant. */
const similarOrigin = (parent: Source, context: DataContext) => {
  const origins = context.catalog.relations.filter(
    (each) => each.schema === context.schema && targetsOf(each, context).length > 0,
  )
  const name = mostSimilar(
    parent.name,
    origins.map((each) => each.name),
  )
  return name === null ? null : { name, of: parent.name }
}
