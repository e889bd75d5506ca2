/** Reads documents: in one statement when SQL can decide everything, else as a stream of candidates that JavaScript decides about. */
import { distanceTo } from '../../expr/bson/geo.ts'
import { matches } from '../../expr/bson/match.ts'
import { compareDocuments, type OrderTerm } from '../../expr/bson/order.ts'
import { reach } from '../../expr/bson/path.ts'
import { type DocExpr, factsOf } from '../../expr/bson/query.ts'
import type { Doc } from '../../expr/bson/value.ts'
import type { Caller } from '../../identity/caller.ts'
import { type Fragment, frag, keyword, type Statement, statement } from '../../sql/sql.ts'
import { owned, withOpenid } from './access.ts'
import { DocumentError } from './errors.ts'
import { parseQuery } from './parse-query.ts'
import { pathOf } from './paths.ts'
import { isExact, orderSql, type Plan, planQuery } from './plan.ts'
import { parseProjection } from './project.ts'
import type { CountRequest, FindRequest, OrderBy } from './requests.ts'
import { type Batch, storedRow } from './runner.ts'
import { type Checked, type EngineContext, onCollection } from './session.ts'
import { documentOf, type StoredRow } from './stored.ts'
import type { Target } from './target.ts'

/** Everything that a read needs, read once. */
export interface Reading {
  readonly query: DocExpr
  readonly order: readonly OrderBy[]
  readonly skip: number
  readonly limit: number | null
}

const ROW = keyword('d._id, d._openid, d.doc::text')

/** Documents of one page, or all of them up to the engine's limit. */
export const find = async (context: EngineContext, caller: Caller, request: FindRequest): Promise<readonly Doc[]> => {
  const project = parseProjection(request.projection ?? {})
  const reading = readingOf(context, caller, request)
  const found = await onCollection(context, request.collection, async (target, checked) => {
    await context.access.check(caller, target, { operation: 'read', query: reading.query, data: undefined })
    return readDocuments({ context, caller, transaction: request.transaction, target, checked }, reading)
  })
  return found.map(project)
}

/** How a read reaches the database. */
export interface ReadScope {
  readonly context: EngineContext
  readonly caller: Caller
  readonly transaction: string | undefined
  readonly target: Target
  readonly checked: Checked
}

/** More than a page is read in portions, so that the limit on bytes is seen before the memory is full. */
const PAGE_ROWS = 1000

export const readDocuments = async (scope: ReadScope, reading: Reading): Promise<readonly Doc[]> => {
  const plan = planQuery(scope.target, owned(scope.caller, scope.target, reading.query, 'read'))
  const page = reading.limit !== null && reading.limit <= PAGE_ROWS
  if (page && isExact(plan) && nearOf(reading.query) === null)
    return (await readPage(scope, plan, reading)).map(documentOf)
  const wanted = reading.order.length === 0 && nearOf(reading.query) === null ? endOf(reading) : null
  const documents = await stream(scope, plan, wanted)
  const sorted = sortDocuments(documents, reading)
  return sorted.slice(reading.skip, endOf(reading) ?? undefined)
}

const endOf = ({ skip, limit }: Reading): number | null => (limit === null ? null : skip + limit)

const readingOf = (context: EngineContext, caller: Caller, request: FindRequest): Reading => ({
  query: parseQuery(withOpenid(caller, request.query), { expression: context.expression }),
  order: (request.order ?? []).map(checkedOrder),
  skip: wholeNumber(request.skip ?? 0, 'skip'),
  limit: request.limit === null ? null : wholeNumber(request.limit, 'limit'),
})

const checkedOrder = (order: OrderBy): OrderBy => {
  pathOf(order.field)
  return order
}

const wholeNumber = (value: number, what: string): number => {
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new DocumentError('invalid_param', `${what} must be a whole number, not negative`)
}

/** One statement. */
const readPage = async (scope: ReadScope, plan: Plan, reading: Reading): Promise<readonly StoredRow[]> => {
  const { context, caller, transaction, target, checked } = scope
  const main = statement(
    'documents.find',
    frag`select ${ROW} from ${target.from} where ${plan.where} order by ${orderSql(target, reading.order)} limit ${reading.limit}::bigint offset ${reading.skip}::bigint`,
  )
  const runner = context.runner(transaction)
  const [result] = await checked((statements) => runner.read(caller, statements), [main])
  return (result?.rows ?? []).map(storedRow)
}

const tooMany = (most: number): DocumentError =>
  new DocumentError('result_too_large', `more than ${most} documents would have to be held in memory`)

const STREAM_ROWS = 1000

/** Candidates in insertion order, those that match; ends early once `wanted` were found. */
const stream = async (scope: ReadScope, plan: Plan, wanted: number | null): Promise<readonly Doc[]> => {
  const { context, caller, transaction, target, checked } = scope
  const found: Doc[] = []
  await context.runner(transaction).snapshot(caller, async (batch) => {
    await checked(batch, [])
    let bytes = 0
    for await (const row of candidates(batch, target, plan.where)) {
      const doc = documentOf(row)
      if (!matches(plan.residual, doc)) continue
      found.push(doc)
      bytes += row.doc.length
      if (found.length > context.limits.documents || bytes > context.limits.bytes)
        throw tooMany(context.limits.documents)
      if (found.length === wanted) return
    }
  })
  return found
}

/** Rows in insertion order, a thousand at a time. `lock` keeps them for a change. */
export async function* candidates(
  batch: Batch,
  target: Target,
  where: Fragment,
  lock: Fragment = keyword(''),
): AsyncGenerator<StoredRow & { readonly seq: string }> {
  let after: string | null = null
  for (;;) {
    const [result] = await batch([candidatePage(target, where, after, lock)])
    const rows = result?.rows ?? []
    for (const row of rows) {
      after = row[3] ?? null
      yield { ...storedRow(row), seq: after ?? '' }
    }
    if (rows.length < STREAM_ROWS) return
  }
}

const candidatePage = (target: Target, where: Fragment, after: string | null, lock: Fragment): Statement => {
  const type = keyword(target.key?.baseType ?? 'bigint')
  const beyond = after === null ? keyword('true') : frag`d."$seq" > ${after}::${type}`
  return statement(
    'documents.candidates',
    frag`select ${ROW}, d."$seq"::text from ${target.from} where ${where} and ${beyond} order by d."$seq" limit ${keyword(String(STREAM_ROWS))} ${lock}`,
  )
}

interface Near {
  readonly path: readonly string[]
  readonly center: readonly [number, number]
}

/** `geoNear` among the conditions: then the nearest come first. */
const nearOf = (query: DocExpr): Near | null => {
  for (const fact of factsOf(query)) {
    if (fact.kind === 'leaf' && fact.test.op === 'geo' && fact.test.geo.kind === 'near')
      return { path: fact.path, center: fact.test.geo.center }
  }
  return null
}

/** In the wanted order; without one the nearest first, or as they were inserted. */
const sortDocuments = (documents: readonly Doc[], { query, order }: Reading): readonly Doc[] => {
  if (order.length > 0) return [...documents].sort(compareDocuments(orderTerms(order)))
  const near = nearOf(query)
  if (near === null) return documents
  return documents
    .map((doc) => ({ doc, metres: nearestMetres(doc, near) }))
    .sort((a, b) => a.metres - b.metres)
    .map(({ doc }) => doc)
}

const nearestMetres = (doc: Doc, { path, center }: Near): number =>
  Math.min(...reach(doc, path, true).map((value) => distanceTo(center, value) ?? Number.POSITIVE_INFINITY))

export const orderTerms = (order: readonly OrderBy[]): readonly OrderTerm[] =>
  order.map(({ field, direction }) => ({ path: pathOf(field), direction }))

/** How many match. */
export const count = async (context: EngineContext, caller: Caller, request: CountRequest): Promise<number> => {
  const reading = readingOf(context, caller, { ...request, limit: request.limit ?? null })
  return onCollection(context, request.collection, async (target, checked) => {
    await context.access.check(caller, target, { operation: 'read', query: reading.query, data: undefined })
    return countDocuments({ context, caller, transaction: request.transaction, target, checked }, reading)
  })
}

/** How many documents a read would answer. */
export const countDocuments = async (scope: ReadScope, reading: Reading): Promise<number> => {
  const plan = planQuery(scope.target, owned(scope.caller, scope.target, reading.query, 'read'))
  if (isExact(plan)) return countRows(scope, plan, reading)
  const found = await stream(scope, plan, endOf(reading))
  return found.slice(reading.skip, endOf(reading) ?? undefined).length
}

const countRows = async (scope: ReadScope, plan: Plan, { skip, limit }: Reading): Promise<number> => {
  const { context, caller, transaction, target, checked } = scope
  const page =
    limit === null && skip === 0
      ? keyword('')
      : frag` limit ${limit === null ? null : limit}::bigint offset ${skip}::bigint`
  const main = statement(
    'documents.count',
    frag`select count(*) from (select 1 from ${target.from} where ${plan.where}${page}) as found`,
  )
  const runner = context.runner(transaction)
  const [result] = await checked((statements) => runner.read(caller, statements), [main])
  return Number(result?.rows[0]?.[0] ?? 0)
}
