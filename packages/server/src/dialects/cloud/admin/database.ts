/** The `database.*` actions of `/admin`: queries, updates and documents as texts of Extended JSON, in both directions. */
import { toJsonText } from '../../../data/documents/ejson.ts'
import {
  type Body,
  collectionOf,
  countOf,
  docOf,
  invalid,
  orderOf,
  projectionOf,
  stagesOf,
  targetOf,
  transactionOf,
} from '../requests.ts'
import type { AdminAction } from './context.ts'

/** What the SDK itself asks for when nobody says. */
const DEFAULT_LIMIT = 100
const MAX_LIMIT = 1_000

const insert: AdminAction = async ({ services, caller, body }) => {
  const list = Array.isArray(body.data) ? body.data : [body.data]
  const documents = list.map((each: unknown) => docOf(each, 'data'))
  const insertedIds = await services.documents.insert(caller, {
    collection: collectionOf(body),
    transaction: transactionOf(body),
    documents,
  })
  return { data: { insertedIds } }
}

const find: AdminAction = async ({ services, caller, body }) => {
  const skip = countOf(body.offset, 'offset') ?? 0
  const limit = Math.min(countOf(body.limit, 'limit') ?? DEFAULT_LIMIT, MAX_LIMIT)
  const found = await services.documents.find(caller, {
    ...targetOf(body),
    order: orderOf(body.order),
    skip,
    limit,
    ...projectionOf(body.projection),
  })
  return { data: { list: found.map((each) => toJsonText(each, 'canonical')) }, limit, offset: skip }
}

const modify: AdminAction = async ({ services, caller, body }) => {
  const { updated, upsertedId } = await services.documents.update(caller, {
    ...targetOf(body),
    update: docOf(body.data, 'data'),
    multi: body.multi === true,
    upsert: body.upsert === true,
  })
  return { data: { updated, upsert_id: upsertedId ?? undefined } }
}

const modifyAndReturn: AdminAction = async ({ services, caller, body }) => {
  const { updated, document } = await services.documents.updateAndReturn(caller, {
    ...targetOf(body),
    update: docOf(body.data, 'data'),
  })
  return { data: { updated, doc: document === null ? undefined : toJsonText(document, 'canonical') } }
}

const remove: AdminAction = async ({ services, caller, body }) => {
  const deleted = await services.documents.remove(caller, { ...targetOf(body), multi: body.multi === true })
  return { data: { deleted } }
}

const count: AdminAction = async ({ services, caller, body }) => ({
  data: { total: await services.documents.count(caller, targetOf(body)) },
})

const aggregate: AdminAction = async ({ services, caller, body }) => {
  const list = await services.documents.aggregate(caller, {
    collection: collectionOf(body),
    transaction: transactionOf(body),
    stages: stagesOf(body.stages),
  })
  return { data: { list: list.map((each) => toJsonText(each, 'canonical')) } }
}

const addCollection: AdminAction = async ({ services, caller, body }) => {
  await services.documents.collections.create(caller, collectionOf(body))
  return { data: {} }
}

const requiredTransaction = (body: Body): string => {
  const id = transactionOf(body)
  if (id === undefined) throw invalid('transactionId is missing')
  return id
}

export const databaseActions: Readonly<Record<string, AdminAction>> = {
  'database.insertDocument': insert,
  'database.getDocument': find,
  'database.modifyDocument': modify,
  'database.modifyAndReturnDoc': modifyAndReturn,
  'database.removeDocument': remove,
  'database.calculateDocument': count,
  'database.aggregateDocuments': aggregate,
  'database.addCollection': addCollection,
  'database.startTransaction': async ({ services, caller }) => ({
    transactionId: await services.documents.transactions.start(caller),
  }),
  'database.commitTransaction': async ({ services, caller, body }) => {
    await services.documents.transactions.commit(caller, requiredTransaction(body))
    return { result: 1, data: {} }
  },
  'database.abortTransaction': async ({ services, caller, body }) => {
    await services.documents.transactions.abort(caller, requiredTransaction(body))
    return { result: 1, data: {} }
  },
}
