/** Careful reading of JSON bodies and query strings: every field has its type or the request is refused. */
import { refusal } from '../../../files/errors.ts'
import { isObject, type JsonObject } from '../../../kernel/json.ts'

const wrong = (field: string, what: string) => refusal('invalid_parameter', `${field} must be ${what}`)

/** The body as an object. No body at all is an empty one: clients disagree about sending `{}`. */
export const objectBody = (body: unknown): JsonObject => {
  if (body === undefined || body === null) return {}
  if (!isObject(body)) throw wrong('body', 'an object')
  return body
}

/** A field of the body's own; what an object inherits is no field. */
const own = (from: JsonObject, field: string): unknown => (Object.hasOwn(from, field) ? from[field] : undefined)

export const optionalText = (from: JsonObject, field: string): string | undefined => {
  const value = own(from, field)
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw wrong(field, 'a string')
  return value
}

export const requiredText = (from: JsonObject, field: string): string => {
  const value = optionalText(from, field)
  if (value === undefined) throw wrong(field, 'a string')
  return value
}

export const optionalFlag = (from: JsonObject, field: string): boolean | undefined => {
  const value = own(from, field)
  if (value === undefined || value === null) return undefined
  if (value === true || value === 'true') return true
  if (value === false || value === 'false') return false
  throw wrong(field, 'true or false')
}

/** A whole number within bounds, as a number or in digits. */
export const optionalInteger = (
  from: JsonObject,
  field: string,
  [least, most]: readonly [number, number],
): number | undefined => {
  const value = own(from, field)
  if (value === undefined || value === null || value === '') return undefined
  const number =
    typeof value === 'number'
      ? value
      : typeof value === 'string' && /^-?\d{1,15}$/.test(value)
        ? Number(value)
        : Number.NaN
  if (!Number.isInteger(number) || number < least || number > most)
    throw wrong(field, `a whole number from ${least} to ${most}`)
  return number
}

export const texts = (from: JsonObject, field: string, most: number): readonly string[] => {
  const value = own(from, field)
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string')) throw wrong(field, 'a list of strings')
  if (value.length > most) throw wrong(field, `a list of at most ${most} strings`)
  return value
}

/** One of a few words, whatever the case; the fallback for anything else, as upstream does for sorting. */
export const oneOf = <T extends string>(value: unknown, allowed: readonly T[], fallback: T): T => {
  const text = typeof value === 'string' ? value.toLowerCase() : ''
  return allowed.find((each) => each === text) ?? fallback
}
