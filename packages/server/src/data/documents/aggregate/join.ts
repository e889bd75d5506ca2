/** The stage that joins: lookup, by equal fields or by a pipeline with variables. What is joined is read as the caller, under its own permission. */
import { keyOf } from '../../../expr/bson/key.ts'
import { reach } from '../../../expr/bson/path.ts'
import { type Doc, docOf, fieldOf, isArray, isDoc, newDoc, Regex, type Value } from '../../../expr/bson/value.ts'
import { DocumentError } from '../errors.ts'
import { pathOf } from '../paths.ts'
import { writeAt } from '../update/places.ts'
import { bad, type Evaluate, type Maybe } from './expression.ts'
import { compileExpression } from './operators.ts'
import { type Stage, type StageContext, scopeOf, within } from './pipeline.ts'

/** Builds the stages of an inner pipeline. */
export type BuildPipeline = (stages: Value) => Stage

const text = (spec: Doc, name: string): string => {
  const value = fieldOf(spec, name)
  if (typeof value !== 'string' || value === '') throw bad(`argument '${name}' to $lookup must be a string`)
  return value
}

export const lookupStage = (value: Value, build: BuildPipeline): Stage => {
  if (!isDoc(value)) throw bad('the $lookup specification must be an object')
  const [from, as] = [text(value, 'from'), pathOf(text(value, 'as'))]
  const pipeline = fieldOf(value, 'pipeline')
  const byFields = fieldOf(value, 'localField') !== undefined || fieldOf(value, 'foreignField') !== undefined
  if (pipeline === undefined && !byFields) throw bad('$lookup needs localField and foreignField, or a pipeline')
  const equality = byFields ? { local: pathOf(text(value, 'localField')), foreign: text(value, 'foreignField') } : null
  const inner = pipeline === undefined ? null : innerPipeline(value, pipeline, build)
  return async (documents, context) => {
    const join = await prepare({ from, equality, inner }, documents, context)
    const joined: Doc[] = []
    for (const doc of documents) joined.push(writeAt(doc, as, [...(await join(doc))]))
    return joined
  }
}

interface Inner {
  readonly variables: readonly (readonly [string, Evaluate])[]
  readonly run: Stage
  /** `$field` that must equal `$$variable`, by the first `$match`. */
  readonly pairs: readonly (readonly [field: string, variable: string])[]
  /** The first `$match` without its expression. */
  readonly query: Doc
}

interface Join {
  readonly from: string
  readonly equality: { readonly local: readonly string[]; readonly foreign: string } | null
  readonly inner: Inner | null
}

const innerPipeline = (spec: Doc, pipeline: Value, build: BuildPipeline): Inner => {
  const vars = fieldOf(spec, 'let') ?? newDoc()
  if (!isDoc(vars)) throw bad("$lookup's 'let' must be an object")
  const [first] = isArray(pipeline) ? pipeline : []
  const match = isDoc(first) ? fieldOf(first, '$match') : undefined
  const query = isDoc(match) ? match : newDoc()
  return {
    variables: Object.entries(vars).map(([name, value]) => [name, compileExpression(value)]),
    run: build(pipeline),
    pairs: pairsOf(fieldOf(query, '$expr')),
    query: docOf(Object.entries(query).filter(([name]) => name !== '$expr')),
  }
}

/** `{$eq: ['$a', '$$b']}`, alone or in an `$and`. */
const pairsOf = (expression: Value | undefined): readonly (readonly [string, string])[] => {
  if (!isDoc(expression)) return []
  const all = fieldOf(expression, '$and')
  if (isArray(all)) return all.flatMap(pairsOf)
  const sides = fieldOf(expression, '$eq')
  if (!isArray(sides) || sides.length !== 2) return []
  const field = sides.find((side) => typeof side === 'string' && /^\$[^$.][^.]*$/.test(side))
  const variable = sides.find((side) => typeof side === 'string' && /^\$\$[^.]+$/.test(side))
  return typeof field === 'string' && typeof variable === 'string' ? [[field.slice(1), variable.slice(2)]] : []
}

/** Reads everything that any of the documents may be joined with, once; answers how one document finds its own. */
const prepare = async (
  { from, equality, inner }: Join,
  documents: readonly Doc[],
  context: StageContext,
): Promise<(doc: Doc) => Promise<readonly Doc[]>> => {
  const conditions = [
    ...(inner === null ? [] : [inner.query, ...pairConditions(inner, documents, context)]),
    ...(equality === null
      ? []
      : [docOf([[equality.foreign, among(documents.flatMap((doc) => localValues(doc, equality.local)))]])]),
  ].filter((condition) => Object.keys(condition).length > 0)
  const foreign = within(
    await context.source(from, docOf(conditions.length === 0 ? [] : [['$and', conditions]])),
    context,
  )
  const find = equality === null ? () => foreign : byKey(foreign, equality.local, pathOf(equality.foreign))
  return async (doc) => {
    const found = find(doc)
    if (inner === null) return found
    context.budget.left -= found.length
    if (context.budget.left < 0)
      throw new DocumentError('result_too_large', 'this join would look at too many pairs of documents')
    const variables = inner.variables.map(([name, evaluate]) => [name, evaluate(scopeOf(doc, context))] as const)
    return inner.run(found, { ...context, variables: new Map([...context.variables, ...variables]) })
  }
}

const among = (values: readonly Value[]): Doc => {
  const distinct = new Map(values.map((value) => [keyOf(value).toString('latin1'), value]))
  return docOf([['$in', [...distinct.values()]]])
}

/** A first choice by the values that the variables take; the expression itself decides later. */
const pairConditions = (inner: Inner, documents: readonly Doc[], context: StageContext): readonly Doc[] =>
  inner.pairs.flatMap(([field, variable]) => {
    const evaluate = inner.variables.find(([name]) => name === variable)?.[1]
    if (evaluate === undefined) return []
    const values = documents.map((doc): Maybe => evaluate(scopeOf(doc, context)))
    // Null here is not what a query means by null, and operators or patterns would be read as such.
    const plain = values.filter(
      (value) => typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean',
    )
    return plain.length === values.length ? [docOf([[field, among(plain)]])] : []
  })

/** What a document is joined by: each element of an array, or the one value. Missing is null. */
const localValues = (doc: Doc, path: readonly string[]): readonly Value[] => {
  const values = reach(doc, path, true).map((value) => value ?? null)
  const plain = values.filter((value) => !(value instanceof Regex))
  return plain.length === 0 ? [null] : plain
}

const byKey = (
  foreign: readonly Doc[],
  local: readonly string[],
  path: readonly string[],
): ((doc: Doc) => readonly Doc[]) => {
  const index = new Map<string, number[]>()
  for (const [place, doc] of foreign.entries()) {
    const keys = new Set(reach(doc, path, true).map((value) => keyOf(value).toString('latin1')))
    for (const key of keys) {
      const places = index.get(key)
      if (places === undefined) index.set(key, [place])
      else places.push(place)
    }
  }
  return (doc) => {
    const keys = localValues(doc, local).map((value) => keyOf(value).toString('latin1'))
    const places = new Set(keys.flatMap((key) => index.get(key) ?? []))
    return [...places]
      .sort((a, b) => a - b)
      .map((place) => foreign[place])
      .filter((each) => each !== undefined)
  }
}
