/** `/v1`: what CloudBase's SDK for pages and mini-programs speaks in its third generation. Resources with methods and statuses, a token in the header. */
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { fromJson, fromJsonText, toJson } from '../../../data/documents/ejson.ts'
import { type Doc, isDoc, docOf as objectOf } from '../../../expr/bson/value.ts'
import type {} from '../../../http/caller.ts'
import type { ExternalUrl } from '../../../http/external-url.ts'
import { statusOf } from '../../../http/server.ts'
import { toError } from '../../../kernel/errors.ts'
import { isObject, type Json, parseJson } from '../../../kernel/json.ts'
import { callFunction } from '../call-function.ts'
import { type CloudCode, CloudError, wireErrorOf } from '../errors.ts'
import { type Body, docOf, invalid, orderOf, projectionOf, targetOf, transactionOf } from '../requests.ts'
import { deleteFiles, downloadUrls, uploadTicket } from '../storage.ts'
import { type ClientRequest, type ClientServices, rangeOf, storageOf } from './context.ts'

export interface GatewayOptions {
  readonly services: ClientServices
  readonly externalUrl: ExternalUrl
}

const DATABASE = '/database/instances/:instance/databases/:database'
const DOCUMENTS = `${DATABASE}/collections/:collection/documents`

interface Route {
  readonly Params: {
    readonly collection: string
    readonly id: string
    readonly transaction: string
    readonly name: string
  }
  readonly Querystring: Readonly<Record<string, string | undefined>>
}

/** Mount at `/v1`. `request.caller` must have been set by then. */
export const gatewaySurface =
  (options: GatewayOptions): FastifyPluginAsync =>
  async (app: FastifyInstance) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    app.setErrorHandler(sendGatewayError)
    const asked = (request: FastifyRequest, body: Body): ClientRequest => ({
      services: options.services,
      caller: request.caller,
      body,
      base: options.externalUrl(request),
    })
    documentRoutes(app, asked)
    transactionRoutes(app, options)
    storageRoutes(app, asked)
    app.post<Route>('/functions/:name', async (request, reply) => {
      const { name } = request.params
      const event = bytesOf(request).toString('utf8')
      const { functions } = options.services
      const json = await callFunction(functions, { name, event, caller: request.caller, trigger: 'client' })
      return reply.header('content-type', 'application/json; charset=utf-8').send(json)
    })
  }

type Asked = (request: FastifyRequest, body: Body) => ClientRequest

const documentRoutes = (app: FastifyInstance, asked: Asked): void => {
  app.get<Route>(DOCUMENTS, async (request) => {
    const all = asked(request, { ...request.query, collectionName: request.params.collection })
    const { services, caller, body } = all
    if (body.count === 'true') return { total: await services.documents.count(caller, targetOf(body)) }
    const { skip, limit } = rangeOf(all)
    const order = orderOf(typeof body.order === 'string' ? parseJson(body.order) : body.order)
    const wanted = { ...targetOf(body), order, skip, limit, ...projectionOf(body.projection) }
    const found = await services.documents.find(caller, wanted)
    return { list: found.map((each) => toJson(each, 'canonical')), offset: skip, limit }
  })
  app.get<Route>(`${DOCUMENTS}/:id`, async (request) => {
    const { collection, id } = request.params
    const { services, caller, body } = asked(request, { ...request.query, collectionName: collection })
    const query = objectOf([['_id', id]])
    const wanted = { ...targetOf(body), query, limit: 1, ...projectionOf(body.projection) }
    const [found] = await services.documents.find(caller, wanted)
    if (found === undefined)
      throw new CloudError('DATABASE_DOCUMENT_NOT_EXIST', `document with _id ${id} does not exist`)
    return toJson(found, 'canonical')
  })
  app.post<Route>(DOCUMENTS, async (request) => {
    const { services, caller, body } = asked(request, jsonOf(request))
    const list = Array.isArray(body.data) ? body.data : [body.data]
    const insertedIds = await services.documents.insert(caller, {
      collection: request.params.collection,
      transaction: transactionOf(body),
      documents: list.map((each: unknown) => docOf(each, 'data')),
    })
    return { insertedIds }
  })
  app.patch<Route>(DOCUMENTS, async (request) => {
    const { services, caller, body } = asked(request, { ...jsonOf(request), collectionName: request.params.collection })
    const done = await services.documents.update(caller, {
      ...targetOf(body),
      update: docOf(body.data, 'data'),
      multi: body.multi === true,
      upsert: body.upsert === true,
    })
    return { updated: done.updated, matched: done.matched, upserted_id: done.upsertedId ?? undefined }
  })
  app.post<Route>(`${DOCUMENTS}/remove`, async (request) => {
    const { services, caller, body } = asked(request, { ...jsonOf(request), collectionName: request.params.collection })
    return { deleted: await services.documents.remove(caller, { ...targetOf(body), multi: body.multi === true }) }
  })
  app.post<Route>(`${DOCUMENTS}/aggregations`, async (request) => {
    const { services, caller, body } = asked(request, jsonOf(request))
    if (!Array.isArray(body.pipeline)) throw invalid('pipeline must be a list')
    const stages = body.pipeline.map((stage: unknown) => stageOf(stage))
    const list = await services.documents.aggregate(caller, { collection: request.params.collection, stages })
    return { list: list.map((each) => toJson(each, 'canonical')) }
  })
  app.post<Route>(`${DATABASE}/collections`, async (request) => {
    const { services, caller, body } = asked(request, jsonOf(request))
    if (typeof body.collectionName !== 'string') throw invalid('collectionName must be a text')
    await services.documents.collections.create(caller, body.collectionName)
    return {}
  })
}

/** `{"$match": …}`; the value of a stage that is no JSON comes as text. */
const stageOf = (stage: unknown) => {
  // What came out of JSON.parse is JSON.
  const doc = fromJson(stage as Json)
  const [entry, ...more] = isDoc(doc) ? Object.entries(doc) : []
  if (entry === undefined || more.length > 0) throw invalid('a stage has one name and one value')
  const [name, value] = entry
  return { name, value: typeof value === 'string' && /^\s*[[{]/.test(value) ? fromJsonText(value) : value }
}

const transactionRoutes = (app: FastifyInstance, { services }: GatewayOptions): void => {
  const { transactions } = services.documents
  app.post(`${DATABASE}/transactions`, async (request) => ({ transactionId: await transactions.start(request.caller) }))
  app.post<Route>(`${DATABASE}/transactions/:transaction/commit`, async (request) => {
    await transactions.commit(request.caller, request.params.transaction)
    return { ok: 1 }
  })
  app.post<Route>(`${DATABASE}/transactions/:transaction/rollback`, async (request) => {
    await transactions.abort(request.caller, request.params.transaction)
    return { ok: 1 }
  })
}

const storageRoutes = (app: FastifyInstance, asked: Asked): void => {
  const each = <T>(
    request: FastifyRequest,
    work: (item: Doc | Readonly<Record<string, unknown>>) => Promise<T>,
  ): Promise<T[]> => {
    const list = parseJson(bytesOf(request).toString('utf8'))
    if (!Array.isArray(list) || list.length > MAX_FILES) throw invalid(`a list of at most ${MAX_FILES} files is wanted`)
    return Promise.all(list.map((item: unknown) => work(isObject(item) ? item : {})))
  }
  app.post('/storages/get-objects-upload-info', async (request) =>
    each(request, async ({ objectId }) => {
      try {
        const ticket = await uploadTicket(storageOf(asked(request, {})), objectId)
        return {
          objectId,
          uploadUrl: ticket.url,
          authorization: ticket.authorization,
          token: ticket.token,
          cloudObjectId: ticket.fileId,
          cloudObjectMeta: ticket.cosFileId,
          downloadUrl: ticket.download_url,
          downloadUrlEncoded: encodeURI(ticket.download_url),
        }
      } catch (error) {
        const known = wireErrorOf(error)
        if (known === null) throw error
        return { objectId, ...known }
      }
    }),
  )
  app.post('/storages/get-objects-download-info', async (request) =>
    each(request, async ({ cloudObjectId }) => {
      const context = storageOf(asked(request, {}))
      const [given] = await downloadUrls(context, [{ fileId: String(cloudObjectId), seconds: null }])
      return { cloudObjectId, downloadUrl: given?.url ?? '', ...(given?.error ?? {}) }
    }),
  )
  app.post('/storages/delete-objects', async (request) =>
    each(request, async ({ cloudObjectId }) => {
      const [done] = await deleteFiles(storageOf(asked(request, {})), [String(cloudObjectId)])
      return { cloudObjectId, ...(done?.error ?? {}) }
    }),
  )
}

const MAX_FILES = 50

const bytesOf = (request: FastifyRequest): Buffer => (Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0))

const jsonOf = (request: FastifyRequest): Body => {
  const text = bytesOf(request).toString('utf8')
  const body = text === '' ? {} : parseJson(text)
  if (isObject(body)) return body
  throw invalid('the body is not a JSON object')
}

/** Statuses of refusals that have one of their own. */
const STATUS: Partial<Readonly<Record<CloudCode, number>>> = {
  DATABASE_PERMISSION_DENIED: 403,
  STORAGE_EXCEED_AUTHORITY: 403,
  INVALID_REQUEST_SOURCE: 403,
  CHECK_LOGIN_FAILED: 401,
  DATABASE_COLLECTION_NOT_EXIST: 404,
  DATABASE_DOCUMENT_NOT_EXIST: 404,
  STORAGE_FILE_NONEXIST: 404,
  FUNCTION_NOT_FOUND: 404,
  DATABASE_TRANSACTION_CONFLICT: 409,
  DATABASE_DUPLICATE_WRITE: 409,
  EXCEED_REQUEST_LIMIT: 429,
  EXCEED_CONCURRENT_REQUEST_LIMIT: 429,
  FUNCTIONS_EXECUTE_FAIL: 500,
  FUNCTIONS_TIME_LIMIT_EXCEEDED: 504,
  SYS_ERR: 503,
  SERVER_TIMEOUT: 504,
}

export const sendGatewayError = (thrown: unknown, request: FastifyRequest, reply: FastifyReply): unknown => {
  const error = toError(thrown)
  const known = wireErrorOf(error)
  if (known === null && statusOf(error) >= 500) request.log.error({ error }, 'request failed')
  if (known !== null) return reply.code(STATUS[known.code] ?? 400).send({ ...known, requestId: request.id })
  const status = statusOf(error)
  const message = status >= 500 ? `Something went wrong here. Id: ${request.id}` : error.message
  return reply.code(status).send({ code: status >= 500 ? 'SYS_ERR' : 'INVALID_PARAM', message, requestId: request.id })
}
