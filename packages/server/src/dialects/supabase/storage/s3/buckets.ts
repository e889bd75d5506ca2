/** S3's commands on buckets and their listings. */
import { SYSTEM } from '../../../../files/door.ts'
import { refusal } from '../../../../files/errors.ts'
import { cursorAfter } from '../../../../files/listing.ts'
import type { StoredObject } from '../../../../files/types.ts'
import { actorOf, type StorageServices } from '../context.ts'
import type { Asked, Command } from './routes.ts'
import { xml } from './xml.ts'

const MOST_KEYS = 1000

export const bucketCommands = ({ files }: StorageServices): Readonly<Record<string, Command>> => {
  const { buckets, listing } = files

  const page = async ({ request, bucketId, query }: Asked, cursor: string | null) => {
    await buckets.find(SYSTEM, bucketId)
    const delimiter = query.get('delimiter') ?? ''
    if (delimiter !== '' && delimiter !== '/') throw refusal('invalid_parameter', 'The delimiter must be /')
    const limit = keysOf(query)
    const prefix = query.get('prefix') ?? ''
    const wanted = { prefix, delimiter: delimiter !== '', cursor, sortColumn: 'name', sortOrder: 'asc' } as const
    const found =
      limit === 0
        ? { folders: [], objects: [], nextCursor: null }
        : await listing.page(actorOf(request, 's3.object.list'), bucketId, { ...wanted, limit })
    const name = query.get('encoding-type') === 'url' ? urlEncoded : (text: string) => text
    return {
      found,
      common: {
        Name: bucketId,
        Prefix: name(prefix),
        Delimiter: delimiter === '' ? undefined : delimiter,
        MaxKeys: limit,
        EncodingType: query.get('encoding-type') ?? undefined,
        IsTruncated: found.nextCursor !== null,
        Contents: found.objects.map((object) => ({ Key: name(object.name), ...contentOf(object) })),
        CommonPrefixes: found.folders.map((folder) => ({ Prefix: name(folder) })),
      },
    }
  }

  return {
    'GET service': async ({ request, reply }) => {
      const found = await buckets.list(actorOf(request, 's3.bucket.list'), {})
      const list = found.map(({ name, createdAt }) => ({ Name: name, CreationDate: createdAt }))
      const id = request.caller.userId ?? request.caller.role
      return sendXml(reply, 'ListAllMyBucketsResult', { Owner: { ID: id, DisplayName: id }, Buckets: { Bucket: list } })
    },

    'HEAD bucket': async ({ request, reply, bucketId }) => {
      await buckets.find(actorOf(request, 's3.bucket.head'), bucketId)
      return reply.send()
    },

    'PUT bucket': async ({ request, reply, bucketId }) => {
      const isPublic = /^public-/.test(String(request.headers['x-amz-acl'] ?? ''))
      await buckets.create(actorOf(request, 's3.bucket.create'), { id: bucketId, public: isPublic })
      return reply.header('location', `/${bucketId}`).send()
    },

    'DELETE bucket': async ({ request, reply, bucketId }) => {
      await buckets.remove(actorOf(request, 's3.bucket.delete'), bucketId)
      return reply.code(204).send()
    },

    'GET bucket location': async ({ request, reply, bucketId }) => {
      await buckets.find(actorOf(request, 's3.bucket.location'), bucketId)
      return sendXml(reply, 'LocationConstraint', {})
    },

    'GET bucket versioning': async ({ request, reply, bucketId }) => {
      await buckets.find(actorOf(request, 's3.bucket.versioning'), bucketId)
      return sendXml(reply, 'VersioningConfiguration', {})
    },

    'GET bucket': async (asked) => {
      const { query } = asked
      const second = query.get('list-type') === '2'
      const token = query.get('continuation-token')
      const after = query.get(second ? 'start-after' : 'marker') ?? ''
      const cursor = (second ? token : null) ?? (after === '' ? null : cursorAfter(after))
      const { found, common } = await page(asked, cursor)
      const last = [...found.objects.map(({ name }) => name), ...found.folders].sort(byBytes).at(-1)
      const place = second
        ? {
            KeyCount: found.objects.length + found.folders.length,
            ContinuationToken: token ?? undefined,
            NextContinuationToken: found.nextCursor ?? undefined,
            StartAfter: after === '' ? undefined : after,
          }
        : { Marker: after, NextMarker: found.nextCursor === null ? undefined : last }
      return sendXml(asked.reply, 'ListBucketResult', { ...common, ...place })
    },
  }
}

/** Answers with one XML document. */
export const sendXml = (reply: Asked['reply'], root: string, content: Parameters<typeof xml>[1]) =>
  reply.type('application/xml').send(xml(root, content))

const keysOf = (query: URLSearchParams): number => {
  const text = query.get('max-keys') ?? String(MOST_KEYS)
  if (!/^\d{1,9}$/.test(text)) throw refusal('invalid_parameter', 'max-keys must be a whole number')
  return Math.min(Number(text), MOST_KEYS)
}

const contentOf = ({ metadata, updatedAt }: StoredObject) => ({
  LastModified: metadata?.lastModified ?? updatedAt,
  ETag: metadata?.eTag ?? undefined,
  Size: metadata?.size ?? 0,
  StorageClass: 'STANDARD',
})

const byBytes = (left: string, right: string): number => Buffer.compare(Buffer.from(left), Buffer.from(right))

const urlEncoded = (text: string): string => encodeURIComponent(text).replaceAll('%2F', '/')
