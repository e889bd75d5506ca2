/** Verifies bearer tokens. The algorithm belongs to the key: a token never chooses how it is checked. */
import { decodeProtectedHeader, errors, type JWTHeaderParameters, type JWTPayload, jwtVerify } from 'jose'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../kernel/clock.ts'
import { AppError } from '../kernel/errors.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { Caller } from './caller.ts'
import { claimAt } from './claim-path.ts'
import type { ConfiguredTokens } from './configured-tokens.ts'
import type { KeyRing } from './key-ring.ts'

/** Why a token was refused; a dialect words it. */
export type TokenRefusal =
  | 'token_malformed'
  | 'token_signature'
  | 'token_expired'
  | 'token_not_yet'
  | 'token_issued_later'
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
  /** Tokens of others that are trusted besides our own, and how the role is found. The same object for as long as nothing changed. */
  readonly configured?: () => ConfiguredTokens | null
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

const refuse = (reason: TokenRefusal, message: string, cause?: unknown, details?: string): AppError =>
  new AppError('unauthorized', message, { reason, cause, ...(details === undefined ? {} : { details }) })

/** How far the clocks of others may be ahead, seconds. */
const ISSUE_LEEWAY = 30

type Key = Parameters<typeof jwtVerify>[1]

interface Candidate {
  readonly key: Key
  readonly alg: string
  /** One of our own keys. */
  readonly own: boolean
}

interface Verified {
  readonly payload: JWTPayload
  readonly own: boolean
}

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
  #configured: ConfiguredTokens | null = null

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
    const configured = this.#configured
    const caller = toCaller(await this.#claims(token, configured))
    this.#checkRevoked(caller.claims)
    // Judged by what held when it arrived, which may have changed meanwhile.
    if (configured === this.#configured) this.#verified.set(token, caller)
    return caller
  }

  /** Tokens that were verified with keys of which one was taken away since are verified anew. */
  #forgetOldKeys(): void {
    const version = this.#options.ring?.version ?? 0
    const configured = this.#options.configured?.() ?? null
    if (version === this.#keysVersion && configured === this.#configured) return
    this.#verified.clear()
    this.#keysVersion = version
    this.#configured = configured
  }

  #checkRevoked(claims: JsonObject): void {
    const by = this.#options.revokedBy?.(claims) ?? null
    if (by === null) return
    throw new AppError('unauthorized', 'The token was withdrawn', { reason: 'token_revoked', details: by })
  }

  async #claims(token: string, configured: ConfiguredTokens | null): Promise<JsonObject> {
    try {
      const { payload, own } = await this.#payload(token, configured)
      // What jose parsed is JSON by definition.
      const claims = payload as JsonObject
      if (own) this.#checkAudience(claims, [...(this.#options.audiences ?? ['authenticated']), configured?.audience])
      else this.#checkForeign(claims, configured)
      return configured === null ? claims : withRole(claims, configured, own)
    } catch (error) {
      throw refusalOf(error, token)
    }
  }

  /** Tries the keys that the header may mean, our own first, each with its own algorithm only. */
  async #payload(token: string, configured: ConfiguredTokens | null): Promise<Verified> {
    const options = {
      currentDate: new Date(this.#options.clock.now()),
      clockTolerance: this.#options.leeway ?? 0,
    }
    const keys = this.#candidates({ alg: '', ...decodeProtectedHeader(token) }, configured)
    const [first = { key: this.#secret, alg: 'HS256', own: true }, ...rest] = keys
    const verify = async ({ key, alg, own }: Candidate): Promise<Verified> => {
      const { payload } = await jwtVerify(token, key, { ...options, algorithms: [alg] })
      return { payload, own }
    }
    let attempt = verify(first)
    for (const candidate of rest) {
      attempt = attempt.catch((error: unknown) => {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error
        return verify(candidate)
      })
    }
    return attempt
  }

  #candidates(header: JWTHeaderParameters, configured: ConfiguredTokens | null): readonly Candidate[] {
    const { ring } = this.#options
    // The ring holds the secret, too; without one there is the secret alone.
    const ours = ring?.candidates(header) ?? (header.alg === 'HS256' ? [{ key: this.#secret, alg: 'HS256' }] : [])
    const theirs = (configured?.keys ?? []).filter(
      ({ alg, kid }) => alg === header.alg && (header.kid === undefined || kid === null || kid === header.kid),
    )
    return [...ours.map((each) => ({ ...each, own: true })), ...theirs.map((each) => ({ ...each, own: false }))]
  }

  /** A token of others: their audience if one was configured, and no issue date in the future. */
  #checkForeign(claims: JsonObject, configured: ConfiguredTokens | null): void {
    const audience = configured?.audience ?? null
    const { aud, iat } = claims
    const none = Array.isArray(aud) && aud.length === 0
    if (audience !== null && !none) this.#checkAudience(claims, [audience])
    if (typeof iat === 'number' && iat > this.#options.clock.now() / 1000 + ISSUE_LEEWAY) {
      throw refuse('token_issued_later', 'The token was issued in the future')
    }
  }

  #checkExpiry(caller: Caller): void {
    const now = this.#options.clock.now() / 1000 - (this.#options.leeway ?? 0)
    if (caller.expiresAt !== null && now >= caller.expiresAt) throw refuse('token_expired', 'The token has expired')
  }

  #checkAudience(claims: JsonObject, accepted: readonly (string | null | undefined)[]): void {
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

/**
 * The role as the configuration finds it. A token of others without one is anonymous; a token of ours then keeps its own, because our keys
 * name their role where everybody expects it.
 */
const withRole = (claims: JsonObject, { rolePath, anonRole }: ConfiguredTokens, own: boolean): JsonObject => {
  const found = claimAt(claims, rolePath) ?? null
  return { ...claims, role: found ?? (own ? (claims.role ?? anonRole) : anonRole) }
}

const KNOWN_ALGORITHMS = /^(?:(?:HS|RS|PS|ES)(?:256|384|512)|EdDSA|Ed25519)$/

const refusalOf = (error: unknown, token: string): AppError => {
  if (error instanceof AppError) return error
  if (error instanceof errors.JWTExpired) return refuse('token_expired', 'The token has expired', error)
  if (error instanceof errors.JWTClaimValidationFailed) {
    return error.claim === 'nbf' && error.reason === 'check_failed'
      ? refuse('token_not_yet', 'The token is not valid yet', error)
      : refuse('token_claims', 'The claims of the token are not valid', error, error.claim)
  }
  if (error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JOSEAlgNotAllowed) {
    const known = KNOWN_ALGORITHMS.test(String(decodeProtectedHeader(token).alg))
    return refuse('token_signature', 'The signature of the token is not valid', error, known ? undefined : 'algorithm')
  }
  // How many parts it has: often the mistake.
  return refuse('token_malformed', 'The token is malformed', error, String(token.split('.').length))
}
