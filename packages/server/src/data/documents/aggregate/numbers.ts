/** Arithmetic expressions. Integers stay integers while they fit, a double or a division makes a double, and dates can be moved and subtracted. */
import {
  DateTime,
  Decimal,
  double,
  integer,
  isNumber,
  long,
  numberKind,
  toBigInt,
  toNumber,
  typeName,
  type Value,
} from '../../../expr/bson/value.ts'
import { bad, failed, fixed, isNull, type Maybe, type Operator, type Operators, variadic } from './expression.ts'

type AnyNumber = Parameters<typeof toNumber>[0]

const wholeOf = (value: AnyNumber): bigint | null =>
  numberKind(value) === 'int' || numberKind(value) === 'long' ? toBigInt(value) : null

const isDecimal = (...values: readonly AnyNumber[]): boolean => values.some((value) => value instanceof Decimal)

/** A result in the widest type of its operands. */
export const arithmetic = (
  a: AnyNumber,
  b: AnyNumber,
  exact: (x: bigint, y: bigint) => bigint,
  rounded: (x: number, y: number) => number,
): Value => {
  if (isDecimal(a, b)) return new Decimal(String(rounded(toNumber(a), toNumber(b))))
  const [x, y] = [wholeOf(a), wholeOf(b)]
  if (x === null || y === null) return double(rounded(toNumber(a), toNumber(b)))
  const result = exact(x, y)
  const wide = numberKind(a) === 'long' || numberKind(b) === 'long'
  return wide && BigInt.asIntN(64, result) === result ? long(result) : integer(result)
}

export const add = (a: AnyNumber, b: AnyNumber): Value =>
  arithmetic(
    a,
    b,
    (x, y) => x + y,
    (x, y) => x + y,
  )
export const subtract = (a: AnyNumber, b: AnyNumber): Value =>
  arithmetic(
    a,
    b,
    (x, y) => x - y,
    (x, y) => x - y,
  )
export const multiply = (a: AnyNumber, b: AnyNumber): Value =>
  arithmetic(
    a,
    b,
    (x, y) => x * y,
    (x, y) => x * y,
  )

const number = (value: Value, name: string): AnyNumber => {
  if (isNumber(value)) return value
  throw failed(`${name} only supports numeric types, not ${typeName(value)}`)
}

const addAll: Operator = variadic((values, name) => {
  let sum: Value = 0
  let date = false
  for (const value of values) {
    if (isNull(value)) return null
    if (value instanceof DateTime) {
      if (date) throw failed('only one date allowed in an $add expression')
      date = true
      sum = add(number(sum, name), long(BigInt(value.millis)))
    } else sum = add(number(sum, name), number(value, name))
  }
  return date && isNumber(sum) ? new DateTime(Math.round(toNumber(sum))) : sum
})

const subtractBoth: Operator = fixed(2, ([a, b], name) => {
  if (isNull(a) || isNull(b)) return null
  if (a instanceof DateTime) {
    if (b instanceof DateTime) return long(BigInt(a.millis - b.millis))
    return new DateTime(a.millis - Math.round(toNumber(number(b, name))))
  }
  return subtract(number(a, name), number(b, name))
})

const multiplyAll: Operator = variadic((values, name) => {
  let product: AnyNumber = 1
  for (const value of values) {
    if (isNull(value)) return null
    const next = multiply(product, number(value, name))
    if (isNumber(next)) product = next
  }
  return product
})

/** An operator on one number that answers a double. */
const real = (apply: (value: number) => number, check?: (value: number, name: string) => void): Operator =>
  fixed(1, ([value], name) => {
    if (isNull(value)) return null
    const plain = toNumber(number(value, name))
    check?.(plain, name)
    return double(apply(plain))
  })

const binary = (apply: (a: AnyNumber, b: AnyNumber, name: string) => Value): Operator =>
  fixed(2, ([a, b], name) => (isNull(a) || isNull(b) ? null : apply(number(a, name), number(b, name), name)))

const divide = binary((a, b) => {
  if (toNumber(b) === 0) throw failed("can't $divide by zero")
  return double(toNumber(a) / toNumber(b))
})

const mod = binary((a, b) => {
  if (toNumber(b) === 0) throw failed("can't $mod by zero")
  return arithmetic(
    a,
    b,
    (x, y) => x % y,
    (x, y) => x % y,
  )
})

const pow = binary((a, b) => {
  const [x, y] = [wholeOf(a), wholeOf(b)]
  if (x === 0n && y !== null && y < 0n) throw failed('$pow cannot take a base of 0 and a negative exponent')
  const plain = toNumber(a) ** toNumber(b)
  if (x === null || y === null || y < 0n || Math.abs(plain) >= 2 ** 63) return double(plain)
  const exact = x ** y
  return numberKind(a) === 'long' || numberKind(b) === 'long' ? long(exact) : integer(exact)
})

const log = binary((a, b) => {
  if (toNumber(a) <= 0) throw failed("$log's argument must be a positive number")
  if (toNumber(b) <= 0 || toNumber(b) === 1) throw failed("$log's base must be a positive number not equal to 1")
  return double(Math.log(toNumber(a)) / Math.log(toNumber(b)))
})

const abs: Operator = fixed(1, ([value], name) => {
  if (isNull(value)) return null
  const known = number(value, name)
  const whole = wholeOf(known)
  if (whole === null) return double(Math.abs(toNumber(known)))
  const positive = whole < 0n ? -whole : whole
  return numberKind(known) === 'long' ? long(positive) : integer(positive)
})

/** A whole number of the same type. */
const whole = (apply: (value: number) => number): Operator =>
  fixed(1, ([value], name) => {
    if (isNull(value)) return null
    const known = number(value, name)
    return wholeOf(known) === null ? double(apply(toNumber(known))) : known
  })

/** Towards zero (`$trunc`), or to the nearest even neighbour (`$round`), at a decimal place. */
const toPlace = (apply: (value: number) => number): Operator =>
  fixed([1, 2], ([value, place], name) => {
    if (isNull(value) || (place !== undefined && isNull(place))) return null
    const known = number(value, name)
    const digits = place === undefined ? 0 : toNumber(number(place, name))
    if (!Number.isInteger(digits) || digits < -20 || digits > 100)
      throw bad(`cannot apply ${name} with precision ${digits}`)
    if (wholeOf(known) !== null && digits >= 0) return known
    const plain = toNumber(known)
    if (!Number.isFinite(plain)) return known
    const moved = apply(Number(`${plain}e${digits}`))
    const result = Number.isFinite(moved) ? Number(`${moved}e${-digits}`) : plain
    const exact = wholeOf(known) === null ? double(result) : integer(BigInt(result))
    return Number.isNaN(result) ? known : exact
  })

const halfEven = (value: number): number => {
  const floor = Math.floor(value)
  if (value - floor !== 0.5) return Math.round(value)
  return floor % 2 === 0 ? floor : floor + 1
}

const positive = (value: number, name: string): void => {
  if (value <= 0) throw failed(`${name}'s argument must be a positive number`)
}

export const ARITHMETIC: Operators = {
  $abs: abs,
  $add: addAll,
  $ceil: whole(Math.ceil),
  $divide: divide,
  $exp: real(Math.exp),
  $floor: whole(Math.floor),
  $ln: real(Math.log, positive),
  $log: log,
  $log10: real(Math.log10, positive),
  $mod: mod,
  $multiply: multiplyAll,
  $pow: pow,
  $round: toPlace(halfEven),
  $sqrt: real(Math.sqrt, (value) => {
    if (value < 0) throw failed("$sqrt's argument must be greater than or equal to 0")
  }),
  $subtract: subtractBoth,
  $trunc: toPlace(Math.trunc),
}

/** A whole number of an argument. */
export const integerOf = (value: Maybe, what: string): number => {
  const plain = isNumber(value) ? toNumber(value) : Number.NaN
  if (!Number.isInteger(plain)) throw failed(`${what} must be representable as a 32-bit integer`)
  return plain
}
