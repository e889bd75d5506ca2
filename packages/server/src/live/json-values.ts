/** Writes column values of the log as JSON, the way `to_jsonb` writes them: numbers as numbers, arrays as arrays, json as itself. */
import type { Catalog, TypeInfo } from '../db/catalog/catalog.ts'
import { parseArray } from './array-text.ts'

/** Writes one value; null is handled by the caller. */
export type JsonWriter = (text: string) => string

const JSON_NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/

const asString: JsonWriter = (text) => JSON.stringify(text)
/** NaN and Infinity are no JSON numbers; Postgres writes them as strings. */
const asNumber: JsonWriter = (text) => (JSON_NUMBER.test(text) ? text : JSON.stringify(text))
const asBoolean: JsonWriter = (text) => (text === 't' ? 'true' : 'false')
const asIs: JsonWriter = (text) => text
const asTimestamp: JsonWriter = (text) => JSON.stringify(text.replace(' ', 'T'))
/** The stream's zone is UTC, written `+00`; ISO 8601 wants minutes too. */
const asTimestampTz: JsonWriter = (text) => JSON.stringify(text.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00'))

/** By pg_type oid: these are fixed for ever. */
const WRITERS: ReadonlyMap<number, JsonWriter> = new Map([
  [16, asBoolean],
  [20, asNumber],
  [21, asNumber],
  [23, asNumber],
  [700, asNumber],
  [701, asNumber],
  [1700, asNumber],
  [114, asIs],
  [3802, asIs],
  [1114, asTimestamp],
  [1184, asTimestampTz],
])

/** Depth of domains over arrays over domains: real schemas have two or three. */
const MAX_NESTING = 8

/** The writer for a type. Unknown types (dropped since the row was written) are written as strings. */
export const jsonWriter = (catalog: Catalog, typeOid: number, depth = 0): JsonWriter => {
  const known = WRITERS.get(typeOid)
  if (known !== undefined) return known
  const type = catalog.types.get(typeOid)
  if (type === undefined || depth > MAX_NESTING) return asString
  if (type.kind === 'domain') return jsonWriter(catalog, type.baseOid, depth + 1)
  if (type.elementOid !== 0)
    return arrayWriter(jsonWriter(catalog, type.elementOid, depth + 1), delimiterOf(catalog, type))
  return asString
}

/** `box` is the one type whose arrays are separated by semicolons. */
const delimiterOf = (catalog: Catalog, type: TypeInfo): string =>
  catalog.types.get(type.elementOid)?.name === 'box' ? ';' : ','

const arrayWriter =
  (element: JsonWriter, delimiter: string): JsonWriter =>
  (text) => {
    const parsed = parseArray(text, delimiter)
    return parsed === null ? asString(text) : writeArray(parsed, element)
  }

type ArrayValue = readonly (string | null | ArrayValue)[]

const writeArray = (values: ArrayValue, element: JsonWriter): string =>
  `[${values.map((value) => (value === null ? 'null' : typeof value === 'string' ? element(value) : writeArray(value, element))).join(',')}]`
