/** Careful ways to look into a value that came out of JSON.parse. */

export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json | undefined
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Parses, answering undefined (never throwing) for text that is not JSON. */
export const parseJson = (text: string): Json | undefined => {
  try {
    // JSON.parse is typed `any`; what it returns is by definition Json.
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}

/** A member that is a string; the empty one when it is missing or something else. */
export const textOf = (object: JsonObject, key: string): string => {
  const value = object[key]
  return typeof value === 'string' ? value : ''
}

/** A member that is a list of strings; undefined when it is missing or something else. */
export const textsOf = (object: JsonObject, key: string): readonly string[] | undefined => {
  const value = object[key]
  return Array.isArray(value) && value.every((each) => typeof each === 'string') ? value : undefined
}
