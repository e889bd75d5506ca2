/** The keys that sign and check access tokens. The first private key signs; all of them verify, so that a key can be changed while the old one's tokens live on. */
import { base64url, CompactSign, type CryptoKey, exportJWK, importJWK, type JWK, type JWTHeaderParameters } from 'jose'
import { AppError } from '../kernel/errors.ts'

/** Algorithms that a signing key may have. A secret is for HS256 alone. */
export const ASYMMETRIC = ['ES256', 'RS256', 'EdDSA'] as const
type Asymmetric = (typeof ASYMMETRIC)[number]

type Key = CryptoKey | Uint8Array

interface RingKey {
  readonly kid: string | null
  readonly alg: 'HS256' | Asymmetric
  /** Null for a key that only verifies any more. */
  readonly sign: Key | null
  readonly verify: Key
  /** What others may know; null for a secret. */
  readonly publicJwk: JWK | null
}

export interface KeyRingOptions {
  readonly jwtSecret: string
  /** Secrets that signed before this one did. */
  readonly previousSecrets?: readonly string[]
  /** JSON Web Keys, private ones sign; the format of Supabase's `signing_keys_path`. */
  readonly jwks?: readonly JWK[]
}

const invalidKey = (what: string, cause?: unknown): AppError =>
  new AppError('bad_request', `signing keys: ${what}`, { cause })

export class KeyRing {
  #keys: readonly RingKey[]
  readonly #secrets: readonly RingKey[]
  #version = 0

  private constructor(keys: readonly RingKey[], secrets: readonly RingKey[]) {
    this.#keys = keys
    this.#secrets = secrets
  }

  /** Throws AppError `bad_request` for a key that cannot be used. */
  static async create(options: KeyRingOptions): Promise<KeyRing> {
    const secrets = [options.jwtSecret, ...(options.previousSecrets ?? [])].map(secretKey)
    return new KeyRing(await Promise.all((options.jwks ?? []).map(ringKey)), secrets)
  }

  /** Takes another set of signing keys into use. Keys that are gone verify no more. */
  async replace(jwks: readonly JWK[]): Promise<void> {
    this.#keys = await Promise.all(jwks.map(ringKey))
    this.#version += 1
  }

  /** Changes when a key was taken away; whoever remembers verified tokens forgets them then. */
  get version(): number {
    return this.#version
  }

  /** Signs a payload with the first key that can. */
  async sign(payload: Uint8Array): Promise<string> {
    const key = [...this.#keys, ...this.#secrets].find((each) => each.sign !== null)
    if (key === undefined || key.sign === null) throw new AppError('internal', 'there is no key to sign with')
    const header = { alg: key.alg, typ: 'JWT', ...(key.kid === null ? {} : { kid: key.kid }) }
    return new CompactSign(payload).setProtectedHeader(header).sign(key.sign)
  }

  /**
   * The keys that may verify a token with this header. The algorithm belongs to the key, never to the token:
   * a public key is no HMAC secret, whatever the header says.
   */
  candidates(header: JWTHeaderParameters): readonly { readonly key: Key; readonly alg: string }[] {
    const all = [...this.#keys, ...this.#secrets].filter((each) => each.alg === header.alg)
    const named = all.filter((each) => header.kid === undefined || each.kid === null || each.kid === header.kid)
    return named.map((each) => ({ key: each.verify, alg: each.alg }))
  }

  /** RFC 7517: the public halves, for `/.well-known/jwks.json`. */
  get publicJwks(): { readonly keys: readonly JWK[] } {
    return { keys: this.#keys.flatMap((each) => (each.publicJwk === null ? [] : [each.publicJwk])) }
  }

  /** The secrets, newest first, for what is derived from them. */
  get secrets(): readonly Uint8Array[] {
    return this.#secrets.flatMap((each) => (each.verify instanceof Uint8Array ? [each.verify] : []))
  }
}

const secretKey = (text: string): RingKey => {
  const bytes = new TextEncoder().encode(text)
  return { kid: null, alg: 'HS256', sign: bytes, verify: bytes, publicJwk: null }
}

const ringKey = async (jwk: JWK): Promise<RingKey> => {
  if (jwk.kty === 'oct') {
    const bytes = base64url.decode(jwk.k ?? '')
    if (bytes.length < 32) throw invalidKey('an HS256 key needs at least 32 bytes')
    return { kid: jwk.kid ?? null, alg: 'HS256', sign: bytes, verify: bytes, publicJwk: null }
  }
  const alg = algorithmOf(jwk)
  if (jwk.kid === undefined) throw invalidKey('every key needs a kid')
  const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, key_ops: _ops, ext: _ext, ...open } = jwk
  const publicJwk: JWK = { ...open, alg, use: 'sig', key_ops: ['verify'] }
  try {
    const verify = await importJWK(publicJwk, alg)
    const signs = jwk.d !== undefined && (jwk.key_ops === undefined || jwk.key_ops.includes('sign'))
    return {
      kid: jwk.kid,
      alg,
      sign: signs ? await importJWK({ ...jwk, alg, key_ops: ['sign'] }, alg) : null,
      verify,
      publicJwk,
    }
  } catch (cause) {
    throw invalidKey(`the key ${jwk.kid} cannot be read`, cause)
  }
}

const algorithmOf = (jwk: JWK): Asymmetric => {
  const implied = jwk.kty === 'RSA' ? 'RS256' : jwk.kty === 'OKP' ? 'EdDSA' : 'ES256'
  const alg = ASYMMETRIC.find((each) => each === (jwk.alg ?? implied))
  if (alg === undefined) throw invalidKey(`the algorithm should be one of ${ASYMMETRIC.join(', ')}`)
  return alg
}

/** A new private key as JSON, for the operator's file. */
export const generateSigningKey = async (alg: Asymmetric, kid: string): Promise<JWK> => {
  const { generateKeyPair } = await import('jose')
  const { privateKey } = await generateKeyPair(alg, { extractable: true })
  return { ...(await exportJWK(privateKey)), kid, alg, use: 'sig', key_ops: ['sign', 'verify'] }
}
