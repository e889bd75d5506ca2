/** `POST /web`: what CloudBase's SDK for pages and mini-programs speaks in its second generation. One address, an `action`, plain JSON with tagged dates. */
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { toJson, toJsonText } from '../../../data/documents/ejson.ts'
import { bearerOf } from '../../../http/caller.ts'
import type { ExternalUrl } from '../../../http/external-url.ts'
import type { Identity } from '../../../identity/identity.ts'
import { isObject, parseJson } from '../../../kernel/json.ts'
import { callFunction } from '../call-function.ts'
import { CloudError, wireErrorOf } from '../errors.ts'
import {
  type Body,
  collectionOf,
  docOf,
  invalid,
  orderOf,
  projectionOf,
  stagesOf,
  targetOf,
  transactionOf,
} from '../requests.ts'
import { deleteFiles, downloadUrls, uploadTicket } from '../storage.ts'
import { type ClientRequest, type ClientServices, rangeOf, storageOf } from './context.ts'

export interface WebOptions {
  readonly services: ClientServices
  readonly identityFor: (request: FastifyRequest) => Identity
  readonly externalUrl: ExternalUrl
  /** Told of every caller; may refuse one. */
  readonly noteCaller: (request: FastifyRequest) => void
  /** Gives permission for the socket of `watch`. */
  readonly signWatch: (token: string | undefined, base: string) => Promise<object>
}

type Action = (request: ClientRequest) => Promise<Readonly<Record<string, unknown>>>

/** Mount without a prefix. */
export const webSurface =
  (options: WebOptions): FastifyPluginAsync =>
  async (app: FastifyInstance) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    app.setErrorHandler(sendWebError)
    app.post('/web', async (request, reply) => {
      const body = bodyOf(request)
      const token = bearerOf(request.headers.authorization) ?? textOf(body.access_token)
      const identity = options.identityFor(request)
      request.caller = await identity.authenticate({ apikey: undefined, bearer: token })
      options.noteCaller(request)
      const base = options.externalUrl(request)
      if (body.action === 'auth.wsWebSign') {
        return reply.send({ requestId: request.id, data: await options.signWatch(token, base) })
      }
      const action =
        typeof body.action === 'string' && Object.hasOwn(ACTIONS, body.action) ? ACTIONS[body.action] : null
      if (action === null || action === undefined)
        throw new CloudError('INVALID_PARAM', `action ${String(body.action)} is not supported`)
      const answer = await action({ services: options.services, caller: request.caller, body, base })
      return reply.send({ requestId: request.id, ...answer })
    })
  }

/** Refusals are answers here as well. */
export const sendWebError = (error: unknown, request: FastifyRequest, reply: FastifyReply): unknown => {
  const known = wireErrorOf(error)
  if (known === null) request.log.error({ error }, 'request failed')
  const said = known ?? { code: 'SYS_ERR', message: `Something went wrong here. Id: ${request.id}` }
  return reply.code(200).send({ requestId: request.id, ...said })
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

const bodyOf = (request: FastifyRequest): Body => {
  const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
  const body = parseJson(bytes.toString('utf8'))
  if (isObject(body)) return body
  throw new CloudError('INVALID_COMMON_PARAM', 'the body is not a JSON object')
}

// --- documents

const add: Action = async ({ services, caller, body }) => {
  const { _id } = body
  const given = docOf(body.data, 'data')
  const document = typeof _id === 'string' || typeof _id === 'number' ? { ...given, _id } : given
  const [id] = await services.documents.insert(caller, {
    collection: collectionOf(body),
    transaction: transactionOf(body),
    documents: [document],
  })
  return { data: { _id: id } }
}

const query: Action = async (request) => {
  const { services, caller, body } = request
  const { skip, limit } = rangeOf(request)
  const found = await services.documents.find(caller, {
    ...targetOf(body),
    order: orderOf(body.order),
    skip,
    limit,
    ...projectionOf(body.projection),
  })
  return { data: { list: found.map((each) => toJson(each, 'plain')), limit, offset: skip } }
}

const update: Action = async ({ services, caller, body }) => {
  const { updated, upsertedId } = await services.documents.update(caller, {
    ...targetOf(body),
    update: docOf(body.data, 'data'),
    multi: body.multi === true,
    upsert: body.upsert === true,
  })
  return { data: { updated, upserted_id: upsertedId ?? undefined } }
}

const remove: Action = async ({ services, caller, body }) => ({
  data: { deleted: await services.documents.remove(caller, { ...targetOf(body), multi: body.multi === true }) },
})

const count: Action = async ({ services, caller, body }) => ({
  data: { total: await services.documents.count(caller, targetOf(body)) },
})

/** The list is text of a list of texts. */
const aggregate: Action = async ({ services, caller, body }) => {
  const list = await services.documents.aggregate(caller, {
    collection: collectionOf(body),
    stages: stagesOf(body.stages),
  })
  return { data: { list: JSON.stringify(list.map((each) => toJsonText(each, 'canonical'))) } }
}

// --- transactions, of SDKs that have them on the client: one document at a time

const byId = (body: Body): Body => ({ ...body, query: { _id: body._id as string } })

const getInTransaction: Action = async ({ services, caller, body }) => {
  const [found] = await services.documents.find(caller, { ...targetOf(byId(body)), limit: 1 })
  return { data: found === undefined ? null : toJsonText(found, 'canonical') }
}

const insertInTransaction: Action = async ({ services, caller, body }) => {
  await services.documents.insert(caller, {
    collection: collectionOf(body),
    transaction: transactionOf(body),
    documents: [docOf(body.data, 'data')],
  })
  return { inserted: 1, ok: 1 }
}

const updateInTransaction: Action = async ({ services, caller, body }) => {
  const done = await services.documents.update(caller, {
    ...targetOf(byId(body)),
    update: docOf(body.data, 'data'),
    upsert: body.upsert === true,
  })
  return { updated: done.updated, upserted: done.upsertedId === null ? null : [{ _id: done.upsertedId }] }
}

const removeInTransaction: Action = async ({ services, caller, body }) => ({
  deleted: await services.documents.remove(caller, targetOf(byId(body))),
})

const transactionId = (body: Body): string => {
  const id = transactionOf(body)
  if (id === undefined) throw invalid('transactionId is missing')
  return id
}

// --- the rest

const invoke: Action = async ({ services, caller, body }) => {
  const { function_name: name, request_data: data } = body
  const event = typeof data === 'string' ? data : data === undefined ? '' : JSON.stringify(data)
  const json = await callFunction(services.functions, { name, event, caller, trigger: 'client' })
  return { data: { response_data: json } }
}

const uploadMetadata: Action = async (request) => ({ data: await uploadTicket(storageOf(request), request.body.path) })

const listOf = (value: unknown, what: string): readonly unknown[] => {
  if (Array.isArray(value)) return value
  throw invalid(`${what} must be a list`)
}

const downloads: Action = async (request) => {
  const wanted = listOf(request.body.file_list, 'file_list').map((each) => {
    const { fileid, max_age: age } = isObject(each) ? each : {}
    return { fileId: String(fileid), seconds: typeof age === 'number' && age > 0 ? Math.ceil(age) : null }
  })
  const urls = await downloadUrls(storageOf(request), wanted)
  const list = urls.map(({ fileId, url, error }) => ({
    code: error?.code ?? 'SUCCESS',
    fileid: fileId,
    fileID: fileId,
    download_url: url,
    tempFileURL: url,
    ...(error === null ? {} : { message: error.message }),
  }))
  return { data: { download_list: list } }
}

const deletes: Action = async (request) => {
  const ids = listOf(request.body.fileid_list, 'fileid_list').map(String)
  const list = (await deleteFiles(storageOf(request), ids)).map(({ fileId, error }) => ({
    code: error?.code ?? 'SUCCESS',
    fileID: fileId,
    ...(error === null ? {} : { message: error.message }),
  }))
  return { data: { delete_list: list } }
}

const ACTIONS: Readonly<Record<string, Action>> = {
  'database.addDocument': add,
  'database.queryDocument': query,
  'database.getDocument': query,
  'database.updateDocument': update,
  'database.modifyDocument': update,
  'database.deleteDocument': remove,
  'database.removeDocument': remove,
  'database.countDocument': count,
  'database.calculateDocument': count,
  'database.aggregate': aggregate,
  'database.getInTransaction': getInTransaction,
  'database.insertDocInTransaction': insertInTransaction,
  'database.updateDocInTransaction': updateInTransaction,
  'database.deleteDocInTransaction': removeInTransaction,
  'database.startTransaction': async ({ services, caller }) => ({
    transactionId: await services.documents.transactions.start(caller),
  }),
  'database.commitTransaction': async ({ services, caller, body }) => {
    await services.documents.transactions.commit(caller, transactionId(body))
    return { data: {} }
  },
  'database.abortTransaction': async ({ services, caller, body }) => {
    await services.documents.transactions.abort(caller, transactionId(body))
    return { data: {} }
  },
  'functions.invokeFunction': invoke,
  'storage.getUploadMetadata': uploadMetadata,
  'storage.batchGetDownloadUrl': downloads,
  'storage.batchDeleteFile': deletes,
}
