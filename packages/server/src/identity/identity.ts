/** Turns what a request carries (a key, a token) into a Caller. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { AppError } from '../kernel/errors.ts'
import type { Caller } from './caller.ts'
import type { AppKeys } from './keys.ts'
import type { TokenVerifier } from './tokens.ts'

/** The proofs that a request brought; undefined when it brought none. */
export interface Proofs {
  readonly apikey: string | undefined
  /** What follows `Bearer ` in the Authorization header. */
  readonly bearer: string | undefined
}

export interface Identity {
  /** The caller of a request: the bearer's when it is a token, else the key's, else the anonymous one. */
  authenticate(proofs: Proofs): Promise<Caller>
  /** The caller that an API key alone stands for. */
  authenticateKey(apikey: string): Promise<Caller>
  /** The caller that a token alone proves. */
  authenticateToken(token: string): Promise<Caller>
  /** Tells whoever holds something open (a socket) that a session or a user lost its proofs; what it holds is judged anew then. Answers how to stop. */
  onRevoked?(listener: (subject: string) => void): () => void
}

/** The caller that a key alone stands for. */
export const keyCaller = (role: string): Caller => {
  const claims = { role }
  return { role, userId: null, claims, claimsText: JSON.stringify(claims), expiresAt: null }
}

/** Nobody in particular: a request without key or token. Row-level security sees the role `anon`, as with the public key. */
export const ANONYMOUS = keyCaller('anon')

const OPAQUE = /^sb_(publishable|secret)_/

export interface IdentityOptions {
  readonly onRevoked?: NonNullable<Identity['onRevoked']>
  /** Keys of secrets that are being replaced: good until the operator names them no more. */
  readonly previous?: readonly AppKeys[]
}

export const createIdentity = (
  keys: AppKeys,
  tokens: TokenVerifier,
  { onRevoked, previous = [] }: IdentityOptions = {},
): Identity => {
  const opaque = [keys, ...previous].flatMap((each): readonly (readonly [string, Caller])[] => [
    [each.publishableKey, keyCaller('anon')],
    [each.secretKey, keyCaller('service_role')],
  ])

  const authenticateToken = async (token: string): Promise<Caller> => {
    if (!OPAQUE.test(token)) return tokens.verify(token)
    const found = opaque.find(([key]) => sameSecret(key, token))
    if (found === undefined) throw invalidKey()
    return found[1]
  }

  /** A key that is a token is refused as a key: its owner looks for a wrong key, not for a wrong login. */
  const authenticateKey = async (apikey: string): Promise<Caller> =>
    authenticateToken(apikey).catch((error: unknown) => {
      throw error instanceof AppError && error.code === 'unauthorized' ? invalidKey(error) : error
    })

  return {
    authenticateKey,
    authenticateToken,
    ...(onRevoked === undefined ? {} : { onRevoked }),
    async authenticate({ apikey, bearer }) {
      // The key is checked even when a token decides: a wrong key is a mistake that its owner should hear of.
      const key = apikey === undefined || apikey === '' ? null : await authenticateKey(apikey)
      if (bearer === undefined || bearer === '') return key ?? ANONYMOUS
      return bearer === apikey && key !== null ? key : authenticateToken(bearer)
    },
  }
}

const invalidKey = (cause?: unknown): AppError =>
  new AppError('unauthorized', 'Invalid API key', { reason: 'key_invalid', cause })

/** Compares in constant time, whatever the lengths. */
const sameSecret = (left: string, right: string): boolean => {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(left), digest(right))
}
