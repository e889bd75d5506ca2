/** PostgREST's error bodies: its own codes, Postgres's errors, and what a function raises on purpose. */

import { DataError } from '../../../data/errors.ts'
import { GUARD } from '../../../data/output.ts'
import { databaseError, isConnectionLoss } from '../../../db/pool.ts'
import { AppError } from '../../../kernel/errors.ts'
import { isObject, type Json, parseJson } from '../../../kernel/json.ts'
import { describeProblem } from './problems.ts'
import { challenge, tokenProblem } from './token-problems.ts'

export interface ErrorBody {
  readonly code: string
  readonly details: Json
  readonly hint: string | null
  readonly message: string
}

export interface ErrorAnswer {
  readonly status: number
  readonly body: ErrorBody
  readonly headers: readonly (readonly [string, string])[]
}

/** A refusal in PostgREST's own words. */
export class RestError extends Error {
  readonly answer: ErrorAnswer

  constructor(
    status: number,
    body: Partial<ErrorBody> & Pick<ErrorBody, 'code' | 'message'>,
    headers: ErrorAnswer['headers'] = [],
  ) {
    super(body.message)
    this.name = 'RestError'
    this.answer = {
      status,
      body: { code: body.code, details: body.details ?? null, hint: body.hint ?? null, message: body.message },
      // RFC 9209, for HEAD requests, whose answers have no body.
      headers: [...headers, ['Proxy-Status', `PostgREST; error=${body.code.replaceAll(/[^\w-]/g, '')}`]],
    }
  }
}

/** What a client is told of anything that was thrown. `anonymous`: nobody is logged in, so a missing right may be a missing login. */
export const toAnswer = (error: unknown, anonymous: boolean): ErrorAnswer => {
  if (error instanceof RestError) return error.answer
  if (error instanceof DataError) return describeProblem(error.problem).answer
  // A client that left in the middle of its body looks like a lost database: first what the HTTP server has judged.
  if (isRefusedRequest(error)) return httpFailure(error)
  if (isConnectionLoss(error)) return unavailable(error)
  const database = databaseError(error)
  if (database !== null) return fromPostgres(database, anonymous)
  if (error instanceof AppError) return fromApp(error)
  return httpFailure(error)
}

const unavailable = (error: unknown): ErrorAnswer => {
  if (error instanceof AppError && error.reason === 'schema_unread') {
    const message = 'Could not query the database for the schema cache. Retrying.'
    return new RestError(503, { code: 'PGRST002', message }, [['Retry-After', '1']]).answer
  }
  const cause = error instanceof AppError && error.cause instanceof Error ? error.cause : error
  const timedOut = cause instanceof Error && /timeout exceeded when trying to connect/.test(cause.message)
  const body = timedOut
    ? { code: 'PGRST003', message: 'Timed out acquiring connection from connection pool.' }
    : { code: 'PGRST001', message: 'Database client error. Retrying the connection.' }
  return new RestError(timedOut ? 504 : 503, body, [['Retry-After', '1']]).answer
}

const APP_STATUS: Readonly<Record<AppError['code'], readonly [number, string]>> = {
  bad_request: [400, 'PGRST100'],
  unauthorized: [401, 'PGRST301'],
  forbidden: [403, '42501'],
  not_found: [404, 'PGRST125'],
  conflict: [409, '23505'],
  too_large: [413, 'PGRST102'],
  unsupported: [400, 'PGRST127'],
  rate_limited: [429, 'PGRST000'],
  timeout: [504, 'PGRST003'],
  unavailable: [503, 'PGRST001'],
  internal: [500, 'PGRSTX00'],
}

const fromApp = (error: AppError): ErrorAnswer => {
  const problem = tokenProblem(error)
  if (problem !== null) return new RestError(401, problem, [['WWW-Authenticate', challenge(problem)]]).answer
  const [status, code] = APP_STATUS[error.code]
  const headers: [string, string][] = []
  if (error.retryAfter !== undefined) headers.push(['Retry-After', String(error.retryAfter)])
  if (status === 401) headers.push(['WWW-Authenticate', 'Bearer'])
  const { message, details = null, hint = null } = error
  return new RestError(status, { code, message, details, hint }, headers).answer
}

interface RefusedRequest extends Error {
  readonly statusCode: number
}

const isRefusedRequest = (error: unknown): error is RefusedRequest =>
  error instanceof Error && 'statusCode' in error && Number(error.statusCode) >= 400 && Number(error.statusCode) < 500

/** Fastify's own refusals (a body too large, a bad URL) keep their status; anything else is our failure. */
const httpFailure = (error: unknown): ErrorAnswer => {
  if (isRefusedRequest(error)) {
    return new RestError(Number(error.statusCode), { code: 'PGRST102', message: error.message }).answer
  }
  return new RestError(500, { code: 'PGRSTX00', message: 'An internal error occurred' }).answer
}

// --- Postgres

interface PostgresError {
  readonly code?: string | undefined
  readonly message: string
  readonly detail?: string | undefined
  readonly hint?: string | undefined
}

const fromPostgres = (error: PostgresError, anonymous: boolean): ErrorAnswer => {
  const code = error.code ?? 'XX000'
  const guarded = code === '22P02' ? guardAnswer(error.message) : null
  if (guarded !== null) return guarded
  if (code === 'PGRST') return raised(error)
  const status = postgresStatus(code, error.message, anonymous)
  const body = { code, message: error.message, details: error.detail ?? null, hint: error.hint ?? null }
  return new RestError(status, body, status === 401 ? [['WWW-Authenticate', 'Bearer']] : []).answer
}

/** Our own refusal of a write with too many or too few rows; see `output.ts`. */
const guardAnswer = (message: string): ErrorAnswer | null => {
  const found = /"teahouse_(?:exactly_one|max_affected):(\d+)"/.exec(message)
  if (found === null) return null
  return (message.includes(GUARD.exactlyOne) ? notSingular(found[1] ?? '0') : tooManyAffected(found[1] ?? '0')).answer
}

export const notSingular = (rows: number | string): RestError =>
  new RestError(406, {
    code: 'PGRST116',
    message: 'Cannot coerce the result to a single JSON object',
    details: `The result contains ${rows} rows`,
  })

export const tooManyAffected = (rows: number | string): RestError =>
  new RestError(400, {
    code: 'PGRST124',
    message: 'Query result exceeds max-affected preference constraint',
    details: `The query affects ${rows} rows`,
  })

const EXACT: Readonly<Record<string, number>> = {
  '23503': 409,
  '23505': 409,
  '25006': 405,
  '53400': 500,
  P0001: 400,
  '42883': 404,
  '42P01': 404,
  '42P17': 500,
}

const BY_CLASS: Readonly<Record<string, number>> = {
  '08': 503,
  '09': 500,
  '0L': 403,
  '0P': 403,
  '25': 500,
  '28': 403,
  '2D': 500,
  '38': 500,
  '39': 500,
  '3B': 500,
  '40': 500,
  '53': 503,
  // Limits that the request itself exceeds: nesting, number of columns, size of a value in an index.
  '54': 400,
  '55': 500,
  '57': 500,
  '58': 500,
  F0: 500,
  HV: 500,
  P0: 500,
  XX: 500,
}

const postgresStatus = (code: string, message: string, anonymous: boolean): number => {
  if (code === '42501') return anonymous ? 401 : 403
  if (code === '21000') return message.endsWith('requires a WHERE clause') ? 400 : 500
  if (code === '22023' && message.startsWith('role "')) return 401
  if (code.startsWith('PT')) return customStatus(code.slice(2))
  return EXACT[code] ?? BY_CLASS[code.slice(0, 2)] ?? 400
}

const customStatus = (digits: string): number => {
  const status = Number(digits)
  return Number.isInteger(status) && status >= 200 && status <= 599 ? status : 500
}

// --- raise sqlstate 'PGRST'

const MESSAGE_HINT =
  "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'."
const DETAIL_HINT =
  "DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'."

const raised = (error: PostgresError): ErrorAnswer => {
  const message = raisedMessage(error.message)
  if (message === null) return raiseProblem(`Invalid JSON value for MESSAGE: '${error.message}'`, MESSAGE_HINT)
  if (error.detail === undefined) return raiseProblem('DETAIL is missing in the RAISE statement', DETAIL_HINT)
  const detail = parseJson(error.detail)
  if (!isObject(detail) || typeof detail.status !== 'number' || !isObject(detail.headers)) {
    return raiseProblem(`Invalid JSON value for DETAIL: '${error.detail}'`, DETAIL_HINT)
  }
  const headers = Object.entries(detail.headers).map(([name, value]) => [name, String(value)] as const)
  return new RestError(customStatus(String(detail.status)), message, headers).answer
}

const raisedMessage = (text: string): ErrorBody | null => {
  const json = parseJson(text)
  if (!isObject(json) || typeof json.code !== 'string' || typeof json.message !== 'string') return null
  return {
    code: json.code,
    message: json.message,
    details: json.details ?? null,
    hint: typeof json.hint === 'string' ? json.hint : null,
  }
}

const raiseProblem = (details: string, hint: string): ErrorAnswer =>
  new RestError(500, {
    code: 'PGRST121',
    message: 'Could not parse JSON in the "RAISE SQLSTATE \'PGRST\'" error',
    details,
    hint,
  }).answer
