/** Requests for documents as the surfaces write them: queries, updates and orders as texts of Extended JSON or as plain JSON. Throws CloudError `INVALID_PARAM`. */
import type { OrderBy } from '../../data/documents/documents.ts'
import { fromJson, fromJsonText } from '../../data/documents/ejson.ts'
import { type Doc, isDoc, isNumber, newDoc, toNumber } from '../../expr/bson/value.ts'
import { isObject, type Json } from '../../kernel/json.ts'
import { CloudError } from './errors.ts'

export type Body = Readonly<Record<string, unknown>>

export const invalid = (message: string): CloudError => new CloudError('INVALID_PARAM', message)

export const collectionOf = ({ collectionName }: Body): string => {
  if (typeof collectionName === 'string' && collectionName !== '') return collectionName
  throw invalid('collectionName must be a text')
}

export const transactionOf = ({ transactionId }: Body): string | undefined => {
  if (transactionId === undefined || transactionId === null || transactionId === '') return undefined
  if (typeof transactionId === 'string') return transactionId
  throw invalid('transactionId must be a text')
}

/** A document as text, or as an object by older SDKs. */
export const docOf = (value: unknown, what: string): Doc => {
  if (value === undefined || value === null || value === '') return newDoc()
  // What came out of JSON.parse is JSON.
  const read = typeof value === 'string' ? fromJsonText(value) : fromJson(value as Json)
  if (isDoc(read)) return read
  throw invalid(`${what} must be an object`)
}

export const countOf = (value: unknown, what: string): number | undefined => {
  if (value === undefined || value === null) return undefined
  const count = Number(value)
  if (Number.isInteger(count) && count >= 0) return count
  throw invalid(`${what} must be a whole number`)
}

export const targetOf = (body: Body) => ({
  collection: collectionOf(body),
  query: docOf(body.query, 'query'),
  transaction: transactionOf(body),
})

/** `{"field": -1, …}`, or a list of `{field, direction: 'desc'}`. */
export const orderOf = (value: unknown): readonly OrderBy[] => {
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

/** The stages of a pipeline. */
export const stagesOf = (value: unknown) => {
  if (!Array.isArray(value)) throw invalid('stages must be a list')
  return value.map((stage: unknown) => {
    if (!isObject(stage) || typeof stage.stageKey !== 'string') throw invalid('a stage has a stageKey and a stageValue')
    const { stageKey, stageValue } = stage
    return { name: stageKey, value: typeof stageValue === 'string' ? fromJsonText(stageValue) : fromJson(stageValue) }
  })
}

/** Only when something is projected. */
export const projectionOf = (value: unknown): { readonly projection?: Doc } => {
  const projection = docOf(value, 'projection')
  return Object.keys(projection).length === 0 ? {} : { projection }
}
