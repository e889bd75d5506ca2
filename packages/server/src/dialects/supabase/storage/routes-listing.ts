/** Listing a bucket, by folder and by page. */
import type { FastifyInstance } from 'fastify'
import { refusal } from '../../../files/errors.ts'
import type { FolderQuery, PageQuery } from '../../../files/listing.ts'
import { isObject, type JsonObject } from '../../../kernel/json.ts'
import { objectBody, oneOf, optionalFlag, optionalInteger, optionalText } from './body.ts'
import { actorOf, type StorageServices } from './context.ts'
import { renderEntry, renderPage } from './render.ts'

/** More are not sent at once; asking for more is no error, which a mini-program would never hear of. */
const MAX_ENTRIES = 10_000
const MAX_OFFSET = 2 ** 31 - 1

interface BucketRoute {
  Params: { bucket: string }
}

export const listingRoutes =
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
