/** The one HTTP server: limits, request ids, CORS, and an error answer in the words of the dialect that was spoken to. */
import fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify'
import { AppError, toError } from '../kernel/errors.ts'
import type { Ids } from '../kernel/ids.ts'
import { pathOf, type RootLog } from '../observe/log.ts'
import { allowAnyOrigin, answerPreflight, isPreflight } from './cors.ts'
import {
  DEFAULT_TIME_LIMITS,
  limitBodyPauses,
  limitDrain,
  MAX_HEADER_BYTES,
  readOnAfterRefusal,
  type TimeLimits,
} from './limits.ts'
import { honourMethodOverride } from './method-override.ts'

/** How a dialect tells an error that happened before one of its routes was found. */
export interface DialectErrors {
  /** For example `/rest/v1`. */
  readonly prefix: string
  readonly send: (error: Error, request: FastifyRequest, reply: FastifyReply) => unknown
}

export interface HttpOptions {
  readonly log: RootLog
  readonly ids: Ids
  /** Addresses of proxies whose Forwarded headers are believed; none by default. */
  readonly trustedProxies?: readonly string[]
  /** Largest body of an ordinary request, bytes. Uploads have limits of their own. */
  readonly bodyLimit: number
  readonly dialects: readonly DialectErrors[]
  /** Tells apart what two dialects ask for at one address. */
  readonly meantPath?: (url: string) => string
  readonly timeLimits?: Partial<TimeLimits>
}

export const createHttpServer = (options: HttpOptions): FastifyInstance => {
  const { meantPath = (url: string) => url } = options
  const sendError = (error: Error, request: FastifyRequest, reply: FastifyReply): unknown => {
    const path = pathOf(request.raw.url ?? '')
    const dialect = options.dialects.find(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`))
    return dialect === undefined ? sendPlain(error, request, reply) : dialect.send(error, request, reply)
  }
  const limits = { ...DEFAULT_TIME_LIMITS, ...options.timeLimits }
  // Typed as Fastify's own logger, so that the instance keeps Fastify's default types everywhere.
  const loggerInstance: FastifyBaseLogger = options.log
  const http = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => options.ids.uuid(),
    // An empty list would parse the address of each request to find out that it is not on the list (9 of 270 µs of a short read).
    trustProxy: options.trustedProxies?.length ? [...options.trustedProxies] : false,
    bodyLimit: options.bodyLimit,
    rewriteUrl: (request) => meantPath(honourMethodOverride(request)),
    // Idle ones only: what is under way is answered first.
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    requestTimeout: limits.request,
    http: { maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: limits.headers, connectionsCheckingInterval: 5_000 },
    routerOptions: { maxParamLength: 4096, ignoreTrailingSlash: true },
    // A URL that cannot be decoded never reaches a route, nor any hook.
    frameworkErrors: (error, request, reply) => {
      setOwnHeaders(request, reply)
      sendError(error, request, reply)
    },
  })
  http.setErrorHandler((error, request, reply) => sendError(toError(error), request, reply))
  http.setNotFoundHandler((request, reply) =>
    sendError(new AppError('not_found', 'There is nothing at this address.'), request, reply),
  )
  http.addHook('onRequest', (request, reply, done) => {
    setOwnHeaders(request, reply)
    if (isPreflight(request)) answerPreflight(request, reply)
    else done()
  })
  // Without a route for it, a preflight would end as "not found" before the hook could answer.
  http.options('*', (_request, reply) => reply.callNotFound())
  limitBodyPauses(http, limits.bodyPause, sendError)
  // Before the drain: a server that stops closes its connections all the same.
  readOnAfterRefusal(http)
  limitDrain(http, limits.drain)
  return http
}

const setOwnHeaders = (request: FastifyRequest, reply: FastifyReply): void => {
  allowAnyOrigin(reply)
  reply.header('sb-request-id', request.id)
  reply.header('x-content-type-options', 'nosniff')
}

const PLAIN_STATUS: Readonly<Record<AppError['code'], number>> = {
  bad_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  too_large: 413,
  unsupported: 501,
  rate_limited: 429,
  timeout: 504,
  unavailable: 503,
  internal: 500,
}

/** The HTTP status that an error stands for: its own when Fastify made it, else the one of its code. */
export const statusOf = (error: Error): number => {
  if (error instanceof AppError) return PLAIN_STATUS[error.code]
  const status = (error as Partial<FastifyError>).statusCode
  return status !== undefined && status >= 400 && status < 600 ? status : 500
}

/** For paths that belong to no dialect. */
const sendPlain = (error: Error, request: FastifyRequest, reply: FastifyReply): unknown => {
  const status = statusOf(error)
  if (status >= 500) request.log.error({ error }, 'request failed')
  if (error instanceof AppError && error.retryAfter !== undefined) reply.header('retry-after', error.retryAfter)
  const message =
    status >= 500 && !(error instanceof AppError) ? `Something went wrong here. Id: ${request.id}` : error.message
  return reply.code(status).send({ statusCode: status, message })
}
