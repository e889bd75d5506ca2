/** Reads the JSON bodies and queries of requests into values that cannot be wrong. */
import type { FastifyRequest } from 'fastify'
import { type Address, parseAddress } from '../../../identity/accounts.ts'
import { invalid, refuse } from '../../../identity/errors.ts'
import { type Challenge, parseChallenge } from '../../../identity/flow.ts'
import { isObject, type Json, type JsonObject, parseJson } from '../../../kernel/json.ts'

/** A body larger than this is no request for an account. */
export const BODY_LIMIT = 256 * 1024

/** Deeper than any metadata that means something. */
const DEEPEST = 64
// Postgres has no NUL in text and no halves of surrogate pairs in JSON.
const UNSTORABLE = /\0|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/

const isStorable = (value: Json | undefined, depth = 0): boolean => {
  if (depth > DEEPEST) return false
  if (typeof value === 'string') return !UNSTORABLE.test(value)
  if (typeof value === 'number') return Number.isFinite(value)
  if (Array.isArray(value)) return value.every((each: Json) => isStorable(each, depth + 1))
  if (!isObject(value)) return true
  return Object.entries(value).every(([key, each]) => !UNSTORABLE.test(key) && isStorable(each, depth + 1))
}

/** Parses a body whatever its content type says; none is an empty object. */
export const parseBody = (text: string): JsonObject => {
  if (text.trim() === '') return {}
  const value = parseJson(text)
  if (value === undefined) throw refuse('bad_json')
  if (value === null) return {}
  if (!isObject(value)) throw refuse('bad_json', 'Could not parse request body as JSON: an object is expected')
  if (!isStorable(value)) throw refuse('bad_json', 'The request body holds what cannot be stored')
  return value
}

export const bodyOf = (request: FastifyRequest): JsonObject => (isObject(request.body) ? request.body : {})

/** The query; of a repeated parameter the first. */
export const queryOf = (request: FastifyRequest): Readonly<Record<string, string | undefined>> => {
  const query = (request.query ?? {}) as Readonly<Record<string, unknown>>
  return Object.fromEntries(
    Object.entries(query).map(([key, value]) => {
      const first: unknown = Array.isArray(value) ? value[0] : value
      const text = typeof first === 'string' ? first : undefined
      if (text !== undefined && UNSTORABLE.test(text)) throw invalid(`${key.slice(0, 40)} holds what cannot be stored`)
      return [key, text]
    }),
  )
}

/** Undefined for a field that is absent, null or empty. */
export const text = (body: JsonObject, key: string): string | undefined => {
  const value = body[key]
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value === 'string') return value
  throw invalid(`${key} should be a string`)
}

export const requiredText = (body: JsonObject, key: string, message: string): string => {
  const value = text(body, key)
  if (value === undefined) throw invalid(message)
  return value
}

export const flag = (body: JsonObject, key: string): boolean | undefined => {
  const value = body[key]
  if (value === undefined || value === null) return undefined
  if (typeof value === 'boolean') return value
  throw invalid(`${key} should be true or false`)
}

export const object = (body: JsonObject, key: string): JsonObject | undefined => {
  const value = body[key]
  if (value === undefined || value === null) return undefined
  if (isObject(value)) return value
  throw invalid(`${key} should be an object`)
}

export const addressOf = (body: JsonObject, message: string): Address =>
  parseAddress(text(body, 'email'), text(body, 'phone'), message)

export const challengeOf = (source: JsonObject): Challenge | null =>
  parseChallenge(text(source, 'code_challenge'), text(source, 'code_challenge_method'))
