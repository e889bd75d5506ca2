/**
 * Runs a pipeline: its first stages (match, sort, skip, limit, count) in the database, under the caller's role and an index when there is one;
 * the others here, over what the database chose, within limits. Past a limit the pipeline is refused, never cut short.
 */
import { distance, readPoint } from '../../../expr/bson/geo.ts'
import { type DocExpr, TRUE } from '../../../expr/bson/query.ts'
import {
  DateTime,
  type Doc,
  docOf,
  double,
  fieldOf,
  isDoc,
  isNumber,
  newDoc,
  toNumber,
  type Value,
} from '../../../expr/bson/value.ts'
import type { Caller } from '../../../identity/caller.ts'
import type { Clock } from '../../../kernel/clock.ts'
import { withOpenid } from '../access.ts'
import { type ExpressionTest, parseQuery } from '../parse-query.ts'
import { pathOf } from '../paths.ts'
import { countDocuments, type Reading, type ReadScope, readDocuments } from '../reading.ts'
import type { AggregateRequest, AggregateStage } from '../requests.ts'
import { type EngineContext, onCollection } from '../session.ts'
import { readAt, writeAt } from '../update/places.ts'
import { bad, isTruthy } from './expression.ts'
import { compileExpression } from './operators.ts'
import type { StageContext } from './pipeline.ts'
import { buildPipeline, countOf, sortOf } from './stages.ts'

/** Pairs of documents that the joins of one pipeline may look at. */
const JOIN_BUDGET = 20_000_000

/** `$expr` outside of pipelines. */
export const expressionTest =
  (clock: Clock): ExpressionTest =>
  (expression) => {
    const evaluate = compileExpression(expression)
    const variables = new Map([['NOW', new DateTime(clock.now())]])
    return (root) => isTruthy(evaluate({ root, variables }))
  }

export const aggregate = async (
  context: EngineContext,
  caller: Caller,
  request: AggregateRequest,
): Promise<readonly Doc[]> => {
  const { first, rest } = splitPipeline(context, caller, request.stages)
  const run = buildPipeline(rest)
  const onTarget = <T>(
    collection: string,
    reading: Reading,
    work: (scope: ReadScope, reading: Reading) => Promise<T>,
  ): Promise<T> =>
    onCollection(context, collection, async (target, checked) => {
      await context.access.check(caller, target, { operation: 'read', query: reading.query, data: undefined })
      return work({ context, caller, transaction: request.transaction, target, checked }, reading)
    })
  const read = (collection: string, reading: Reading) => onTarget(collection, reading, readDocuments)
  const stageContext: StageContext = {
    variables: new Map([['NOW', new DateTime(context.clock.now())]]),
    most: context.limits.documents,
    budget: { left: JOIN_BUDGET },
    source: (collection, query) =>
      read(collection, {
        ...EVERYTHING,
        query: parseQuery(withOpenid(caller, query), { expression: context.expression }),
      }),
  }
  const [next, ...others] = rest
  if (next?.name === '$count' && typeof next.value === 'string' && !first.measured) {
    // Counting is the database's own business.
    const total = await onTarget(request.collection, first.reading, countDocuments)
    return buildPipeline(others)(total === 0 ? [] : [docOf([[next.value, total]])], stageContext)
  }
  const documents = await read(request.collection, first.reading)
  return run(first.after(documents), stageContext)
}

const EVERYTHING: Reading = { query: TRUE, order: [], skip: 0, limit: null }

interface Split {
  readonly first: {
    readonly reading: Reading
    readonly measured: boolean
    readonly after: (documents: readonly Doc[]) => readonly Doc[]
  }
  readonly rest: readonly AggregateStage[]
}

/** How much of the pipeline one read of the database covers. Stages are taken in the order match, sort, skip, limit, each only while that order holds. */
const splitPipeline = (context: EngineContext, caller: Caller, stages: readonly AggregateStage[]): Split => {
  const [near] = stages
  if (near?.name === '$geoNear') return { first: nearest(context, caller, near.value), rest: stages.slice(1) }
  const conditions: Doc[] = []
  let reading = EVERYTHING
  let taken = 0
  for (const { name, value } of stages) {
    const next = takeStage(reading, name, value)
    if (next === null) break
    reading = next
    if (name === '$match' && isDoc(value)) conditions.push(value)
    taken += 1
  }
  const query: DocExpr =
    conditions.length === 0
      ? TRUE
      : parseQuery(withOpenid(caller, docOf([['$and', conditions]])), { expression: context.expression })
  return {
    first: { reading: { ...reading, query }, measured: false, after: (documents) => documents },
    rest: stages.slice(taken),
  }
}

/** The read with one more stage in it; null when it has to be done afterwards. */
const takeStage = (reading: Reading, name: string, value: Value): Reading | null => {
  const untouched = reading.skip === 0 && reading.limit === null
  switch (name) {
    case '$match':
      return isDoc(value) && untouched ? reading : null
    case '$sort':
      return untouched && reading.order.length === 0 ? { ...reading, order: sortOf(value) } : null
    case '$skip':
      return untouched ? { ...reading, skip: countOf(value, name) } : null
    case '$limit': {
      const limit = countOf(value, name)
      return limit > 0 && reading.limit === null ? { ...reading, limit } : null
    }
    default:
      return null
  }
}

/** `$geoNear`: the documents around a point, the nearest first, each with its distance. */
const nearest = (context: EngineContext, caller: Caller, value: Value): Split['first'] => {
  const option = (name: string): Value | undefined => (isDoc(value) ? fieldOf(value, name) : undefined)
  const [center, distanceField, key] = [readPoint(option('near')), option('distanceField'), option('key')]
  if (center === null || typeof distanceField !== 'string') throw bad("$geoNear requires 'near' and 'distanceField'")
  if (typeof key !== 'string') throw bad("$geoNear requires 'key', the field that holds the location")
  const near = newDoc()
  near.$geometry = option('near') ?? null
  for (const name of ['maxDistance', 'minDistance']) {
    const metres = option(name)
    if (metres !== undefined) near[`$${name}`] = metres
  }
  const query = option('query')
  const located = docOf([[key, docOf([['$nearSphere', near]])]])
  const both = docOf([['$and', isDoc(query) && Object.keys(query).length > 0 ? [located, query] : [located]]])
  const limit = option('limit') ?? option('num')
  const multiplier = option('distanceMultiplier')
  const factor = isNumber(multiplier) ? toNumber(multiplier) : 1
  const [path, keyPath, locs] = [pathOf(distanceField), pathOf(key), option('includeLocs')]
  const reading: Reading = {
    ...EVERYTHING,
    query: parseQuery(withOpenid(caller, both), { expression: context.expression }),
    limit: limit === undefined ? null : countOf(limit, '$geoNear'),
  }
  const measured = (doc: Doc): Doc => {
    const place = readAt(doc, keyPath)
    const point = readPoint(place)
    const metres = point === null ? 0 : distance(center, point)
    const withDistance = writeAt(doc, path, double(metres * factor))
    return typeof locs === 'string' && place !== undefined ? writeAt(withDistance, pathOf(locs), place) : withDistance
  }
  return { reading, measured: true, after: (documents) => documents.map(measured) }
}
