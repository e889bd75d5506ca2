/** Listing, describing and removing objects. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { objectNotFound, refusal } from '../../../files/errors.ts'
import type { FolderQuery, PageQuery } from '../../../files/listing.ts'
import type { Address } from '../../../files/types.ts'
import { isObject, type JsonObject } from '../../../kernel/json.ts'
import { objectBody, oneOf, optionalFlag, optionalInteger, optionalText, texts } from './body.ts'
import { actorOf, addressOf, type ObjectRoute, orInBucketNamed, type StorageServices } from './context.ts'
import { renderEntry, renderInfo, renderObject, renderPage } from './render.ts'

const MAX_NAMES = 1000
/** More are not sent at once; asking for more is no error, which a mini-program would never hear of. */
const MAX_ENTRIES = 10_000
const MAX_OFFSET = 2 ** 31 - 1

interface BucketRoute {
  Params: { bucket: string }
}

export const objectRoutes =
  ({ files }: StorageServices) =>
  async (app: FastifyInstance): Promise<void> => {
    app.post<BucketRoute>('/object/list/:bucket', async (request) => {
      const entries = await files.listing.folder(
        actorOf(request, 'object.list'),
        request.params.bucket,
        folderQuery(objectBody(request.body)),
      )
      return entries.map(renderEntry)
    })

    app.post<BucketRoute>('/object/list-v2/:bucket', async (request) => {
      const page = await files.listing.page(
        actorOf(request, 'object.list_v2'),
        request.params.bucket,
        pageQuery(objectBody(request.body)),
      )
      return renderPage(page)
    })

    app.delete<BucketRoute>('/object/:bucket', async (request) => {
      const names = texts({ prefixes: [], ...objectBody(request.body) }, 'prefixes', MAX_NAMES)
      const removed = await files.objects.remove(actorOf(request, 'object.delete_many'), request.params.bucket, names)
      return removed.map(renderObject)
    })

    app.delete<ObjectRoute>('/object/:bucket/*', async (request) => {
      const { bucketId, name } = addressOf(request)
      const removed = await files.objects.remove(actorOf(request, 'object.delete'), bucketId, [name])
      if (removed.length === 0) throw objectNotFound()
      return { message: 'Successfully deleted' }
    })

    const open = (request: FastifyRequest<ObjectRoute>) => (address: Address) =>
      files.objects.findOpen(actorOf(request, 'object.info_authenticated'), address)

    app.get<ObjectRoute>('/object/info/:bucket/*', async (request) =>
      renderInfo(await open(request)(addressOf(request))),
    )
    app.get<ObjectRoute>('/object/info/authenticated/:bucket/*', async (request) => {
      const find = (address: Address) => files.objects.find(actorOf(request, 'object.info_authenticated'), address)
      return renderInfo(await orInBucketNamed('authenticated', addressOf(request), find, open(request)))
    })
    app.get<ObjectRoute>('/object/info/public/:bucket/*', async (request) =>
      renderInfo(await orInBucketNamed('public', addressOf(request), files.objects.findPublic, open(request))),
    )
  }

const SORT_COLUMNS = ['name', 'created_at', 'updated_at', 'last_accessed_at'] as const
const ORDERS = ['asc', 'desc'] as const

const sortOf = (body: JsonObject): JsonObject => {
  const sortBy = Object.hasOwn(body, 'sortBy') ? (body.sortBy ?? {}) : {}
  if (!isObject(sortBy)) throw refusal('invalid_parameter', 'sortBy must be an object')
  return sortBy
}

const folderQuery = (body: JsonObject): FolderQuery => {
  const sort = sortOf(body)
  return {
    prefix: optionalText(body, 'prefix') ?? '',
    search: optionalText(body, 'search') ?? '',
    limit: Math.min(optionalInteger(body, 'limit', [1, MAX_OFFSET]) ?? 100, MAX_ENTRIES),
    offset: optionalInteger(body, 'offset', [0, MAX_OFFSET]) ?? 0,
    sortColumn: oneOf(sort.column, SORT_COLUMNS, 'name'),
    sortOrder: oneOf(sort.order, ORDERS, 'asc'),
  }
}

const PAGE_COLUMNS = ['name', 'created_at', 'updated_at'] as const

const pageQuery = (body: JsonObject): PageQuery => {
  const sort = sortOf(body)
  return {
    prefix: optionalText(body, 'prefix') ?? '',
    limit: optionalInteger(body, 'limit', [1, 1000]) ?? 1000,
    delimiter: optionalFlag(body, 'with_delimiter') ?? false,
    cursor: optionalText(body, 'cursor') ?? null,
    sortColumn: oneOf(sort.column, PAGE_COLUMNS, 'name'),
    sortOrder: oneOf(sort.order, ORDERS, 'asc'),
  }
}
