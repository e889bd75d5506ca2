/** S3's commands on whole objects. */
import type { FastifyRequest } from 'fastify'
import { refusal } from '../../../../files/errors.ts'
import { typeOfBody } from '../../../../files/media-types.ts'
import { isCacheControl } from '../../../../files/serving.ts'
import type { Address, StoredObject } from '../../../../files/types.ts'
import type { JsonObject } from '../../../../kernel/json.ts'
import { actorOf, type StorageServices } from '../context.ts'
import { sendXml } from './buckets.ts'
import { payloadOf, textBody } from './payload.ts'
import type { Asked, Command } from './routes.ts'
import { elementsOf, textOf } from './xml.ts'

const MOST_DELETED = 1000
const DELETE_LIMIT = 4 * 2 ** 20

export const objectCommands = ({ files }: StorageServices): Readonly<Record<string, Command>> => {
  const { objects, uploads } = files

  const get: Command = async ({ request, reply, bucketId, name }) => {
    const headersOnly = request.method === 'HEAD'
    const find = () => objects.find(actorOf(request, 's3.object.get'), { bucketId, name })
    const { status, headers, stream, object } = await files.download(find, { headers: request.headers, headersOnly })
    if (status === 416) throw refusal('invalid_range', 'The requested range is not satisfiable')
    reply.code(status).headers(headers).headers(metadataHeaders(object))
    return reply.send(stream ?? (headersOnly ? undefined : ''))
  }

  return {
    'GET object': get,
    'HEAD object': get,

    'PUT object': async ({ request, reply, bucketId, name }) => {
      const mode = request.headers['if-none-match'] === '*' ? 'create' : 'upsert'
      const upload = { ...described(request, name), ...payloadOf(request.raw), bucketId, name, mode } as const
      const { metadata } = await uploads.receive(actorOf(request, 's3.object.upload'), upload)
      return reply.header('etag', metadata.eTag).send()
    },

    'PUT object copy': async (asked) => {
      const { request, reply, bucketId, name, query } = asked
      if (query.has('partNumber')) throw refusal('not_supported', 'UploadPartCopy is not supported')
      const replace = String(request.headers['x-amz-metadata-directive'] ?? '').toUpperCase() === 'REPLACE'
      const { contentType: mimetype, ...about } = described(request, name)
      const how = replace ? { ...about, mimetype } : {}
      const actor = actorOf(request, 's3.object.copy')
      const copied = await objects.copy(actor, copySource(request), { bucketId, name }, { ...how, mode: 'upsert' })
      const { eTag, lastModified } = copied.metadata
      return sendXml(reply, 'CopyObjectResult', { LastModified: lastModified, ETag: eTag })
    },

    'DELETE object': async ({ request, reply, bucketId, name }) => {
      await objects.remove(actorOf(request, 's3.object.delete'), bucketId, [name])
      return reply.code(204).send()
    },

    'POST bucket delete': async ({ request, reply, bucketId }: Asked) => {
      const text = await textBody(request.raw, DELETE_LIMIT)
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

const copySource = (request: FastifyRequest): Address => {
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
