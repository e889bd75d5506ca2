/** Bodies in every framing that S3 clients use, parts copied from objects, and conditions: what the plain commands leave out. */
import { createHash, randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type SignedUpload, signedChunks } from '../../../../../test/s3-signing.ts'
import { type StorageFixture, startStorage } from '../../../../../test/storage.ts'

const MB = 2 ** 20

let fixture: StorageFixture
let s3: S3Client
let user: S3Client
beforeAll(async () => {
  fixture = await startStorage({ fileSizeLimit: 12 * MB })
  await fixture.db.sql(`insert into storage.buckets (id, name) values ('b', 'b'), ('other', 'other');
    create policy "users" on storage.objects for all to authenticated using (bucket_id = 'other') with check (bucket_id = 'other');`)
  const options = { endpoint: `${fixture.url}/storage/v1/s3`, region: 'local', forcePathStyle: true, maxAttempts: 1 }
  s3 = new S3Client({ ...options, credentials: { accessKeyId: 'service', secretAccessKey: 'secret' } })
  const sessionToken = 'user:11111111-2222-3333-4444-555555555555'
  user = new S3Client({ ...options, credentials: { accessKeyId: 'any', secretAccessKey: 'anon', sessionToken } })
})
afterAll(async () => {
  s3.destroy()
  user.destroy()
  await fixture.close()
})

const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const md5 = (bytes: Uint8Array | string) => createHash('md5').update(bytes).digest('hex')
const bytesOf = async (Key: string, client = s3) => {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: 'b', Key }))
  return Buffer.from((await Body?.transformToByteArray()) ?? [])
}
const storedFiles = async (): Promise<number> =>
  (await readdir(fixture.folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).length

describe('signed chunks', () => {
  const chunks = [randomBytes(65_536), randomBytes(65_536), randomBytes(777)]
  const whole = Buffer.concat(chunks)
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(whole))
  const trailer = ['x-amz-checksum-crc32', sum.toString('base64')] as const
  const send = async (Key: string, more: Partial<SignedUpload> = {}) => {
    const to = { url: `${fixture.url}/storage/v1/s3/b/${Key}`, accessKeyId: 'service', secret: 'secret', chunks }
    const { url, init } = signedChunks({ ...to, ...more })
    const answer = await fetch(url, init)
    return { status: answer.status, code: /<Code>(\w+)<\/Code>/.exec(await answer.text())?.[1] }
  }

  it('arrive whole, with and without a signed checksum behind them', async () => {
    expect(await send('signed')).toEqual({ status: 200, code: undefined })
    expect(sha(await bytesOf('signed'))).toBe(sha(whole))
    expect(await send('trailed', { trailer })).toEqual({ status: 200, code: undefined })
    expect(sha(await bytesOf('trailed'))).toBe(sha(whole))
    expect(await send('empty', { chunks: [] })).toEqual({ status: 200, code: undefined })
    expect((await bytesOf('empty')).length).toBe(0)
  })

  it('are refused and forgotten when a byte was changed on the way, or the checksum is of something else', async () => {
    const stored = await storedFiles()
    const flip = (at: number) => (body: Buffer) => {
      body[at] = (body[at] ?? 0) ^ 1
      return body
    }
    for (const tamper of [flip(200), flip(70_000), flip(131_500)]) {
      expect(await send('changed', { tamper })).toEqual({ status: 403, code: 'SignatureDoesNotMatch' })
    }
    expect(await send('changed', { secret: 'wrong' })).toEqual({ status: 403, code: 'SignatureDoesNotMatch' })
    expect(await send('changed', { trailer: ['x-amz-checksum-crc32', 'AAAAAA=='] })).toEqual({
      status: 400,
      code: 'BadDigest',
    })
    const lying = { 'x-amz-trailer': 'x-amz-checksum-sha256' }
    expect(await send('changed', { headers: lying })).toEqual({ status: 400, code: 'BadDigest' })
    const short = (body: Buffer) => body.subarray(0, 100_000)
    expect(await send('changed', { tamper: short })).toEqual({ status: 400, code: 'InvalidArgument' })
    expect(await storedFiles()).toBe(stored)
    await expect(bytesOf('changed')).rejects.toMatchObject({ name: 'NoSuchKey' })
  })

  it('are refused where each is so small that checking it is more than storing it', async () => {
    const tiny = Array.from({ length: 50 }, () => Buffer.from('x'))
    expect(await send('tiny', { chunks: tiny })).toEqual({ status: 400, code: 'InvalidArgument' })
  })
})

describe('checksums', () => {
  it.each(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const)('of the kind %s are compared', async (kind) => {
    const Body = randomBytes(100_000)
    const target = { Bucket: 'b', Key: `sum-${kind}` }
    await s3.send(new PutObjectCommand({ ...target, Body, ChecksumAlgorithm: kind }))
    expect(sha(await bytesOf(target.Key))).toBe(sha(Body))
    const wrong = {
      [`Checksum${kind}`]: Buffer.alloc({ CRC32: 4, CRC32C: 4, CRC64NVME: 8, SHA1: 20, SHA256: 32 }[kind]),
    }
    const told = Object.fromEntries(Object.entries(wrong).map(([name, sum]) => [name, sum.toString('base64')]))
    await expect(s3.send(new PutObjectCommand({ ...target, Body, ...told }))).rejects.toMatchObject({
      name: 'BadDigest',
    })
  })
})

describe('parts', () => {
  const begin = async (Key: string, client = s3, Bucket = 'b') => {
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }))
    return { Bucket, Key, UploadId }
  }

  it('are copied from objects, whole or in a range, beside parts that are sent', async () => {
    const source = randomBytes(3 * MB)
    await s3.send(new PutObjectCommand({ Bucket: 'b', Key: 'source 茶', Body: source }))
    const target = await begin('joined')
    const CopySource = `b/${encodeURIComponent('source 茶')}`
    const copyPart = (PartNumber: number, more: object = {}, client = s3) =>
      client.send(new UploadPartCopyCommand({ ...target, PartNumber, CopySource, ...more }))
    const whole = await copyPart(1)
    expect(whole.CopyPartResult).toMatchObject({ ETag: `"${md5(source)}"`, LastModified: expect.any(Date) })
    const range = await copyPart(2, { CopySourceRange: 'bytes=10-1048585' })
    const sent = await s3.send(new UploadPartCommand({ ...target, PartNumber: 3, Body: 'end' }))
    const Parts = [whole.CopyPartResult, range.CopyPartResult, sent].map((part, index) => ({
      PartNumber: index + 1,
      ETag: part?.ETag,
    }))

    for (const [more, name] of [
      [{ CopySourceRange: 'bytes=0-3145728' }, 'InvalidRange'],
      [{ CopySourceRange: 'bytes=5-4' }, 'InvalidArgument'],
      [{ CopySourceRange: 'bytes=-5' }, 'InvalidArgument'],
      [{ CopySource: 'b/none' }, 'NoSuchKey'],
      [{ CopySource: 'nothing' }, 'InvalidArgument'],
      [{ CopySourceIfMatch: '"other"' }, 'PreconditionFailed'],
      [{ CopySourceIfNoneMatch: `"${md5(source)}"` }, 'PreconditionFailed'],
      [{ PartNumber: 10_001 }, 'InvalidArgument'],
    ] as const) {
      await expect(copyPart(4, more), JSON.stringify(more)).rejects.toMatchObject({ name })
    }
    await s3.send(new CompleteMultipartUploadCommand({ ...target, MultipartUpload: { Parts } }))
    const expected = Buffer.concat([source, source.subarray(10, 1_048_586), Buffer.from('end')])
    expect(sha(await bytesOf('joined'))).toBe(sha(expected))
  })

  it('are not copied from what the caller may not see', async () => {
    await s3.send(new PutObjectCommand({ Bucket: 'b', Key: 'hidden', Body: 'x' }))
    const target = await begin('thief', user, 'other')
    const stolen = user.send(new UploadPartCopyCommand({ ...target, PartNumber: 1, CopySource: 'b/hidden' }))
    await expect(stolen).rejects.toMatchObject({ name: 'NoSuchKey' })
  })

  it('and the uploads that they belong to are listed in pages', async () => {
    const target = await begin('pages/many')
    for (const PartNumber of [1, 2, 3, 5]) {
      await s3.send(new UploadPartCommand({ ...target, PartNumber, Body: 'x' }))
    }
    const first = await s3.send(new ListPartsCommand({ ...target, MaxParts: 3 }))
    expect([first.IsTruncated, first.NextPartNumberMarker, first.Parts?.length]).toEqual([true, '3', 3])
    const rest = await s3.send(new ListPartsCommand({ ...target, PartNumberMarker: first.NextPartNumberMarker }))
    expect([rest.IsTruncated, rest.Parts?.map(({ PartNumber }) => PartNumber)]).toEqual([false, [5]])

    for (const key of ['pages/b', 'pages/a', 'pages/a', 'else']) await begin(key)
    await begin('pages/theirs', user, 'other')
    const keys: (string | undefined)[] = []
    let markers: { KeyMarker?: string; UploadIdMarker?: string } = {}
    for (;;) {
      const page = await s3.send(
        new ListMultipartUploadsCommand({ Bucket: 'b', Prefix: 'pages/', MaxUploads: 2, ...markers }),
      )
      keys.push(...(page.Uploads ?? []).map(({ Key }) => Key))
      if (page.IsTruncated !== true) break
      markers = { KeyMarker: page.NextKeyMarker ?? '', UploadIdMarker: page.NextUploadIdMarker ?? '' }
    }
    expect(keys).toEqual(['pages/a', 'pages/a', 'pages/b', 'pages/many'])
    const after = await s3.send(new ListMultipartUploadsCommand({ Bucket: 'b', KeyMarker: 'pages/a' }))
    expect(after.Uploads?.map(({ Key }) => Key)).toEqual(['pages/b', 'pages/many'])
    const theirs = await user.send(new ListMultipartUploadsCommand({ Bucket: 'other', Prefix: 'pages/' }))
    expect(theirs.Uploads?.map(({ Key }) => Key)).toEqual(['pages/theirs'])
    expect((await user.send(new ListMultipartUploadsCommand({ Bucket: 'b' }))).Uploads).toBeUndefined()
  })

  it('do not replace an object when the client says so at the end', async () => {
    await s3.send(new PutObjectCommand({ Bucket: 'b', Key: 'first', Body: 'first' }))
    const target = await begin('first')
    const { ETag } = await s3.send(new UploadPartCommand({ ...target, PartNumber: 1, Body: 'second' }))
    const complete = s3.send(
      new CompleteMultipartUploadCommand({
        ...target,
        IfNoneMatch: '*',
        MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] },
      }),
    )
    await expect(complete).rejects.toMatchObject({ name: 'PreconditionFailed', $metadata: { httpStatusCode: 412 } })
    expect((await bytesOf('first')).toString()).toBe('first')
  })
})

describe('conditions', () => {
  it('on the source of a copy are kept', async () => {
    await s3.send(new PutObjectCommand({ Bucket: 'b', Key: 'tea', Body: 'tea' }))
    const copy = (more: object) =>
      s3.send(new CopyObjectCommand({ Bucket: 'b', Key: 'copied', CopySource: 'b/tea', ...more }))
    await expect(copy({ CopySourceIfMatch: '"other"' })).rejects.toMatchObject({ name: 'PreconditionFailed' })
    await expect(copy({ CopySourceIfModifiedSince: new Date(Date.now() + 60_000) })).rejects.toMatchObject({
      name: 'PreconditionFailed',
    })
    await copy({ CopySourceIfMatch: `"${md5('tea')}"` })
    expect((await bytesOf('copied')).toString()).toBe('tea')
  })

  it('that are not understood are refused, not ignored', async () => {
    const put = s3.send(new PutObjectCommand({ Bucket: 'b', Key: 'tea', Body: 'coffee', IfMatch: '"other"' }))
    await expect(put).rejects.toMatchObject({ name: 'NotImplemented', $metadata: { httpStatusCode: 501 } })
    expect((await bytesOf('tea')).toString()).toBe('tea')
  })
})

describe('an address that was signed', () => {
  it('shows an object in the way of who signed it, and locks up what would run', async () => {
    const body = '<script>alert(1)</script>'
    await s3.send(new PutObjectCommand({ Bucket: 'b', Key: 'page', Body: body, ContentType: 'image/png' }))
    const open = async (more: object) => {
      const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket: 'b', Key: 'page', ...more }), { expiresIn: 60 })
      return (await fetch(url)).headers
    }
    const named = await open({
      ResponseContentDisposition: 'attachment; filename="tea.png"',
      ResponseCacheControl: 'no-store',
    })
    expect(named.get('content-disposition')).toBe('attachment; filename="tea.png"')
    expect(named.get('cache-control')).toBe('no-store')
    const page = await open({ ResponseContentType: 'text/html', ResponseContentDisposition: 'inline' })
    expect(page.get('content-disposition')).toMatch(/^attachment/)
    expect(page.get('content-security-policy')).toContain('sandbox')
    expect((await open({ ResponseContentType: 'text/javascript' })).get('content-type')).toMatch(/^text\/plain/)
    expect((await open({ ResponseContentType: 'a\r\nset-cookie: x' })).get('content-type')).toBe(
      'application/octet-stream',
    )
    expect((await open({ ResponseContentDisposition: 'inline\r\nset-cookie: x' })).get('set-cookie')).toBeNull()
  })

  it('takes a part', async () => {
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket: 'b', Key: 'by-address' }))
    const target = { Bucket: 'b', Key: 'by-address', UploadId }
    const url = await getSignedUrl(s3, new UploadPartCommand({ ...target, PartNumber: 1 }), { expiresIn: 60 })
    const answer = await fetch(url, { method: 'PUT', body: 'part' })
    const ETag = answer.headers.get('etag') ?? ''
    await s3.send(
      new CompleteMultipartUploadCommand({ ...target, MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } }),
    )
    expect((await bytesOf('by-address')).toString()).toBe('part')
  })
})

describe('settings that are not here', () => {
  it.each(['retention', 'legal-hold', 'tagging', 'acl'])(
    'of an object (%s) do not become its content',
    async (what) => {
      await s3.send(new PutObjectCommand({ Bucket: 'b', Key: 'kept', Body: 'kept' }))
      const url = await getSignedUrl(s3, new PutObjectCommand({ Bucket: 'b', Key: 'kept' }), { expiresIn: 60 })
      // Signed for the object alone; a client that signs the question too is asked the same way.
      expect((await fetch(`${url}&${what}`, { method: 'PUT', body: '<x/>' })).status).toBe(403)
      const { url: asked, init } = signedChunks({
        url: `${fixture.url}/storage/v1/s3/b/kept`,
        accessKeyId: 'service',
        secret: 'secret',
        chunks: [Buffer.from('<x/>')],
        query: what,
      })
      expect((await fetch(asked, init)).status).toBe(501)
      expect((await bytesOf('kept')).toString()).toBe('kept')
    },
  )

  it('of a fetch by parts are told that there is one', async () => {
    await s3.send(new PutObjectCommand({ Bucket: 'b', Key: 'one', Body: 'one' }))
    const head = (PartNumber: number) => s3.send(new HeadObjectCommand({ Bucket: 'b', Key: 'one', PartNumber }))
    expect((await head(1)).ContentLength).toBe(3)
    await expect(head(2)).rejects.toMatchObject({ $metadata: { httpStatusCode: 416 } })
  })
})
