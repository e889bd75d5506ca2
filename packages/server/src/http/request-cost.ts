/** How much one network address may ask of this node: counted in memory, so that it costs nothing itself. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { networkKey } from '../identity/network.ts'
import { AppError, toError } from '../kernel/errors.ts'
import { isLocalRequest } from './local-request.ts'

export interface RequestCost {
  /** Points that one address may spend in a window; null for no limit. */
  readonly points: number | null
  readonly seconds: number
}

/** The window of the operator's limit. */
export const REQUEST_WINDOW_SECONDS = 10

/** A point for each request, one more for a write, and one for every 64 KiB that it brings. */
const costOf = (request: FastifyRequest): number => {
  const write = request.method === 'GET' || request.method === 'HEAD' || request.method === 'OPTIONS' ? 0 : 1
  const bytes = Number(request.headers['content-length'] ?? 0)
  return 1 + write + (Number.isFinite(bytes) && bytes > 0 ? Math.floor(bytes / 65_536) : 0)
}

/** An onRequest hook. What this machine asks of itself is free. */
export const limitRequestCost = ({ points, seconds }: RequestCost) => {
  const limiter = points === null ? null : new RateLimiterMemory({ points, duration: seconds })
  // Nothing is returned: a hook that answers with a promise and with a callback lets the request go on twice.
  return (request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void => {
    if (limiter === null || isLocalRequest(request.raw)) {
      done()
      return
    }
    limiter.consume(networkKey(request.ip), Math.min(limiter.points, costOf(request))).then(
      () => done(),
      (rejection: unknown) => done(rejection instanceof RateLimiterRes ? tooMany(rejection) : toError(rejection)),
    )
  }
}

const tooMany = ({ msBeforeNext }: RateLimiterRes): AppError =>
  new AppError('rate_limited', 'Too many requests from this address', {
    reason: 'over_request_rate_limit',
    retryAfter: Math.max(1, Math.ceil(msBeforeNext / 1000)),
  })
