/** Signed URLs: permission for one object, handed out by someone who has it, good for a while for whoever holds the link. */
import { jwtVerify, SignJWT } from 'jose'
import type { Clock } from '../kernel/clock.ts'
import { isObject, type JsonObject } from '../kernel/json.ts'
import { refusal } from './errors.ts'
import { parseTransform, type Transform } from './transforms.ts'
import type { Address, WriteMode } from './types.ts'

/** Signs small payloads. The app gives it a key that signs nothing else. */
export interface UrlSigner {
  /** A token that `verify` accepts for `expiresIn` seconds. */
  sign(payload: JsonObject, expiresIn: number): Promise<string>
  /** The payload, or null for a token that is forged, foreign or expired. */
  verify(token: string): Promise<JsonObject | null>
}

export interface UrlSignerOptions {
  /** A secret of its own: a token for a picture must never pass as an access token, nor the other way round. */
  readonly secret: string
  readonly clock: Clock
}

export const createUrlSigner = ({ secret, clock }: UrlSignerOptions): UrlSigner => {
  const key = new TextEncoder().encode(secret)
  return {
    sign: (payload, expiresIn) => {
      const now = Math.floor(clock.now() / 1000)
      return new SignJWT({ ...payload })
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setIssuedAt(now)
        .setExpirationTime(now + expiresIn)
        .sign(key)
    },
    async verify(token) {
      try {
        const { payload } = await jwtVerify(token, key, {
          algorithms: ['HS256'],
          requiredClaims: ['exp'],
          currentDate: new Date(clock.now()),
        })
        // What this key signed is what `sign` was given.
        return payload as JsonObject
      } catch {
        return null
      }
    },
  }
}

/** What a signed upload permits. */
export interface UploadGrant {
  readonly mode: WriteMode
  readonly ownerId: string | null
}

// The bucket and the name stay apart: joined, `a` with `b/c` would be `a/b` with `c`.
const PURPOSES = { download: 'object.download', render: 'object.render', upload: 'object.upload' } as const

export const signDownload = (signer: UrlSigner, { bucketId, name }: Address, expiresIn: number): Promise<string> =>
  signer.sign({ use: PURPOSES.download, bucket: bucketId, name }, expiresIn)

export const signUpload = (
  signer: UrlSigner,
  { bucketId, name, mode, ownerId }: Address & UploadGrant,
  expiresIn: number,
): Promise<string> => signer.sign({ use: PURPOSES.upload, bucket: bucketId, name, mode, owner: ownerId }, expiresIn)

/** Throws `invalid_signature` unless the token permits downloading exactly this object. */
export const verifyDownload = async (signer: UrlSigner, token: unknown, address: Address): Promise<void> => {
  await verifyFor(signer, token, { ...address, use: PURPOSES.download })
}

/** A link to one object in one size: the original is not what was handed out. */
export const signRender = (
  signer: UrlSigner,
  { bucketId, name, transform }: Address & { readonly transform: Transform },
  expiresIn: number,
): Promise<string> =>
  signer.sign({ use: PURPOSES.render, bucket: bucketId, name, transform: { ...transform } }, expiresIn)

/** How the token wants exactly this object to be shown; throws `invalid_signature` when it does not. */
export const verifyRender = async (signer: UrlSigner, token: unknown, address: Address): Promise<Transform> => {
  const { transform } = await verifyFor(signer, token, { ...address, use: PURPOSES.render })
  return parseTransform(isObject(transform) ? transform : {})
}

/** What the token permits for exactly this object; throws `invalid_signature` otherwise. */
export const verifyUpload = async (signer: UrlSigner, token: unknown, address: Address): Promise<UploadGrant> => {
  const { mode, owner } = await verifyFor(signer, token, { ...address, use: PURPOSES.upload })
  return { mode: mode === 'upsert' ? 'upsert' : 'create', ownerId: typeof owner === 'string' ? owner : null }
}

const verifyFor = async (
  signer: UrlSigner,
  token: unknown,
  wanted: Address & { readonly use: string },
): Promise<JsonObject> => {
  const payload = typeof token === 'string' && token !== '' ? await signer.verify(token) : null
  if (!isObject(payload)) throw refusal('invalid_signature', 'The signed URL is not valid or has expired')
  const matches = payload.use === wanted.use && payload.bucket === wanted.bucketId && payload.name === wanted.name
  if (!matches) throw refusal('invalid_signature', 'The signature does not match this object')
  return payload
}
