/** Refusals of `/functions/v1`. Those of the server itself carry `x-relay-error`, by which clients tell them from a function's own answers. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { statusOf } from '../../../http/server.ts'
import { AppError, toError } from '../../../kernel/errors.ts'

/** A function that failed is not a failure of the server. */
const STATUS: Readonly<Record<string, number>> = {
  function_timeout: 504,
  function_memory: 546,
  function_crashed: 546,
  function_load_failed: 503,
  function_thrown: 500,
  function_too_large: 500,
  function_busy: 429,
}

/** Supabase's own words for what clients look at. */
const CODES: Readonly<Record<string, string>> = {
  function_unknown: 'NOT_FOUND',
  no_authorization: 'UNAUTHORIZED_NO_AUTH_HEADER',
  function_timeout: 'WORKER_TIMEOUT',
  function_memory: 'WORKER_LIMIT',
  function_crashed: 'WORKER_ERROR',
  function_load_failed: 'BOOT_ERROR',
  function_thrown: 'WORKER_ERROR',
  function_too_large: 'WORKER_LIMIT',
  function_busy: 'WORKER_LIMIT',
}

export const sendFunctionError = (thrown: unknown, request: FastifyRequest, reply: FastifyReply): unknown => {
  const error = toError(thrown)
  const reason = error instanceof AppError ? (error.reason ?? '') : ''
  const status = STATUS[reason] ?? statusOf(error)
  const own = STATUS[reason] === undefined && status >= 500
  if (own) request.log.error({ error }, 'request failed')
  if (error instanceof AppError && error.retryAfter !== undefined) reply.header('retry-after', error.retryAfter)
  // A function that threw has answered in its way: with an error of its own.
  if (reason !== 'function_thrown') reply.header('x-relay-error', 'true')
  const message = own && !(error instanceof AppError) ? `Something went wrong here. Id: ${request.id}` : error.message
  const details = error instanceof AppError && reason.startsWith('function_') ? { invocation: error.details } : {}
  return reply.code(status).send({ code: CODES[reason] ?? String(status), message, ...details })
}
