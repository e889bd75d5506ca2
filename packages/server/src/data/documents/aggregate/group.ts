/** The stages that bring documents together: group, bucket, bucketAuto, sortByCount and count. */
import { compareValues } from '../../../expr/bson/compare.ts'
import { keyOf } from '../../../expr/bson/key.ts'
import { type Doc, docOf, fieldOf, isArray, isDoc, isNumber, toNumber, type Value } from '../../../expr/bson/value.ts'
import { DocumentError } from '../errors.ts'
import { ACCUMULATORS, type Accumulator } from './accumulators.ts'
import { bad, type Evaluate, failed, type Maybe } from './expression.ts'
import { compileExpression } from './operators.ts'
import { type Stage, type StageContext, scopeOf } from './pipeline.ts'

interface Output {
  readonly field: string
  readonly make: () => Accumulator
  readonly evaluate: Evaluate
}

/** `{total: {$sum: '$n'}, …}` */
const outputsOf = (spec: Doc): readonly Output[] =>
  Object.entries(spec).flatMap(([field, value]) => {
    if (field === '_id') return []
    const [entry, ...others] = isDoc(value) ? Object.entries(value) : []
    if (entry === undefined || others.length > 0) throw bad(`The field '${field}' must be an accumulator object`)
    if (field.includes('.') || field.startsWith('$')) throw bad(`The field name '${field}' cannot be used in a group`)
    const [name, argument] = entry
    if (name === '$count') return [{ field, make: counter, evaluate: () => 1 }]
    const make = Object.hasOwn(ACCUMULATORS, name) ? ACCUMULATORS[name] : undefined
    if (make === undefined) throw new DocumentError('invalid_operator', `unknown group operator '${name}'`)
    const [only, ...more] = isArray(argument) ? argument : [argument]
    // One argument may stand in an array of its own.
    const single = isArray(argument) && more.length === 0 && only !== undefined ? only : argument
    return [{ field, make, evaluate: compileExpression(single) }]
  })

const counter = (): Accumulator => {
  let count = 0
  return {
    take: () => {
      count += 1
    },
    result: () => count,
  }
}

interface Group {
  readonly id: Value
  readonly accumulators: readonly Accumulator[]
}

const newGroup = (id: Value, outputs: readonly Output[]): Group => ({
  id,
  accumulators: outputs.map(({ make }) => make()),
})

const take = (group: Group, outputs: readonly Output[], doc: Doc, context: StageContext): void => {
  for (const [index, { evaluate }] of outputs.entries())
    group.accumulators[index]?.take(evaluate(scopeOf(doc, context)))
}

const resultOf = ({ id, accumulators }: Group, outputs: readonly Output[]): Doc =>
  docOf([['_id', id], ...outputs.map(({ field }, index) => [field, accumulators[index]?.result() ?? null] as const)])

/** Groups in the order in which their first documents came. */
export const groupStage = (value: Value): Stage => {
  const id = isDoc(value) ? fieldOf(value, '_id') : undefined
  if (!isDoc(value) || id === undefined) throw bad('a group specification must include an _id')
  const [idOf, outputs] = [compileExpression(id), outputsOf(value)]
  return (documents, context) => {
    const groups = new Map<string, Group>()
    for (const doc of documents) {
      const group = groupOf(groups, idOf(scopeOf(doc, context)), outputs)
      take(group, outputs, doc, context)
    }
    return [...groups.values()].map((group) => resultOf(group, outputs))
  }
}

const groupOf = (groups: Map<string, Group>, id: Maybe, outputs: readonly Output[]): Group => {
  const key = keyOf(id).toString('latin1')
  const known = groups.get(key)
  if (known !== undefined) return known
  const made = newGroup(id ?? null, outputs)
  groups.set(key, made)
  return made
}

const COUNT: Doc = docOf([['count', docOf([['$sum', 1]])]])

/** `output` of the buckets; without one they are counted. */
const bucketOutputs = (spec: Doc): readonly Output[] => {
  const output = fieldOf(spec, 'output')
  if (output !== undefined && !isDoc(output)) throw bad("the 'output' of a bucket must be an object")
  return outputsOf(output ?? COUNT)
}

export const bucketStage = (value: Value): Stage => {
  const [groupBy, boundaries] = isDoc(value) ? [fieldOf(value, 'groupBy'), fieldOf(value, 'boundaries')] : []
  if (!isDoc(value) || groupBy === undefined || !isArray(boundaries) || boundaries.length < 2)
    throw bad("$bucket requires 'groupBy' and 'boundaries' of at least two values")
  const ascending = boundaries.slice(1).every((bound, index) => compareValues(boundaries[index], bound) < 0)
  if (!ascending) throw bad("The 'boundaries' option to $bucket must be sorted")
  const [evaluate, outputs, fallback] = [compileExpression(groupBy), bucketOutputs(value), fieldOf(value, 'default')]
  return (documents, context) => {
    const groups = new Map<string, Group>()
    for (const doc of documents) {
      const id = bucketOf(boundaries, evaluate(scopeOf(doc, context))) ?? fallback
      if (id === undefined) throw failed('$bucket could not place a document, and no default was specified')
      take(groupOf(groups, id, outputs), outputs, doc, context)
    }
    return [...groups.values()].sort((a, b) => compareValues(a.id, b.id)).map((group) => resultOf(group, outputs))
  }
}

const bucketOf = (boundaries: readonly Value[], value: Maybe): Value | undefined => {
  const last = boundaries.at(-1)
  if (last === undefined || compareValues(value, last) >= 0) return undefined
  return boundaries.findLast((bound) => compareValues(bound, value) <= 0)
}

export const bucketAutoStage = (value: Value): Stage => {
  const [groupBy, buckets] = isDoc(value) ? [fieldOf(value, 'groupBy'), fieldOf(value, 'buckets')] : []
  const wanted = isNumber(buckets) ? toNumber(buckets) : 0
  if (!isDoc(value) || groupBy === undefined || !Number.isInteger(wanted) || wanted < 1)
    throw bad("$bucketAuto requires 'groupBy' and a positive whole number of 'buckets'")
  if (fieldOf(value, 'granularity') !== undefined)
    throw new DocumentError('unsupported', "the option 'granularity' of $bucketAuto is not supported")
  const [evaluate, outputs] = [compileExpression(groupBy), bucketOutputs(value)]
  return (documents, context) => {
    const sorted = documents
      .map((doc) => ({ doc, value: evaluate(scopeOf(doc, context)) ?? null }))
      .sort((a, b) => compareValues(a.value, b.value))
    const parts = autoBuckets(sorted, wanted)
    return parts.map((part, index) => {
      const [min = null, end = null] = [part[0]?.value, part.at(-1)?.value]
      const group = newGroup(docOf([['min', min], ['max', parts[index + 1]?.[0]?.value ?? end]]), outputs) // biome-ignore format: one bucket is one line
      for (const { doc } of part) take(group, outputs, doc, context)
      return resultOf(group, outputs)
    })
  }
}

/** Parts of about the same size; equal values stay together. */
const autoBuckets = <T extends { readonly value: Value }>(
  sorted: readonly T[],
  wanted: number,
): readonly (readonly T[])[] => {
  const parts: T[][] = []
  const size = Math.max(1, Math.round(sorted.length / wanted))
  let at = 0
  while (at < sorted.length) {
    let end = parts.length === wanted - 1 ? sorted.length : Math.min(sorted.length, at + size)
    while (end < sorted.length && compareValues(sorted[end]?.value, sorted[end - 1]?.value) === 0) end += 1
    parts.push(sorted.slice(at, end))
    at = end
  }
  return parts
}

/** The most frequent first. */
export const sortByCountStage = (value: Value): Stage => {
  const group = groupStage(docOf([['_id', value], ...Object.entries(COUNT)]))
  return async (documents, context) =>
    [...(await group(documents, context))].sort((a, b) => compareValues(fieldOf(b, 'count'), fieldOf(a, 'count')))
}

export const countStage = (value: Value): Stage => {
  if (typeof value !== 'string' || value === '' || value.startsWith('$') || value.includes('.'))
    throw bad('the count field must be a non-empty string without $ and .')
  return (documents) => (documents.length === 0 ? [] : [docOf([[value, documents.length]])])
}
