/** The type of a value that came out of JSON.parse, and careful ways to look into one. */

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
