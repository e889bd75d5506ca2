/** What every route of this dialect works with. */
import type { FastifyRequest } from 'fastify'
import type { Files } from '../../../files/files.ts'
import type { UrlSigner } from '../../../files/signing.ts'
import type { Actor, Address } from '../../../files/types.ts'
import type { Clock } from '../../../kernel/clock.ts'

export interface StorageServices {
  readonly files: Files
  /** Signs and checks the tokens of signed URLs. Its key must not sign access tokens too. */
  readonly signer: UrlSigner
  readonly clock: Clock
  /** How slow an upload may be: at least `bytes` in every `milliseconds`, else it is cut off. */
  readonly pace?: { readonly bytes: number; readonly milliseconds: number }
}

/** A route with a wildcard: what follows the bucket is the object's name, decoded. */
export interface ObjectRoute {
  Params: { bucket: string; '*': string }
}

export const addressOf = (request: FastifyRequest<ObjectRoute>): Address => ({
  bucketId: request.params.bucket,
  name: request.params['*'],
})

/** The caller of this request, doing `operation`, in the words that policies compare with storage.operation(). */
export const actorOf = (request: Pick<FastifyRequest, 'caller'>, operation: string): Actor => ({
  kind: 'caller',
  caller: request.caller,
  operation,
})
