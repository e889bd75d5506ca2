/** S3's commands on whole objects. */
import type { FastifyRequest } from 'fastify'
import { refusal } from '../../../../files/errors.ts'
import { typeOfBody } from '../../../../files/media-types.ts'
import { isCacheControl, meetsConditions } from '../../../../files/serving.ts'
import type { Address, StoredObject, WriteMode } from '../../../../files/types.ts'
import type { JsonObject } from '../../../../kernel/json.ts'
import { actorOf, type StorageServices } from '../context.ts'
import { hasArrived } from '../upload-body.ts'
import { sendXml } from './buckets.ts'
import { payloadOf, textBody } from './payload.ts'
import type { Asked, Command } from './routes.ts'
import { elementsOf, textOf } from './xml.ts'

const MOST_DELETED = 1000
const DELETE_LIMIT = 4 * 2 ** 20

export const objectCommands = ({ files }: StorageServices): Readonly<Record<string, Command>> => {
  const { objects, uploads } = files

  const get: Command = async ({ request, reply, bucketId, name, query }) => {
    const headersOnly = request.method === 'HEAD'
    // What was put together is one piece here; whoever fetches it by parts is told that there is one, not given the whole again and again.
    if ((query.get('partNumber') ?? '1') !== '1') throw refusal('invalid_range', 'The object has one part')
    const find = async () => presented(await objects.find(actorOf(request, 's3.object.get'), { bucketId, name }), query)
    const { status, headers, stream, object } = await files.download(find, { headers: request.headers, headersOnly })
    if (status === 416) throw refusal('invalid_range', 'The requested range is not satisfiable')
    reply.code(status).headers(headers).headers(metadataHeaders(object)).headers(askedHeaders(query, headers))
    return reply.send(stream ?? (headersOnly ? undefined : ''))
  }

  return {
    'GET object': get,
    'HEAD object': get,

    'PUT object': async ({ request, reply, bucketId, name, signing }) => {
      const mode = writeModeOf(request)
      const payload = payloadOf(request.raw, { signing })
      const arrived = hasArrived(request.raw)
      const upload = { ...described(request, name), ...payload, arrived, bucketId, name, mode } as const
      const { metadata } = await uploads.receive(actorOf(request, 's3.object.upload'), upload)
      return reply.header('etag', metadata.eTag).send()
    },

    'PUT object copy': async (asked) => {
      const { request, reply, bucketId, name } = asked
      const replace = String(request.headers['x-amz-metadata-directive'] ?? '').toUpperCase() === 'REPLACE'
      const { contentType: mimetype, ...about } = described(request, name)
      const how = replace ? { ...about, mimetype } : {}
      const actor = actorOf(request, 's3.object.copy')
      const from = copySource(request)
      await assertCopyConditions(request, () => objects.find(actor, from))
      const copied = await objects.copy(actor, from, { bucketId, name }, { ...how, mode: writeModeOf(request) })
      const { eTag, lastModified } = copied.metadata
      return sendXml(reply, 'CopyObjectResult', { LastModified: lastModified, ETag: eTag })
    },

    'DELETE object': async ({ request, reply, bucketId, name }) => {
      await objects.remove(actorOf(request, 's3.object.delete'), bucketId, [name])
      return reply.code(204).send()
    },

    'POST bucket delete': async ({ request, reply, bucketId, signing }: Asked) => {
      const text = await textBody(request.raw, DELETE_LIMIT, { signing })
      const names = elementsOf(text, 'Object', MOST_DELETED).map((each) => textOf(each, 'Key') ?? '')
      const actor = actorOf(request, 's3.object.delete_many')
      await objects.remove(actor, bucketId, names)
      // What is still seen afterwards was not theirs to delete.
      const left = new Set((await objects.findMany(actor, bucketId, names)).map((object) => object.name))
      const quiet = textOf(text, 'Quiet') === 'true'
      return sendXml(reply, 'DeleteResult', {
        Deleted: quiet ? [] : names.filter((name) => !left.has(name)).map((Key) => ({ Key })),
        Error: [...left].map((Key) => ({ Key, Code: 'AccessDenied', Message: 'Access Denied' })),
      })
    },
  }
}

/** The object as the signer of an address wants it shown; a type that a browser would run is locked up all the same. */
const presented = (object: StoredObject, query: URLSearchParams): StoredObject => {
  const mimetype = query.get('response-content-type')
  const cacheControl = query.get('response-cache-control')
  const changed = { ...(mimetype === null ? {} : { mimetype }), ...(cacheControl === null ? {} : { cacheControl }) }
  return { ...object, metadata: { ...object.metadata, ...changed } }
}

/** How the signer wants a file saved. What is served as a download for safety's sake stays one. */
const askedHeaders = (query: URLSearchParams, served: Readonly<Record<string, string>>): Record<string, string> => {
  const disposition = query.get('response-content-disposition')
  if (disposition === null || !/^(?:inline|attachment)(?:;[\x20-\x7e]{0,500})?$/.test(disposition)) return {}
  const locked = served['content-disposition'] !== undefined && !disposition.startsWith('attachment')
  return locked ? {} : { 'content-disposition': disposition }
}

/** What the headers say about the file. */
export const described = (request: FastifyRequest, name: string) => {
  const { headers } = request
  const cacheControl = headers['cache-control']
  const own = Object.entries(headers).flatMap(([key, value]) =>
    key.startsWith('x-amz-meta-') && typeof value === 'string' ? [[key.slice(11), utf8(value)] as const] : [],
  )
  const userMetadata: JsonObject | null = own.length === 0 ? null : Object.fromEntries(own)
  return {
    contentType: typeOfBody(headers['content-type'], name),
    ...(cacheControl !== undefined && isCacheControl(cacheControl) ? { cacheControl } : {}),
    userMetadata,
  }
}

/** Node reads headers as Latin-1; clients of S3 mean UTF-8. */
const utf8 = (text: string): string => {
  const decoded = Buffer.from(text, 'latin1').toString()
  return decoded.includes('\ufffd') ? text : decoded
}

const metadataHeaders = ({ userMetadata }: StoredObject): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(userMetadata ?? {}).flatMap(([key, value]) =>
      /^[\w-]{1,100}$/.test(key) && typeof value === 'string' && /^[\x20-\x7e]{0,1000}$/.test(value)
        ? [[`x-amz-meta-${key.toLowerCase()}`, value] as const]
        : [],
    ),
  )

/** Whether an object that is there may be replaced. A condition that is not understood must not be ignored: it guards somebody's data. */
export const writeModeOf = ({ headers }: FastifyRequest): WriteMode => {
  if (headers['if-match'] !== undefined) throw refusal('not_supported', 'If-Match is not supported for writing')
  if (headers['if-none-match'] === undefined) return 'upsert'
  if (headers['if-none-match'] !== '*') throw refusal('not_supported', 'If-None-Match must be * for writing')
  return 'create'
}

const COPY_CONDITIONS = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since'] as const

/** Throws unless what the client expects of the source of a copy is so. */
export const assertCopyConditions = async (
  { headers }: FastifyRequest,
  find: () => Promise<StoredObject>,
): Promise<void> => {
  const conditions = Object.fromEntries(
    COPY_CONDITIONS.map((name) => [name, headers[`x-amz-copy-source-${name}`]] as const).filter(
      ([, value]) => value !== undefined,
    ),
  )
  if (Object.keys(conditions).length > 0 && !meetsConditions(await find(), conditions)) {
    throw refusal('precondition', 'A condition on the source of the copy does not hold')
  }
}

/** Which object a copy is of. */
export const copySource = (request: FastifyRequest): Address => {
  const header = String(request.headers['x-amz-copy-source']).split('?')[0] ?? ''
  let path: string
  try {
    path = decodeURIComponent(header).replace(/^\//, '')
  } catch {
    throw refusal('invalid_parameter', 'x-amz-copy-source is malformed')
  }
  const at = path.indexOf('/')
  if (at < 1) throw refusal('invalid_parameter', 'x-amz-copy-source must be bucket/key')
  return { bucketId: path.slice(0, at), name: path.slice(at + 1) }
}
