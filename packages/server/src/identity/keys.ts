/** The app's keys: one secret, and everything that is derived from it, so that all nodes given the same secret accept the same keys. */
import { createHmac } from 'node:crypto'
import { base64url, SignJWT } from 'jose'

/** What an operator hands to clients (`anonKey`, `publishableKey`) and keeps on servers (the rest). */
export interface AppKeys {
  readonly jwtSecret: string
  /** HS256 tokens with the role alone; the form that older clients know. */
  readonly anonKey: string
  readonly serviceKey: string
  /** Opaque keys, the newer form: `sb_publishable_…` and `sb_secret_…`. */
  readonly publishableKey: string
  readonly secretKey: string
}

/** Shortest secret that HS256 may be used with (RFC 7518 §3.2). */
export const MIN_SECRET_BYTES = 32

export const ISSUER = 'teahouse'

// Fixed, so that the same secret gives the same key text on every node and at every start. 2025-01-01 and 2100-01-01 UTC.
const ISSUED_AT = 1_735_689_600
const EXPIRES_AT = 4_102_444_800

/** Derives every key from the secret. Throws RangeError when the secret is too short to sign with. */
export const deriveKeys = async (jwtSecret: string): Promise<AppKeys> => {
  const secret = new TextEncoder().encode(jwtSecret)
  if (secret.length < MIN_SECRET_BYTES) {
    throw new RangeError(`the JWT secret needs at least ${MIN_SECRET_BYTES} bytes, it has ${secret.length}`)
  }
  return {
    jwtSecret,
    anonKey: await roleToken(secret, 'anon'),
    serviceKey: await roleToken(secret, 'service_role'),
    publishableKey: opaqueKey(secret, 'sb_publishable_'),
    secretKey: opaqueKey(secret, 'sb_secret_'),
  }
}

const roleToken = (secret: Uint8Array, role: string): Promise<string> =>
  new SignJWT({ iss: ISSUER, role, iat: ISSUED_AT, exp: EXPIRES_AT })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .sign(secret)

const opaqueKey = (secret: Uint8Array, prefix: string): string =>
  prefix + base64url.encode(createHmac('sha256', secret).update(prefix).digest().subarray(0, 24))
