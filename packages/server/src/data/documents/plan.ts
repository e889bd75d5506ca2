/** Turns a query into SQL: conditions that an index can find, the exact condition, what only JavaScript can decide, and the order. */

import { createHash } from 'node:crypto'
import { boxOf } from '../../expr/bson/geo.ts'
import { INDEX_KEY_BYTES, keyOf } from '../../expr/bson/key.ts'
import { allOf, type DocExpr, factsOf, type Leaf, TRUE } from '../../expr/bson/query.ts'
import { docSql, rangeOf } from '../../expr/bson/sql.ts'
import type { Value } from '../../expr/bson/value.ts'
import { type Fragment, frag, ident, join, keyword } from '../../sql/sql.ts'
import type { CollectionIndex } from './metadata.ts'
import { pathOf } from './paths.ts'
import type { OrderBy } from './requests.ts'
import { isNumberColumn, type Target } from './target.ts'

export interface Plan {
  /** The condition, as far as SQL can decide it. */
  readonly where: Fragment
  /** What is left to JavaScript. */
  readonly residual: DocExpr
}

export const planQuery = (target: Target, query: DocExpr): Plan => {
  const facts = factsOf(query)
  const { anchors, decided } = anchorsOf(target, facts)
  const rest = facts.filter((fact) => !decided.has(fact)).map((fact) => ({ fact, sql: docSql(fact, target.source) }))
  const conditions = [...anchors, ...rest.flatMap(({ sql }) => (sql === 'unsupported' ? [] : [sql]))]
  return {
    where: conditions.length === 0 ? keyword('true') : join(conditions, ' and '),
    residual: allOf(rest.flatMap(({ fact, sql }) => (sql === 'unsupported' ? [fact] : []))),
  }
}

export const isExact = (plan: Plan): boolean => plan.residual === TRUE

interface Anchors {
  readonly anchors: readonly Fragment[]
  /** Facts that the anchors decide completely. */
  readonly decided: ReadonlySet<DocExpr>
}

const NOTHING: Anchors = { anchors: [], decided: new Set() }

const anchorsOf = (target: Target, facts: readonly DocExpr[]): Anchors => {
  const leaves = facts.filter((fact): fact is Leaf => fact.kind === 'leaf')
  if (target.meta === null) return { ...NOTHING, anchors: keyAnchors(target, leaves) }
  const found = [
    ownerAnchors(leaves),
    bestIndex(target.meta.indexes, leaves),
    ...geoAnchors(target.meta.indexes, leaves),
  ]
  return {
    anchors: found.flatMap((each) => each.anchors),
    decided: new Set(found.flatMap((each) => [...each.decided])),
  }
}

/** Columns of their own with an index of their own. */
const ownerAnchors = (leaves: readonly Leaf[]): Anchors => {
  const owner = leaves.find((each) => each.path.length === 1 && each.path[0] === '_openid' && each.test.op === 'eq')
  const openid = owner?.test.op === 'eq' ? owner.test.value : null
  if (owner === undefined || typeof openid !== 'string') return NOTHING
  return { anchors: [frag`d._openid collate "C" = ${openid}::text`], decided: new Set([owner]) }
}

/** A relational table is found by its key. */
const keyAnchors = ({ key }: Target, leaves: readonly Leaf[]): readonly Fragment[] =>
  leaves.flatMap(({ path, test }) => {
    if (key === null || path.length !== 1 || path[0] !== '_id' || test.op !== 'eq') return []
    const { value } = test
    const fits = isNumberColumn(key) ? typeof value === 'number' : key.baseType === 'text' && typeof value === 'string'
    return fits ? [frag`d."$seq" = ${String(value)}::${keyword(key.baseType)}`] : []
  })

const sameField = (path: readonly string[], field: string): boolean => path.join('.') === field

/** The index that serves the most conditions, from its first field on. */
const bestIndex = (indexes: readonly CollectionIndex[], leaves: readonly Leaf[]): Anchors => {
  let best: { anchors: Anchors; score: number } = { anchors: NOTHING, score: 0 }
  for (const index of indexes) {
    const found = index.multikey ? multikeyAnchors(index, leaves) : columnAnchors(index, leaves)
    if (found.score > best.score) best = found
  }
  return best.anchors
}

interface Scored {
  readonly anchors: Anchors
  readonly score: number
}

/** Equalities on the first fields, then one range. */
const columnAnchors = (index: CollectionIndex, leaves: readonly Leaf[]): Scored => {
  const anchors: Fragment[] = []
  const decided = new Set<DocExpr>()
  let score = 0
  for (const [at, { field, direction }] of index.fields.entries()) {
    const column = frag`d.${keyColumn(index, at + 1)}`
    const here = direction === '2dsphere' ? [] : leaves.filter((leaf) => sameField(leaf.path, field))
    const equal = here.find((leaf) => equalValuesOf(leaf) !== null)
    const chosen = equal === undefined ? here.filter(isRangeLeaf) : [equal]
    for (const leaf of chosen) {
      const anchor = columnAnchor(column, leaf)
      anchors.push(anchor.sql)
      if (anchor.exact && !index.truncated) decided.add(leaf)
    }
    score += equal === undefined ? chosen.length : 3
    if (equal === undefined) break
  }
  return { anchors: { anchors, decided }, score }
}

const columnAnchor = (column: Fragment, leaf: Leaf): { readonly sql: Fragment; readonly exact: boolean } => {
  const values = equalValuesOf(leaf)
  if (values !== null) {
    const [only, ...others] = values.map(indexKey)
    const exact = !values.some((value) => Array.isArray(value))
    if (only !== undefined && others.length === 0) return { sql: frag`${column} = ${only}::bytea`, exact }
    return { sql: frag`${column} = any (${values.map(indexKey)}::bytea[])`, exact }
  }
  const bounds = boundsOf(leaf)
  if (bounds === null) return { sql: keyword('false'), exact: true }
  return {
    sql: frag`(${column} >= ${bounds.low}::bytea and ${column} < ${bounds.high}::bytea)`,
    exact: Math.max(bounds.low.length, bounds.high.length) <= INDEX_KEY_BYTES,
  }
}

/** Documents with arrays are found in the side table, the others in the column. The exact condition looks at both again. */
const multikeyAnchors = (index: CollectionIndex, leaves: readonly Leaf[]): Scored => {
  const [first] = index.fields
  const leaf = leaves.find((each) => first !== undefined && sameField(each.path, first.field) && isAnchorLeaf(each))
  if (first === undefined || first.direction === '2dsphere' || leaf === undefined) return { anchors: NOTHING, score: 0 }
  const column = frag`d.${keyColumn(index, 1)}`
  const values = equalValuesOf(leaf)
  const ranges =
    values === null
      ? [boundsOf(leaf)].filter((each) => each !== null)
      : values.map((value) => ({ low: indexKey(value), high: Buffer.concat([indexKey(value), Buffer.from([0])]) }))
  if (ranges.length === 0 || ranges.length > 20) return { anchors: NOTHING, score: 0 }
  const side = ranges.map(
    ({ low, high }) =>
      frag`d._id = any (array(select unnest(bson.index_documents(${index.id}::integer, 1, ${low}::bytea, ${high}::bytea))))`,
  )
  const sql = frag`(${columnAnchor(column, leaf).sql} or ${join(side, ' or ')})`
  return { anchors: { anchors: [sql], decided: new Set() }, score: 1 }
}

const isRangeLeaf = ({ test }: Leaf): boolean =>
  test.op === 'gt' || test.op === 'gte' || test.op === 'lt' || test.op === 'lte'

const isAnchorLeaf = (leaf: Leaf): boolean => isRangeLeaf(leaf) || equalValuesOf(leaf) !== null

const equalValuesOf = ({ test }: Leaf): readonly Value[] | null => {
  if (test.op === 'eq') return [test.value]
  return test.op === 'in' && test.patterns.length === 0 && test.values.length <= 1000 ? test.values : null
}

const boundsOf = ({ test }: Leaf): { readonly low: Buffer; readonly high: Buffer } | null => {
  if (test.op !== 'gt' && test.op !== 'gte' && test.op !== 'lt' && test.op !== 'lte') return null
  const range = rangeOf(test.op, test.value)
  if (range === null) return null
  const { low, high } = range
  // A bound that is longer than a stored key: everything that shares its beginning stays in.
  return {
    low: low.subarray(0, INDEX_KEY_BYTES),
    high:
      high.length <= INDEX_KEY_BYTES
        ? high
        : Buffer.concat([high.subarray(0, INDEX_KEY_BYTES), Buffer.alloc(33, 0xff)]),
  }
}

/** What the index column holds for a value. */
const indexKey = (value: Value): Buffer => {
  const key = keyOf(value)
  if (key.length <= INDEX_KEY_BYTES) return key
  return Buffer.concat([key.subarray(0, INDEX_KEY_BYTES), createHash('sha256').update(key).digest()])
}

const keyColumn = (index: CollectionIndex, place: number): Fragment => ident(`$k${index.id}_${place}`)

/** The box around what a geo condition can find. */
const geoAnchors = (indexes: readonly CollectionIndex[], leaves: readonly Leaf[]): readonly Anchors[] =>
  leaves.flatMap((leaf) => {
    if (leaf.test.op !== 'geo') return []
    const box = boxOf(leaf.test.geo)
    const index = indexes.find((each) =>
      each.fields.some((one) => one.direction === '2dsphere' && sameField(leaf.path, one.field)),
    )
    const place =
      index?.fields.findIndex((one) => one.direction === '2dsphere' && sameField(leaf.path, one.field)) ?? -1
    if (index === undefined || box === null) return []
    const side = (number: number): Fragment => frag`d.${ident(`$k${index.id}_${place + 1}_${number}`)}`
    // A point's box is the point; anything else counts as everywhere and begins at the south pole.
    const sql = frag`((${side(2)} >= ${box.south}::float8 and ${side(2)} <= ${box.north}::float8 and ${side(1)} >= ${box.west}::float8 and ${side(1)} <= ${box.east}::float8) or ${side(2)} = -90::float8)`
    return [{ anchors: [sql], decided: new Set<DocExpr>() }]
  })

/** The order as SQL; insertion order decides between equals. */
export const orderSql = (target: Target, order: readonly OrderBy[]): Fragment => {
  const terms = order.map(({ field, direction }) => {
    const way = keyword(direction === 1 ? 'asc' : 'desc')
    return frag`${sortValue(target, field, direction)} ${way}`
  })
  const last = keyword(order.at(-1)?.direction === -1 ? 'd."$seq" desc' : 'd."$seq" asc')
  return join([...terms, last])
}

const sortValue = (target: Target, field: string, direction: 1 | -1): Fragment => {
  const path = pathOf(field)
  for (const index of target.meta?.indexes ?? []) {
    const place = index.fields.findIndex((each) => each.field === field && each.direction !== '2dsphere')
    // Without arrays and cut keys, the column is the sort key.
    if (place >= 0 && !index.multikey && !index.truncated) return frag`d.${keyColumn(index, place + 1)}`
  }
  const root = target.source.root(path)
  return frag`bson.sort_key(${root.value}, ${root.path}::text[], ${keyword(String(direction === -1))})`
}
