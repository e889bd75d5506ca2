/** The storage API over HTTP, as its clients use it. */
import { createClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { type StorageFixture, startStorage } from '../../../../test/storage.ts'

let fixture: StorageFixture
let base: string

beforeAll(async () => {
  fixture = await startStorage({ fileSizeLimit: 2_000_000 })
  base = `${fixture.url}/storage/v1`
  // What MemFire's tutorial has people run.
  await fixture.db.sql(`
    insert into storage.buckets (id, name, public) values ('images', 'images', true);
    create policy "允许任何用户发送图片1ffg0oo_0" on storage.objects for insert to public with check (bucket_id = 'images');
    insert into storage.buckets (id, name, public) values ('docs', 'docs', false);
  `)
})
afterAll(() => fixture.close())

// Node 20 has no WebSocket, and the client insists on one even when nobody connects. ws is close enough to the browser's, but not by type.
type Transport = NonNullable<NonNullable<Parameters<typeof createClient>[2]>['realtime']>['transport']
const transport = WebSocket as unknown as NonNullable<Transport>

const clientAs = (proof: string) => createClient(fixture.url, proof, { realtime: { transport } }).storage

/** A form exactly as supabase-wechat-stable-v2 writes it: a text field, then the file, and no line break after the last boundary. */
const wechatForm = (path: string, mime: string, bytes: string | Uint8Array) => {
  const boundary = 'wxmpFormBoundaryAbCdEf0123456789x'
  const head =
    `--${boundary}\r\nContent-Disposition: form-data; name="name"\r\n\r\nvalue\r\n` +
    `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${path}"\r\nContent-Type: ${mime}\r\n\r\n`
  return {
    headers: {
      'x-upsert': 'false',
      'cache-control': 'max-age=3600',
      'content-type': `multipart/form-data; boundary=${boundary}`,
    },
    body: Buffer.concat([Buffer.from(head), Buffer.from(bytes), Buffer.from(`\r\n--${boundary}--`)]),
  }
}

describe('the tutorial app', () => {
  it('uploads a picture as anon with nothing but an insert policy, and shows it by its public address', async () => {
    const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => index % 251)
    const form = wechatForm('0.7315.png', 'image/png', bytes)
    const uploaded = await fetch(`${base}/object/images/0.7315.png`, { method: 'POST', ...form })
    expect(uploaded.status).toBe(200)
    expect(await uploaded.json()).toEqual({ Id: expect.any(String), Key: 'images/0.7315.png' })

    const shown = await fetch(`${base}/object/public/images/0.7315.png`)
    expect(shown.status).toBe(200)
    expect(shown.headers.get('content-type')).toBe('image/png')
    expect(shown.headers.get('content-length')).toBe('70000')
    expect(shown.headers.get('cache-control')).toBe('max-age=3600')
    expect(new Uint8Array(await shown.arrayBuffer())).toEqual(bytes)
  })

  it('gets a 200 for everything that merely finds nothing', async () => {
    const send = (method: string, path: string, body: unknown) =>
      fetch(`${base}${path}`, {
        method,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    for (const [method, path, body] of [
      ['DELETE', '/object/images', { prefixes: [] }],
      ['DELETE', '/object/images', { prefixes: ['no/such.png', '../x', 'a\u0000b'] }],
      ['DELETE', '/object/nosuchbucket', { prefixes: ['x'] }],
      ['POST', '/object/list/images', { prefix: 'nowhere' }],
      ['POST', '/object/list/nosuchbucket', { prefix: '' }],
    ] as const) {
      const answer = await send(method, path, body)
      expect([path, answer.status, await answer.json()]).toEqual([path, 200, []])
    }
  })
})

describe('supabase-js', () => {
  it('makes a bucket, uploads, lists, downloads and removes', async () => {
    const storage = clientAs('service_role')
    expect(await storage.createBucket('work', { public: false })).toEqual({ data: { name: 'work' }, error: null })
    const bucket = storage.from('work')
    const upload = await bucket.upload('reports/茶馆 2026.txt', new Blob(['hello'], { type: 'text/plain' }), {
      cacheControl: '60',
      metadata: { author: '老舍' },
    })
    expect(upload.error).toBeNull()
    expect(upload.data).toEqual({
      id: expect.any(String),
      path: 'reports/茶馆 2026.txt',
      fullPath: 'work/reports/茶馆 2026.txt',
    })
    await bucket.upload('top.txt', 'raw text', { contentType: 'text/plain;charset=UTF-8' })

    const top = await bucket.list()
    expect(top.error).toBeNull()
    expect(top.data?.map(({ name, id }) => [name, id === null])).toEqual([
      ['reports', true],
      ['top.txt', false],
    ])
    const inside = await bucket.list('reports')
    expect(inside.data?.[0]).toMatchObject({
      name: '茶馆 2026.txt',
      metadata: { size: 5, mimetype: 'text/plain', cacheControl: 'max-age=60' },
    })
    const info = await bucket.info('reports/茶馆 2026.txt')
    expect(info.data).toMatchObject({ size: 5, contentType: 'text/plain', metadata: { author: '老舍' } })
    const { data: blob } = await bucket.download('reports/茶馆 2026.txt')
    expect(await blob?.text()).toBe('hello')
    expect((await bucket.exists('top.txt')).data).toBe(true)
    expect((await bucket.exists('flop.txt')).data).toBe(false)

    const removed = await bucket.remove(['top.txt', 'flop.txt'])
    expect(removed.data?.map(({ name }) => name)).toEqual(['top.txt'])
    expect((await storage.deleteBucket('work')).error).toMatchObject({ statusCode: '409' })
    expect((await storage.emptyBucket('work')).error).toBeNull()
    expect((await storage.deleteBucket('work')).error).toBeNull()
    expect((await storage.getBucket('work')).error).toMatchObject({ statusCode: '404', message: 'Bucket not found' })
  })
})
