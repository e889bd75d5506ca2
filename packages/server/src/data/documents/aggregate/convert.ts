/** Expressions that convert between types. */
import {
  DateTime,
  Decimal,
  double,
  fitsLong,
  integer,
  isNumber,
  long,
  numberKind,
  toBigInt,
  toNumber,
  typeName,
  type Value,
} from '../../../expr/bson/value.ts'
import { dateOf } from './dates.ts'
import { failed, fixed, isNull, isTruthy, type Maybe, named, type Operator, type Operators } from './expression.ts'

type Convert = (value: Value) => Value | null

/** Null where the value has no meaning in the type. */
const toBool: Convert = (value) => isTruthy(value)

const numeric = (value: Value): number | null => {
  if (isNumber(value)) return toNumber(value)
  if (typeof value === 'boolean') return value ? 1 : 0
  if (typeof value === 'string' && /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(value)) return Number(value)
  return null
}

const toDouble: Convert = (value) => {
  if (value instanceof DateTime) return double(value.millis)
  const plain = numeric(value)
  return plain === null ? null : double(plain)
}

const wholeOf = (value: Value): bigint | null => {
  if (typeof value === 'string') return /^[+-]?\d{1,19}$/.test(value) ? BigInt(value) : null
  if (isNumber(value) && numberKind(value) === 'long') return toBigInt(value)
  const plain = numeric(value)
  return plain === null || !Number.isFinite(plain) ? null : BigInt(Math.trunc(plain))
}

const toInt: Convert = (value) => {
  const whole = wholeOf(value)
  return whole === null || whole < -(2n ** 31n) || whole >= 2n ** 31n ? null : integer(whole)
}

const toLong: Convert = (value) => {
  const whole = value instanceof DateTime ? BigInt(value.millis) : wholeOf(value)
  return whole === null || !fitsLong(whole) ? null : long(whole)
}

const toDecimal: Convert = (value) => {
  if (value instanceof Decimal) return value
  if (value instanceof DateTime) return new Decimal(String(value.millis))
  if (typeof value === 'string') return numeric(value) === null ? null : new Decimal(value)
  const plain = numeric(value)
  if (plain === null) return null
  return new Decimal(isNumber(value) && numberKind(value) === 'long' ? String(toBigInt(value)) : String(plain))
}

const toText: Convert = (value) => {
  if (typeof value === 'string') return value
  if (typeof value === 'boolean') return String(value)
  if (value instanceof Decimal) return value.text
  if (isNumber(value)) return numberKind(value) === 'long' ? String(toBigInt(value)) : String(toNumber(value))
  return value instanceof DateTime ? new Date(value.millis).toISOString() : null
}

/** An object id is its 24 hexadecimal digits here. */
const toObjectId: Convert = (value) =>
  typeof value === 'string' && /^[0-9a-fA-F]{24}$/.test(value) ? value.toLowerCase() : null

const CONVERSIONS: Readonly<Record<string, Convert>> = {
  bool: toBool,
  date: dateOf,
  decimal: toDecimal,
  double: toDouble,
  int: toInt,
  long: toLong,
  objectId: toObjectId,
  string: toText,
}

const CODES: Readonly<Record<number, string>> = { 1: 'double', 2: 'string', 7: 'objectId', 8: 'bool', 9: 'date', 16: 'int', 18: 'long', 19: 'decimal' } // biome-ignore format: a table

const simple = (type: string): Operator =>
  fixed(1, ([value]) => {
    if (isNull(value)) return null
    return convert(value, type, () => {
      throw failed(`Failed to convert from ${typeName(value)} to ${type} in $convert with no onError value`)
    })
  })

const convert = (value: Value, type: string, wrong: () => Maybe): Maybe => {
  const made = CONVERSIONS[type]?.(value) ?? null
  return made === null ? wrong() : made
}

const convertTo: Operator = named(['input', 'to', 'onError', 'onNull'], ['input', 'to'], (values) => {
  const [input, to] = [values.get('input'), values.get('to')]
  if (isNull(input)) return values.has('onNull') ? values.get('onNull') : null
  if (isNull(to)) return null
  const type = isNumber(to) ? CODES[toNumber(to)] : to
  if (typeof type !== 'string' || !Object.hasOwn(CONVERSIONS, type)) throw failed('Unknown type name in $convert')
  return convert(input, type, () => {
    if (values.has('onError')) return values.get('onError')
    throw failed(`Failed to convert from ${typeName(input)} to ${type} in $convert with no onError value`)
  })
})

export const CONVERSION: Operators = {
  $convert: convertTo,
  $toBool: simple('bool'),
  $toDate: simple('date'),
  $toDecimal: simple('decimal'),
  $toDouble: simple('double'),
  $toInt: simple('int'),
  $toLong: simple('long'),
  $toObjectId: simple('objectId'),
  $toString: simple('string'),
  $type: fixed(1, ([value]) => typeName(value)),
}
