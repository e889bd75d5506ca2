/** Expressions on arrays, sets and objects. */
import { compareValues, equalValues } from '../../../expr/bson/compare.ts'
import { keyOf } from '../../../expr/bson/key.ts'
import {
  type Doc,
  docOf,
  fieldOf,
  isArray,
  isDoc,
  isNumber,
  newDoc,
  typeName,
  type Value,
} from '../../../expr/bson/value.ts'
import {
  bad,
  failed,
  fixed,
  isNull,
  isTruthy,
  type Maybe,
  type Operator,
  type Operators,
  variadic,
  withVariables,
} from './expression.ts'
import { integerOf } from './numbers.ts'

const arrayOf = (value: Value, name: string): readonly Value[] => {
  if (isArray(value)) return value
  throw failed(`The argument to ${name} must be an array, but was of type: ${typeName(value)}`)
}

const arrayElemAt: Operator = fixed(2, ([array, index], name) => {
  if (isNull(array) || isNull(index)) return null
  return arrayOf(array, name).at(integerOf(index, `${name}'s second argument`))
})

const arrayToObject: Operator = fixed(1, ([value], name) => {
  if (isNull(value)) return null
  return docOf(
    arrayOf(value, name).map((entry): readonly [string, Value] => {
      const [key, inner] = isArray(entry) ? entry : isDoc(entry) ? [fieldOf(entry, 'k'), fieldOf(entry, 'v')] : []
      if (typeof key !== 'string' || inner === undefined)
        throw failed('$arrayToObject requires pairs of a text and a value')
      return [key, inner]
    }),
  )
})

const concatArrays: Operator = variadic((values, name) =>
  values.some(isNull) ? null : values.flatMap((value) => arrayOf(value ?? null, name)),
)

/** `filter`, `map` and `reduce` evaluate an expression for each element. */
const each =
  (body: 'cond' | 'in', apply: (items: readonly Value[], evaluate: (item: Value) => Maybe) => Value): Operator =>
  (argument, compile, name) => {
    const [input, inner] = isDoc(argument) ? [fieldOf(argument, 'input'), fieldOf(argument, body)] : []
    if (!isDoc(argument) || input === undefined || inner === undefined) throw bad(`${name} needs 'input' and '${body}'`)
    const as = fieldOf(argument, 'as') ?? 'this'
    if (typeof as !== 'string' || !/^[a-z]/.test(as)) throw bad(`'${String(as)}' is not a valid variable name`)
    const [items, one] = [compile(input), compile(inner)]
    return (scope) => {
      const array = items(scope)
      if (isNull(array)) return null
      return apply(arrayOf(array, name), (item) => one(withVariables(scope, [[as, item]])))
    }
  }

const reduce: Operator = (argument, compile, name) => {
  const part = (key: string): Value => {
    const found = isDoc(argument) ? fieldOf(argument, key) : undefined
    if (found === undefined) throw bad(`${name} needs 'input', 'initialValue' and 'in'`)
    return found
  }
  const [input, initial, inner] = [compile(part('input')), compile(part('initialValue')), compile(part('in'))]
  return (scope) => {
    const array = input(scope)
    if (isNull(array)) return null
    return arrayOf(array, name).reduce<Maybe>(
      (value, item) => inner(withVariables(scope, [['value', value], ['this', item]])), // biome-ignore format: two variables are one line
      initial(scope),
    )
  }
}

const indexOfArray: Operator = fixed([2, 4], ([array, wanted, start, end], name) => {
  if (isNull(array)) return null
  const items = arrayOf(array, name)
  const from = start === undefined ? 0 : integerOf(start, `${name}'s starting index`)
  const to = end === undefined ? items.length : Math.min(items.length, integerOf(end, `${name}'s ending index`))
  if (from < 0 || to < 0) throw failed(`${name} takes no negative positions`)
  for (let at = from; at < to; at += 1) if (equalValues(items[at], wanted)) return at
  return -1
})

const MAX_RANGE = 1_000_000

const range: Operator = fixed([2, 3], ([start, end, step], name) => {
  const [from, to] = [integerOf(start, `${name}'s start`), integerOf(end, `${name}'s end`)]
  const by = step === undefined ? 1 : integerOf(step, `${name}'s step`)
  if (by === 0) throw failed('$range requires a non-zero step value')
  const count = Math.max(0, Math.ceil((to - from) / by))
  if (count > MAX_RANGE) throw failed(`${name} makes at most ${MAX_RANGE} numbers`)
  return Array.from({ length: count }, (_, index) => from + index * by)
})

const slice: Operator = fixed([2, 3], ([array, second, third], name) => {
  if (isNull(array) || isNull(second) || third === null) return null
  const items = arrayOf(array, name)
  const first = integerOf(second, `${name}'s second argument`)
  if (third === undefined) return first < 0 ? items.slice(first) : items.slice(0, first)
  const count = integerOf(third, `${name}'s third argument`)
  if (count <= 0) throw failed('Third argument to $slice must be positive')
  const from = first < 0 ? Math.max(0, items.length + first) : first
  return items.slice(from, from + count)
})

const zip: Operator = (argument, compile, name) => {
  const inputs = isDoc(argument) ? fieldOf(argument, 'inputs') : undefined
  if (!isDoc(argument) || !isArray(inputs)) throw bad(`${name} needs 'inputs'`)
  const longest = fieldOf(argument, 'useLongestLength') === true
  const defaults = fieldOf(argument, 'defaults')
  if (defaults !== undefined && !longest) throw bad('cannot specify defaults unless useLongestLength is true')
  const items = inputs.map(compile)
  const fallbacks = (isArray(defaults) ? defaults : []).map(compile)
  return (scope) => {
    const arrays: (readonly Value[])[] = []
    for (const evaluate of items) {
      const value = evaluate(scope)
      if (isNull(value)) return null
      arrays.push(arrayOf(value, name))
    }
    const lengths = arrays.map((array) => array.length)
    const length = longest ? Math.max(0, ...lengths) : Math.min(...lengths)
    return Array.from({ length }, (_, at) =>
      arrays.map((array, index) => array[at] ?? fallbacks[index]?.(scope) ?? null),
    )
  }
}

// --- sets

const unique = (values: readonly Value[]): readonly Value[] => [
  ...new Map(values.map((value) => [keyOf(value).toString('latin1'), value])).values(),
]

const keysOf = (values: readonly Value[]): ReadonlySet<string> =>
  new Set(values.map((value) => keyOf(value).toString('latin1')))

const has = (keys: ReadonlySet<string>, value: Value): boolean => keys.has(keyOf(value).toString('latin1'))

const setOperator = (apply: (sets: readonly (readonly Value[])[]) => Value): Operator =>
  variadic((values, name) => (values.some(isNull) ? null : apply(values.map((value) => arrayOf(value ?? null, name)))))

const strictSets = (apply: (sets: readonly (readonly Value[])[]) => Value): Operator =>
  variadic((values, name) => apply(values.map((value) => arrayOf(value ?? null, name))))

/** Sets have no order; ours is that of the values, so that equal sets look equal. */
const asSet = (values: readonly Value[]): readonly Value[] => [...unique(values)].sort(compareValues)

const SETS: Operators = {
  $setUnion: setOperator((sets) => asSet(sets.flat())),
  $setIntersection: setOperator(([first = [], ...others]) => {
    const keys = others.map(keysOf)
    return asSet(first.filter((value) => keys.every((set) => has(set, value))))
  }),
  $setDifference: setOperator(([first = [], second = []]) => {
    const keys = keysOf(second)
    return unique(first).filter((value) => !has(keys, value))
  }),
  $setEquals: strictSets((sets) => {
    const [first, ...others] = sets.map(keysOf)
    return others.every((set) => set.size === first?.size && [...set].every((key) => first.has(key)))
  }),
  $setIsSubset: strictSets(([first = [], second = []]) => {
    const keys = keysOf(second)
    return first.every((value) => has(keys, value))
  }),
  $allElementsTrue: fixed(1, ([value], name) => arrayOf(value ?? null, name).every(isTruthy)),
  $anyElementTrue: fixed(1, ([value], name) => arrayOf(value ?? null, name).some(isTruthy)),
}

// --- objects

const objectToArray: Operator = fixed(1, ([value]) => {
  if (isNull(value)) return null
  if (!isDoc(value)) throw failed(`$objectToArray requires a document input, found: ${typeName(value)}`)
  return Object.entries(value).map(([k, v]) => docOf([['k', k], ['v', v]])) // biome-ignore format: two fields are one line
})

export const mergeAll = (values: readonly Maybe[]): Doc => {
  const merged = newDoc()
  for (const value of values) {
    if (isNull(value)) continue
    if (!isDoc(value)) throw failed(`$mergeObjects requires object inputs, but input is of type ${typeName(value)}`)
    Object.assign(merged, value)
  }
  return merged
}

/** One argument that is an array is the list of objects. */
const mergeObjects: Operator = (argument, compile) => {
  const items = (isArray(argument) ? argument : [argument]).map(compile)
  return (scope) => {
    const values = items.map((evaluate) => evaluate(scope))
    const [only] = values
    return mergeAll(values.length === 1 && isArray(only) ? only : values)
  }
}

export const ARRAYS: Operators = {
  ...SETS,
  $arrayElemAt: arrayElemAt,
  $arrayToObject: arrayToObject,
  $concatArrays: concatArrays,
  $filter: each('cond', (items, evaluate) => items.filter((item) => isTruthy(evaluate(item)))),
  $in: fixed(2, ([value, array], name) => arrayOf(array ?? null, name).some((item) => equalValues(item, value))),
  $indexOfArray: indexOfArray,
  $isArray: fixed(1, ([value]) => isArray(value)),
  $isNumber: fixed(1, ([value]) => isNumber(value)),
  $map: each('in', (items, evaluate) => items.map((item) => evaluate(item) ?? null)),
  $mergeObjects: mergeObjects,
  $objectToArray: objectToArray,
  $range: range,
  $reduce: reduce,
  $reverseArray: fixed(1, ([value], name) => (isNull(value) ? null : [...arrayOf(value, name)].reverse())),
  $size: fixed(1, ([value], name) => arrayOf(value ?? null, name).length),
  $slice: slice,
  $zip: zip,
}
