/** The mini-program client's storage methods, the package unmodified, over a `wx` of a few lines: fetch, Response and URL do not exist there. */
import { request as httpRequest } from 'node:http'
import { createRequire } from 'node:module'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type StorageFixture, startStorage } from '../../../../test/storage.ts'

interface WxOptions {
  readonly url: string
  readonly method: string
  readonly header: Record<string, string>
  readonly data?: string | ArrayBuffer
  success(response: object): void
  fail(error: object): void
}

const files = new Map<string, Uint8Array>()

/** As the runtime does it: JSON is parsed whatever its type, everything else stays text. */
const wx = {
  request({ url, method, header, data, success, fail }: WxOptions) {
    const body = data instanceof ArrayBuffer ? Buffer.from(data) : Buffer.from(data ?? '')
    const headers = { ...header, ...(method === 'GET' ? {} : { 'content-length': String(body.length) }) }
    const request = httpRequest(url, { method, headers, agent: false }, async (response) => {
      const text = (await buffer(response)).toString()
      let parsed: unknown = text
      try {
        parsed = JSON.parse(text)
      } catch {}
      success({
        data: parsed,
        statusCode: response.statusCode,
        header: response.headers,
        errMsg: 'request:ok',
        cookies: [],
      })
    })
    request.on('error', (error) => fail({ errMsg: `request:fail ${error.message}` }))
    request.end(method === 'GET' ? undefined : body)
  },
  getFileSystemManager: () => ({
    readFileSync: (path: string) => {
      const bytes = files.get(path) ?? new Uint8Array()
      return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
    },
  }),
  getStorageSync: () => '',
  setStorageSync() {},
  removeStorageSync() {},
  connectSocket: () => ({ onOpen() {}, onClose() {}, onError() {}, onMessage() {}, close() {} }),
}

/** The client hands out wx's whole response where its types promise data, so what it answers is described here. */
interface Answer {
  readonly data: Record<string, unknown> | null
  readonly error: { readonly data?: unknown } | null
}
interface Bucket {
  upload(path: string, file: { tempFilePath: string }, options?: object): Promise<Answer>
  update(path: string, file: { tempFilePath: string }): Promise<Answer>
  list(path?: string, options?: object): Promise<Answer>
  download(path: string): Promise<Answer>
  remove(paths: string[]): Promise<Answer>
  move(from: string, to: string): Promise<Answer>
  copy(from: string, to: string): Promise<Answer>
  createSignedUrl(path: string, seconds: number, options?: object): Promise<{ data: { signedUrl: string } }>
  createSignedUrls(paths: string[], seconds: number): Promise<{ data: { signedUrl: string | null }[] }>
  getPublicUrl(path: string): { data: { publicUrl: string } }
}

let fixture: StorageFixture
let bucketAs: (proof: string) => Bucket

beforeAll(async () => {
  fixture = await startStorage()
  await fixture.db.sql(`
    insert into storage.buckets (id, name, public) values ('images', 'images', true);
    create policy "允许任何用户发送图片1ffg0oo_0" on storage.objects for insert to public with check (bucket_id = 'images');
  `)
  for (const name of ['fetch', 'Response', 'URL', 'Headers', 'Request', 'FormData']) vi.stubGlobal(name, undefined)
  vi.stubGlobal('wx', wx)
  const { createClient } = createRequire(import.meta.url)('supabase-wechat-stable-v2')
  bucketAs = (proof) => createClient(fixture.url, proof).storage.from('images')
})
afterAll(async () => {
  vi.unstubAllGlobals()
  await fixture.close()
})

const get = (url: string) =>
  new Promise<{ status: number; type: string; body: Buffer }>((resolve, reject) => {
    httpRequest(url, { agent: false }, async (response) => {
      resolve({
        status: response.statusCode ?? 0,
        type: String(response.headers['content-type']),
        body: await buffer(response),
      })
    })
      .on('error', reject)
      .end()
  })

const picture = Uint8Array.from({ length: 30_000 }, (_, index) => (index * 31) % 256)
files.set('wxfile://tmp/photo.png', picture)

describe('supabase-wechat-stable-v2', () => {
  it('sends a picture as the tutorial does, and everyone sees it', async () => {
    const bucket = bucketAs('anon')
    const sent = await bucket.upload('chat/图 1.png', { tempFilePath: 'wxfile://tmp/photo.png' })
    expect(sent).toEqual({ data: { path: 'chat/图 1.png' }, error: null })
    const shown = await get(bucket.getPublicUrl('chat/图 1.png').data.publicUrl)
    expect([shown.status, shown.type]).toEqual([200, 'image/png'])
    expect(new Uint8Array(shown.body)).toEqual(picture)
  })

  it('is told what went wrong with an upload', async () => {
    const bucket = bucketAs('anon')
    await bucket.upload('twice.png', { tempFilePath: 'wxfile://tmp/photo.png' })
    const again = await bucket.upload('twice.png', { tempFilePath: 'wxfile://tmp/photo.png' })
    expect(again.error?.data).toEqual({
      statusCode: '409',
      error: 'Duplicate',
      message: 'The resource already exists',
      code: 'KeyAlreadyExists',
    })
  })

  it('never hangs on lists and removals that find nothing', async () => {
    const bucket = bucketAs('anon')
    expect((await bucket.list('nowhere')).data?.data).toEqual([])
    expect((await bucket.remove([])).data?.data).toEqual([])
    expect((await bucket.remove(['no/such.png'])).data?.data).toEqual([])
  })

  it('replaces, lists, moves, copies, signs and removes', async () => {
    const bucket = bucketAs('service_role')
    files.set('wxfile://tmp/note.txt', new TextEncoder().encode('你好'))
    expect((await bucket.upload('n/a.txt', { tempFilePath: 'wxfile://tmp/note.txt' })).error).toBeNull()
    expect((await bucket.update('n/a.txt', { tempFilePath: 'wxfile://tmp/note.txt' })).error).toBeNull()
    expect(
      (await bucket.upload('n/a.txt', { tempFilePath: 'wxfile://tmp/note.txt' }, { upsert: true })).error,
    ).toBeNull()
    expect((await bucket.list('n')).data?.data).toMatchObject([
      { name: 'a.txt', metadata: { size: 6, mimetype: 'text/plain' } },
    ])
    expect((await bucket.download('n/a.txt')).data?.data).toBe('你好')
    expect((await bucket.move('n/a.txt', 'n/b.txt')).data?.data).toMatchObject({ message: 'Successfully moved' })
    expect((await bucket.copy('n/b.txt', 'n/c.txt')).error).toBeNull()
    const { data } = await bucket.createSignedUrl('n/c.txt', 60, { download: '说明.txt' })
    expect((await get(data.signedUrl)).body.toString()).toBe('你好')
    const many = await bucket.createSignedUrls(['n/b.txt', 'n/none.txt'], 60)
    expect(many.data.map(({ signedUrl }) => signedUrl === null)).toEqual([false, true])
    expect((await bucket.remove(['n/b.txt', 'n/c.txt', 'n/d.txt'])).data?.data).toMatchObject([
      { name: 'n/b.txt' },
      { name: 'n/c.txt' },
    ])
  })
})
