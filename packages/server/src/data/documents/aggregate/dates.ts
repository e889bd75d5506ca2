/** Expressions on dates. */
import {
  DateTime,
  docOf,
  fieldOf,
  isArray,
  isDoc,
  isNumber,
  Timestamp,
  toNumber,
  typeName,
  type Value,
} from '../../../expr/bson/value.ts'
import {
  bad,
  failed,
  isNull,
  type Maybe,
  type NamedValues,
  named,
  type Operator,
  type Operators,
} from './expression.ts'
import { integerOf } from './numbers.ts'
import { instantOf, type LocalTime, localDate, offsetAt } from './time-zones.ts'

const millisOf = (value: Value, name: string): number => {
  if (value instanceof DateTime) return value.millis
  if (value instanceof Timestamp) return value.seconds * 1000
  throw failed(`can't convert from BSON type ${typeName(value)} to Date (${name})`)
}

const zoneOf = (value: Maybe): string => {
  if (typeof value === 'string') return value
  throw failed('timezone must evaluate to a string')
}

const DAY = 86_400_000

const dayOfYear = (date: Date): number => Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / DAY) + 1

/** Weeks begin on Sunday; days before the first one are in week 0. */
const week = (date: Date): number => Math.floor((dayOfYear(date) + 6 - date.getUTCDay()) / 7)

const isoDay = (date: Date): number => date.getUTCDay() || 7

/** The Thursday of a date's week decides its year. */
const thursday = (date: Date): Date => new Date(date.getTime() + (4 - isoDay(date)) * DAY)

const isoWeek = (date: Date): number => Math.floor((dayOfYear(thursday(date)) - 1) / 7) + 1
const isoWeekYear = (date: Date): number => thursday(date).getUTCFullYear()

/** `{$year: date}` or `{$year: {date, timezone}}`. */
const part =
  (read: (date: Date) => number): Operator =>
  (argument, compile, name) => {
    const only = isArray(argument) && argument.length === 1 ? argument[0] : argument
    const detailed = isDoc(only) && Object.hasOwn(only, 'date')
    const date = compile(detailed && isDoc(only) ? (fieldOf(only, 'date') ?? null) : (only ?? null))
    const zone = detailed && isDoc(only) ? fieldOf(only, 'timezone') : undefined
    const timezone = zone === undefined ? undefined : compile(zone)
    return (scope) => {
      const [value, local] = [date(scope), timezone === undefined ? 'UTC' : timezone(scope)]
      if (isNull(value) || isNull(local)) return null
      return read(localDate(millisOf(value, name), zoneOf(local)))
    }
  }

const PARTS: Readonly<Record<string, (date: Date) => number>> = {
  $dayOfMonth: (date) => date.getUTCDate(),
  $dayOfWeek: (date) => date.getUTCDay() + 1,
  $dayOfYear: dayOfYear,
  $hour: (date) => date.getUTCHours(),
  $isoDayOfWeek: isoDay,
  $isoWeek: isoWeek,
  $isoWeekYear: isoWeekYear,
  $millisecond: (date) => date.getUTCMilliseconds(),
  $minute: (date) => date.getUTCMinutes(),
  $month: (date) => date.getUTCMonth() + 1,
  $second: (date) => date.getUTCSeconds(),
  $week: week,
  $year: (date) => date.getUTCFullYear(),
}

const pad = (value: number, width: number): string => String(value).padStart(width, '0')

const zoneText = (offset: number): string => {
  const minutes = Math.abs(offset) / 60_000
  return `${offset < 0 ? '-' : '+'}${pad(Math.floor(minutes / 60), 2)}${pad(Math.floor(minutes % 60), 2)}`
}

const FORMATS: Readonly<Record<string, (date: Date, offset: number) => string>> = {
  d: (date) => pad(date.getUTCDate(), 2),
  G: (date) => pad(isoWeekYear(date), 4),
  H: (date) => pad(date.getUTCHours(), 2),
  j: (date) => pad(dayOfYear(date), 3),
  L: (date) => pad(date.getUTCMilliseconds(), 3),
  m: (date) => pad(date.getUTCMonth() + 1, 2),
  M: (date) => pad(date.getUTCMinutes(), 2),
  S: (date) => pad(date.getUTCSeconds(), 2),
  w: (date) => String(date.getUTCDay() + 1),
  u: (date) => String(isoDay(date)),
  U: (date) => pad(week(date), 2),
  V: (date) => pad(isoWeek(date), 2),
  Y: (date) => pad(date.getUTCFullYear(), 4),
  z: (_date, offset) => zoneText(offset),
  Z: (_date, offset) => String(Math.round(offset / 60_000)),
  '%': () => '%',
}

const formatDate = (millis: number, format: string, zone: string): string => {
  const [date, offset] = [localDate(millis, zone), offsetAt(zone, millis)]
  return format.replace(/%(.?)/gs, (_all, letter: string) => {
    const write = Object.hasOwn(FORMATS, letter) ? FORMATS[letter] : undefined
    if (write === undefined) throw bad(`Invalid format character '%${letter}' in format string`)
    return write(date, offset)
  })
}

const dateToString: Operator = named(['date', 'format', 'timezone', 'onNull'], ['date'], (values, name) => {
  const date = values.get('date')
  const zone = values.has('timezone') ? values.get('timezone') : 'UTC'
  if (isNull(date)) return values.has('onNull') ? values.get('onNull') : null
  if (isNull(zone)) return null
  const utcForm = zone === 'UTC' || zone === 'GMT'
  const format = values.has('format') ? values.get('format') : `%Y-%m-%dT%H:%M:%S.%L${utcForm ? 'Z' : '%z'}`
  if (isNull(format)) return null
  if (typeof format !== 'string') throw failed('$dateToString requires that format be a string')
  return formatDate(millisOf(date, name), format, zoneOf(zone))
})

const numberPart = (values: NamedValues, name: string, missing: number): number | null => {
  if (!values.has(name)) return missing
  const value = values.get(name)
  return isNull(value) ? null : integerOf(value, `'${name}'`)
}

const dateFromParts: Operator = named(
  [
    'year',
    'month',
    'day',
    'hour',
    'minute',
    'second',
    'millisecond',
    'isoWeekYear',
    'isoWeek',
    'isoDayOfWeek',
    'timezone',
  ],
  [],
  (values) => {
    const zone = values.has('timezone') ? values.get('timezone') : 'UTC'
    const iso = values.has('isoWeekYear')
    if (!iso && !values.has('year')) throw bad("$dateFromParts requires either 'year' or 'isoWeekYear' to be present")
    const dayNames = iso ? ['isoWeekYear', 'isoWeek', 'isoDayOfWeek'] : ['year', 'month', 'day']
    const numbers = [...dayNames, 'hour', 'minute', 'second', 'millisecond'].map((name, at) =>
      numberPart(values, name, at < 3 ? 1 : 0),
    )
    if (isNull(zone) || numbers.includes(null)) return null
    const [year, month, day, hour, minute, second, millisecond] = numbers.map((each) => each ?? 0)
    const clock = { hour: hour ?? 0, minute: minute ?? 0, second: second ?? 0, millisecond: millisecond ?? 0 }
    const local: LocalTime = iso
      ? { year: year ?? 0, month: 1, day: isoDayOfYear(year ?? 0, month ?? 1, day ?? 1), ...clock }
      : { year: year ?? 0, month: month ?? 1, day: day ?? 1, ...clock }
    return new DateTime(instantOf(local, zoneOf(zone)))
  },
)

/** The day of the year (1 is January the 1st, also beyond the year's ends) on which an ISO week's day falls. */
const isoDayOfYear = (year: number, isoWeekNumber: number, dayOfWeek: number): number => {
  const fourth = new Date(Date.UTC(year, 0, 4))
  return 4 - isoDay(fourth) + 1 + (isoWeekNumber - 1) * 7 + (dayOfWeek - 1)
}

const dateToParts: Operator = named(['date', 'timezone', 'iso8601'], ['date'], (values, name) => {
  const date = values.get('date')
  const zone = values.has('timezone') ? values.get('timezone') : 'UTC'
  if (isNull(date) || isNull(zone)) return null
  const local = localDate(millisOf(date, name), zoneOf(zone))
  const day: readonly (readonly [string, number])[] =
    values.get('iso8601') === true
      ? [['isoWeekYear', isoWeekYear(local)], ['isoWeek', isoWeek(local)], ['isoDayOfWeek', isoDay(local)]] // biome-ignore format: a date is one line
      : [['year', local.getUTCFullYear()], ['month', local.getUTCMonth() + 1], ['day', local.getUTCDate()]] // biome-ignore format: a date is one line
  return docOf([
    ...day,
    ['hour', local.getUTCHours()],
    ['minute', local.getUTCMinutes()],
    ['second', local.getUTCSeconds()],
    ['millisecond', local.getUTCMilliseconds()],
  ])
})

const ISO =
  /^(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?\s*(Z|[+-]\d{2}:?\d{2}|[+-]\d{2})?$/

interface ParsedDate {
  readonly local: LocalTime
  readonly zone: string | undefined
}

const localOf = (parts: Readonly<Record<string, string | undefined>>): LocalTime => ({
  year: Number(parts.Y ?? 1970),
  month: Number(parts.m ?? 1),
  day: Number(parts.j === undefined ? (parts.d ?? 1) : parts.j),
  hour: Number(parts.H ?? 0),
  minute: Number(parts.M ?? 0),
  second: Number(parts.S ?? 0),
  millisecond: Number((parts.L ?? '0').padEnd(3, '0').slice(0, 3)),
})

const isReal = ({ month, day, hour, minute, second }: LocalTime, dayOfYearGiven: boolean): boolean =>
  month >= 1 && month <= 12 && day >= 1 && day <= (dayOfYearGiven ? 366 : 31) && hour < 24 && minute < 60 && second < 60

const parseIso = (text: string): ParsedDate | null => {
  const match = ISO.exec(text.trim())
  if (match === null) return null
  const [, Y, m, d, H, M, S, L, zone] = match
  const local = localOf({ Y, m, d, H, M, S, L })
  return isReal(local, false) ? { local, zone } : null
}

const READS: Readonly<Record<string, string>> = {
  Y: '(?<Y>\\d{4})',
  m: '(?<m>\\d{1,2})',
  d: '(?<d>\\d{1,2})',
  j: '(?<j>\\d{1,3})',
  H: '(?<H>\\d{1,2})',
  M: '(?<M>\\d{1,2})',
  S: '(?<S>\\d{1,2})',
  L: '(?<L>\\d{1,3})',
  z: '(?<z>Z|[+-]\\d{2}:?\\d{2})',
  Z: '(?<minutes>[+-]?\\d{1,4})',
  '%': '%',
}

/** The expression is ours: the format's letters become fixed patterns, everything else is escaped. */
const parseFormatted = (text: string, format: string): ParsedDate | null => {
  const seen = new Set<string>()
  const pattern = format.replace(/%(.?)|[^%]/gs, (all, letter: string | undefined) => {
    if (letter === undefined) return all.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
    const read = Object.hasOwn(READS, letter) && !seen.has(letter) ? READS[letter] : undefined
    if (read === undefined) throw bad(`Invalid format character '%${letter}' in format string`)
    if (letter !== '%') seen.add(letter)
    return read
  })
  const groups = new RegExp(`^${pattern}$`, 's').exec(text)?.groups
  if (groups === undefined) return null
  const local = localOf(groups)
  const minutes = groups.minutes === undefined ? undefined : zoneText(Number(groups.minutes) * 60_000)
  return isReal(local, groups.j !== undefined) ? { local, zone: groups.z ?? minutes } : null
}

/** The instant that a text means; null when it means none. */
export const parseDate = (text: string, format: string | undefined, timezone: string | undefined): number | null => {
  const parsed = format === undefined ? parseIso(text) : parseFormatted(text, format)
  return parsed === null ? null : instantOf(parsed.local, parsed.zone ?? timezone ?? 'UTC')
}

const dateFromString: Operator = named(
  ['dateString', 'format', 'timezone', 'onError', 'onNull'],
  ['dateString'],
  (values) => {
    const text = values.get('dateString')
    if (isNull(text)) return values.has('onNull') ? values.get('onNull') : null
    const [format, zone] = [values.get('format'), values.get('timezone')]
    const wrong = (message: string): Maybe => {
      if (values.has('onError')) return values.get('onError')
      throw failed(message)
    }
    if (typeof text !== 'string')
      return wrong(`$dateFromString requires that 'dateString' be a string, found: ${typeName(text)}`)
    if ((values.has('format') && isNull(format)) || (values.has('timezone') && isNull(zone))) return null
    const millis = parseDate(
      text,
      typeof format === 'string' ? format : undefined,
      typeof zone === 'string' ? zone : undefined,
    )
    return millis === null ? wrong(`Error parsing date string '${text.slice(0, 60)}'`) : new DateTime(millis)
  },
)

export const DATES: Operators = {
  ...Object.fromEntries(Object.entries(PARTS).map(([name, read]) => [name, part(read)])),
  $dateFromParts: dateFromParts,
  $dateFromString: dateFromString,
  $dateToParts: dateToParts,
  $dateToString: dateToString,
}

/** A date, or a number of milliseconds; for conversions. */
export const dateOf = (value: Value): DateTime | null => {
  if (value instanceof DateTime) return value
  if (isNumber(value) && Number.isFinite(toNumber(value))) return new DateTime(Math.trunc(toNumber(value)))
  const millis = typeof value === 'string' ? parseDate(value, undefined, undefined) : null
  return millis === null ? null : new DateTime(millis)
}
