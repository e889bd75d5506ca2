/** Pictures made to measure, judged by the pixels that come out; through the official client where it can ask for them. */
import { deflateSync } from 'node:zlib'
import { createClient } from '@supabase/supabase-js'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { type StorageFixture, startStorage } from '../../../../test/storage.ts'
import { DEFAULT_IMAGE_LIMITS } from '../../../files/images.ts'

type Options = NonNullable<Parameters<typeof createClient>[2]>
// Node 20 has no WebSocket, and the client insists on one even when nobody connects. ws is close enough to the browser's, but not by type.
const transport = WebSocket as unknown as NonNullable<NonNullable<Options['realtime']>['transport']>

const picture = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 4, background: { r: 200, g: 30, b: 30, alpha: 0.5 } } })

/** A PNG of a few hundred bytes that claims to be as large as you like. */
const bomb = (width: number, height: number): Buffer => {
  const table = Array.from({ length: 256 }, (_, index) => {
    let value = index
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1
    return value >>> 0
  })
  const crc = (bytes: Buffer) => {
    let value = 0xffffffff
    for (const byte of bytes) value = (table[(value ^ byte) & 255] ?? 0) ^ (value >>> 8)
    return (value ^ 0xffffffff) >>> 0
  }
  const chunk = (name: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(name), data])
    const out = Buffer.alloc(body.length + 8)
    out.writeUInt32BE(data.length, 0)
    body.copy(out, 4)
    out.writeUInt32BE(crc(body), body.length + 4)
    return out
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head[8] = 1
  const lines = deflateSync(Buffer.alloc(100_000))
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', head),
    chunk('IDAT', lines),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

let fixture: StorageFixture
beforeAll(async () => {
  fixture = await startStorage({
    imageLimits: { ...DEFAULT_IMAGE_LIMITS, concurrency: 1, waiting: 2, sourceBytes: 2_000_000 },
  })
  await fixture.db.sql(`
    insert into storage.buckets (id, name, public, avif_autodetection) values
      ('b', 'b', true, false), ('modern', 'modern', true, true), ('private', 'private', false, false);
    create policy "read" on storage.objects for select to authenticated using (bucket_id = 'private');
  `)
  const frames = Buffer.concat([
    Buffer.alloc(40 * 30 * 3, 10),
    Buffer.alloc(40 * 30 * 3, 200),
    Buffer.alloc(40 * 30 * 3, 90),
  ])
  const film = sharp(frames, { raw: { width: 40, height: 90, channels: 3, pageHeight: 30 } })
  const noise = sharp({
    create: {
      width: 900,
      height: 600,
      channels: 3,
      noise: { type: 'gaussian', mean: 128, sigma: 30 },
      background: '#000',
    },
  })
  const files: Record<string, readonly [Buffer | string, string]> = {
    'a.png': [await picture(400, 300).png().toBuffer(), 'image/png'],
    'a.jpg': [await noise.jpeg({ quality: 95 }).toBuffer(), 'image/jpeg'],
    'a.webp': [await picture(400, 300).webp().toBuffer(), 'image/webp'],
    'a.avif': [await picture(400, 300).avif().toBuffer(), 'image/avif'],
    'a.tiff': [await picture(400, 300).tiff().toBuffer(), 'image/tiff'],
    'turned.jpg': [
      await picture(400, 300)
        .flatten()
        .withExif({ IFD0: { Orientation: '6', Copyright: 'tea' } })
        .withMetadata({ orientation: 6 })
        .jpeg()
        .toBuffer(),
      'image/jpeg',
    ],
    'film.gif': [await film.gif({ loop: 0, delay: [50, 50, 50] }).toBuffer(), 'image/gif'],
    'lie.png': ['<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>', 'image/png'],
    'a.svg': ['<svg xmlns="http://www.w3.org/2000/svg" width="99999" height="99999"/>', 'image/svg+xml'],
    'text.png': ['hello', 'image/png'],
    'cut.jpg': [(await picture(400, 300).flatten().jpeg().toBuffer()).subarray(0, 300), 'image/jpeg'],
    'bomb.png': [bomb(50_000, 50_000), 'image/png'],
    'long.png': [bomb(60_000_000, 1), 'image/png'],
    'heavy.png': [Buffer.concat([await picture(10, 10).png().toBuffer(), Buffer.alloc(2_000_000)]), 'image/png'],
  }
  for (const [name, [body, type]] of Object.entries(files)) {
    for (const bucket of ['b', 'private', 'modern']) {
      const response = await fetch(`${fixture.url}/storage/v1/object/${bucket}/${name}`, {
        method: 'POST',
        headers: { authorization: 'Bearer service_role', 'content-type': type, 'cache-control': 'max-age=60' },
        body: typeof body === 'string' ? body : new Uint8Array(body),
      })
      expect(response.status, name).toBe(200)
    }
  }
})
afterAll(() => fixture.close())

const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${fixture.url}/storage/v1/render/image${path}`, { headers })
const seen = async (response: Response) => {
  const bytes = Buffer.from(await response.arrayBuffer())
  if (response.status !== 200) return response.status
  const { width, height, format, pages, pageHeight } = await sharp(bytes, { animated: true }).metadata()
  return { width, height: pageHeight ?? height, format, ...(pages === undefined || pages === 1 ? {} : { pages }) }
}

describe('a picture', () => {
  it.each([
    ['width=100', 100, 75],
    ['height=150', 200, 150],
    ['width=100&height=100', 100, 100],
    ['width=100&height=50&resize=cover', 100, 50],
    ['width=100&height=100&resize=contain', 100, 75],
    ['width=100&height=200&resize=fill', 100, 200],
    ['quality=20', 400, 300],
    ['', 400, 300],
    ['width=2500', 400, 300],
    ['width=&height=30', 40, 30],
  ])('asked for with "%s" has %i × %i pixels', async (query, width, height) => {
    expect(await seen(await get(`/public/b/a.png?${query}`))).toEqual({ width, height, format: 'png' })
  })

  it.each([
    ['a.jpg', '*/*', 'jpeg'],
    ['a.webp', '*/*', 'webp'],
    ['a.tiff', '*/*', 'png'],
    ['a.jpg', 'image/avif,image/webp,*/*', 'webp'],
    ['a.png', 'image/webp', 'webp'],
  ])('%s for a client that accepts %s comes as %s', async (name, accept, format) => {
    const response = await get(`/public/b/${name}?width=90`, { accept })
    expect([response.headers.get('content-type'), response.headers.get('vary')]).toEqual([
      `image/${format}`,
      expect.stringContaining('Accept'),
    ])
    expect(await seen(response)).toMatchObject({ width: 90, format })
  })

  it('comes as AVIF where the bucket wants that, and as it is when asked for', async () => {
    const accept = 'image/avif,image/webp,*/*'
    expect((await get('/public/modern/a.png?width=50', { accept })).headers.get('content-type')).toBe('image/avif')
    expect((await get('/public/b/a.avif?width=50')).headers.get('content-type')).toBe('image/avif')
    const origin = await get('/public/b/a.png?width=50&format=origin', { accept })
    expect([origin.headers.get('content-type'), origin.headers.get('vary')]).toEqual(['image/png', null])
  })

  it('is smaller with less quality', async () => {
    const size = async (quality: number) =>
      Number((await get(`/public/b/a.jpg?width=600&quality=${quality}`)).headers.get('content-length'))
    expect(await size(20)).toBeLessThan((await size(90)) / 2)
  })

  it('stands upright, and tells nothing of its camera', async () => {
    const response = await get('/public/b/turned.jpg?width=60')
    const metadata = await sharp(Buffer.from(await response.arrayBuffer())).metadata()
    expect(metadata).toMatchObject({ width: 60, height: 80 })
    expect(metadata.exif).toBeUndefined()
  })

  it('that moves goes on moving', async () => {
    expect(await seen(await get('/public/b/film.gif?width=20'))).toEqual({
      width: 20,
      height: 15,
      format: 'gif',
      pages: 3,
    })
    expect(await seen(await get('/public/b/film.gif?width=20', { accept: 'image/webp' }))).toMatchObject({
      pages: 3,
      format: 'webp',
    })
  })

  it('is cached by its tag, which changes with size, format and content', async () => {
    const one = await get('/public/b/a.png?width=100')
    const headers = Object.fromEntries(one.headers)
    expect(headers).toMatchObject({ 'cache-control': 'max-age=60', 'x-content-type-options': 'nosniff' })
    expect(headers['last-modified']).toBeDefined()
    expect(headers['accept-ranges']).toBeUndefined()
    const again = await get('/public/b/a.png?width=100', { 'if-none-match': headers.etag ?? '' })
    expect([again.status, await again.text()]).toEqual([304, ''])
    expect((await get('/public/b/a.png?width=101', { 'if-none-match': headers.etag ?? '' })).status).toBe(200)
    expect(
      (await get('/public/b/a.png?width=100', { 'if-none-match': headers.etag ?? '', accept: 'image/webp' })).status,
    ).toBe(200)
    expect((await get('/public/b/a.png?width=100', { range: 'bytes=0-1' })).status).toBe(200)
  })

  it.each([
    'width=0',
    'width=2501',
    'width=-1',
    'width=1e3',
    'width=1&width=2',
    'height=abc',
    'quality=19',
    'quality=101',
    'resize=stretch',
    'format=svg',
  ])('is not made with %s', async (query) => {
    const response = await get(`/public/b/a.png?${query}`)
    expect([response.status, await response.json()]).toMatchObject([400, { code: 'InvalidParameter' }])
  })

  it.each(['lie.png', 'a.svg', 'text.png', 'cut.jpg', 'bomb.png', 'long.png', 'heavy.png'])(
    'is not made of %s',
    async (name) => {
      const before = process.memoryUsage().rss
      const response = await get(`/public/b/${name}?width=10`)
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ statusCode: expect.stringMatching(/^(413|422)$/) })
      expect(process.memoryUsage().rss - before).toBeLessThan(150 * 2 ** 20)
    },
  )

  it('is made a few at a time; who comes when too many wait is told to come back', async () => {
    const answers = await Promise.all(
      Array.from({ length: 24 }, (_, index) => get(`/public/b/a.jpg?width=${300 + index}`)),
    )
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(3)
    expect(new Set(statuses)).toEqual(new Set([200, 503]))
    expect(answers.find(({ status }) => status === 503)?.headers.get('retry-after')).toBe('2')
    const same = await Promise.all(Array.from({ length: 8 }, () => get('/public/b/a.jpg?width=333')))
    expect(same.map(({ status }) => status)).toEqual(same.map(() => 200))
  })

  it('of a private bucket is for those who may see it', async () => {
    expect((await get('/public/private/a.png?width=10')).status).toBe(400)
    expect((await get('/authenticated/private/a.png?width=10', { authorization: 'Bearer anon' })).status).toBe(400)
    expect(
      await seen(await get('/authenticated/private/a.png?width=10', { authorization: 'Bearer user:u' })),
    ).toMatchObject({ width: 10 })
  })
})

describe('supabase-js', () => {
  const bucket = () =>
    createClient(fixture.url, 'user:11111111-2222-3333-4444-555555555555', { realtime: { transport } }).storage.from(
      'private',
    )
  const transform = { width: 120, height: 60, resize: 'cover', quality: 60 } as const

  it('downloads with a transform', async () => {
    const { data } = await bucket().download('a.jpg', { transform })
    expect(await sharp(Buffer.from((await data?.arrayBuffer()) ?? new ArrayBuffer(0))).metadata()).toMatchObject({
      width: 120,
      height: 60,
    })
  })

  it('makes public addresses with a transform', async () => {
    const { publicUrl } = createClient(fixture.url, 'anon', { realtime: { transport } })
      .storage.from('b')
      .getPublicUrl('a.jpg', { transform }).data
    expect(await seen(await fetch(publicUrl))).toEqual({ width: 120, height: 60, format: 'jpeg' })
  })

  it('signs a transform: the link shows this size and no other, and not the original', async () => {
    const { data } = await bucket().createSignedUrl('a.jpg', 60, { transform, download: 'small.jpg' })
    const url = data?.signedUrl ?? ''
    const response = await fetch(url)
    expect(response.headers.get('content-disposition')).toContain('small.jpg')
    expect(await seen(response)).toEqual({ width: 120, height: 60, format: 'jpeg' })
    expect(await seen(await fetch(`${url}&width=900`))).toMatchObject({ width: 120 })
    expect((await fetch(url.replace('/render/image/sign/', '/object/sign/'))).status).toBe(400)
    expect((await fetch(url.replace('a.jpg', 'a.png'))).status).toBe(400)
    const plain = (await bucket().createSignedUrl('a.jpg', 60)).data?.signedUrl ?? ''
    expect((await fetch(plain.replace('/object/sign/', '/render/image/sign/'))).status).toBe(400)
  })
})
