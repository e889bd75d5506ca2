/** The update operators that change arrays. Each takes what is there (undefined when nothing is) and answers what should be. */
import { compareValues, equalValues } from '../../../expr/bson/compare.ts'
import { matches } from '../../../expr/bson/match.ts'
import { reach } from '../../../expr/bson/path.ts'
import { allOf, type DocExpr, leaf } from '../../../expr/bson/query.ts'
import {
  type Doc,
  fieldOf,
  isArray,
  isDoc,
  isNumber,
  Regex,
  toNumber,
  typeName,
  type Value,
} from '../../../expr/bson/value.ts'
import { DocumentError } from '../errors.ts'
import { isOperators, parseElementQuery, parseQuery, patternOf } from '../parse-query.ts'
import { pathOf } from '../paths.ts'

const failed = (message: string): DocumentError => new DocumentError('failed_operation', message)
const bad = (message: string): DocumentError => new DocumentError('invalid_param', message)

/** The array at a place; empty when there is nothing. */
const arrayAt = (current: Value | undefined, field: string): readonly Value[] => {
  if (current === undefined) return []
  if (isArray(current)) return current
  throw failed(`The field '${field}' must be an array but is of type ${typeName(current)} in the document`)
}

const whole = (value: Value | undefined, name: string): number | null => {
  if (value === undefined) return null
  if (!isNumber(value) || !Number.isInteger(toNumber(value)))
    throw bad(`The value for ${name} must be an integer value`)
  return toNumber(value)
}

const MODIFIERS = ['$each', '$position', '$slice', '$sort']

export const push = (current: Value | undefined, argument: Value, field: string): Value => {
  const array = arrayAt(current, field)
  const each = isDoc(argument) ? fieldOf(argument, '$each') : undefined
  if (!isDoc(argument) || each === undefined) return [...array, argument]
  if (!isArray(each)) throw bad('The argument to $each in $push must be an array')
  const unknown = Object.keys(argument).find((name) => !MODIFIERS.includes(name))
  if (unknown !== undefined) throw bad(`Unrecognized clause in $push: ${unknown}`)
  const position = whole(fieldOf(argument, '$position'), '$position') ?? array.length
  // Counted from the end when negative.
  const at = position < 0 ? Math.max(0, array.length + position) : Math.min(position, array.length)
  const grown = [...array.slice(0, at), ...each, ...array.slice(at)]
  const sort = fieldOf(argument, '$sort')
  const sorted = sort === undefined ? grown : grown.sort(elementOrder(sort))
  const slice = whole(fieldOf(argument, '$slice'), '$slice')
  if (slice === null) return sorted
  return slice < 0 ? sorted.slice(slice) : sorted.slice(0, slice)
}

const elementOrder = (sort: Value): ((a: Value, b: Value) => number) => {
  const signOf = (value: Value): number => {
    const sign = isNumber(value) ? toNumber(value) : 0
    if (sign !== 1 && sign !== -1) throw bad('The $sort element value must be either 1 or -1')
    return sign
  }
  if (!isDoc(sort)) {
    const sign = signOf(sort)
    return (a, b) => sign * compareValues(a, b)
  }
  const keys = Object.entries(sort).map(([name, value]) => ({ path: pathOf(name), sign: signOf(value) }))
  if (keys.length === 0) throw bad('The $sort pattern is empty')
  return (a, b) => {
    for (const { path, sign } of keys) {
      const order = sign * compareValues(reach(a, path, false)[0], reach(b, path, false)[0])
      if (order !== 0) return order
    }
    return 0
  }
}

export const addToSet = (current: Value | undefined, argument: Value, field: string): Value => {
  const each = isDoc(argument) ? fieldOf(argument, '$each') : undefined
  if (each !== undefined && !isArray(each)) throw bad('The argument to $each in $addToSet must be an array')
  const result = [...arrayAt(current, field)]
  for (const value of each ?? [argument]) {
    if (!result.some((known) => equalValues(known, value))) result.push(value)
  }
  return result
}

/** The last element goes, or with -1 the first. */
export const pop = (current: Value | undefined, argument: Value, field: string): Value | undefined => {
  const direction = whole(argument, '$pop')
  if (direction !== 1 && direction !== -1) throw bad(`$pop expects 1 or -1, found: ${String(direction)}`)
  if (current === undefined) return undefined
  const array = arrayAt(current, field)
  return direction === 1 ? array.slice(0, -1) : array.slice(1)
}

export const pull = (current: Value | undefined, argument: Value, field: string): Value | undefined => {
  const goes = elementTest(argument)
  return current === undefined ? undefined : arrayAt(current, field).filter((each) => !goes(each))
}

const elementTest = (argument: Value): ((each: Value) => boolean) => {
  if (argument instanceof Regex) {
    const pattern = patternOf(argument.pattern, argument.options)
    return (each) => matches(leaf([], { op: 'regex', pattern }), each)
  }
  if (!isDoc(argument)) return (each) => equalValues(each, argument)
  if (isOperators(argument)) {
    const test = parseElementQuery(argument)
    return (each) => test !== null && matches(test.where, each)
  }
  const query: DocExpr = allOf([parseQuery(argument)])
  return (each) => isDoc(each) && matches(query, each)
}

export const pullAll = (current: Value | undefined, argument: Value, field: string): Value | undefined => {
  if (!isArray(argument)) throw bad('$pullAll requires an array argument')
  if (current === undefined) return undefined
  return arrayAt(current, field).filter((each) => !argument.some((gone) => equalValues(each, gone)))
}

/** A document whose keys are checked by the caller. */
export const asDoc = (value: Value, operator: string): Doc => {
  if (isDoc(value)) return value
  throw new DocumentError('invalid_param', `Modifiers operate on fields but we found something else for ${operator}`)
}
