/** Expressions on texts. */
import { compareText } from '../../../expr/bson/compare.ts'
import { matchesPattern } from '../../../expr/bson/regex.ts'
import { DateTime, isNumber, Regex, toNumber, typeName } from '../../../expr/bson/value.ts'
import { patternOf } from '../parse-query.ts'
import { failed, fixed, isNull, type Maybe, named, type Operator, type Operators, variadic } from './expression.ts'
import { integerOf } from './numbers.ts'

const text = (value: Maybe, name: string): string => {
  if (typeof value === 'string') return value
  throw failed(`${name} requires a string argument, found: ${typeName(value)}`)
}

/** What `toLower` and the like accept beside text: numbers and dates as their text, nothing as the empty one. */
const loose = (value: Maybe, name: string): string => {
  if (isNull(value)) return ''
  if (typeof value === 'string') return value
  if (isNumber(value)) return String(toNumber(value))
  if (value instanceof DateTime) return new Date(value.millis).toISOString()
  throw failed(`can't convert from BSON type ${typeName(value)} to String (${name})`)
}

const concat: Operator = variadic((values, name) => {
  for (const value of values) if (isNull(value)) return null
  return values.map((value) => text(value, name)).join('')
})

const split: Operator = fixed(2, ([value, separator], name) => {
  if (isNull(value) || isNull(separator)) return null
  if (separator === '') throw failed('$split requires a non-empty separator')
  return text(value, name).split(text(separator, name))
})

const bytes = (value: string): Buffer => Buffer.from(value)
const points = (value: string): readonly string[] => [...value]

/** Positions and lengths in characters, or in bytes of UTF-8. */
interface Units {
  readonly length: (value: string) => number
  readonly cut: (value: string, from: number, to: number | undefined) => string
  readonly find: (value: string, wanted: string, from: number, to: number) => number
}

const POINTS: Units = {
  length: (value) => points(value).length,
  cut: (value, from, to) => points(value).slice(from, to).join(''),
  find: (value, wanted, from, to) => {
    const [all, part] = [points(value).slice(0, to), points(wanted)]
    for (let at = from; at + part.length <= all.length; at += 1)
      if (part.every((char, index) => all[at + index] === char)) return at
    return -1
  },
}

const BYTES: Units = {
  length: (value) => Buffer.byteLength(value),
  cut: (value, from, to) => {
    const cut = bytes(value).subarray(from, to)
    const result = cut.toString()
    if (Buffer.byteLength(result) !== cut.length || result.includes('\ufffd'))
      throw failed('$substrBytes: Invalid range, it is in the middle of a UTF-8 character')
    return result
  },
  find: (value, wanted, from, to) => {
    const found = bytes(value).subarray(0, to).indexOf(bytes(wanted), from)
    return from > Math.min(to, bytes(value).length) ? -1 : found
  },
}

const length = ({ length: measure }: Units): Operator => fixed(1, ([value], name) => measure(text(value, name)))

const substring = (units: Units): Operator =>
  fixed(3, ([value, start, count], name) => {
    const whole = loose(value, name)
    const from = integerOf(start, `${name}'s starting index`)
    const many = integerOf(count, `${name}'s length`)
    if (from < 0) return units === BYTES ? '' : refuseNegative(name)
    if (many < 0 && units === POINTS) return refuseNegative(name)
    return units.cut(whole, from, many < 0 ? undefined : from + many)
  })

const refuseNegative = (name: string): never => {
  throw failed(`${name}: positions and lengths must be non-negative integers`)
}

const indexOf = (units: Units): Operator =>
  fixed([2, 4], ([value, wanted, start, end], name) => {
    if (isNull(value)) return null
    const whole = text(value, name)
    const from = start === undefined ? 0 : integerOf(start, `${name}'s starting index`)
    const to = end === undefined ? units.length(whole) : integerOf(end, `${name}'s ending index`)
    if (from < 0 || to < 0) return refuseNegative(name)
    return from > to ? -1 : units.find(whole, text(wanted, name), from, to)
  })

const WHITESPACE = ' \t\n\v\f\r\0\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a'

const trim = (left: boolean, right: boolean): Operator =>
  named(['input', 'chars'], ['input'], (values, name) => {
    const [input, chars] = [values.get('input'), values.get('chars')]
    if (isNull(input) || (values.has('chars') && isNull(chars))) return null
    const drop = new Set(points(chars === undefined ? WHITESPACE : text(chars, name)))
    const all = points(text(input, name))
    let [from, to] = [0, all.length]
    while (left && from < to && drop.has(all[from] ?? '')) from += 1
    while (right && to > from && drop.has(all[to - 1] ?? '')) to -= 1
    return all.slice(from, to).join('')
  })

/** Only ASCII letters have cases here, as in MongoDB. */
const lower = (value: string): string => value.replace(/[A-Z]/g, (char) => char.toLowerCase())
const upper = (value: string): string => value.replace(/[a-z]/g, (char) => char.toUpperCase())

const regexMatch: Operator = named(['input', 'regex', 'options'], ['input', 'regex'], (values, name) => {
  const [input, regex, options] = [values.get('input'), values.get('regex'), values.get('options')]
  if (isNull(input) || isNull(regex)) return false
  const flags = typeof options === 'string' ? options : ''
  const pattern =
    regex instanceof Regex ? patternOf(regex.pattern, regex.options || flags) : patternOf(text(regex, name), flags)
  return matchesPattern(pattern, text(input, name))
})

const replace = (all: boolean): Operator =>
  named(['input', 'find', 'replacement'], ['input', 'find', 'replacement'], (values, name) => {
    const parts = ['input', 'find', 'replacement'].map((key) => values.get(key))
    if (parts.some(isNull)) return null
    const [input = '', find = '', replacement = ''] = parts.map((part) => text(part, name))
    return all ? input.replaceAll(find, () => replacement) : input.replace(find, () => replacement)
  })

export const STRINGS: Operators = {
  $concat: concat,
  $indexOfBytes: indexOf(BYTES),
  $indexOfCP: indexOf(POINTS),
  $ltrim: trim(true, false),
  $regexMatch: regexMatch,
  $replaceAll: replace(true),
  $replaceOne: replace(false),
  $rtrim: trim(false, true),
  $split: split,
  $strLenBytes: length(BYTES),
  $strLenCP: length(POINTS),
  $strcasecmp: fixed(2, ([a, b], name) => Math.sign(compareText(upper(loose(a, name)), upper(loose(b, name))))),
  $substr: substring(BYTES),
  $substrBytes: substring(BYTES),
  $substrCP: substring(POINTS),
  $toLower: fixed(1, ([value], name) => lower(loose(value, name))),
  $toUpper: fixed(1, ([value], name) => upper(loose(value, name))),
  $trim: trim(true, true),
}
