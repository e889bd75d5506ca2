/** What groups are made of, and the same functions over arrays in expressions. */
import { compareValues } from '../../../expr/bson/compare.ts'
import { keyOf } from '../../../expr/bson/key.ts'
import { double, isArray, isNumber, toNumber, type Value } from '../../../expr/bson/value.ts'
import { mergeAll } from './arrays.ts'
import { isNull, type Maybe, type Operator, type Operators } from './expression.ts'
import { add } from './numbers.ts'

/** Takes one value after the other, and answers at the end. */
export interface Accumulator {
  take(value: Maybe): void
  result(): Value
}

const sum = (): Accumulator => {
  let total: Value = 0
  return {
    take: (value) => {
      if (isNumber(value) && isNumber(total)) total = add(total, value)
    },
    result: () => total,
  }
}

const avg = (): Accumulator => {
  let [total, count] = [0, 0]
  return {
    take: (value) => {
      if (!isNumber(value)) return
      total += toNumber(value)
      count += 1
    },
    result: () => (count === 0 ? null : double(total / count)),
  }
}

/** Null and what is missing never win. */
const extreme = (sign: 1 | -1) => (): Accumulator => {
  let best: Maybe
  return {
    take: (value) => {
      if (!isNull(value) && (best === undefined || compareValues(value, best) * sign > 0)) best = value
    },
    result: () => best ?? null,
  }
}

const first = (): Accumulator => {
  let value: Maybe
  let seen = false
  return {
    take: (next) => {
      if (!seen) value = next
      seen = true
    },
    result: () => value ?? null,
  }
}

const last = (): Accumulator => {
  let value: Maybe
  return {
    take: (next) => {
      value = next
    },
    result: () => value ?? null,
  }
}

const push = (): Accumulator => {
  const values: Value[] = []
  return {
    take: (value) => {
      if (value !== undefined) values.push(value)
    },
    result: () => values,
  }
}

const addToSet = (): Accumulator => {
  const values = new Map<string, Value>()
  return {
    take: (value) => {
      if (value === undefined) return
      const key = keyOf(value).toString('latin1')
      if (!values.has(key)) values.set(key, value)
    },
    result: () => [...values.values()],
  }
}

/** Welford's method: one pass, and no cancellation between large squares. */
const deviation = (sample: boolean) => (): Accumulator => {
  let [count, mean, squares] = [0, 0, 0]
  return {
    take: (value) => {
      if (!isNumber(value)) return
      const plain = toNumber(value)
      count += 1
      const distance = plain - mean
      mean += distance / count
      squares += distance * (plain - mean)
    },
    result: () => {
      const divisor = sample ? count - 1 : count
      return divisor < 1 ? null : double(Math.sqrt(squares / divisor))
    },
  }
}

const merge = (): Accumulator => {
  const values: Maybe[] = []
  return { take: (value) => values.push(value), result: () => mergeAll(values) }
}

/** In groups. */
export const ACCUMULATORS: Readonly<Record<string, () => Accumulator>> = {
  $addToSet: addToSet,
  $avg: avg,
  $first: first,
  $last: last,
  $max: extreme(1),
  $mergeObjects: merge,
  $min: extreme(-1),
  $push: push,
  $stdDevPop: deviation(false),
  $stdDevSamp: deviation(true),
  $sum: sum,
}

/** `{$sum: '$scores'}` over the elements of an array, `{$sum: ['$a', '$b']}` over several values. */
const over =
  (make: () => Accumulator): Operator =>
  (argument, compile) => {
    const items = (isArray(argument) ? argument : [argument]).map(compile)
    return (scope) => {
      const accumulator = make()
      const values = items.map((evaluate) => evaluate(scope))
      const [only] = values
      for (const value of values.length === 1 && isArray(only) ? only : values) accumulator.take(value)
      return accumulator.result()
    }
  }

/** The first or last element of an array; of nothing, nothing. */
const end =
  (at: 0 | -1): Operator =>
  (argument, compile) => {
    const array = compile(isArray(argument) && argument.length === 1 ? (argument[0] ?? null) : argument)
    return (scope) => {
      const value = array(scope)
      return isArray(value) ? value.at(at) : null
    }
  }

export const OVER_ARRAYS: Operators = {
  $avg: over(avg),
  $first: end(0),
  $last: end(-1),
  $max: over(extreme(1)),
  $min: over(extreme(-1)),
  $stdDevPop: over(deviation(false)),
  $stdDevSamp: over(deviation(true)),
  $sum: over(sum),
}
