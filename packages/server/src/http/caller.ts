/** Puts the verified caller on the request, before any route of a dialect runs. */
import type { FastifyRequest } from 'fastify'
import type { Caller } from '../identity/caller.ts'
import type { Identity, Proofs } from '../identity/identity.ts'
import type { Arrived } from './local-request.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is asking. Set by the `authenticated` hook of the dialect. */
    caller: Caller
  }
}

const BEARER = /^bearer +(\S+)$/i

/** The bearer token of an Authorization header; undefined when there is none. */
export const bearerOf = (authorization: string | undefined): string | undefined =>
  authorization === undefined ? undefined : BEARER.exec(authorization.trim())?.[1]

/** The proofs of a request in the way that Supabase's clients bring them: an `apikey` header (or query parameter) and a bearer token. */
export const supabaseProofs = (request: FastifyRequest): Proofs => {
  const header = request.headers.apikey
  const query = request.raw.url?.includes('apikey=')
    ? new URLSearchParams(request.raw.url.split('?')[1]).get('apikey')
    : null
  return {
    apikey: (Array.isArray(header) ? header[0] : header) ?? query ?? undefined,
    bearer: bearerOf(request.headers.authorization),
  }
}

/** The identity that judges a request: in development, one that came from this machine may bring more. */
export type IdentityFor = (arrived: Arrived) => Identity

/** An onRequest hook. A refusal is thrown, so that the dialect's own error handler words it. `then` hears of every caller, and may refuse one. */
export const authenticated =
  (
    by: Identity | IdentityFor,
    proofsOf: (request: FastifyRequest) => Proofs,
    then?: (request: FastifyRequest) => void,
  ) =>
  async (request: FastifyRequest): Promise<void> => {
    const identity = typeof by === 'function' ? by(request.raw) : by
    request.caller = await identity.authenticate(proofsOf(request))
    then?.(request)
  }
