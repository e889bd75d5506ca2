/** All stages, in one table. Each is read completely before anything runs. */
import { compareDocuments } from '../../../expr/bson/order.ts'
import {
  type Doc,
  docOf,
  fieldOf,
  isArray,
  isDoc,
  isNumber,
  long,
  newDoc,
  toNumber,
  type Value,
} from '../../../expr/bson/value.ts'
import { DocumentError } from '../errors.ts'
import { pathOf } from '../paths.ts'
import { orderTerms } from '../reading.ts'
import type { AggregateStage, OrderBy } from '../requests.ts'
import { readAt, removeAt, writeAt } from '../update/places.ts'
import { bad } from './expression.ts'
import { bucketAutoStage, bucketStage, countStage, groupStage, sortByCountStage } from './group.ts'
import { lookupStage } from './join.ts'
import { matchStage, type Stage, scopeOf, within } from './pipeline.ts'
import { addShape, projectShape, replaceShape, type Shape, unsetShape } from './shape.ts'

const MAX_STAGES = 200
const MAX_NESTING = 5

const shaped =
  (shape: Shape): Stage =>
  (documents, context) =>
    documents.map((doc) => shape(doc, scopeOf(doc, context)))

/** A whole number, not negative. */
export const countOf = (value: Value, name: string): number => {
  const count = isNumber(value) ? toNumber(value) : Number.NaN
  if (!Number.isSafeInteger(count) || count < 0)
    throw bad(`invalid argument to ${name} stage: a whole number is wanted, not negative`)
  return count
}

/** `{a: 1, b: -1}` */
export const sortOf = (value: Value): readonly OrderBy[] => {
  if (!isDoc(value) || Object.keys(value).length === 0) throw bad('$sort stage must have at least one sort key')
  return Object.entries(value).map(([field, way]) => {
    const direction = isNumber(way) ? toNumber(way) : 0
    if (direction !== 1 && direction !== -1)
      throw bad('$sort key ordering must be 1 (for ascending) or -1 (for descending)')
    pathOf(field)
    return { field, direction }
  })
}

const sortStage = (value: Value): Stage => {
  const compare = compareDocuments(orderTerms(sortOf(value)))
  return (documents) => [...documents].sort(compare)
}

const limitStage = (value: Value): Stage => {
  const count = countOf(value, '$limit')
  if (count === 0) throw bad('the limit must be positive')
  return (documents) => documents.slice(0, count)
}

/** Every document has the same chance, whatever the order. */
const sampleStage = (value: Value): Stage => {
  const size = isDoc(value) ? fieldOf(value, 'size') : undefined
  const count = countOf(size ?? null, '$sample')
  return (documents) => {
    const pool = [...documents]
    const wanted = Math.min(count, pool.length)
    for (let at = 0; at < wanted; at += 1) {
      const other = at + Math.floor(Math.random() * (pool.length - at))
      const [here, there] = [pool[at], pool[other]]
      if (here !== undefined && there !== undefined) [pool[at], pool[other]] = [there, here]
    }
    return pool.slice(0, wanted)
  }
}

const unwindStage = (value: Value): Stage => {
  const spec = isDoc(value) ? value : docOf([['path', value]])
  const [path, index] = [fieldOf(spec, 'path'), fieldOf(spec, 'includeArrayIndex')]
  if (typeof path !== 'string' || !path.startsWith('$') || path.length < 2)
    throw bad("path option to $unwind stage should be prefixed with a '$'")
  if (index !== undefined && (typeof index !== 'string' || index.startsWith('$')))
    throw bad('includeArrayIndex must be the name of a field')
  const steps = pathOf(path.slice(1))
  const indexPath = typeof index === 'string' ? pathOf(index) : null
  const keep = fieldOf(spec, 'preserveNullAndEmptyArrays') === true
  const numbered = (doc: Doc, place: number | null): Doc =>
    indexPath === null ? doc : writeAt(doc, indexPath, place === null ? null : long(BigInt(place)))
  return (documents, context) => {
    const unwound: Doc[] = []
    for (const doc of documents) {
      const array = readAt(doc, steps)
      if (isArray(array) && array.length > 0) {
        for (const [place, item] of array.entries()) unwound.push(numbered(writeAt(doc, steps, item), place))
        within(unwound, context)
      } else if (!isArray(array) && array !== undefined && array !== null) unwound.push(numbered(doc, null))
      else if (keep) unwound.push(numbered(isArray(array) ? removeAt(doc, steps) : doc, null))
    }
    return unwound
  }
}

const facetStage = (value: Value, nesting: number): Stage => {
  if (!isDoc(value)) throw bad('the $facet specification must be an object')
  const facets = Object.entries(value).map(([name, stages]) => [name, pipelineOf(stages, nesting + 1)] as const)
  return async (documents, context) => {
    const result = newDoc()
    for (const [name, run] of facets) result[name] = [...(await run(documents, context))]
    return [result]
  }
}

/** A pipeline inside a stage. */
const pipelineOf = (stages: Value, nesting: number): Stage => {
  if (!isArray(stages)) throw bad('a pipeline must be an array of stages')
  const read = stages.map((stage) => {
    const [entry, ...others] = isDoc(stage) ? Object.entries(stage) : []
    if (entry === undefined || others.length > 0) throw bad('a pipeline stage must be an object with one field')
    return { name: entry[0], value: entry[1] }
  })
  return buildPipeline(read, nesting)
}

/** Stages one after the other. */
export const buildPipeline = (stages: readonly AggregateStage[], nesting = 0): Stage => {
  if (stages.length > MAX_STAGES) throw bad(`a pipeline has at most ${MAX_STAGES} stages`)
  if (nesting > MAX_NESTING) throw bad(`pipelines may be nested ${MAX_NESTING} levels deep`)
  const built = stages.map((stage) => buildStage(stage, nesting))
  return async (documents, context) => {
    let current = within(documents, context)
    for (const run of built) current = within(await run(current, context), context)
    return current
  }
}

const buildStage = ({ name, value }: AggregateStage, nesting: number): Stage => {
  switch (name) {
    case '$addFields':
    case '$set':
      return shaped(addShape(value))
    case '$bucket':
      return bucketStage(value)
    case '$bucketAuto':
      return bucketAutoStage(value)
    case '$count':
      return countStage(value)
    case '$facet':
      return facetStage(value, nesting)
    case '$geoNear':
      throw bad('$geoNear is only valid as the first stage in a pipeline')
    case '$group':
      return groupStage(value)
    case '$limit':
      return limitStage(value)
    case '$lookup':
      return lookupStage(value, (stages) => pipelineOf(stages, nesting + 1))
    default:
      return otherStage(name, value)
  }
}

const otherStage = (name: string, value: Value): Stage => {
  switch (name) {
    case '$match':
      if (!isDoc(value)) throw bad('the match filter must be an expression in an object')
      return matchStage(value)
    case '$project':
      return shaped(projectShape(value))
    case '$replaceRoot':
      return shaped(replaceShape(value))
    case '$replaceWith':
      return shaped(replaceShape(docOf([['newRoot', value]])))
    case '$sample':
      return sampleStage(value)
    case '$skip': {
      const count = countOf(value, '$skip')
      return (documents) => documents.slice(count)
    }
    case '$sort':
      return sortStage(value)
    case '$sortByCount':
      return sortByCountStage(value)
    case '$unset':
      return shaped(unsetShape(value))
    case '$unwind':
      return unwindStage(value)
    default:
      throw new DocumentError('invalid_operator', `Unrecognized pipeline stage name: '${name}'`)
  }
}
