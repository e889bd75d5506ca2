/** `/functions/v1`: functions as the Supabase clients invoke them, and as stable addresses that anybody may be given. */
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { Functions, HttpEvent, Outcome } from '../../../functions/functions.ts'
import { supabaseProofs } from '../../../http/caller.ts'
import type { ExternalUrl } from '../../../http/external-url.ts'
import { AppError } from '../../../kernel/errors.ts'
import { sendFunctionError } from './errors.ts'

export interface FunctionsServices {
  readonly functions: Functions
  readonly externalUrl: ExternalUrl
}

interface Params {
  readonly name: string
  readonly '*'?: string
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

/** Mount at `/functions/v1`. `request.caller` must have been set by then. */
export const functionsDialect =
  (services: FunctionsServices): FastifyPluginAsync =>
  async (app: FastifyInstance) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    app.setErrorHandler((error, request, reply) => sendFunctionError(error, request, reply))
    const handle = async (request: FastifyRequest, reply: FastifyReply) => answer(services, request, reply)
    app.route({ method: [...METHODS], url: '/:name', handler: handle })
    app.route({ method: [...METHODS], url: '/:name/*', handler: handle })
  }

const answer = async (
  { functions, externalUrl }: FunctionsServices,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> => {
  // The route's own pattern.
  const { name, '*': rest = '' } = request.params as Params
  const { verifyJwt } = await functions.configOf(name)
  // Whoever brings a wrong proof was refused already; this is about those who bring none.
  if (verifyJwt && !bringsProof(request)) {
    throw new AppError('unauthorized', 'Missing authorization header', { reason: 'no_authorization' })
  }
  const outcome = await functions.invoke({
    name,
    caller: request.caller,
    trigger: 'http',
    event: '',
    http: eventOf(request, `/${rest}`, externalUrl(request)),
  })
  return send(outcome, reply)
}

const bringsProof = (request: FastifyRequest): boolean => {
  const { apikey, bearer } = supabaseProofs(request)
  return (apikey ?? '') !== '' || (bearer ?? '') !== ''
}

const eventOf = (request: FastifyRequest, path: string, base: string): HttpEvent => {
  const [, search = ''] = request.url.split('?', 2)
  const headers = Object.entries(request.headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value] as const],
  )
  return {
    method: request.method,
    url: base + request.url,
    path,
    query: Object.fromEntries(new URLSearchParams(search)),
    headers: Object.fromEntries(headers),
    body: (Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)).toString('base64'),
    ip: request.ip,
  }
}

/** A function's own answer, whole. */
const send = ({ answer: said, id }: Outcome, reply: FastifyReply): FastifyReply => {
  reply.header('x-function-invocation', id)
  switch (said.kind) {
    case 'result':
      return reply.header('content-type', 'application/json; charset=utf-8').send(said.json)
    case 'response': {
      for (const [name, value] of said.headers) if (!OURS.has(name.toLowerCase())) reply.header(name, value)
      return reply.code(said.status).send(said.body)
    }
    case 'failed':
      throw failureError(said.reason, said.message, id)
  }
}

/** Headers that belong to the connection or to the server. */
const OURS = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'sb-request-id',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-relay-error',
])

const failureError = (reason: string, message: string, id: string): AppError => {
  const options = { reason: `function_${reason}`, details: id }
  if (reason === 'timeout') return new AppError('timeout', message, options)
  if (reason === 'busy') return new AppError('rate_limited', message, { ...options, retryAfter: 1 })
  if (reason === 'too_large') return new AppError('too_large', message, options)
  // What a function throws may name its secrets: it is in its log, and only there.
  return new AppError('internal', 'The function failed; its log says why', options)
}
