/** S3's commands on uploads in parts. */
import type { ByteRange } from '../../../../files/blob-store.ts'
import { SYSTEM } from '../../../../files/door.ts'
import { refusal } from '../../../../files/errors.ts'
import { MOST_PARTS } from '../../../../files/multipart.ts'
import { actorOf, type StorageServices } from '../context.ts'
import { sendXml } from './buckets.ts'
import { assertCopyConditions, copySource, described, writeModeOf } from './objects.ts'
import { payloadOf, textBody } from './payload.ts'
import type { Asked, Command } from './routes.ts'
import { elementsOf, textOf } from './xml.ts'

const COMPLETE_LIMIT = 4 * 2 ** 20
const MOST_LISTED = 1000

export const multipartCommands = ({
  files,
  externalUrl,
  clock,
}: StorageServices): Readonly<Record<string, Command>> => {
  const { buckets, multipart, objects } = files
  const actor = (asked: Asked) => actorOf(asked.request, 's3.upload')
  const targetOf = ({ bucketId, name, query }: Asked) => ({ bucketId, name, uploadId: query.get('uploadId') ?? '' })

  return {
    'POST object uploads': async (asked) => {
      const { bucketId, name, request, reply } = asked
      const { cacheControl = null, ...about } = described(request, name)
      const draft = { ...about, cacheControl, bucketId, name, mode: 'upsert' } as const
      const { id } = await multipart.create(actor(asked), draft)
      return sendXml(reply, 'InitiateMultipartUploadResult', { Bucket: bucketId, Key: name, UploadId: id })
    },

    'PUT object uploadId': async (asked) => {
      const payload = payloadOf(asked.request.raw, asked)
      const md5 = await multipart.putPart(actor(asked), targetOf(asked), { number: partNumberOf(asked), ...payload })
      return asked.reply.header('etag', `"${md5}"`).send()
    },

    'PUT object uploadId copy': async (asked) => {
      const { request, reply } = asked
      const from = copySource(request)
      const find = () => objects.find(actorOf(request, 's3.object.copy'), from)
      await assertCopyConditions(request, find)
      const part = { number: partNumberOf(asked), find, range: copyRange(request.headers['x-amz-copy-source-range']) }
      const { md5 } = await multipart.copyPart(actor(asked), targetOf(asked), part)
      return sendXml(reply, 'CopyPartResult', { LastModified: new Date(clock.now()).toISOString(), ETag: `"${md5}"` })
    },

    'GET object uploadId': async (asked) => {
      const after = wholeOf(asked.query, 'part-number-marker', 0)
      const most = Math.min(wholeOf(asked.query, 'max-parts', MOST_LISTED), MOST_LISTED)
      const all = await multipart.parts(actor(asked), targetOf(asked))
      const later = all.filter(({ number }) => number > after)
      const shown = later.slice(0, most)
      return sendXml(asked.reply, 'ListPartsResult', {
        Bucket: asked.bucketId,
        Key: asked.name,
        UploadId: asked.query.get('uploadId'),
        PartNumberMarker: after,
        MaxParts: most,
        IsTruncated: later.length > shown.length,
        NextPartNumberMarker: shown.at(-1)?.number,
        Part: shown.map(({ number, createdAt, md5, size }) => ({
          PartNumber: number,
          LastModified: createdAt,
          ETag: `"${md5}"`,
          Size: size,
        })),
      })
    },

    'GET bucket uploads': async (asked) => {
      const { bucketId, query, reply } = asked
      await buckets.find(SYSTEM, bucketId)
      if ((query.get('delimiter') ?? '') !== '') throw refusal('not_supported', 'A delimiter is not supported here')
      const limit = Math.min(wholeOf(query, 'max-uploads', MOST_LISTED), MOST_LISTED)
      const marker = query.get('key-marker') ?? ''
      // Without an id behind it, a name stands behind all uploads of that name.
      const after = marker === '' ? null : { name: marker, id: query.get('upload-id-marker') || '~' }
      const prefix = query.get('prefix') ?? ''
      const found = await multipart.uploads(actor(asked), { bucketId, prefix, after, limit: limit + 1 })
      const shown = found.slice(0, limit)
      const last = found.length > shown.length ? shown.at(-1) : undefined
      return sendXml(reply, 'ListMultipartUploadsResult', {
        Bucket: bucketId,
        Prefix: prefix,
        KeyMarker: marker,
        UploadIdMarker: query.get('upload-id-marker') ?? undefined,
        NextKeyMarker: last?.name,
        NextUploadIdMarker: last?.id,
        MaxUploads: limit,
        IsTruncated: found.length > shown.length,
        Upload: shown.map(({ name, id, createdAt }) => ({ Key: name, UploadId: id, Initiated: createdAt })),
      })
    },

    'POST object uploadId': async (asked) => {
      const { bucketId, name, request, reply, signing } = asked
      // Checksums in the headers of this command are those of the whole object.
      const text = await textBody(request.raw, COMPLETE_LIMIT, { signing, checksums: false })
      const wanted = elementsOf(text, 'Part', MOST_PARTS).map((part) => ({
        number: Number(textOf(part, 'PartNumber')),
        md5: (textOf(part, 'ETag') ?? '').replaceAll('"', ''),
      }))
      if (wanted.some(({ number }) => !Number.isInteger(number))) throw refusal('invalid_body', 'A part has no number')
      await multipart.complete(actor(asked), targetOf(asked), wanted, writeModeOf(request))
      const object = await objects.find(SYSTEM, { bucketId, name })
      return sendXml(reply, 'CompleteMultipartUploadResult', {
        Location: `${externalUrl(request)}/storage/v1/s3/${bucketId}/${encodeURI(name)}`,
        Bucket: bucketId,
        Key: name,
        ETag: object.metadata?.eTag,
      })
    },

    'DELETE object uploadId': async (asked) => {
      await multipart.abort(actor(asked), targetOf(asked))
      return asked.reply.code(204).send()
    },
  }
}

const wholeOf = (query: URLSearchParams, name: string, fallback: number): number => {
  const text = query.get(name) ?? String(fallback)
  if (!/^\d{1,9}$/.test(text)) throw refusal('invalid_parameter', `${name} must be a whole number`)
  return Number(text)
}

const partNumberOf = ({ query }: Asked): number => wholeOf(query, 'partNumber', 0)

/** `bytes=first-last`, both of them. */
const copyRange = (header: string | string[] | undefined): ByteRange | undefined => {
  if (header === undefined) return undefined
  const [, start, end] = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(String(header).trim()) ?? []
  if (start === undefined || end === undefined || Number(end) < Number(start)) {
    throw refusal('invalid_parameter', 'x-amz-copy-source-range must be bytes=first-last')
  }
  return { start: Number(start), end: Number(end) }
}
