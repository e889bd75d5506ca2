/** A server that keeps its files in an S3-compatible bucket, spoken to by the client of AWS with the keys that the server reports. */
import { createHash, randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startS3 } from '../../packages/server/test/s3.ts'
import { startServer, type TestServer } from '../support/server.ts'

let bucket: Awaited<ReturnType<typeof startS3>>
let server: TestServer
beforeAll(async () => {
  bucket = await startS3()
  const url = `s3://S3RVER:S3RVER@127.0.0.1:${bucket.port}/blobs/tea?tls=false`
  server = await startServer({ env: { TEAHOUSE_STORAGE_URL: url } })
})
afterAll(async () => {
  await server?.stop()
  await bucket?.close()
})

const clientOf = ({ url, publishableKey, secretKey }: TestServer['report']) =>
  new S3Client({
    endpoint: `${url}/storage/v1/s3`,
    region: 'local',
    forcePathStyle: true,
    credentials: { accessKeyId: publishableKey, secretAccessKey: secretKey },
  })

const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

it('keeps files in the bucket, whole, and takes them away', async () => {
  const { url, publishableKey, secretKey, anonKey, serviceKey } = server.report
  const options = { endpoint: `${url}/storage/v1/s3`, region: 'local', forcePathStyle: true, maxAttempts: 1 }
  const s3 = new S3Client({ ...options, credentials: { accessKeyId: publishableKey, secretAccessKey: secretKey } })
  const bytes = randomBytes(20 * 2 ** 20 + 3)
  await s3.send(new CreateBucketCommand({ Bucket: 'films' }))
  await s3.send(new PutObjectCommand({ Bucket: 'films', Key: 'a.mp4', Body: bytes }))
  const headers = { apikey: serviceKey, authorization: `Bearer ${serviceKey}` }
  const rest = await fetch(`${url}/storage/v1/object/films/a.mp4`, { headers })
  expect(sha(new Uint8Array(await rest.arrayBuffer()))).toBe(sha(bytes))
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'films', Key: 'a.mp4' }))
  expect(sha((await Body?.transformToByteArray()) ?? new Uint8Array())).toBe(sha(bytes))

  // With the public key as secret and nobody's token, the caller is nobody.
  const nobody = new S3Client({
    ...options,
    credentials: { accessKeyId: 'any', secretAccessKey: anonKey, sessionToken: anonKey },
  })
  expect((await nobody.send(new ListObjectsV2Command({ Bucket: 'films' }))).Contents).toBeUndefined()
  const forged = new S3Client({
    ...options,
    credentials: { accessKeyId: 'any', secretAccessKey: anonKey, sessionToken: 'forged' },
  })
  await expect(forged.send(new ListObjectsV2Command({ Bucket: 'films' }))).rejects.toMatchObject({
    $metadata: { httpStatusCode: 403 },
  })

  const store = new S3Client({
    endpoint: `http://127.0.0.1:${bucket.port}`,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
  })
  const kept = async () =>
    (await store.send(new ListObjectsV2Command({ Bucket: 'blobs', Prefix: 'tea/blobs/' }))).Contents?.length ?? 0
  expect(await kept()).toBe(1)
  await s3.send(new DeleteObjectCommand({ Bucket: 'films', Key: 'a.mp4' }))
  await expect.poll(kept, { timeout: 20_000 }).toBe(0)
  expect(await readdir(join(server.dataDir, 'files')).catch(() => [])).toEqual([])
  for (const client of [s3, nobody, forged, store]) client.destroy()
})

it("takes what AWS's upload manager sends: parts of a stream without a length, several at once", async () => {
  const s3 = clientOf(server.report)
  await s3.send(new CreateBucketCommand({ Bucket: 'managed' }))
  const bytes = randomBytes(13 * 2 ** 20 + 5)
  function* pieces() {
    for (let at = 0; at < bytes.length; at += 300_000) yield bytes.subarray(at, at + 300_000)
  }
  const target = { Bucket: 'managed', Key: 'film 茶.mp4' }
  const params = { ...target, Body: Readable.from(pieces()), ContentType: 'video/mp4', Metadata: { cut: 'final' } }
  const progress: number[] = []
  const upload = new Upload({ client: s3, params, partSize: 5 * 2 ** 20, queueSize: 3 })
  upload.on('httpUploadProgress', ({ loaded = 0 }) => progress.push(loaded))
  const { ETag } = await upload.done()
  expect(ETag).toBe(`"${createHash('md5').update(bytes).digest('hex')}"`)
  expect(Math.max(...progress)).toBe(bytes.length)
  const { Body, ContentType, Metadata } = await s3.send(new GetObjectCommand(target))
  expect([ContentType, Metadata]).toEqual(['video/mp4', { cut: 'final' }])
  expect(sha((await Body?.transformToByteArray()) ?? new Uint8Array())).toBe(sha(bytes))

  // Given up in the middle, it leaves nothing behind that is listed.
  const endless = new Upload({
    client: s3,
    params: { Bucket: 'managed', Key: 'given-up', Body: Readable.from(pieces()) },
    partSize: 5 * 2 ** 20,
  })
  endless.on('httpUploadProgress', () => void endless.abort())
  await expect(endless.done()).rejects.toMatchObject({ name: 'AbortError' })
  const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: 'managed' }))
  expect(Contents?.map(({ Key }) => Key)).toEqual([target.Key])
  s3.destroy()
})
