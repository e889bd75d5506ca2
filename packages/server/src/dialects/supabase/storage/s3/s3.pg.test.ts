/** The S3 protocol through the official client of AWS, as it is by default, and what nobody with a wrong signature may do. */
import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type StorageFixture, startStorage } from '../../../../../test/storage.ts'
import { createS3Store } from '../../../../files/stores/s3.ts'
import { parseS3Address } from '../../../../files/stores/s3-address.ts'

const MB = 2 ** 20
const USER = 'user:11111111-2222-3333-4444-555555555555'

let fixture: StorageFixture
let service: S3Client
let user: S3Client
const client = (
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string },
  more: S3ClientConfig = {},
) =>
  new S3Client({
    endpoint: `${fixture.url}/storage/v1/s3`,
    region: 'local',
    forcePathStyle: true,
    maxAttempts: 1,
    credentials,
    ...more,
  })
beforeAll(async () => {
  fixture = await startStorage({ fileSizeLimit: 40 * MB, trustedProxies: ['127.0.0.1'] })
  await fixture.db.sql(`
    insert into storage.buckets (id, name) values ('b', 'b'), ('theirs', 'theirs');
    insert into storage.buckets (id, name, file_size_limit, allowed_mime_types) values ('small', 'small', 1000, '{image/*}');
    create policy "users" on storage.objects for all to authenticated using (bucket_id = 'theirs') with check (bucket_id = 'theirs');
  `)
  service = client({ accessKeyId: 'service', secretAccessKey: 'secret' })
  user = client({ accessKeyId: 'any', secretAccessKey: 'anon', sessionToken: USER })
})
afterAll(async () => {
  service.destroy()
  user.destroy()
  await fixture.close()
})

const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const md5 = (bytes: Uint8Array | string) => createHash('md5').update(bytes).digest('hex')
const put = (Key: string, Body: Buffer | string | Readable, more: object = {}, s3 = service) =>
  s3.send(new PutObjectCommand({ Bucket: 'b', Key, Body, ...more }))
const bytesOf = async (Key: string, more: object = {}, s3 = service) => {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'b', Key, ...more }))
  return Buffer.from((await Body?.transformToByteArray()) ?? [])
}

describe('buckets', () => {
  it('are made, listed, looked at and removed', async () => {
    await service.send(new CreateBucketCommand({ Bucket: 'made' }))
    await expect(service.send(new CreateBucketCommand({ Bucket: 'made' }))).rejects.toMatchObject({
      name: 'BucketAlreadyOwnedByYou',
    })
    const { Buckets } = await service.send(new ListBucketsCommand({}))
    // Beside the buckets that the product makes itself.
    expect(Buckets?.map(({ Name }) => Name)).toEqual(expect.arrayContaining(['b', 'made', 'small', 'theirs']))
    expect(Buckets?.[0]?.CreationDate).toBeInstanceOf(Date)
    await service.send(new HeadBucketCommand({ Bucket: 'made' }))
    await service.send(new GetBucketLocationCommand({ Bucket: 'made' }))
    await put('x', 'x', { Bucket: 'made' })
    await expect(service.send(new DeleteBucketCommand({ Bucket: 'made' }))).rejects.toMatchObject({
      name: 'BucketNotEmpty',
    })
    await service.send(new DeleteObjectCommand({ Bucket: 'made', Key: 'x' }))
    await service.send(new DeleteBucketCommand({ Bucket: 'made' }))
    await expect(service.send(new HeadBucketCommand({ Bucket: 'made' }))).rejects.toMatchObject({
      $metadata: { httpStatusCode: 404 },
    })
    await expect(service.send(new ListObjectsV2Command({ Bucket: 'made' }))).rejects.toMatchObject({
      name: 'NoSuchBucket',
    })
  })
})

describe('objects', () => {
  it('are put, looked at, read and removed', async () => {
    const about = { ContentType: 'text/plain', CacheControl: 'max-age=60', Metadata: { from: 'test' } }
    const { ETag } = await put('dir/茶 1+(2).txt', 'green tea', about)
    expect(ETag).toBe(`"${md5('green tea')}"`)
    const head = await service.send(new HeadObjectCommand({ Bucket: 'b', Key: 'dir/茶 1+(2).txt' }))
    expect(head).toMatchObject({ ...about, ContentLength: 9, ETag, LastModified: expect.any(Date) })
    expect((await bytesOf('dir/茶 1+(2).txt')).toString()).toBe('green tea')
    expect((await bytesOf('dir/茶 1+(2).txt', { Range: 'bytes=6-' })).toString()).toBe('tea')
    await expect(bytesOf('dir/茶 1+(2).txt', { Range: 'bytes=90-' })).rejects.toMatchObject({
      $metadata: { httpStatusCode: 416 },
    })
    await expect(bytesOf('dir/茶 1+(2).txt', { IfNoneMatch: ETag })).rejects.toMatchObject({
      $metadata: { httpStatusCode: 304 },
    })
    await service.send(new DeleteObjectCommand({ Bucket: 'b', Key: 'dir/茶 1+(2).txt' }))
    await expect(bytesOf('dir/茶 1+(2).txt')).rejects.toMatchObject({
      name: 'NoSuchKey',
      $metadata: { httpStatusCode: 404 },
    })
    await expect(service.send(new HeadObjectCommand({ Bucket: 'b', Key: 'none' }))).rejects.toMatchObject({
      name: 'NotFound',
    })
    await service.send(new DeleteObjectCommand({ Bucket: 'b', Key: 'none' }))
  })

  it.each([
    ['with the checksums of a new client', {}],
    ['without', { requestChecksumCalculation: 'WHEN_REQUIRED' as const }],
  ])('arrive whole, from memory and as streams, %s', async (_how, config) => {
    const s3 = client({ accessKeyId: 'service', secretAccessKey: 'secret' }, config)
    const bytes = randomBytes(3 * MB + 45)
    await put('memory', bytes, {}, s3)
    expect(sha(await bytesOf('memory'))).toBe(sha(bytes))
    const parts = [bytes.subarray(0, 100_000), bytes.subarray(100_000, 2 * MB), bytes.subarray(2 * MB)]
    await put('stream', Readable.from(parts), { ContentLength: bytes.length }, s3)
    expect(sha(await bytesOf('stream'))).toBe(sha(bytes))
    s3.destroy()
  })

  it('are refused when the bytes are not those that were announced', async () => {
    const wrong = createHash('md5').update('other').digest('base64')
    await expect(put('wrong', 'tea', { ContentMD5: wrong })).rejects.toMatchObject({ name: 'BadDigest' })
    await expect(put('wrong', 'tea', { ChecksumCRC32: 'AAAAAA==' })).rejects.toMatchObject({ name: 'BadDigest' })
    await expect(bytesOf('wrong')).rejects.toMatchObject({ name: 'NoSuchKey' })
  })

  it('keep to the limits of their bucket, and are not replaced when the client says so', async () => {
    await expect(put('x.png', Buffer.alloc(1001), { Bucket: 'small', ContentType: 'image/png' })).rejects.toMatchObject(
      { name: 'EntityTooLarge' },
    )
    await expect(put('x.txt', 'x', { Bucket: 'small', ContentType: 'text/plain' })).rejects.toMatchObject({
      name: 'InvalidMimeType',
    })
    await expect(put('../x', 'x')).rejects.toBeDefined()
    await put('once', 'one')
    await expect(put('once', 'two', { IfNoneMatch: '*' })).rejects.toMatchObject({ name: 'PreconditionFailed' })
    expect((await bytesOf('once')).toString()).toBe('one')
  })

  it('are copied, with their description or a new one', async () => {
    await put('copy/from 茶', 'tea', { ContentType: 'text/plain', Metadata: { a: '1' } })
    const CopySource = `b/${encodeURIComponent('copy/from 茶')}`
    const { CopyObjectResult } = await service.send(
      new CopyObjectCommand({ Bucket: 'theirs', Key: 'copied', CopySource }),
    )
    expect(CopyObjectResult?.ETag).toBe(`"${md5('tea')}"`)
    const head = (Key: string) => service.send(new HeadObjectCommand({ Bucket: 'theirs', Key }))
    expect(await head('copied')).toMatchObject({ ContentType: 'text/plain', Metadata: { a: '1' } })
    const fresh = { MetadataDirective: 'REPLACE', ContentType: 'text/html', Metadata: { b: '2' } } as const
    await service.send(new CopyObjectCommand({ Bucket: 'theirs', Key: 'replaced', CopySource, ...fresh }))
    expect(await head('replaced')).toMatchObject({ ContentType: 'text/html', Metadata: { b: '2' } })
  })

  it('are removed many at once', async () => {
    for (const key of ['many/a', 'many/<b>&"', 'many/c']) await put(key.replace(/[<>"]/g, '_'), 'x')
    const Objects = ['many/a', 'many/_b_&_', 'many/none'].map((Key) => ({ Key }))
    const { Deleted, Errors } = await service.send(new DeleteObjectsCommand({ Bucket: 'b', Delete: { Objects } }))
    expect([Deleted, Errors]).toEqual([Objects, undefined])
    const { Contents } = await service.send(new ListObjectsV2Command({ Bucket: 'b', Prefix: 'many/' }))
    expect(Contents?.map(({ Key }) => Key)).toEqual(['many/c'])
  })
})

describe('listings', () => {
  beforeAll(async () => {
    for (const key of ['l/a', 'l/b/1', 'l/b/2', 'l/c', 'l/d/1', 'l/茶']) await put(key, 'x')
  })

  it('come in pages, with folders, in both versions', async () => {
    const seen: (string | undefined)[] = []
    let ContinuationToken: string | undefined
    do {
      const page = await service.send(
        new ListObjectsV2Command({
          Bucket: 'b',
          Prefix: 'l/',
          Delimiter: '/',
          MaxKeys: 2,
          ...(ContinuationToken && { ContinuationToken }),
        }),
      )
      expect(page.KeyCount).toBeLessThanOrEqual(2)
      seen.push(
        ...(page.Contents ?? []).map(({ Key }) => Key),
        ...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix),
      )
      ContinuationToken = page.NextContinuationToken
    } while (ContinuationToken !== undefined)
    expect(seen.sort()).toEqual(['l/a', 'l/b/', 'l/c', 'l/d/', 'l/茶'])

    const old: (string | undefined)[] = []
    let Marker: string | undefined
    do {
      const page = await service.send(
        new ListObjectsCommand({ Bucket: 'b', Prefix: 'l/', MaxKeys: 2, ...(Marker && { Marker }) }),
      )
      old.push(...(page.Contents ?? []).map(({ Key }) => Key))
      Marker = page.NextMarker
    } while (Marker !== undefined)
    expect(old).toEqual(['l/a', 'l/b/1', 'l/b/2', 'l/c', 'l/d/1', 'l/茶'])
    const after = await service.send(new ListObjectsV2Command({ Bucket: 'b', Prefix: 'l/', StartAfter: 'l/c' }))
    expect(after.Contents?.map(({ Key, Size, ETag }) => [Key, Size, ETag])).toEqual([
      ['l/d/1', 1, `"${md5('x')}"`],
      ['l/茶', 1, `"${md5('x')}"`],
    ])
  })
})

describe('multipart uploads', () => {
  const begin = async (Key: string, s3 = service, Bucket = 'b') => {
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ContentType: 'video/mp4' }))
    return { Bucket, Key, UploadId }
  }

  it('put parts together in order, whatever the order they came in', async () => {
    const target = await begin('film.mp4')
    const parts = [randomBytes(5 * MB), randomBytes(5 * MB), randomBytes(77)]
    const tags = new Map<number, string | undefined>()
    await service.send(new UploadPartCommand({ ...target, PartNumber: 2, Body: Buffer.from('replaced') }))
    for (const PartNumber of [3, 1, 2]) {
      const { ETag } = await service.send(
        new UploadPartCommand({ ...target, PartNumber, Body: parts[PartNumber - 1] ?? '' }),
      )
      tags.set(PartNumber, ETag)
    }
    const listed = await service.send(new ListPartsCommand(target))
    expect(listed.Parts?.map(({ PartNumber, Size }) => [PartNumber, Size])).toEqual([
      [1, 5 * MB],
      [2, 5 * MB],
      [3, 77],
    ])
    const uploads = await service.send(new ListMultipartUploadsCommand({ Bucket: 'b' }))
    expect(uploads.Uploads?.map(({ Key, UploadId }) => [Key, UploadId])).toEqual([['film.mp4', target.UploadId]])
    const complete = (numbers: readonly number[], ETag?: string) =>
      service.send(
        new CompleteMultipartUploadCommand({
          ...target,
          MultipartUpload: { Parts: numbers.map((PartNumber) => ({ PartNumber, ETag: ETag ?? tags.get(PartNumber) })) },
        }),
      )
    await expect(complete([1, 2, 4], '"x"')).rejects.toMatchObject({ name: 'InvalidPart' })
    await expect(complete([2, 1])).rejects.toBeDefined()
    expect(await complete([1, 2, 3])).toMatchObject({
      Bucket: 'b',
      Key: 'film.mp4',
      ETag: `"${md5(Buffer.concat(parts))}"`,
    })
    expect(sha(await bytesOf('film.mp4'))).toBe(sha(Buffer.concat(parts)))
    expect((await service.send(new ListMultipartUploadsCommand({ Bucket: 'b' }))).Uploads).toBeUndefined()
  })

  it('are given up without a trace', async () => {
    const target = await begin('given-up')
    await service.send(new UploadPartCommand({ ...target, PartNumber: 1, Body: 'x' }))
    await service.send(new AbortMultipartUploadCommand(target))
    await expect(service.send(new ListPartsCommand(target))).rejects.toMatchObject({ name: 'NoSuchUpload' })
    await expect(bytesOf('given-up')).rejects.toMatchObject({ name: 'NoSuchKey' })
  })

  it('belong to who began them', async () => {
    const target = await begin('mine', user, 'theirs')
    const other = client({
      accessKeyId: 'any',
      secretAccessKey: 'anon',
      sessionToken: 'user:99999999-2222-3333-4444-555555555555',
    })
    await expect(other.send(new UploadPartCommand({ ...target, PartNumber: 1, Body: 'x' }))).rejects.toMatchObject({
      name: 'NoSuchUpload',
    })
    other.destroy()
  })
})

describe('who signs', () => {
  it('with a token of a user may do what the user may', async () => {
    await put('own', 'x', { Bucket: 'theirs' }, user)
    expect((await bytesOf('own', { Bucket: 'theirs' }, user)).toString()).toBe('x')
    await expect(put('own', 'x', {}, user)).rejects.toMatchObject({
      name: 'AccessDenied',
      $metadata: { httpStatusCode: 403 },
    })
    await put('hidden', 'x')
    await expect(bytesOf('hidden', {}, user)).rejects.toMatchObject({ name: 'NoSuchKey' })
    expect((await user.send(new ListObjectsV2Command({ Bucket: 'b' }))).Contents).toBeUndefined()
  })

  it('with a wrong secret, an unknown key or not at all may do nothing', async () => {
    for (const [accessKeyId, secretAccessKey] of [
      ['service', 'wrong'],
      ['other', 'secret'],
    ] as const) {
      const s3 = client({ accessKeyId, secretAccessKey })
      await expect(put('x', 'x', {}, s3)).rejects.toMatchObject({
        name: 'SignatureDoesNotMatch',
        $metadata: { httpStatusCode: 403 },
      })
      s3.destroy()
    }
    const answer = await fetch(`${fixture.url}/storage/v1/s3/b/hidden`, {
      headers: { authorization: 'Bearer service_role' },
    })
    expect(answer.status).toBe(403)
    expect(await answer.text()).toMatch(/^<\?xml .*<Error><Code>AccessDenied<\/Code>/s)
  })

  it('an address gives away this one request, for a while', async () => {
    await put('shared', 'tea')
    const url = await getSignedUrl(service, new GetObjectCommand({ Bucket: 'b', Key: 'shared' }), { expiresIn: 60 })
    expect(await (await fetch(url)).text()).toBe('tea')
    const others = [url.replace('shared', 'hidden'), url.replace('X-Amz-Expires=60', 'X-Amz-Expires=600'), `${url}0`]
    for (const other of others) expect((await fetch(other)).status).toBe(403)
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(403)
    const old = await getSignedUrl(service, new GetObjectCommand({ Bucket: 'b', Key: 'shared' }), {
      expiresIn: 60,
      signingDate: new Date(Date.now() - 120_000),
    })
    expect((await fetch(old)).status).toBe(403)
    const upload = await getSignedUrl(service, new PutObjectCommand({ Bucket: 'b', Key: 'sent' }), { expiresIn: 60 })
    expect((await fetch(upload, { method: 'PUT', headers: { 'x-amz-copy-source': 'b/hidden' } })).status).toBe(403)
    expect((await fetch(upload, { method: 'PUT', body: 'by address' })).status).toBe(200)
    expect((await bytesOf('sent')).toString()).toBe('by address')
  })

  it('signs the address that a proxy shows', async () => {
    const s3 = client(
      { accessKeyId: 'service', secretAccessKey: 'secret' },
      { endpoint: 'https://api.example.com/tea/storage/v1/s3' },
    )
    const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket: 'b', Key: 'shared' }), { expiresIn: 60 })
    const inner = url.replace('https://api.example.com/tea', fixture.url)
    const forwarded = {
      'x-forwarded-host': 'api.example.com',
      'x-forwarded-proto': 'https',
      'x-forwarded-prefix': '/tea',
    }
    expect(await (await fetch(inner, { headers: forwarded })).text()).toBe('tea')
    expect((await fetch(inner)).status).toBe(403)
    s3.destroy()
  })
})

it('serves our own store as S3', async () => {
  const address = parseS3Address(`s3://service:secret@${new URL(fixture.url).host}/any?tls=false`)
  if (address === null) throw new Error('not an address')
  const store = createS3Store({ ...address, bucket: 'b', endpoint: `${fixture.url}/storage/v1/s3` })
  const bytes = randomBytes(20 * MB)
  async function* source() {
    for (let at = 0; at < bytes.length; at += MB) yield bytes.subarray(at, at + MB)
  }
  const id = 'aaaaaaaa-0000'
  expect(await store.put(id, source())).toEqual({ size: bytes.length, md5: md5(bytes) })
  const stream = await store.read(id)
  expect(stream === null ? null : sha(Buffer.concat(await stream.toArray()))).toBe(sha(bytes))
  expect(await store.copy(id, 'bbbbbbbb-0000')).toBe(true)
  expect(await store.removeUnfinished(Date.now() + 60_000)).toBe(0)
  await store.remove(id)
  expect(await store.sizeOf(id)).toBeNull()
})
