/** Document values in memory: what BSON can hold, with JavaScript's own types wherever they say the same. Pure. */

/** A document value. A plain number is an int or long when it is a safe integer, else a double; `Long` and `Double` hold what that rule cannot say. */
export type Value = null | boolean | number | string | Tagged | readonly Value[] | Doc

/** A document. Made without a prototype, so that no field name means anything special. */
export interface Doc {
  readonly [field: string]: Value
}

/** A document while it is being built. */
export interface MutableDoc {
  [field: string]: Value
}

/** What JSON cannot say by itself. */
export abstract class Tagged {
  abstract readonly tag: string
}

/** A 64-bit integer that is small (below 32 bits, but declared long) or beyond JavaScript's safe integers. */
export class Long extends Tagged {
  readonly tag = 'long'
  readonly value: bigint
  constructor(value: bigint) {
    super()
    this.value = value
  }
}

/** A double that happens to be a safe integer: 5.0. */
export class Double extends Tagged {
  readonly tag = 'double'
  readonly value: number
  constructor(value: number) {
    super()
    this.value = value
  }
}

/** A decimal number, as text. Compared and computed with as a double; kept exactly. */
export class Decimal extends Tagged {
  readonly tag = 'decimal'
  readonly text: string
  constructor(text: string) {
    super()
    this.text = text
  }
}

/** An instant in milliseconds since 1970. */
export class DateTime extends Tagged {
  readonly tag = 'date'
  readonly millis: number
  constructor(millis: number) {
    super()
    this.millis = millis
  }
}

/** The server's time when it is written, plus an offset in milliseconds. Only in what clients send. */
export class ServerDate extends Tagged {
  readonly tag = 'serverDate'
  readonly offset: number
  constructor(offset: number) {
    super()
    this.offset = offset
  }
}

export class Binary extends Tagged {
  readonly tag = 'binary'
  readonly base64: string
  readonly subType: string
  constructor(base64: string, subType: string) {
    super()
    this.base64 = base64
    this.subType = subType
  }
}

export class Regex extends Tagged {
  readonly tag = 'regex'
  readonly pattern: string
  readonly options: string
  constructor(pattern: string, options: string) {
    super()
    this.pattern = pattern
    this.options = options
  }
}

export class Timestamp extends Tagged {
  readonly tag = 'timestamp'
  readonly seconds: number
  readonly increment: number
  constructor(seconds: number, increment: number) {
    super()
    this.seconds = seconds
    this.increment = increment
  }
}

/** Smaller (`min`) or greater (`max`) than everything else. */
export class Extreme extends Tagged {
  readonly tag = 'extreme'
  readonly end: 'min' | 'max'
  constructor(end: 'min' | 'max') {
    super()
    this.end = end
  }
}

const INT_LIMIT = 2 ** 31
const LONG_LIMIT = 2n ** 63n

/** A 64-bit integer in its canonical form. */
export const long = (value: bigint): number | Long => {
  const plain = Number(value)
  const canonical = Number.isSafeInteger(plain) && (plain >= INT_LIMIT || plain < -INT_LIMIT)
  return canonical ? plain : new Long(value)
}

/** A double in its canonical form. */
export const double = (value: number): number | Double => (Number.isSafeInteger(value) ? new Double(value) : value)

/** An integer result: an int when it fits, else a long, else (past 64 bits) a double. */
export const integer = (value: bigint): number | Long | Double => {
  if (value >= -BigInt(INT_LIMIT) && value < BigInt(INT_LIMIT)) return Number(value)
  return fitsLong(value) ? long(value) : double(Number(value))
}

export const fitsLong = (value: bigint): boolean => value >= -LONG_LIMIT && value < LONG_LIMIT

export const isArray = (value: Value | undefined): value is readonly Value[] => Array.isArray(value)

export const isDoc = (value: Value | undefined): value is Doc =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Tagged)

export type NumberKind = 'int' | 'long' | 'double' | 'decimal'

/** Which of BSON's number types a value is; null when it is no number. */
export const numberKind = (value: Value | undefined): NumberKind | null => {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) return 'double'
    return value >= -INT_LIMIT && value < INT_LIMIT ? 'int' : 'long'
  }
  if (value instanceof Long) return 'long'
  if (value instanceof Double) return 'double'
  return value instanceof Decimal ? 'decimal' : null
}

export const isNumber = (value: Value | undefined): value is number | Long | Double | Decimal =>
  numberKind(value) !== null

/** The number as a double: exact for all but longs beyond 2^53 and decimals. */
export const toNumber = (value: number | Long | Double | Decimal): number => {
  if (typeof value === 'number') return value
  return value instanceof Decimal ? decimalNumber(value.text) : Number(value.value)
}

const decimalNumber = (text: string): number => {
  const plain = text.trim().toLowerCase()
  if (/^[+-]?inf(inity)?$/.test(plain)) return plain.startsWith('-') ? -Infinity : Infinity
  return Number(plain)
}

/** An integer as bigint; null for anything else. */
export const toBigInt = (value: number | Long | Double | Decimal): bigint | null => {
  if (value instanceof Long) return value.value
  const plain = toNumber(value)
  return Number.isInteger(plain) ? BigInt(plain) : null
}

/** A new empty document. */
export const newDoc = (): MutableDoc => Object.create(null) as MutableDoc // The one place where the type of a bare object is stated.

/** A document of these fields. */
export const docOf = (entries: Iterable<readonly [string, Value]>): MutableDoc => {
  const doc = newDoc()
  for (const [field, value] of entries) doc[field] = value
  return doc
}

/** A document's own field; undefined when it is missing. */
export const fieldOf = (doc: Doc, name: string): Value | undefined => (Object.hasOwn(doc, name) ? doc[name] : undefined)

/** BSON's name of a value's type, as `$type` answers it. */
export const typeName = (value: Value | undefined): string => {
  if (value === undefined) return 'missing'
  if (value === null) return 'null'
  if (typeof value === 'string') return 'string'
  if (typeof value === 'boolean') return 'bool'
  const number = numberKind(value)
  if (number !== null) return number
  if (isArray(value)) return 'array'
  if (value instanceof DateTime || value instanceof ServerDate) return 'date'
  if (value instanceof Binary) return 'binData'
  if (value instanceof Regex) return 'regex'
  if (value instanceof Timestamp) return 'timestamp'
  if (value instanceof Extreme) return value.end === 'min' ? 'minKey' : 'maxKey'
  return 'object'
}
