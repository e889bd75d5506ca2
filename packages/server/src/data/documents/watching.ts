/** What `live/` needs to follow a query: where its documents lie, how to read them, and how to tell from a row whether it belongs, and where. */
import type { Column } from '../../db/catalog/catalog.ts'
import { matches } from '../../expr/bson/match.ts'
import { compareDocuments } from '../../expr/bson/order.ts'
import type { DocExpr } from '../../expr/bson/query.ts'
import { DateTime, type Doc, newDoc, type Value } from '../../expr/bson/value.ts'
import type { Caller } from '../../identity/caller.ts'
import type { Json } from '../../kernel/json.ts'
import { type Fragment, frag, ident, join, keyword, type Statement, statement } from '../../sql/sql.ts'
import { owned, withOpenid } from './access.ts'
import { fromJson } from './ejson.ts'
import { DocumentError } from './errors.ts'
import { parseQuery } from './parse-query.ts'
import { isExact, orderSql, type Plan, planQuery } from './plan.ts'
import { orderTerms } from './reading.ts'
import type { FindRequest, OrderBy } from './requests.ts'
import { type EngineContext, onCollection } from './session.ts'
import { documentOf } from './stored.ts'
import { isInstantColumn, isNumberColumn, type Target } from './target.ts'

export type WatchRequest = Pick<FindRequest, 'collection' | 'query' | 'order' | 'limit'>

/** A row's columns: Postgres's text form, null for SQL null, undefined for what is not known. */
export type Cells = (column: string) => string | null | undefined

/** A query that can be followed. Rows are told as text by column. */
export interface WatchPlan {
  readonly schema: string
  readonly table: string
  /** Identifies the question: the same for the same caller. */
  readonly question: string
  readonly columns: readonly string[]
  /** Identifies a document. */
  readonly keyColumn: string
  /** Orders documents that are equal otherwise, and is unique. */
  readonly sequence: { readonly column: string; readonly numeric: boolean; readonly descending: boolean }
  /** Whether documents have an order beside the sequence. */
  readonly ordered: boolean
  /** All of `columns`, in order, at most `count` rows. */
  read(count: number | null): Statement
  /** The document of a row. `toJson` turns a column's text into JSON. */
  document(cells: Cells, toJson: (column: string, text: string) => Json): Doc
  matches(doc: Doc): boolean
  compare(left: Doc, right: Doc): number
}

/** Throws DocumentError: for the permission, for what cannot be followed, for what is no query. */
export const planWatch = async (context: EngineContext, caller: Caller, request: WatchRequest): Promise<WatchPlan> => {
  const query = parseQuery(withOpenid(caller, request.query), { expression: context.expression })
  const order = request.order ?? []
  return onCollection(context, request.collection, async (target) => {
    await context.access.check(caller, target, { operation: 'read', query, data: undefined })
    const whole = owned(caller, target, query, 'read')
    const plan = planQuery(target, whole)
    if (!isExact(plan)) throw new DocumentError('unsupported', 'a query with these operators cannot be watched')
    const question = JSON.stringify([request.collection, request.query, order, request.limit])
    const parts = { target, plan, order, whole, question }
    return target.relation === null ? documentPlan(parts) : rowPlan(parts)
  })
}

interface Parts {
  readonly target: Target
  readonly plan: Plan
  readonly order: readonly OrderBy[]
  readonly whole: DocExpr
  readonly question: string
}

const common = ({ order, whole, question }: Parts) => ({
  question,
  ordered: order.length > 0,
  matches: (doc: Doc) => matches(whole, doc),
  compare: compareDocuments(orderTerms(order)),
})

/** Among equals, as the last step of the order goes: the latest come first when the order goes down. */
const descends = ({ order }: Parts): boolean => order.at(-1)?.direction === -1

const STORED = ['_id', '_openid', 'doc', '$seq'] as const

const documentPlan = (parts: Parts): WatchPlan => ({
  ...common(parts),
  schema: 'cloud',
  table: parts.target.name,
  columns: STORED,
  keyColumn: '_id',
  sequence: { column: '$seq', numeric: true, descending: descends(parts) },
  read: (count) =>
    readPlan(
      parts,
      STORED.map((name) => frag`d.${ident(name)}`),
      count,
    ),
  document: (cells) =>
    documentOf({ _id: cells('_id') ?? '', _openid: cells('_openid') ?? null, doc: cells('doc') ?? '{}' }),
})

const readPlan = ({ target, plan, order }: Parts, columns: readonly Fragment[], count: number | null): Statement =>
  statement(
    'documents.watch',
    frag`select ${join(columns)} from ${target.from} where ${plan.where} order by ${orderSql(target, order)}${
      count === null ? keyword('') : frag` limit ${count}::bigint`
    }`,
  )

/** A relational table as a collection: every column is a field, `_id` is the key. */
const rowPlan = (parts: Parts): WatchPlan => {
  const { relation, key, from, table } = parts.target
  if (relation === null || key === null) throw new DocumentError('unsupported', 'this table has no key')
  const names = relation.columns.map(({ name }) => name)
  const joined = frag`${from} join ${table} as shown on shown.${ident(key.name)} = d."$seq"`
  const target = { ...parts.target, from: joined }
  return {
    ...common(parts),
    schema: relation.schema,
    table: relation.name,
    columns: names,
    keyColumn: key.name,
    sequence: { column: key.name, numeric: isNumberColumn(key), descending: descends(parts) },
    read: (count) =>
      readPlan(
        { ...parts, target },
        names.map((name) => frag`shown.${ident(name)}`),
        count,
      ),
    document: (cells, toJson) => rowDocument(relation.columns, key, cells, toJson),
  }
}

const rowDocument = (
  columns: readonly Column[],
  key: Column,
  cells: Cells,
  toJson: (column: string, text: string) => Json,
): Doc => {
  const doc = newDoc()
  for (const column of columns) {
    const text = cells(column.name)
    if (text === undefined) continue
    doc[column.name] = text === null ? null : fieldValue(column, toJson(column.name, text))
  }
  const id = cells(key.name) ?? ''
  doc._id = isNumberColumn(key) ? Number(id) : id
  return doc
}

const fieldValue = (column: Column, json: Json): Value => {
  if (isInstantColumn(column) && typeof json === 'string') {
    const zoned = column.baseType === 'timestamp with time zone' ? json : `${json}Z`
    const millis = Date.parse(zoned)
    if (!Number.isNaN(millis)) return new DateTime(Math.floor(millis))
  }
  return fromJson(json)
}
