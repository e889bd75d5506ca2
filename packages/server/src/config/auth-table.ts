/** Reads a TOML table by dotted paths into values of the right type, or says which key is wrong. */
import { parseDuration } from '../identity/durations.ts'
import { AppError } from '../kernel/errors.ts'
import { isObject, type JsonObject } from '../kernel/json.ts'

/** What is wrong with a key of the table. */
export const unfit = (path: string, wanted: string): AppError =>
  new AppError('bad_request', `auth.${path} in supabase/config.toml should be ${wanted}`)

/** Reads a table by dotted paths; every value has a type and a default. */
export const readerOf = (table: JsonObject) => {
  const at = (path: string): unknown => {
    let value: unknown = table
    for (const part of path.split('.')) {
      if (!isObject(value)) throw unfit(path, 'in a table')
      value = Object.hasOwn(value, part) ? value[part] : undefined
      if (value === undefined) return undefined
    }
    return value
  }
  return {
    text: (path: string, fallback = ''): string => {
      const value = at(path) ?? fallback
      if (typeof value !== 'string') throw unfit(path, 'a text')
      return value
    },
    flag: (path: string, fallback: boolean): boolean => {
      const value = at(path) ?? fallback
      if (typeof value !== 'boolean') throw unfit(path, 'true or false')
      return value
    },
    whole: (path: string, fallback: number): number => {
      const value = at(path) ?? fallback
      if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) throw unfit(path, 'a whole number')
      return value
    },
    /** Seconds, from a number or a text such as `1m30s`. */
    duration: (path: string): number | null => {
      const value = at(path)
      if (value === undefined || value === '') return null
      const seconds = typeof value === 'number' ? value : typeof value === 'string' ? parseDuration(value) : null
      if (seconds === null || seconds < 0) throw unfit(path, 'a duration such as "1m30s"')
      return seconds === 0 ? null : seconds
    },
    texts: (path: string, fallback: readonly string[]): readonly string[] => {
      const value = at(path) ?? fallback
      if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value
      throw unfit(path, 'a list of texts')
    },
    table: (path: string): JsonObject => {
      const value = at(path) ?? {}
      if (!isObject(value)) throw unfit(path, 'a table')
      return value
    },
  }
}
export type Reader = ReturnType<typeof readerOf>

/** An address without a slash at the end. */
export const urlOf = (read: Reader, path: string, fallback: string): string => {
  const text = read.text(path, fallback)
  if (!URL.canParse(text)) throw unfit(path, 'an address such as "https://example.com"')
  return text.replace(/\/$/, '')
}
