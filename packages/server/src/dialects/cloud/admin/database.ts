/** The `database.*` actions of `/admin`: queries, updates and documents as texts of Extended JSON, in both directions. */

import type { OrderBy } from '../../../data/documents/documents.ts'
import { fromJson, fromJsonText, toJsonText } from '../../../data/documents/ejson.ts'
import { type Doc, isDoc, isNumber, newDoc, toNumber } from '../../../expr/bson/value.ts'
import { isObject, type Json } from '../../../kernel/json.ts'
import { CloudError } from '../errors.ts'
import type { AdminAction, AdminRequest } from './context.ts'

type Body = AdminRequest['body']

const invalid = (message: string): CloudError => new CloudError('INVALID_PARAM', message)

const collectionOf = ({ collectionName }: Body): string => {
  if (typeof collectionName === 'string' && collectionName !== '') return collectionName
  throw invalid('collectionName must be a text')
}

const transactionOf = ({ transactionId }: Body): string | undefined => {
  if (transactionId === undefined || transactionId === null || transactionId === '') return undefined
  if (typeof transactionId === 'string') return transactionId
  throw invalid('transactionId must be a text')
}

/** A document as text, or as an object by older SDKs. */
const docOf = (value: unknown, what: string): Doc => {
  if (value === undefined || value === null || value === '') return newDoc()
  // What came out of JSON.parse is JSON.
  const read = typeof value === 'string' ? fromJsonText(value) : fromJson(value as Json)
  if (isDoc(read)) return read
  throw invalid(`${what} must be an object`)
}

const countOf = (value: unknown, what: string): number | undefined => {
  if (value === undefined || value === null) return undefined
  const count = Number(value)
  if (Number.isInteger(count) && count >= 0) return count
  throw invalid(`${what} must be a whole number`)
}

const target = (body: Body) => ({
  collection: collectionOf(body),
  query: docOf(body.query, 'query'),
  transaction: transactionOf(body),
})

/** `{"field": -1, …}`, or a list of `{field, direction: 'desc'}`. */
const orderOf = (value: unknown): readonly OrderBy[] => {
  if (Array.isArray(value)) return value.map(stepOf)
  return Object.entries(docOf(value, 'order')).map(([field, direction]) => ({
    field,
    direction: isNumber(direction) && toNumber(direction) < 0 ? -1 : 1,
  }))
}

const stepOf = (value: unknown): OrderBy => {
  if (!isObject(value) || typeof value.field !== 'string') throw invalid('order must name fields')
  return { field: value.field, direction: value.direction === 'desc' ? -1 : 1 }
}

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
  const projection = docOf(body.projection, 'projection')
  const found = await services.documents.find(caller, {
    ...target(body),
    order: orderOf(body.order),
    skip,
    limit,
    ...(Object.keys(projection).length === 0 ? {} : { projection }),
  })
  return { data: { list: found.map((each) => toJsonText(each, 'canonical')) }, limit, offset: skip }
}

const modify: AdminAction = async ({ services, caller, body }) => {
  const { updated, upsertedId } = await services.documents.update(caller, {
    ...target(body),
    update: docOf(body.data, 'data'),
    multi: body.multi === true,
    upsert: body.upsert === true,
  })
  return { data: { updated, upsert_id: upsertedId ?? undefined } }
}

const modifyAndReturn: AdminAction = async ({ services, caller, body }) => {
  const { updated, document } = await services.documents.updateAndReturn(caller, {
    ...target(body),
    update: docOf(body.data, 'data'),
  })
  return { data: { updated, doc: document === null ? undefined : toJsonText(document, 'canonical') } }
}

const remove: AdminAction = async ({ services, caller, body }) => {
  const deleted = await services.documents.remove(caller, { ...target(body), multi: body.multi === true })
  return { data: { deleted } }
}

const count: AdminAction = async ({ services, caller, body }) => ({
  data: { total: await services.documents.count(caller, target(body)) },
})

const aggregate: AdminAction = async ({ services, caller, body }) => {
  if (!Array.isArray(body.stages)) throw invalid('stages must be a list')
  const stages = body.stages.map((stage: unknown) => {
    if (!isObject(stage) || typeof stage.stageKey !== 'string') throw invalid('a stage has a stageKey and a stageValue')
    const { stageKey, stageValue } = stage
    return { name: stageKey, value: typeof stageValue === 'string' ? fromJsonText(stageValue) : fromJson(stageValue) }
  })
  const list = await services.documents.aggregate(caller, {
    collection: collectionOf(body),
    transaction: transactionOf(body),
    stages,
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
