/** Tokens that somebody else signed and the operator's configuration trusts: their keys, their audience, and where they name the role. */
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { isObject, type Json, type JsonObject, parseJson } from '../kernel/json.ts'
import { type ClaimPath, parseClaimPath } from './claim-path.ts'
import { MIN_SECRET_BYTES } from './keys.ts'

/** What was configured, as text. */
export interface TokenSettings {
  /** A secret, or one or several JSON Web Keys. */
  readonly secret: string | null
  readonly secretIsBase64: boolean
  readonly audience: string | null
  readonly roleClaim: string | null
  /** The role of a token that names none. */
  readonly anonRole: string
}

/** A key with the one algorithm that it may be used with. */
export interface ConfiguredKey {
  readonly kid: string | null
  readonly alg: string
  readonly key: KeyObject | Uint8Array
}

export interface ConfiguredTokens {
  readonly keys: readonly ConfiguredKey[]
  /** Null: any. */
  readonly audience: string | null
  readonly rolePath: ClaimPath
  readonly anonRole: string
  /** What of the settings cannot be used, for the log. Never holds a key. */
  readonly problems: readonly string[]
}

const DEFAULT_PATH: ClaimPath = [{ kind: 'key', name: 'role' }]

/** Reads the settings. What cannot be used is left out and named: a bad key trusts nobody, a bad path means `.role`. */
export const configureTokens = (settings: TokenSettings): ConfiguredTokens => {
  const problems: string[] = []
  const rolePath = settings.roleClaim === null ? DEFAULT_PATH : parseClaimPath(settings.roleClaim)
  if (rolePath === null) problems.push('the path of the role claim cannot be read')
  return {
    keys: settings.secret === null ? [] : keysOf(settings.secret, settings.secretIsBase64, problems),
    audience: settings.audience === null || settings.audience === '' ? null : settings.audience,
    rolePath: rolePath ?? DEFAULT_PATH,
    anonRole: settings.anonRole,
    problems,
  }
}

const keysOf = (text: string, base64: boolean, problems: string[]): readonly ConfiguredKey[] => {
  const json = text.trimStart().startsWith('{') ? parseJson(text) : undefined
  if (isObject(json)) {
    const jwks = Array.isArray(json.keys) ? json.keys : [json]
    return jwks.flatMap((each) => {
      const key = isObject(each) ? keyOf(each) : null
      if (key === null) problems.push('a JSON Web Key cannot be used')
      return key === null ? [] : [key]
    })
  }
  const bytes = base64 ? decodeBase64(text) : new TextEncoder().encode(text)
  if (bytes.length < MIN_SECRET_BYTES) {
    problems.push(`the secret has fewer than ${MIN_SECRET_BYTES} bytes`)
    return []
  }
  return [{ kid: null, alg: 'HS256', key: bytes }]
}

/** Both alphabets; a dot may stand for the padding. */
const decodeBase64 = (text: string): Uint8Array =>
  Buffer.from(text.trim().replaceAll('.', '=').replaceAll('-', '+').replaceAll('_', '/'), 'base64')

const CURVES: Readonly<Record<string, string>> = { 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512' }
const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
const SECRETS = ['HS256', 'HS384', 'HS512']

/** The algorithms that a kind of key can have at all; the first where the key does not say. */
const algorithmsOf = (jwk: JsonObject): readonly string[] => {
  switch (jwk.kty) {
    case 'oct':
      return SECRETS
    case 'RSA':
      return RSA
    case 'EC':
      return typeof jwk.crv === 'string' && Object.hasOwn(CURVES, jwk.crv) ? [CURVES[jwk.crv] ?? ''] : []
    case 'OKP':
      return jwk.crv === 'Ed25519' ? ['EdDSA'] : []
    default:
      return []
  }
}

const keyOf = (jwk: JsonObject): ConfiguredKey | null => {
  const [usual, ...others] = algorithmsOf(jwk)
  const alg = jwk.alg ?? usual
  if (usual === undefined || typeof alg !== 'string' || ![usual, ...others].includes(alg)) return null
  if (jwk.use !== undefined && jwk.use !== 'sig') return null
  const key = jwk.kty === 'oct' ? secretOf(jwk.k) : publicKeyOf(jwk)
  return key === null ? null : { kid: typeof jwk.kid === 'string' ? jwk.kid : null, alg, key }
}

const secretOf = (k: Json | undefined): Uint8Array | null => {
  const bytes = typeof k === 'string' ? Buffer.from(k, 'base64url') : null
  return bytes === null || bytes.length < MIN_SECRET_BYTES ? null : bytes
}

/** Of a private key, too, only the public half is kept: these keys never sign. */
const publicKeyOf = ({ kty, crv, n, e, x, y }: JsonObject): KeyObject | null => {
  try {
    // Node checks each member.
    const key = createPublicKey({ key: { kty, crv, n, e, x, y } as JsonWebKey, format: 'jwk' })
    return (key.asymmetricKeyDetails?.modulusLength ?? 2048) < 2048 ? null : key
  } catch {
    return null
  }
}
