/** Moving and copying objects. */
import type { FastifyInstance } from 'fastify'
import { refusal } from '../../../files/errors.ts'
import type { CopyOptions } from '../../../files/relocation.ts'
import { isCacheControl } from '../../../files/serving.ts'
import type { Address } from '../../../files/types.ts'
import { isObject, type JsonObject } from '../../../kernel/json.ts'
import { objectBody, optionalFlag, optionalText, requiredText } from './body.ts'
import { actorOf, type StorageServices } from './context.ts'
import { renderObject, renderUploaded } from './render.ts'
import { checkedMetadata } from './upload-body.ts'

export const moveRoutes =
  ({ files: { objects } }: StorageServices) =>
  async (app: FastifyInstance): Promise<void> => {
    app.post('/object/move', async (request) => {
      const { from, to } = endsOf(objectBody(request.body))
      const moved = await objects.move(actorOf(request, 'object.move'), from, to)
      return { message: 'Successfully moved', ...renderUploaded(moved) }
    })

    app.post('/object/copy', async (request) => {
      const body = objectBody(request.body)
      const { from, to } = endsOf(body)
      const mode = request.headers['x-upsert'] === 'true' ? 'upsert' : 'create'
      const actor = actorOf(request, 'object.copy')
      const copied = await objects.copy(actor, from, to, { mode, ...replacements(body) })
      const object = await objects.find(actor, copied).then(renderObject, () => null)
      // Who may copy somewhere need not be allowed to look there.
      return { ...object, ...renderUploaded(copied) }
    })
  }

const endsOf = (body: JsonObject): { readonly from: Address; readonly to: Address } => {
  const bucketId = requiredText(body, 'bucketId')
  return {
    from: { bucketId, name: requiredText(body, 'sourceKey') },
    to: { bucketId: optionalText(body, 'destinationBucket') ?? bucketId, name: requiredText(body, 'destinationKey') },
  }
}

/** `copyMetadata: false` starts afresh with what `metadata` says; otherwise everything is taken over. */
const replacements = (body: JsonObject): Omit<CopyOptions, 'mode'> => {
  if (optionalFlag(body, 'copyMetadata') !== false) return {}
  const { metadata } = body
  if (metadata === undefined || metadata === null) return { userMetadata: null }
  if (!isObject(metadata)) throw refusal('invalid_parameter', 'metadata must be an object')
  const cacheControl = optionalText(metadata, 'cacheControl')
  return {
    mimetype: optionalText(metadata, 'mimetype'),
    cacheControl: cacheControl !== undefined && isCacheControl(cacheControl) ? cacheControl : undefined,
    userMetadata: checkedMetadata(JSON.stringify(metadata)),
  }
}
