/** S3's commands on uploads in parts. */
import { refusal } from '../../../../files/errors.ts'
import { MOST_PARTS } from '../../../../files/multipart.ts'
import { actorOf, type StorageServices } from '../context.ts'
import { sendXml } from './buckets.ts'
import { described } from './objects.ts'
import { payloadOf, textBody } from './payload.ts'
import type { Asked, Command } from './routes.ts'
import { elementsOf, textOf } from './xml.ts'

const COMPLETE_LIMIT = 4 * 2 ** 20

export const multipartCommands = ({ files, externalUrl }: StorageServices): Readonly<Record<string, Command>> => {
  const { multipart, objects } = files
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
      const number = Number(asked.query.get('partNumber'))
      const md5 = await multipart.putPart(actor(asked), targetOf(asked), { number, ...payloadOf(asked.request.raw) })
      return asked.reply.header('etag', `"${md5}"`).send()
    },

    'GET object uploadId': async (asked) => {
      const all = await multipart.parts(actor(asked), targetOf(asked))
      const after = Number(asked.query.get('part-number-marker') ?? 0)
      const most = Math.min(Number(asked.query.get('max-parts') ?? 1000), 1000)
      const later = all.filter(({ number }) => number > after)
      const shown = later.slice(0, most)
      return sendXml(asked.reply, 'ListPartsResult', {
        Bucket: asked.bucketId,
        Key: asked.name,
        UploadId: asked.query.get('uploadId'),
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
      const found = await multipart.uploads(actor(asked), asked.bucketId, asked.query.get('prefix') ?? '')
      return sendXml(asked.reply, 'ListMultipartUploadsResult', {
        Bucket: asked.bucketId,
        IsTruncated: false,
        Upload: found.map(({ name, id, createdAt }) => ({ Key: name, UploadId: id, Initiated: createdAt })),
      })
    },

    'POST object uploadId': async (asked) => {
      const { bucketId, name, request, reply } = asked
      const text = await textBody(request.raw, COMPLETE_LIMIT)
      const wanted = elementsOf(text, 'Part', MOST_PARTS).map((part) => ({
        number: Number(textOf(part, 'PartNumber')),
        md5: (textOf(part, 'ETag') ?? '').replaceAll('"', ''),
      }))
      if (wanted.some(({ number }) => !Number.isInteger(number))) throw refusal('invalid_body', 'A part has no number')
      await multipart.complete(actor(asked), targetOf(asked), wanted)
      const object = await objects.find({ kind: 'system', ownerId: null }, { bucketId, name })
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
