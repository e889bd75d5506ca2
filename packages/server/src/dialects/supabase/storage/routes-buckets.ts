/** Buckets. */
import type { FastifyInstance } from 'fastify'
import type { BucketChanges } from '../../../files/buckets.sql.ts'
import { refusal } from '../../../files/errors.ts'
import { isMediaType } from '../../../files/media-types.ts'
import { parseSize } from '../../../files/sizes.ts'
import type { JsonObject } from '../../../kernel/json.ts'
import { objectBody, oneOf, optionalFlag, optionalInteger, optionalText, requiredText, texts } from './body.ts'
import { actorOf, type StorageServices } from './context.ts'
import { renderBucket } from './render.ts'

interface BucketRoute {
  Params: { id: string }
}

const SORT_COLUMNS = ['name', 'id', 'created_at', 'updated_at'] as const
const ORDERS = ['asc', 'desc'] as const
const MAX_TYPES = 200

export const bucketRoutes =
  ({ files: { buckets } }: StorageServices) =>
  async (app: FastifyInstance): Promise<void> => {
    app.get<{ Querystring: JsonObject }>('/bucket', async (request) => {
      const { query } = request
      const found = await buckets.list(actorOf(request, 'bucket.list'), {
        search: optionalText(query, 'search'),
        limit: optionalInteger(query, 'limit', [1, 100_000]),
        offset: optionalInteger(query, 'offset', [0, 2 ** 31 - 1]),
        sortColumn: oneOf(query.sortColumn, SORT_COLUMNS, 'name'),
        sortOrder: oneOf(query.sortOrder, ORDERS, 'asc'),
      })
      return found.map(renderBucket)
    })

    app.get<BucketRoute>('/bucket/:id', async (request) =>
      renderBucket(await buckets.find(actorOf(request, 'bucket.get'), request.params.id)),
    )
  }

export const bucketChangeRoutes =
  ({ files: { buckets } }: StorageServices) =>
  async (app: FastifyInstance): Promise<void> => {
    app.post('/bucket', async (request) => {
      const body = objectBody(request.body)
      const name = requiredText(body, 'name')
      const id = optionalText(body, 'id') ?? name
      if (id !== name) throw refusal('invalid_parameter', 'id and name must be the same')
      const type = optionalText(body, 'type') ?? 'STANDARD'
      if (type !== 'STANDARD') throw refusal('not_supported', `Buckets of type ${type} are not supported`)
      await buckets.create(actorOf(request, 'bucket.create'), { id, ...changesOf(body) })
      return { name }
    })

    app.put<BucketRoute>('/bucket/:id', async (request) => {
      await buckets.update(actorOf(request, 'bucket.update'), request.params.id, changesOf(objectBody(request.body)))
      return { message: 'Successfully updated' }
    })

    app.post<BucketRoute>('/bucket/:id/empty', async (request) => {
      await buckets.empty(actorOf(request, 'bucket.empty'), request.params.id)
      return { message: 'Successfully emptied' }
    })

    app.delete<BucketRoute>('/bucket/:id', async (request) => {
      await buckets.remove(actorOf(request, 'bucket.delete'), request.params.id)
      return { message: 'Successfully deleted' }
    })
  }

/** What a body says about a bucket: a field that is absent changes nothing, one that is null lifts the limit. */
const changesOf = (body: JsonObject): BucketChanges => {
  const isPublic = optionalFlag(body, 'public')
  return {
    ...(isPublic === undefined ? {} : { public: isPublic }),
    ...(Object.hasOwn(body, 'file_size_limit') ? { fileSizeLimit: limitOf(body.file_size_limit) } : {}),
    ...(Object.hasOwn(body, 'allowed_mime_types') ? { allowedMimeTypes: typesOf(body) } : {}),
  }
}

const limitOf = (value: unknown): number | null => {
  // 0 has always meant "no limit of its own".
  if (value === null || value === undefined || value === '' || value === 0) return null
  if (typeof value !== 'number' && typeof value !== 'string')
    throw refusal('invalid_parameter', 'file_size_limit must be a size')
  return parseSize(value)
}

const typesOf = (body: JsonObject): readonly string[] | null => {
  if (body.allowed_mime_types === null || body.allowed_mime_types === undefined) return null
  const types = texts(body, 'allowed_mime_types', MAX_TYPES)
  const wrong = types.find((type) => type !== '*' && !isMediaType(type))
  if (wrong !== undefined) throw refusal('mime_not_allowed', `mime type ${wrong.slice(0, 100)} is not supported`)
  return types
}
