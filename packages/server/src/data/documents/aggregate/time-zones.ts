/** Local time in a time zone: an offset (`+08:00`, `+0800`, `+08`) or a name from the tz database. */
import { bad } from './expression.ts'

export interface LocalTime {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly millisecond: number
}

const formats = new Map<string, Intl.DateTimeFormat>()

const formatOf = (zone: string): Intl.DateTimeFormat => {
  const known = formats.get(zone)
  if (known !== undefined) return known
  try {
    const format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
      era: 'short',
    })
    // There are a few hundred names; whoever sends others is refused before they are remembered.
    formats.set(zone, format)
    return format
  } catch {
    throw bad(`unrecognized time zone identifier: "${zone.slice(0, 60)}"`)
  }
}

const fixedOffset = (zone: string): number | null => {
  if (zone === '' || zone === 'UTC' || zone === 'GMT' || zone === 'Z') return 0
  const match = /^([+-])(\d{2})(?::?(\d{2}))?$/.exec(zone)
  if (match === null) return null
  const [, sign, hours, minutes = '0'] = match
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000
}

/** Milliseconds that local time is ahead of UTC at an instant. */
export const offsetAt = (zone: string, millis: number): number => {
  const fixed = fixedOffset(zone)
  if (fixed !== null) return fixed
  if (!/^[A-Za-z][\w+/-]*$/.test(zone)) throw bad(`unrecognized time zone identifier: "${zone.slice(0, 60)}"`)
  const parts = new Map(
    formatOf(zone)
      .formatToParts(millis)
      .map(({ type, value }) => [type, value]),
  )
  const part = (name: Intl.DateTimeFormatPartTypes): number => Number(parts.get(name))
  const year = parts.get('era') === 'BC' ? 1 - part('year') : part('year')
  const local = utc({ year, month: part('month'), day: part('day'), hour: part('hour'), minute: part('minute'), second: part('second'), millisecond: 0 }) // biome-ignore format: a date is one line
  return local - Math.floor(millis / 1000) * 1000
}

/** The instant of a time in UTC; parts beyond their range carry over. */
export const utc = ({ year, month, day, hour, minute, second, millisecond }: LocalTime): number => {
  const date = new Date(0)
  // Unlike Date.UTC, this takes the years before 100 as they are.
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute, second, millisecond)
  return date.getTime()
}

/** The instant of a local time. */
export const instantOf = (local: LocalTime, zone: string): number => {
  const guess = utc(local)
  const first = guess - offsetAt(zone, guess)
  // The offset at the guess may belong to the other side of a change.
  return guess - offsetAt(zone, first)
}

/** An instant shifted so that its UTC parts are the local ones. */
export const localDate = (millis: number, zone: string): Date => new Date(millis + offsetAt(zone, millis))
