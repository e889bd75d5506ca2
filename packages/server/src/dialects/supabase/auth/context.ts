/** What every route of this dialect works with, and how a request shows who is asking. */
import type { FastifyRequest } from 'fastify'
import { bearerOf, type IdentityFor, supabaseProofs } from '../../../http/caller.ts'
import type { ServiceKeyGuard } from '../../../http/service-key-guard.ts'
import type { Principal } from '../../../identity/account.ts'
import type { Auth } from '../../../identity/auth.ts'
import type { Caller } from '../../../identity/caller.ts'
import { refuse } from '../../../identity/errors.ts'
import { inet } from '../../../identity/network.ts'
import { peek, principalOf } from '../../../identity/principal.ts'
import type { Device } from '../../../identity/session.ts'
import { AppError } from '../../../kernel/errors.ts'

export interface AuthServices {
  readonly auth: Auth
  readonly identityFor: IdentityFor
  /** Hears of every request that a service key makes, and may refuse it. */
  readonly guardServiceKey?: ServiceKeyGuard
  /** For `/health`. */
  readonly version: string
}

const LONGEST_USER_AGENT = 300

export const deviceOf = (request: FastifyRequest): Device => ({
  ip: inet(request.ip),
  userAgent: request.headers['user-agent']?.slice(0, LONGEST_USER_AGENT) ?? null,
})

/** The person whose token the request carries. Throws `no_authorization`, `bad_jwt` or what became of the session. */
export const requireUser = async (services: AuthServices, request: FastifyRequest): Promise<Principal> => {
  const token = bearerOf(request.headers.authorization)
  if (token === undefined) throw refuse('no_authorization')
  const caller = await callerOf(services, request, token)
  const principal = await principalOf(services.auth.context, caller)
  services.auth.seen.note(principal.user.id, deviceOf(request))
  return principal
}

const callerOf = async ({ identityFor }: AuthServices, request: FastifyRequest, token: string): Promise<Caller> => {
  try {
    return await identityFor(request.raw).authenticateToken(token)
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'unauthorized') throw error
    // Withdrawn: the session is over, or the person is banned or gone.
    if (error.reason === 'token_revoked') {
      throw refuse(error.details === 'user' ? 'user_banned' : 'session_not_found', undefined, { cause: error })
    }
    const why = error.reason === 'token_expired' && peek(token).exp !== undefined ? 'token is expired' : error.message
    throw refuse('bad_jwt', `invalid JWT: unable to parse or verify signature, ${why}`, { cause: error })
  }
}

/** Throws unless the request carries a service key. */
export const requireAdmin = async (
  { identityFor, guardServiceKey }: AuthServices,
  request: FastifyRequest,
): Promise<void> => {
  const proofs = supabaseProofs(request)
  if ((proofs.apikey ?? '') === '' && proofs.bearer === undefined) throw refuse('no_authorization')
  const caller = await identityFor(request.raw).authenticate(proofs)
  if (caller.role !== 'service_role') throw refuse('not_admin')
  request.caller = caller
  guardServiceKey?.(request)
}

/** Where a person should end up: as a parameter, as a header, or in the body. */
export const redirectOf = (request: FastifyRequest, body?: Readonly<Record<string, unknown>>): string | undefined => {
  const query = (request.query ?? {}) as Readonly<Record<string, unknown>>
  const candidates = [query.redirect_to, body?.redirect_to, request.headers.redirect_to, request.headers.referer]
  const found = candidates.find((each) => typeof each === 'string' && each !== '')
  return typeof found === 'string' ? found.slice(0, 2048) : undefined
}
