/** `db.command.aggregate` and pipelines. */
import { conditions, encodeExpression, QueryCommand } from './commands.ts'
import { isPlain, type Plain } from './values.ts'

/** Operators of expressions: each becomes `{$name: arguments}`. */
const OPERATORS = `abs add addToSet allElementsTrue and anyElementTrue arrayElemAt arrayToObject avg ceil cmp concat
  concatArrays cond convert dateFromParts dateFromString dateToParts dateToString dayOfMonth dayOfWeek dayOfYear divide eq exp
  filter first floor gt gte hour ifNull in indexOfArray indexOfBytes indexOfCP isArray isoDayOfWeek isoWeek isoWeekYear last let
  literal ln log log10 lt lte ltrim map max mergeObjects meta millisecond min minute mod month multiply neq not objectToArray or
  pow push range reduce reverseArray rtrim second setDifference setEquals setIntersection setIsSubset setUnion size slice split
  sqrt stdDevPop stdDevSamp strLenBytes strLenCP strcasecmp substr substrBytes substrCP subtract sum switch toBool toDate
  toDecimal toDouble toInt toLong toLower toObjectId toString toUpper trim trunc type week year zip`.split(/\s+/)

export type Expressions = Readonly<Record<string, (...values: readonly unknown[]) => unknown>> & {
  pipeline(): Pipeline
}

const expressions = (): Expressions => {
  const made: Record<string, unknown> = { pipeline: () => new Pipeline() }
  OPERATORS.forEach((name) => {
    const op = name === 'neq' ? '$ne' : `$${name}`
    made[name] = (...values: readonly unknown[]) => ({ [op]: values.length > 1 ? values : values[0] })
  })
  return made as Expressions
}

const STAGES = [
  'addFields',
  'bucket',
  'bucketAuto',
  'count',
  'group',
  'limit',
  'project',
  'replaceRoot',
  'sample',
  'skip',
  'sort',
  'sortByCount',
  'unwind',
] as const

export interface Stage {
  readonly stageKey: string
  /** JSON text. */
  readonly stageValue: string
}

/** Stages one after the other. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: each of them is defined right after this.
export class Pipeline {
  protected readonly _stages: Stage[] = []

  protected _add(name: string, value: unknown): this {
    this._stages.push({ stageKey: `$${name}`, stageValue: JSON.stringify(value) })
    return this
  }

  match(query: unknown): this {
    return this._add(
      'match',
      query instanceof QueryCommand || !hasExpr(query) ? conditions(query) : encodeExpression(query),
    )
  }

  geoNear(options: Plain): this {
    const { query, near } = options
    const rest = without(options, ['query', 'near'])
    const out: Record<string, unknown> = {
      ...(encodeExpression(rest) as Plain),
      near: encodeExpression(near),
      spherical: true,
    }
    if (query !== undefined) out.query = conditions(query)
    return this._add('geoNear', out)
  }

  lookup(options: Plain): this {
    const { pipeline } = options
    const rest = without(options, ['pipeline'])
    const out: Record<string, unknown> = { ...(encodeExpression(rest) as Plain) }
    if (pipeline !== undefined) out.pipeline = stagesOf(pipeline)
    return this._add('lookup', out)
  }

  /** The stages, for a lookup. */
  done(): readonly Plain[] {
    return this._stages.map(({ stageKey, stageValue }) => ({ [stageKey]: JSON.parse(stageValue) as unknown }))
  }
}

const without = (options: Plain, names: readonly string[]): Plain => {
  const rest: Record<string, unknown> = {}
  Object.keys(options).forEach((name) => {
    if (names.indexOf(name) === -1) rest[name] = options[name]
  })
  return rest
}

const hasExpr = (query: unknown): boolean => isPlain(query) && '$expr' in query

const stagesOf = (pipeline: unknown): unknown =>
  pipeline instanceof Pipeline ? pipeline.done() : encodeExpression(pipeline)

// The stages that need no more than their value are added below, by name.
export interface Pipeline {
  addFields(value?: unknown): this
  bucket(value?: unknown): this
  bucketAuto(value?: unknown): this
  count(value?: unknown): this
  group(value?: unknown): this
  limit(value?: unknown): this
  project(value?: unknown): this
  replaceRoot(value?: unknown): this
  sample(value?: unknown): this
  skip(value?: unknown): this
  sort(value?: unknown): this
  sortByCount(value?: unknown): this
  unwind(value?: unknown): this
}

STAGES.forEach((name) => {
  Object.defineProperty(Pipeline.prototype, name, {
    configurable: true,
    writable: true,
    value: function (this: { _add(name: string, value: unknown): unknown }, value: unknown) {
      return this._add(name, encodeExpression(value))
    },
  })
})

export const aggregate: Expressions = expressions()
