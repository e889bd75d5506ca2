/** MongoDB's query language into conditions. Refuses what it does not know, with MongoDB's own words where clients show them. */
import { allOf, anyOf, type DocExpr, FALSE, leaf, negate, type Test, TRUE } from '../../expr/bson/query.ts'
import { type Pattern, PatternError, readPattern } from '../../expr/bson/regex.ts'
import {
  type Doc,
  fieldOf,
  isArray,
  isDoc,
  isNumber,
  Regex,
  ServerDate,
  toNumber,
  type Value,
} from '../../expr/bson/value.ts'
import { DocumentError } from './errors.ts'
import { geoTest } from './parse-geo.ts'
import { pathOf } from './paths.ts'

/** Decides `$expr`; aggregation owns its language. */
export type ExpressionTest = (expression: Value) => (doc: Doc) => boolean

export interface QueryOptions {
  readonly expression?: ExpressionTest | undefined
}

const MAX_DEPTH = 50
/** Leaves of one query. */
const MAX_LEAVES = 10_000

/** Reads a query. Throws DocumentError `invalid_operator`, `invalid_param` or `invalid_pattern`. */
export const parseQuery = (query: Doc, options: QueryOptions = {}): DocExpr =>
  new QueryParser(options).document(query, 0)

/** Reads what `$pull` and `$elemMatch` may hold: conditions on a value itself, or undefined when it is a plain value. */
export const parseElementQuery = (value: Value): Extract<Test, { op: 'elements' }> | null =>
  isDoc(value) ? new QueryParser({}).elements(value, 0) : null

const bad = (message: string): DocumentError => new DocumentError('invalid_param', message)

/** Operators on one path: `{$gt: 1, $lt: 5}` and not `{a: 1}`. */
export const isOperators = (value: Value): value is Doc => {
  if (!isDoc(value)) return false
  const [first] = Object.keys(value)
  return first?.startsWith('$') === true
}

class QueryParser {
  readonly #options: QueryOptions
  #leaves = 0

  constructor(options: QueryOptions) {
    this.#options = options
  }

  document(query: Doc, depth: number): DocExpr {
    if (depth > MAX_DEPTH) throw bad(`a query may be nested ${MAX_DEPTH} levels deep`)
    return allOf(
      Object.entries(query).map(([name, value]) =>
        name.startsWith('$') ? this.#logic(name, value, depth) : this.field(pathOf(name), value, depth),
      ),
    )
  }

  #logic(name: string, value: Value, depth: number): DocExpr {
    switch (name) {
      case '$and':
        return allOf(this.#queries(name, value, depth))
      case '$or':
        return anyOf(this.#queries(name, value, depth))
      case '$nor':
        return negate(anyOf(this.#queries(name, value, depth)))
      case '$expr': {
        const matches = this.#options.expression?.(value)
        if (matches === undefined) throw unknownOperator(name)
        return leaf([], { op: 'custom', matches })
      }
      case '$comment':
        return TRUE
      default:
        throw new DocumentError('invalid_operator', `unknown top level operator: ${name}`)
    }
  }

  #queries(name: string, value: Value, depth: number): readonly DocExpr[] {
    if (!isArray(value) || value.length === 0) throw bad(`${name} must be a nonempty array`)
    return value.map((each) => {
      if (!isDoc(each)) throw bad(`${name} entries need to be full objects`)
      return this.document(each, depth + 1)
    })
  }

  field(path: readonly string[], value: Value, depth: number): DocExpr {
    this.#leaves += 1
    if (this.#leaves > MAX_LEAVES) throw bad(`a query may have ${MAX_LEAVES} conditions`)
    if (value instanceof Regex) return leaf(path, { op: 'regex', pattern: patternOf(value.pattern, value.options) })
    return isOperators(value) ? this.#operators(path, value, depth) : leaf(path, { op: 'eq', value: constant(value) })
  }

  #operators(path: readonly string[], operators: Doc, depth: number): DocExpr {
    return allOf(
      Object.entries(operators).map(([name, value]) => this.#operator(path, { name, value, operators }, depth)),
    )
  }

  #operator(path: readonly string[], part: OperatorPart, depth: number): DocExpr {
    const { name, value } = part
    const simple = simpleTest(part)
    if (simple !== null) return leaf(path, simple)
    switch (name) {
      case '$ne':
        if (value instanceof Regex) throw bad("Can't have regex as arg to $ne.")
        return negate(leaf(path, { op: 'eq', value: constant(value) }))
      case '$nin':
        return negate(leaf(path, inTest(name, value)))
      case '$exists':
        return isTrue(value) ? leaf(path, { op: 'exists' }) : negate(leaf(path, { op: 'exists' }))
      case '$not':
        return this.#not(path, value, depth)
      case '$all':
        return this.#all(path, value, depth)
      case '$elemMatch':
        if (!isDoc(value)) throw bad('$elemMatch needs an Object')
        return leaf(path, this.elements(value, depth))
      case '$options':
      case '$maxDistance':
      case '$minDistance':
      case '$comment':
        // Read together with the operator that they belong to.
        return TRUE
      default:
        throw unknownOperator(name)
    }
  }

  #not(path: readonly string[], value: Value, depth: number): DocExpr {
    if (value instanceof Regex) return negate(this.field(path, value, depth))
    if (!isOperators(value)) throw bad('$not needs a regex or a document')
    return negate(this.#operators(path, value, depth + 1))
  }

  #all(path: readonly string[], value: Value, depth: number): DocExpr {
    if (!isArray(value)) throw bad('$all needs an array')
    if (value.length === 0) return FALSE
    return allOf(
      value.map((each) => {
        const inner = isDoc(each) ? fieldOf(each, '$elemMatch') : undefined
        if (inner !== undefined && isDoc(inner)) return leaf(path, this.elements(inner, depth))
        if (isOperators(each)) throw bad('no $ expressions in $all')
        return this.field(path, each, depth)
      }),
    )
  }

  /** `{$gt: 1}` tests the elements themselves, `{a: 1}` what is in them. */
  elements(query: Doc, depth: number): Extract<Test, { op: 'elements' }> {
    const [first = ''] = Object.keys(query)
    const ofValue = first.startsWith('$') && !['$and', '$or', '$nor', '$expr', '$comment'].includes(first)
    return ofValue
      ? { op: 'elements', of: 'value', where: this.#operators([], query, depth + 1) }
      : { op: 'elements', of: 'document', where: this.document(query, depth + 1) }
  }
}

interface OperatorPart {
  readonly name: string
  readonly value: Value
  readonly operators: Doc
}

const simpleTest = ({ name, value, operators }: OperatorPart): Test | null => {
  switch (name) {
    case '$eq':
      return { op: 'eq', value: constant(value) }
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte':
      return rangeTest(name, value)
    case '$in':
      return inTest(name, value)
    case '$mod':
      return modTest(value)
    case '$size':
      return sizeTest(value)
    case '$regex':
      return regexTest(value, fieldOf(operators, '$options'))
    case '$type':
      return { op: 'type', types: (isArray(value) ? value : [value]).map(typeOf) }
    default:
      return geoTest(name, value, operators)
  }
}

const RANGES = { $gt: 'gt', $gte: 'gte', $lt: 'lt', $lte: 'lte' } as const

const rangeTest = (name: keyof typeof RANGES, value: Value): Test => {
  if (value instanceof Regex) throw bad(`Can't have RegEx as arg to predicate over field.`)
  return { op: RANGES[name], value: constant(value) }
}

const inTest = (name: string, value: Value): Test => {
  if (!isArray(value)) throw bad(`${name} needs an array`)
  if (value.some((each) => isOperators(each))) throw bad(`cannot nest $ under ${name}`)
  return {
    op: 'in',
    values: value.filter((each) => !(each instanceof Regex)).map(constant),
    patterns: value.flatMap((each) => (each instanceof Regex ? [patternOf(each.pattern, each.options)] : [])),
  }
}

const modTest = (value: Value): Test => {
  const [divisor, remainder] = isArray(value) ? value : []
  if (!isArray(value) || value.length !== 2 || !isNumber(divisor) || !isNumber(remainder))
    throw bad('malformed mod, needs to be an array of two numbers')
  const whole = { divisor: Math.trunc(toNumber(divisor)), remainder: Math.trunc(toNumber(remainder)) }
  if (!Number.isSafeInteger(whole.divisor) || !Number.isSafeInteger(whole.remainder) || whole.divisor === 0)
    throw bad('divisor cannot be 0, NaN or infinite')
  return { op: 'mod', ...whole }
}

const sizeTest = (value: Value): Test => {
  const size = isNumber(value) ? toNumber(value) : Number.NaN
  if (!Number.isSafeInteger(size) || size < 0) throw bad('$size must be a whole number, not negative')
  return { op: 'size', size: Math.min(size, 2 ** 31 - 1) }
}

const regexTest = (value: Value, options: Value | undefined): Test => {
  const given = typeof options === 'string' ? options : undefined
  if (value instanceof Regex) return { op: 'regex', pattern: patternOf(value.pattern, given ?? value.options) }
  if (typeof value !== 'string') throw bad('$regex has to be a string')
  return { op: 'regex', pattern: patternOf(value, given ?? '') }
}

/** Reads a pattern. Throws DocumentError `invalid_pattern`. */
export const patternOf = (source: string, options: string): Pattern => {
  try {
    return readPattern(source, options)
  } catch (error) {
    if (error instanceof PatternError) throw new DocumentError('invalid_pattern', error.message, { cause: error })
    throw error
  }
}

const TYPES: Readonly<Record<string, string>> = {
  '1': 'double',
  '2': 'string',
  '3': 'object',
  '4': 'array',
  '5': 'binData',
  '7': 'objectId',
  '8': 'bool',
  '9': 'date',
  '10': 'null',
  '11': 'regex',
  '16': 'int',
  '17': 'timestamp',
  '18': 'long',
  '19': 'decimal',
  '-1': 'minKey',
  '127': 'maxKey',
}

const typeOf = (value: Value): string => {
  const name = isNumber(value) ? TYPES[String(toNumber(value))] : value
  if (typeof name !== 'string' || (!Object.values(TYPES).includes(name) && name !== 'number'))
    throw bad('$type needs the name or the number of a type')
  return name
}

const isTrue = (value: Value): boolean =>
  !(value === null || value === false || (isNumber(value) && toNumber(value) === 0))

/** A value to compare with. Operators inside it would be a misunderstanding, and `serverDate` has no meaning here. */
const constant = (value: Value): Value => {
  if (value instanceof ServerDate) throw bad('the server date can be written, not asked for')
  return value
}

const unknownOperator = (name: string): DocumentError =>
  new DocumentError('invalid_operator', `unknown operator: ${name}`)
