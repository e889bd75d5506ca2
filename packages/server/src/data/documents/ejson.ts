/** Documents on the wire: MongoDB's Extended JSON (canonical and relaxed), and plain JSON in which only dates are tagged. */

import {
  Binary,
  DateTime,
  Decimal,
  type Doc,
  type Double,
  double,
  Extreme,
  isArray,
  isDoc,
  isNumber,
  Long,
  long,
  newDoc,
  numberKind,
  Regex,
  ServerDate,
  type Tagged,
  Timestamp,
  toNumber,
  type Value,
} from '../../expr/bson/value.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import { isObject, parseJson } from '../../kernel/json.ts'
import { DocumentError } from './errors.ts'

/** How values that JSON lacks are written. `plain` is what the `/web` and `/v1` surfaces speak: dates as `{"$date": ms}`, numbers as numbers. */
export type JsonForm = 'canonical' | 'relaxed' | 'plain'

/** Deeper nesting than MongoDB allows is refused. */
const MAX_DEPTH = 100

/** Reads a value; every form of every tag is understood. Throws DocumentError `invalid_value`. */
export const fromJson = (json: Json | undefined): Value => read(json, 0)

/** Reads JSON text. Throws DocumentError `invalid_value`. */
export const fromJsonText = (text: string): Value => {
  const json = parseJson(text)
  if (json === undefined) throw invalid('this is not JSON')
  return read(json, 0)
}

/** Reads JSON text that must be an object. */
export const docFromJsonText = (text: string): Doc => {
  const value = fromJsonText(text)
  if (!isDoc(value)) throw invalid('an object is wanted here')
  return value
}

const invalid = (message: string): DocumentError => new DocumentError('invalid_value', message)

const read = (json: Json | undefined, depth: number): Value => {
  if (depth > MAX_DEPTH) throw invalid(`a document may be nested ${MAX_DEPTH} levels deep`)
  if (json === undefined) return null
  if (typeof json === 'number' || typeof json === 'boolean' || json === null) return json
  if (typeof json === 'string') return readText(json)
  if (Array.isArray(json)) return json.map((each: Json) => read(each, depth + 1))
  // An array was excluded just above; readonly arrays escape the narrowing of Array.isArray.
  return readObject(json as JsonObject, depth)
}

const HALF_PAIR = /\p{Cs}/u

const readText = (text: string): string => {
  if (text.includes('\0')) throw invalid('text may not hold NUL')
  // Half of a surrogate pair has no UTF-8; Postgres would refuse it.
  return HALF_PAIR.test(text) ? text.replace(/\p{Cs}/gu, '\ufffd') : text
}

const readObject = (json: JsonObject, depth: number): Value => {
  const tagged = readTag(json)
  if (tagged !== undefined) return tagged
  const doc = newDoc()
  for (const [field, value] of Object.entries(json)) {
    if (value === undefined) continue
    if (isUndefinedTag(value)) continue
    doc[readText(field)] = read(value, depth + 1)
  }
  return doc
}

const isUndefinedTag = (value: Json): boolean => isObject(value) && '$undefined' in value

type Reader = (content: Json, whole: JsonObject) => Value | undefined

const text = (content: Json, pattern: RegExp): string | undefined =>
  typeof content === 'string' && pattern.test(content) ? content : undefined

const readLong = (content: Json): Value | undefined => {
  const digits = typeof content === 'number' ? String(content) : text(content, /^-?\d{1,19}$/)
  return digits === undefined || !/^-?\d+$/.test(digits) ? undefined : long(BigInt.asIntN(64, BigInt(digits)))
}

const readInt = (content: Json): Value | undefined => {
  const value = Number(text(content, /^-?\d{1,10}$/) ?? Number.NaN)
  return Number.isNaN(value) ? undefined : value
}

const readDouble = (content: Json): Value | undefined => {
  if (typeof content === 'number') return double(content)
  if (typeof content !== 'string' || content.trim() === '') return undefined
  const value = Number(content)
  return Number.isNaN(value) && content !== 'NaN' ? undefined : double(value)
}

const readDate = (content: Json): Value | undefined => {
  if (typeof content === 'number') return Number.isFinite(content) ? new DateTime(Math.trunc(content)) : undefined
  if (typeof content === 'string') {
    const millis = Date.parse(content)
    return Number.isNaN(millis) ? undefined : new DateTime(millis)
  }
  if (!isObject(content)) return undefined
  if ('offset' in content) return readServerDate(content)
  const millis = content.$numberLong === undefined ? undefined : Number(content.$numberLong)
  return millis === undefined || !Number.isSafeInteger(millis) ? undefined : new DateTime(millis)
}

const readServerDate = (content: Json): Value | undefined => {
  if (!isObject(content)) return undefined
  const offset = read(content.offset ?? 0, 0)
  return isNumber(offset) && Number.isFinite(toNumber(offset))
    ? new ServerDate(Math.trunc(toNumber(offset)))
    : undefined
}

const readBinary = (content: Json, whole: JsonObject): Value | undefined => {
  const subType = isObject(content) ? content.subType : whole.$type
  const base64 = isObject(content) ? content.base64 : content
  if (typeof base64 !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) return undefined
  const kind = typeof subType === 'number' ? subType.toString(16) : (subType ?? '0')
  if (typeof kind !== 'string' || !/^[0-9a-fA-F]{1,2}$/.test(kind)) return undefined
  return new Binary(base64, kind.toLowerCase().padStart(2, '0'))
}

const readRegex = (content: Json): Value | undefined => {
  if (!isObject(content)) return undefined
  const { pattern, options } = content
  if (typeof pattern !== 'string' || (options !== undefined && typeof options !== 'string')) return undefined
  return new Regex(readText(pattern), [...new Set(options ?? '')].sort().join(''))
}

const readTimestamp = (content: Json): Value | undefined => {
  if (!isObject(content)) return undefined
  return typeof content.t === 'number' && typeof content.i === 'number'
    ? new Timestamp(content.t, content.i)
    : undefined
}

const TAGS: Readonly<Record<string, Reader>> = {
  $numberInt: readInt,
  $numberLong: readLong,
  $numberDouble: readDouble,
  $numberDecimal: (content) => (typeof content === 'string' ? new Decimal(readText(content)) : undefined),
  $date: readDate,
  $tcb_server_date: readServerDate,
  $binary: readBinary,
  $regularExpression: readRegex,
  $timestamp: readTimestamp,
  // An object id is its text here: clients of this dialect know no other keys than texts and numbers.
  $oid: (content) => text(content, /^[0-9a-fA-F]{24}$/),
  $minKey: (content) => (content === 1 ? new Extreme('min') : undefined),
  $maxKey: (content) => (content === 1 ? new Extreme('max') : undefined),
  $undefined: () => null,
}

/** A tagged value; undefined when the object is an ordinary one. Throws when a tag's content makes no sense. */
const readTag = (json: JsonObject): Value | undefined => {
  const keys = Object.keys(json)
  const [first = ''] = keys
  if (!first.startsWith('$') || keys.length > 2) return undefined
  const reader = Object.hasOwn(TAGS, first) ? TAGS[first] : undefined
  const pair = keys.length === 2 && first === '$binary' && keys[1] === '$type'
  if (reader === undefined || (keys.length === 2 && !pair)) return undefined
  const value = reader(json[first] ?? null, json)
  if (value === undefined) throw invalid(`this is not a value for ${first}`)
  return value
}

/** Writes a value as a tree that JSON.stringify takes. */
export const toJson = (value: Value, form: JsonForm): Json => {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
  if (isArray(value)) return value.map((each) => toJson(each, form))
  if (isNumber(value)) return writeNumber(value, form)
  if (!isDoc(value)) return writeTagged(value, form)
  const out: Record<string, Json> = Object.create(null)
  for (const [field, inner] of Object.entries(value)) out[field] = toJson(inner, form)
  return out
}

/** Writes a value as JSON text. */
export const toJsonText = (value: Value, form: JsonForm): string => JSON.stringify(toJson(value, form))

const CANONICAL = {
  int: '$numberInt',
  long: '$numberLong',
  double: '$numberDouble',
  decimal: '$numberDecimal',
} as const

const writeNumber = (value: number | Long | Double | Decimal, form: JsonForm): Json => {
  const kind = numberKind(value) ?? 'double'
  const tagged = (content: string): Json => ({ [CANONICAL[kind]]: content })
  if (value instanceof Decimal) return tagged(value.text)
  if (form === 'canonical') return tagged(numberText(value))
  if (value instanceof Long && !Number.isSafeInteger(Number(value.value))) return tagged(String(value.value))
  const plain = toNumber(value)
  return Number.isFinite(plain) ? plain : tagged(numberText(value))
}

/** A number's text with its type to be seen: `5` is an integer, `5.0` a double. */
const numberText = (value: number | Long | Double): string => {
  if (value instanceof Long) return String(value.value)
  const plain = toNumber(value)
  if (numberKind(value) !== 'double') return String(plain)
  if (Object.is(plain, -0)) return '-0.0'
  return Number.isInteger(plain) && Math.abs(plain) < 1e21 ? `${plain}.0` : String(plain)
}

const writeTagged = (value: Tagged, form: JsonForm): Json => {
  if (value instanceof DateTime) return { $date: writeDate(value.millis, form) }
  if (value instanceof ServerDate) return { $tcb_server_date: { offset: value.offset } }
  if (value instanceof Binary) return { $binary: { base64: value.base64, subType: value.subType } }
  if (value instanceof Regex) return { $regularExpression: { pattern: value.pattern, options: value.options } }
  if (value instanceof Timestamp) return { $timestamp: { t: value.seconds, i: value.increment } }
  if (value instanceof Extreme) return value.end === 'min' ? { $minKey: 1 } : { $maxKey: 1 }
  return null
}

/** Years that relaxed Extended JSON writes as ISO text. */
const FIRST = Date.UTC(1970, 0, 1)
const LAST = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

const writeDate = (millis: number, form: JsonForm): Json => {
  if (form === 'plain') return millis
  if (form === 'relaxed' && millis >= FIRST && millis <= LAST) return new Date(millis).toISOString()
  return { $numberLong: String(millis) }
}
