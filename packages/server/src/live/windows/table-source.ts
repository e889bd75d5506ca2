/** Windows of plain tables: a dialect's conditions, an order and a limit as a source. Pure, from the catalogue. */
import type { Catalog, Relation } from '../../db/catalog/catalog.ts'
import { and, type Expr } from '../../expr/ast.ts'
import { comparisonOf } from '../../expr/values.ts'
import type { Caller } from '../../identity/caller.ts'
import { selectableColumns } from '../../policy/roles.ts'
import type { Condition } from '../condition.ts'
import { toExpr } from '../conditions.ts'
import { fieldType } from '../matcher.ts'
import { type OrderItem, readTable } from './reads.sql.ts'
import type { RowOrder, WindowSource } from './source.ts'

export type { OrderItem } from './reads.sql.ts'

export interface TableQuestion {
  readonly schema: string
  readonly table: string
  readonly conditions: readonly Condition[]
  /** A further condition on plain columns, with their types looked up. */
  readonly where?: Expr
  readonly order: readonly OrderItem[]
  readonly limit: number | null
  /** Null for every column that the caller may read. */
  readonly columns: readonly string[] | null
}

/** The source, or why there is none. Without an order of its own, a window is ordered by the primary key. */
export const tableSource = (question: TableQuestion, catalog: Catalog, caller: Caller): WindowSource | string => {
  const { schema, table, limit } = question
  const relation = catalog.relation(schema, table)
  if (relation === undefined || (relation.kind !== 'table' && relation.kind !== 'partitioned'))
    return 'the table does not exist'
  const { primaryKey } = relation
  if (primaryKey.length === 0) return 'the table has no primary key'
  const readable = selectableColumns(catalog, relation, caller.role)
  const conditions = toExpr(question.conditions, relation, readable)
  if (typeof conditions === 'string') return conditions
  const mayRead = (name: string) => relation.column(name) !== undefined && (readable === 'all' || readable.has(name))
  const order = [
    ...question.order,
    ...primaryKey
      .filter((column) => question.order.every((item) => item.column !== column))
      .map((column) => ({ column, descending: false, nullsFirst: false })),
  ]
  const wanted = question.columns ?? relation.columns.map(({ name }) => name).filter(mayRead)
  const columns = [...new Set([...wanted, ...order.map(({ column }) => column)])]
  const unknown = columns.find((name) => !mayRead(name))
  if (unknown !== undefined) return `invalid column ${unknown}`
  const where = and(question.where === undefined ? [conditions] : [conditions, question.where])
  return {
    schema,
    table,
    key: JSON.stringify([schema, table, where, order, limit, columns]),
    where,
    compare: rowOrder(order, relation),
    limit,
    keyColumns: primaryKey,
    orderColumns: order.map(({ column }) => column),
    columns,
    read: (count) => readTable({ schema, table, columns, where, order, count }),
  }
}

/** Collations whose order is the order of code points. That of `default` is the database's own, which may be a language's. */
const CODE_POINTS = new Set(['C', 'POSIX', 'ucs_basic', 'C.UTF-8', 'C.utf8', 'pg_c_utf8'])
const TEXTS = new Set(['text', 'character varying'])

type TextOrder = (left: string, right: string) => number | 'unsupported'

const rowOrder = (order: readonly OrderItem[], relation: Relation): RowOrder | null => {
  const steps = order.map(({ column, descending, nullsFirst }) => {
    const compare = textOrder(relation, column)
    return compare === null ? null : { column, compare, sign: descending ? -1 : 1, nulls: nullsFirst ? -1 : 1 }
  })
  const known = steps.filter((step) => step !== null)
  if (known.length < steps.length) return null
  return (left, right) => {
    for (const { column, compare, sign, nulls } of known) {
      const [a, b] = [left.cell(column), right.cell(column)]
      if (a === undefined || b === undefined) return 'unsupported'
      if (a === b) continue
      if (a === null || b === null) return a === null ? nulls : -nulls
      const difference = compare(a, b)
      if (difference === 'unsupported') return difference
      if (difference !== 0) return difference * sign
    }
    return 0
  }
}

/** How Postgres sorts a column's values, where JavaScript provably does the same. */
const textOrder = (relation: Relation, name: string): TextOrder | null => {
  const type = fieldType(relation.column(name))
  if (TEXTS.has(type.name)) return CODE_POINTS.has(type.collation ?? '') ? compareCodePoints : null
  const order = comparisonOf(type)?.order
  if (order === undefined) return null
  return (left, right) => {
    const [a, b] = [order(left), order(right)]
    if (a === undefined || b === undefined) return 'unsupported'
    return a < b ? -1 : a > b ? 1 : 0
  }
}

/** JavaScript compares UTF-16 units, in which what lies above U+FFFF comes before U+E000. */
const compareCodePoints = (left: string, right: string): number => Buffer.compare(Buffer.from(left), Buffer.from(right))
