/** Text forms of Postgres values that JavaScript may compare: only types and spellings where it provably agrees with Postgres. Pure. */
import type { FieldType } from './ast.ts'

/** A canonical key: two values of one type are equal for Postgres exactly when their keys are. Undefined when that cannot be told here. */
export type Canonical = (text: string) => string | undefined

/** How a type is compared: its key for equality and, where the order is known too, a sortable form. */
export interface Comparison {
  readonly key: Canonical
  readonly order?: (text: string) => bigint | undefined
}

/** Collations that compare bytes when asked for equality. Others may be nondeterministic. */
const DETERMINISTIC = new Set(['default', 'C', 'POSIX', 'ucs_basic', 'C.UTF-8', 'C.utf8', 'pg_c_utf8'])

const INT_LIMITS: Readonly<Record<string, bigint>> = {
  smallint: 2n ** 15n,
  integer: 2n ** 31n,
  bigint: 2n ** 63n,
}

// Not the spellings that newer servers add (0x10, 1_000): those are left to Postgres.
const INTEGER = /^[+-]?\d{1,19}$/

const integer = (limit: bigint): Comparison => {
  const order = (text: string): bigint | undefined => {
    if (!INTEGER.test(text)) return undefined
    const number = BigInt(text.startsWith('+') ? text.slice(1) : text)
    return number >= -limit && number < limit ? number : undefined
  }
  return { order, key: (text) => order(text)?.toString() }
}

const BOOLEANS: Readonly<Record<string, string>> = { t: 't', true: 't', f: 'f', false: 'f' }

const boolean: Comparison = {
  key: (text) => BOOLEANS[text],
  order: (text) => {
    const known = BOOLEANS[text]
    return known === undefined ? undefined : known === 't' ? 1n : 0n
  },
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

const uuid: Comparison = {
  key: (text) => (UUID.test(text) ? text.toLowerCase() : undefined),
  order: (text) => (UUID.test(text) ? BigInt(`0x${text.replaceAll('-', '')}`) : undefined),
}

const text: Comparison = { key: (content) => (content.includes('\0') ? undefined : content) }

const TIMESTAMPTZ = /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?(Z|[+-]\d{2}(?::?\d{2})?)$/

/** Microseconds since 1970. Only full ISO forms with an offset; dates that JavaScript and Postgres might read differently are refused. */
const instant = (content: string): bigint | undefined => {
  const match = TIMESTAMPTZ.exec(content)
  if (match === null) return undefined
  const [, year = '', month = '', day = '', hour = '', minute = '', second = '', fraction = '', zone = ''] = match
  if (Number(year) < 1 || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined
  const millis = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second))
  if (Number(year) < 100 || !isRealDay(Number(year), Number(month), Number(day))) return undefined
  return BigInt(millis) * 1000n + BigInt(fraction.padEnd(6, '0')) - offsetMicros(zone)
}

const isRealDay = (year: number, month: number, day: number): boolean => {
  const date = new Date(Date.UTC(year, month - 1, day))
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day
}

const offsetMicros = (zone: string): bigint => {
  if (zone === 'Z') return 0n
  const sign = zone.startsWith('-') ? -1n : 1n
  const digits = zone.slice(1).replace(':', '')
  const minutes = BigInt(digits.slice(0, 2)) * 60n + BigInt(digits.slice(2) || '0')
  return sign * minutes * 60_000_000n
}

const timestamptz: Comparison = { order: instant, key: (content) => instant(content)?.toString() }

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/

const day = (content: string): bigint | undefined => {
  const match = DATE.exec(content)
  if (match === null) return undefined
  const [, year = '', month = '', dayOfMonth = ''] = match
  if (Number(year) < 100 || !isRealDay(Number(year), Number(month), Number(dayOfMonth))) return undefined
  return BigInt(Date.UTC(Number(year), Number(month) - 1, Number(dayOfMonth)))
}

const date: Comparison = { order: day, key: (content) => day(content)?.toString() }

/** How values of a type compare in JavaScript; undefined when only Postgres can tell. */
export const comparisonOf = (type: FieldType): Comparison | undefined => {
  const limit = INT_LIMITS[type.name]
  if (limit !== undefined) return integer(limit)
  if (type.name === 'boolean') return boolean
  if (type.name === 'uuid') return uuid
  if (type.name === 'timestamp with time zone') return timestamptz
  if (type.name === 'date') return date
  if (type.name === 'text' || type.name === 'character varying') {
    return type.collation !== null && DETERMINISTIC.has(type.collation) ? text : undefined
  }
  if (type.enumLabels.length > 0) {
    const labels = new Set(type.enumLabels)
    return { key: (label) => (labels.has(label) ? label : undefined) }
  }
  return undefined
}
