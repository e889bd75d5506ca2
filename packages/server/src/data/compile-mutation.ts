/** Writes: the change in a common table expression that returns what is shown of it, then the same read as everywhere over that. */
import type { Column, Relation } from '../db/catalog/catalog.ts'
import type { Expr } from '../expr/ast.ts'
import { toSql } from '../expr/sql.ts'
import { empty, type Fragment, frag, ident, join, keyword, type Statement, statement } from '../sql/sql.ts'
import { requireRelation } from './compile.ts'
import { compileNode, selectSql } from './compile-read.ts'
import { DataError } from './errors.ts'
import { namedQuery, outputSql } from './output.ts'
import { bodyRows, bodyValue, requireColumns } from './payload.ts'
import type { Conflict, Insert, Mutation, OutputOptions, Payload, Replace, Update } from './query.ts'
import {
  type DataContext,
  functionOfRow,
  representation,
  resolveName,
  type Source,
  typedField,
  unknownColumn,
} from './source.ts'

export const compileMutation = (request: Mutation, options: OutputOptions, context: DataContext): Statement => {
  const relation = requireRelation(request.target, context)
  const shown = compileShown(request, relation, options, context)
  const change = changeSql(request, relation, shown.returning, context)
  const main = outputSql(
    {
      with: [namedQuery('written', change), namedQuery('source', shown.select)],
      total: options.count === null ? null : keyword('(select count(*) from written)'),
      inserted: insertedSql(request),
      key: relation.primaryKey,
      rowType: ident(relation.schema, relation.name),
    },
    options,
  )
  return statement(`data.${request.kind}`, main)
}

/**
 * An upsert counts its new rows by a setting: up for each row on its way in, down for each that was there. The row itself could tell (`xmax`),
 * but only of plain tables, and only to those who may read every column.
 */
const countsInserted = (request: Mutation): boolean =>
  request.kind === 'replace' || (request.kind === 'insert' && request.conflict?.action === 'merge')

const insertedSql = (request: Mutation): Fragment | null => {
  if (!countsInserted(request)) return null
  // Rows of defaults alone conflict with nothing that they would change.
  if ('payload' in request && request.payload.columns.length === 0) return keyword('(select count(*) from written)')
  return keyword("coalesce(nullif(current_setting('teahouse.inserted', true), ''), '0')::bigint")
}

/** Both are always true. */
const countUp = keyword(
  "set_config('teahouse.inserted', (coalesce(nullif(current_setting('teahouse.inserted', true), ''), '0')::bigint + 1)::text, true) <> ''",
)
const countDown = keyword(
  "set_config('teahouse.inserted', (current_setting('teahouse.inserted')::bigint - 1)::text, true) <> ''",
)

interface Shown {
  /** The list of `returning`. */
  readonly returning: Fragment
  /** What the answer is made of. */
  readonly select: Fragment
}

/** Only what the answer needs is returned: `returning *` would ask for the right to read every column. */
const compileShown = (request: Mutation, relation: Relation, options: OutputOptions, context: DataContext): Shown => {
  const used = new Set<string>(options.location ? relation.primaryKey : [])
  const source: Source = {
    alias: 't0',
    name: relation.name,
    relation,
    columns: relation.columns,
    row: frag`t0::${ident(relation.schema, relation.name)}`,
    onUse: (name) => used.add(name),
    flattened: true,
  }
  if (options.shape.kind === 'none') {
    return { returning: returningSql(used, relation, source, context), select: frag`select * from written as t0` }
  }
  const node = compileNode(
    { ...request.returning, where: { kind: 'constant', value: true }, limit: null, offset: 0n },
    source,
    {
      ...context,
      maxRows: null,
    },
  )
  const extra = options.location
    ? relation.primaryKey.filter((name) => !node.columns.some((each) => each.name === name || each.name === null))
    : []
  const select = selectSql(node, frag`written as ${ident('t0')}`, { extra: extra.map((name) => ident('t0', name)) })
  return { returning: returningSql(used, relation, source, context), select }
}

const returningSql = (
  used: ReadonlySet<string>,
  relation: Relation,
  source: Source,
  context: DataContext,
): Fragment => {
  const columns = [...used].filter((name) => name === '*' || !used.has('*') || relation.column(name) === undefined)
  const list = columns.map((name) => {
    if (name === '*') return keyword('t.*')
    const computed = relation.column(name) === undefined ? functionOfRow(name, source, context) : undefined
    return computed === undefined
      ? ident('t', name)
      : frag`${ident(computed.schema, computed.name)}(t) as ${ident(name)}`
  })
  return list.length === 0 ? keyword('1') : join(list)
}

const changeSql = (request: Mutation, relation: Relation, returning: Fragment, context: DataContext): Fragment => {
  const table = frag`${ident(relation.schema, relation.name)} as t`
  switch (request.kind) {
    case 'insert':
      return insertSql(request, relation, table, returning, context)
    case 'replace':
      return replaceSql(request, relation, table, returning, context)
    case 'update':
      return updateSql(request, relation, table, returning, context)
    case 'delete': {
      const where = whereSql(request.returning.where, relation, context)
      return frag`delete from ${table}${where} returning ${returning}`
    }
  }
}

// --- insert

const insertSql = (
  request: Insert,
  relation: Relation,
  table: Fragment,
  returning: Fragment,
  context: DataContext,
): Fragment => {
  const { payload, conflict } = request
  const columns = requireColumns(payload, relation)
  const counts = columns.length > 0 && countsInserted(request)
  const rows = columns.length === 0 ? emptyRows(payload, relation) : filledRows(payload, columns, relation, context)
  const counted = counts ? frag` where ${countUp}` : empty
  return frag`insert into ${table} ${rows}${counted}${conflictSql(conflict, columns, relation, counts)} returning ${returning}`
}

/** `{}` writes a row of defaults, `[]` none. */
const emptyRows = (payload: Payload, relation: Relation): Fragment => {
  const elements: unknown = JSON.parse(payload.json)
  if (!Array.isArray(elements) || elements.length === 1) return keyword('default values')
  if (elements.length === 0) return noRows(relation)
  throw new DataError({ kind: 'not_implemented', what: 'Inserting several rows that have no columns' })
}

/** An insert of nothing still needs a column, one that may be written. */
const noRows = (relation: Relation): Fragment => {
  const column = relation.columns.find((each) => !each.generated && each.identity !== 'always')
  if (column === undefined) return keyword('select where false')
  return frag`(${ident(column.name)}) select null::${keyword(column.typeName)} where false`
}

const filledRows = (
  payload: Payload,
  columns: readonly Column[],
  relation: Relation,
  context: DataContext,
): Fragment => {
  const names = columns.map((column) => ident(column.name))
  const values = columns.map((column) => bodyValue(column, context))
  return frag`(${join(names)}) select ${join(values)} from ${bodyRows(payload, columns, relation, context)}`
}

const conflictSql = (
  conflict: Conflict | null,
  columns: readonly Column[],
  relation: Relation,
  counts: boolean,
): Fragment => {
  if (conflict === null) return empty
  const key = conflict.columns ?? relation.primaryKey
  for (const name of key) {
    if (relation.column(name) === undefined)
      throw unknownColumn(name, { alias: 't', name: '', relation, columns: relation.columns, row: empty })
  }
  if (key.length === 0) return empty
  const target = frag` on conflict (${join(key.map((name) => ident(name)))})`
  if (conflict.action === 'ignore' || columns.length === 0) return frag`${target} do nothing`
  const sets = columns.map(({ name }) => frag`${ident(name)} = excluded.${ident(name)}`)
  return frag`${target} do update set ${join(sets)}${counts ? frag` where ${countDown}` : empty}`
}

const replaceSql = (
  request: Replace,
  relation: Relation,
  table: Fragment,
  returning: Fragment,
  context: DataContext,
): Fragment => {
  const { payload, key } = request
  const columns = requireColumns(payload, relation)
  const source: Source = { alias: 'body', name: relation.name, relation, columns: relation.columns, row: ident('body') }
  const missing = relation.primaryKey.find((name) => !columns.some((column) => column.name === name))
  // Without its key in the body the row cannot match the one that the URL names.
  const where = missing === undefined ? exprSql(key, source, context) : keyword('false')
  const conflict = conflictSql({ columns: null, action: 'merge' }, columns, relation, true)
  if (columns.length === 0) return frag`insert into ${table} ${noRows(relation)} returning ${returning}`
  // Only what matches may count, in whatever order Postgres looks at conditions.
  const counted = frag`case when ${where} then ${countUp} else false end`
  return frag`insert into ${table} ${filledRows(payload, columns, relation, context)} where ${counted}${conflict} returning ${returning}`
}

// --- update and delete

const updateSql = (
  request: Update,
  relation: Relation,
  table: Fragment,
  returning: Fragment,
  context: DataContext,
): Fragment => {
  const columns = requireColumns(request.payload, relation)
  if (columns.length === 0) return frag`select ${returningNothing(returning, relation)} where false`
  const sets = columns.map((column) => frag`${ident(column.name)} = ${bodyValue(column, context)}`)
  const where = whereSql(request.returning.where, relation, context)
  return frag`update ${table} set ${join(sets)} from ${firstRow(request.payload, columns, relation, context)}${where} returning ${returning}`
}

/** Only the first object of a body changes anything. */
const firstRow = (payload: Payload, columns: readonly Column[], relation: Relation, context: DataContext): Fragment =>
  frag`(select body.* from ${bodyRows(payload, columns, relation, context)} limit 1) as body`

/** The columns of the answer, for a change that changes nothing. */
const returningNothing = (returning: Fragment, relation: Relation): Fragment =>
  frag`${returning} from ${ident(relation.schema, relation.name)} as t`

const whereSql = (where: Expr, relation: Relation, context: DataContext): Fragment => {
  if (where.kind === 'constant' && where.value === true) return empty
  const source: Source = { alias: 't', name: relation.name, relation, columns: relation.columns, row: ident('t') }
  return frag` where ${exprSql(where, source, context)}`
}

const exprSql = (expr: Expr, source: Source, context: DataContext): Fragment => {
  const typed = typedExpr(expr, source, context)
  return toSql(typed, {
    column: (field) => resolveName(field.name, source, context).sql,
    coerce: (field, constant) => {
      const read = representation(resolveName(field.name, source, context).column, 'from text', context)
      return read === null ? constant : frag`${read}(${constant})`
    },
  })
}

const typedExpr = (expr: Expr, source: Source, context: DataContext): Expr => {
  switch (expr.kind) {
    case 'and':
    case 'or':
      return { ...expr, items: expr.items.map((item) => typedExpr(item, source, context)) }
    case 'not':
      return { kind: 'not', item: typedExpr(expr.item, source, context) }
    case 'compare':
      return { ...expr, left: expr.left.kind === 'field' ? typedField(expr.left, source, context) : expr.left }
    default:
      return expr
  }
}
