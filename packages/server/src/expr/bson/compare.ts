/** The order of document values: MongoDB's, across types. `bson.key` in the database orders alike; a test compares them. Pure. */
import {
  Binary,
  DateTime,
  type Decimal,
  type Doc,
  type Double,
  Extreme,
  isArray,
  isDoc,
  isNumber,
  Long,
  Regex,
  Timestamp,
  toNumber,
  type Value,
} from './value.ts'

/** First byte of a value's key: types sort in this order. Null and what is missing are the same. */
export const rankOf = (value: Value | undefined): number => {
  if (value === undefined || value === null) return 0x05
  if (typeof value === 'string') return 0x0f
  if (typeof value === 'boolean') return 0x28
  if (isNumber(value)) return 0x0a
  if (isArray(value)) return 0x19
  if (isDoc(value)) return 0x14
  if (value instanceof DateTime) return 0x2d
  if (value instanceof Binary) return 0x1e
  if (value instanceof Timestamp) return 0x2f
  if (value instanceof Regex) return 0x32
  return value instanceof Extreme && value.end === 'min' ? 0x01 : 0x7f
}

const sign = (less: boolean, greater: boolean): number => (less ? -1 : greater ? 1 : 0)

/** Texts by code point, as their UTF-8 bytes sort; JavaScript's own order is by UTF-16 unit. */
export const compareText = (a: string, b: string): number => {
  if (a === b) return 0
  const shorter = Math.min(a.length, b.length)
  for (let index = 0; index < shorter; index += 1) {
    const [x, y] = [a.charCodeAt(index), b.charCodeAt(index)]
    if (x !== y) return sign(orderOf(x) < orderOf(y), true)
  }
  return sign(a.length < b.length, a.length > b.length)
}

/** Surrogates stand for code points above all others. */
const orderOf = (unit: number): number => (unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit)

type AnyNumber = number | Long | Double | Decimal

/** Exact, also between a long and a double. NaN is the smallest. */
export const compareNumbers = (a: AnyNumber, b: AnyNumber): number => {
  const x = a instanceof Long ? a.value : toNumber(a)
  const y = b instanceof Long ? b.value : toNumber(b)
  const [noX, noY] = [Number.isNaN(x), Number.isNaN(y)]
  if (noX || noY) return sign(noX && !noY, noY && !noX)
  return sign(x < y, x > y)
}

/** Fields in one fixed order: documents here do not remember theirs. */
export const sortedFields = (doc: Doc): readonly string[] => Object.keys(doc).sort(compareText)

const compareDocs = (a: Doc, b: Doc): number => {
  const [left, right] = [sortedFields(a), sortedFields(b)]
  for (const [index, name] of left.entries()) {
    const other = right[index]
    if (other === undefined) return 1
    const [x, y] = [a[name], b[other]]
    const order = rankOf(x) - rankOf(y) || compareText(name, other) || compareValues(x, y)
    if (order !== 0) return order
  }
  return sign(left.length < right.length, false)
}

const compareArrays = (a: readonly Value[], b: readonly Value[]): number => {
  for (const [index, x] of a.entries()) {
    if (index >= b.length) return 1
    const order = compareValues(x, b[index])
    if (order !== 0) return order
  }
  return sign(a.length < b.length, false)
}

const compareBinary = (a: Binary, b: Binary): number => {
  const [x, y] = [Buffer.from(a.base64, 'base64'), Buffer.from(b.base64, 'base64')]
  return x.length - y.length || compareText(a.subType, b.subType) || Buffer.compare(x, y)
}

/** Negative, zero or positive. Total, across all types. */
export const compareValues = (a: Value | undefined, b: Value | undefined): number => {
  const rank = rankOf(a) - rankOf(b)
  if (rank !== 0) return rank
  if (a === undefined || a === null || b === undefined || b === null) return 0
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b)
  if (typeof a === 'boolean') return Number(a) - Number(b)
  if (isNumber(a) && isNumber(b)) return compareNumbers(a, b)
  if (isArray(a) && isArray(b)) return compareArrays(a, b)
  if (a instanceof DateTime && b instanceof DateTime) return sign(a.millis < b.millis, a.millis > b.millis)
  if (a instanceof Binary && b instanceof Binary) return compareBinary(a, b)
  if (a instanceof Timestamp && b instanceof Timestamp) return a.seconds - b.seconds || a.increment - b.increment
  if (a instanceof Regex && b instanceof Regex)
    return compareText(a.pattern, b.pattern) || compareText(a.options, b.options)
  return isDoc(a) && isDoc(b) ? compareDocs(a, b) : 0
}

/** Equal as MongoDB's queries see it: 5, 5.0 and a long 5 are the same. */
export const equalValues = (a: Value | undefined, b: Value | undefined): boolean => compareValues(a, b) === 0
