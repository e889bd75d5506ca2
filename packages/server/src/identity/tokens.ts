/** Verifies bearer tokens. The algorithm belongs to the key: a token never chooses how it is checked. */
import { decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../kernel/clock.ts'
import { AppError } from '../kernel/errors.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { Caller } from './caller.ts'
import type { KeyRing } from './key-ring.ts'

/** Why a token was refused; a dialect words it. */
export type TokenRefusal =
  | 'token_malformed'
  | 'token_signature'
  | 'token_expired'
  | 'token_not_yet'
  | 'token_audience'
  | 'token_claims'
  | 'token_revoked'

export interface TokenOptions {
  readonly jwtSecret: string
  readonly clock: Clock
  /** Accepted audiences, when a token names any. */
  readonly audiences?: readonly string[]
  /** How far clocks may differ, seconds. */
  readonly leeway?: number
  /** Keys beyond the secret. */
  readonly ring?: KeyRing
  /** Whether a token was withdrawn before its end: its session ended, or its owner was banned. */
  readonly revokedBy?: (claims: JsonObject) => 'session' | 'user' | null
}

/** A longer token is refused before anything is computed: real ones stay below 8 KiB. */
const MAX_TOKEN_LENGTH = 16_384
const CACHED_TOKENS = 10_000
const CACHED_CHARACTERS = 16_000_000
const ROLE_NAME = /^[^\0]{1,63}$/
// NUL and halves of surrogate pairs, as JSON.stringify writes them: Postgres cannot read them back, and every policy reads the claims.
const UNREADABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/

const refuse = (reason: TokenRefusal, message: string, cause?: unknown): AppError =>
  new AppError('unauthorized', message, { reason, cause })

export class TokenVerifier {
  readonly #secret: Uint8Array
  readonly #options: TokenOptions
  // Verified callers by token: a chatty client sends the same one thousands of times. Only tokens that were verified are kept, and a digest
  // of the token as the key would cost each request 5 µs, twice.
  readonly #verified = new LRUCache<string, Caller>({
    max: CACHED_TOKENS,
    maxSize: CACHED_CHARACTERS,
    sizeCalculation: (_caller, token) => token.length,
  })
  #keysVersion = 0

  constructor(options: TokenOptions) {
    this.#options = options
    this.#secret = new TextEncoder().encode(options.jwtSecret)
  }

  /** The caller that a token proves. Rejects with AppError `unauthorized` whose reason is a TokenRefusal. */
  async verify(token: string): Promise<Caller> {
    if (token.length > MAX_TOKEN_LENGTH) throw refuse('token_malformed', 'The token is too long')
    this.#forgetOldKeys()
    const known = this.#verified.get(token)
    if (known !== undefined) {
      this.#checkExpiry(known)
      this.#checkRevoked(known.claims)
      return known
    }
    const caller = toCaller(await this.#claims(token))
    this.#checkRevoked(caller.claims)
    this.#verified.set(token, caller)
    return caller
  }

  /** Tokens that were verified with keys of which one was taken away since are verified anew. */
  #forgetOldKeys(): void {
    const version = this.#options.ring?.version ?? 0
    if (version === this.#keysVersion) return
    this.#verified.clear()
    this.#keysVersion = version
  }

  #checkRevoked(claims: JsonObject): void {
    const by = this.#options.revokedBy?.(claims) ?? null
    if (by === null) return
    throw new AppError('unauthorized', 'The token was withdrawn', { reason: 'token_revoked', details: by })
  }

  async #claims(token: string): Promise<JsonObject> {
    try {
      const payload = await this.#payload(token)
      // What jose parsed is JSON by definition.
      const claims = payload as JsonObject
      this.#checkAudience(claims)
      return claims
    } catch (error) {
      throw refusalOf(error)
    }
  }

  /** Tries the keys that the header may mean, each with its own algorithm only. */
  async #payload(token: string): Promise<JWTPayload> {
    const options = {
      currentDate: new Date(this.#options.clock.now()),
      clockTolerance: this.#options.leeway ?? 0,
    }
    const { ring } = this.#options
    const keys = ring?.candidates({ alg: '', ...decodeProtectedHeader(token) }) ?? []
    const [first = { key: this.#secret, alg: 'HS256' }, ...rest] = keys
    let attempt = jwtVerify(token, first.key, { ...options, algorithms: [first.alg] })
    for (const { key, alg } of rest) {
      attempt = attempt.catch((error: unknown) => {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error
        return jwtVerify(token, key, { ...options, algorithms: [alg] })
      })
    }
    return (await attempt).payload
  }

  #checkExpiry(caller: Caller): void {
    const now = this.#options.clock.now() / 1000 - (this.#options.leeway ?? 0)
    if (caller.expiresAt !== null && now >= caller.expiresAt) throw refuse('token_expired', 'The token has expired')
  }

  #checkAudience(claims: JsonObject): void {
    const accepted = this.#options.audiences ?? ['authenticated']
    const { aud } = claims
    if (aud === undefined || aud === null || aud === '') return
    const named = Array.isArray(aud) ? aud : [aud]
    if (!named.some((each) => typeof each === 'string' && accepted.includes(each))) {
      throw refuse('token_audience', 'The token is meant for another audience')
    }
  }
}

const toCaller = (claims: JsonObject): Caller => {
  const role = claims.role ?? 'anon'
  // `none` is how Postgres spells "whoever logged in", which is more than any caller.
  if (typeof role !== 'string' || !ROLE_NAME.test(role) || role === 'none') {
    throw refuse('token_claims', 'The role claim is not a role name')
  }
  const claimsText = JSON.stringify(claims)
  if (UNREADABLE.test(claimsText)) throw refuse('token_claims', 'The claims hold a character that the database cannot')
  const { sub, exp } = claims
  // 1e400 is JSON, and later than any end.
  if (exp === Number.POSITIVE_INFINITY) throw refuse('token_claims', 'The claim exp is not a time')
  return {
    role,
    userId: typeof sub === 'string' && sub !== '' ? sub : null,
    claims,
    claimsText,
    expiresAt: typeof exp === 'number' ? exp : null,
  }
}

const refusalOf = (error: unknown): AppError => {
  if (error instanceof AppError) return error
  if (error instanceof errors.JWTExpired) return refuse('token_expired', 'The token has expired', error)
  if (error instanceof errors.JWTClaimValidationFailed) {
    return error.claim === 'nbf' && error.reason === 'check_failed'
      ? refuse('token_not_yet', 'The token is not valid yet', error)
      : refuse('token_claims', 'The claims of the token are not valid', error)
  }
  if (error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JOSEAlgNotAllowed) {
    return refuse('token_signature', 'The signature of the token is not valid', error)
  }
  return refuse('token_malformed', 'The token is malformed', error)
}
