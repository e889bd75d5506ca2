/** What every route of this dialect works with. */
import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import type { Files } from '../../../files/files.ts'
import type { UrlSigner } from '../../../files/signing.ts'
import type { Actor, Address } from '../../../files/types.ts'
import type { ExternalUrl } from '../../../http/external-url.ts'
import type { Caller } from '../../../identity/caller.ts'
import type { Clock } from '../../../kernel/clock.ts'
import { AppError } from '../../../kernel/errors.ts'

/** The secret that goes with an access key, and on whose behalf it signs; null for unknown keys. Throws for a token that is none. */
export type S3Credentials = (
  accessKeyId: string,
  sessionToken: string | undefined,
  request: IncomingMessage,
) => Promise<{ readonly secret: string; readonly caller: Caller } | null>

export interface StorageServices {
  readonly files: Files
  /** Signs and checks the tokens of signed URLs. Its key must not sign access tokens too. */
  readonly signer: UrlSigner
  readonly clock: Clock
  /** Whose S3 keys these are; absent where S3 is not served. */
  readonly s3Credentials?: S3Credentials
  /** Where clients reach this server, for addresses in answers. */
  readonly externalUrl: ExternalUrl
  /** How slow an upload may be: at least `bytes` in every `milliseconds`, else it is cut off. */
  readonly pace?: { readonly bytes: number; readonly milliseconds: number }
}

/** A route with a wildcard: what follows the bucket is the object's name, decoded. */
export interface ObjectRoute {
  Params: { bucket: string; '*': string }
}

export const addressOf = (request: FastifyRequest<ObjectRoute>): Address => {
  const name = request.params['*']
  // A router that ignores trailing slashes has taken it off; no object has such a name.
  const slash = (request.raw.url ?? '').split('?', 1)[0]?.endsWith('/') && !name.endsWith('/')
  return { bucketId: request.params.bucket, name: slash ? `${name}/` : name }
}

/** The caller of this request, doing `operation`, in the words that policies compare with storage.operation(). */
export const actorOf = (request: Pick<FastifyRequest, 'caller'>, operation: string): Actor => ({
  kind: 'caller',
  caller: request.caller,
  operation,
})

/**
 * Addresses are ambiguous for buckets that are called like a part of the API: `/object/public/a/b` may be object `b` of bucket `a`, asked for
 * by its public address, or object `a/b` of a bucket called `public`. The API's own meaning comes first; when it finds nothing, the other one.
 */
export const orInBucketNamed = async <T>(
  bucketId: string,
  address: Address,
  find: (address: Address) => Promise<T>,
  otherwise: (address: Address) => Promise<T>,
): Promise<T> => {
  try {
    return await find(address)
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'not_found') throw error
    return otherwise({ bucketId, name: `${address.bucketId}/${address.name}` }).catch(() => {
      throw error
    })
  }
}
