/** How PostgREST words a token that was refused. */
import type { AppError } from '../../../kernel/errors.ts'

interface TokenProblem {
  readonly code: 'PGRST301' | 'PGRST303'
  readonly message: string
  readonly details: string | null
}

/** Null for a refusal that is not about a token's own contents. */
export const tokenProblem = (error: AppError): TokenProblem | null => {
  switch (error.reason) {
    case 'token_malformed':
      return undecodable(malformed(error.details))
    case 'token_signature':
      return error.details === 'algorithm'
        ? undecodable('Wrong or unsupported encoding algorithm')
        : undecodable('No suitable key or wrong key type', 'None of the keys was able to decode the JWT')
    case 'token_expired':
      return badClaim('JWT expired')
    case 'token_not_yet':
      return badClaim('JWT not yet valid')
    case 'token_issued_later':
      return badClaim('JWT issued at future')
    case 'token_audience':
      return badClaim('JWT not in audience')
    case 'token_claims':
      return badClaim(claimMessage(error.details))
    default:
      return null
  }
}

const undecodable = (message: string, details: string | null = null): TokenProblem => ({
  code: 'PGRST301',
  message,
  details,
})

export const EMPTY_TOKEN = undecodable('Empty JWT is sent in Authorization header')

const badClaim = (message: string): TokenProblem => ({ code: 'PGRST303', message, details: null })

/** A token has three parts; one that has, and still makes no sense, cannot be decoded. */
const malformed = (parts: string | undefined): string =>
  parts === undefined || parts === '3' ? 'JWT cryptographic operation failed' : `Expected 3 parts in JWT; got ${parts}`

const NUMBERS = new Set(['exp', 'nbf', 'iat'])

const claimMessage = (claim: string | undefined): string =>
  claim !== undefined && NUMBERS.has(claim) ? `The JWT '${claim}' claim must be a number` : 'Parsing claims failed'

/** WWW-Authenticate for it (RFC 6750). */
export const challenge = (problem: TokenProblem): string =>
  `Bearer error="invalid_token", error_description=${JSON.stringify(problem.message)}`
