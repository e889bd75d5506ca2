/** Where a collection's documents lie: a table of its own in `cloud`, or a relational table seen as documents. */
import type { Catalog, Column, Relation } from '../../db/catalog/catalog.ts'
import type { Leaf } from '../../expr/bson/query.ts'
import type { DocSource } from '../../expr/bson/sql.ts'
import { type Fragment, frag, ident, join, keyword } from '../../sql/sql.ts'
import type { CollectionMeta } from './metadata.ts'

/** Documents as rows named `d`: `_id` and `_openid` as text, `doc` as jsonb, `"$seq"` in insertion order. */
export interface Target {
  readonly name: string
  readonly meta: CollectionMeta | null
  /** What follows `from`. */
  readonly from: Fragment
  readonly table: Fragment
  readonly source: DocSource
  /** For relational tables: the column that is the key, and the others. */
  readonly relation: Relation | null
  readonly key: Column | null
}

const ID: Fragment = keyword(`coalesce(d.doc -> '_id', to_jsonb(d._id))`)

/** Columns stand for `_id` and `_openid`; everything else lies in `doc`. */
const SOURCE: DocSource = {
  root: ([first = '', ...rest]) => {
    if (first === '_id') return { value: ID, path: rest }
    if (first === '_openid') return { value: keyword('to_jsonb(d._openid)'), path: rest }
    if (first === '') return { value: keyword('bson.root(d._id, d._openid, d.doc)'), path: [] }
    return { value: keyword('d.doc'), path: [first, ...rest] }
  },
  column: (leaf) => idTest(leaf),
}

/** The key without a look into the document. */
const idTest = ({ path, test }: Leaf): Fragment | undefined => {
  if (path.length !== 1 || path[0] !== '_id') return undefined
  const values = test.op === 'eq' ? [test.value] : test.op === 'in' && test.patterns.length === 0 ? test.values : null
  if (values === null || values.length === 0) return undefined
  const texts = values.filter((value) => typeof value === 'string')
  const numbers = values.filter((value) => typeof value === 'number')
  if (texts.length + numbers.length < values.length) return undefined
  return frag`(d._id = any (${texts}::text[]) and d.doc -> '_id' is null or d._id = any (${numbers.map(String)}::text[]) and d.doc -> '_id' is not null)`
}

export const collectionTarget = (meta: CollectionMeta): Target => {
  const table = ident('cloud', meta.name)
  return { name: meta.name, meta, table, from: frag`${table} as d`, source: SOURCE, relation: null, key: null }
}

/** A relational table as a collection; null when it has no key of one column. */
export const relationTarget = (catalog: Catalog, schemas: readonly string[], name: string): Target | null => {
  const relation = schemas
    .filter((schema) => schema !== 'cloud')
    .map((schema) => catalog.relation(schema, name))
    .find((each) => each !== undefined)
  const [only, ...more] = relation?.primaryKey ?? []
  const key = only === undefined || more.length > 0 ? undefined : relation?.column(only)
  if (relation === undefined || key === undefined) return null
  const table = ident(relation.schema, relation.name)
  const openid = relation.column('_openid')
  const from = frag`(
    select t.${ident(key.name)}::text as _id,
           ${openid === undefined ? keyword('null::text') : frag`t._openid::text`} as _openid,
           ${rowDocument(relation, key)} as doc,
           t.${ident(key.name)} as "$seq"
      from ${table} as t) as d`
  return { name, meta: null, table, from, source: SOURCE, relation, key }
}

const NUMBERS = new Set(['smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision'])
const INSTANTS = new Set(['timestamp with time zone', 'timestamp without time zone'])

export const isNumberColumn = (column: Column): boolean => NUMBERS.has(column.baseType)
export const isInstantColumn = (column: Column): boolean => INSTANTS.has(column.baseType)

/** A row as a document: instants become dates, a numeric key stays a number, and SQL's null is null. */
const rowDocument = (relation: Relation, key: Column): Fragment => {
  const instants = relation.columns.filter(isInstantColumn).map((column) => {
    const zone = column.baseType === 'timestamp with time zone' ? '' : ` at time zone 'UTC'`
    const value = frag`t.${ident(column.name)}${keyword(zone)}`
    return frag`jsonb_build_object(${column.name}::text, case when t.${ident(column.name)} is not null then jsonb_build_object('$date', floor(extract(epoch from ${value}) * 1000)::bigint) end)`
  })
  const id = isNumberColumn(key) ? [frag`jsonb_build_object('_id', t.${ident(key.name)})`] : []
  return join([frag`(to_jsonb(t.*) - array['_id', '_openid'])`, ...instants, ...id], ' || ')
}
