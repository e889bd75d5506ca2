/** A started server as the world meets it: behind a proxy that hides a prefix, with pages that people uploaded, and with users and buckets that go. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { createServer, request as forward, type Server } from 'node:http'
import { join } from 'node:path'
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { Upload, type UploadOptions } from 'tus-js-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import ws from 'ws'
import { launchBrowser } from '../support/phone.ts'
import { runTeahouse, startServer, type TestServer } from '../support/server.ts'
import { until } from '../support/until.ts'

const MB = 2 ** 20
const SQL = `
insert into storage.buckets (id, name, public) values ('open', 'open', true), ('photos', 'photos', false);
create policy everything on storage.objects for all to authenticated
  using (bucket_id in ('open', 'photos')) with check (bucket_id in ('open', 'photos'));`

let server: TestServer
let proxy: Server
/** Where the proxy shows the server. */
let outside: string
let service: SupabaseClient

const options = { auth: { persistSession: false, autoRefreshToken: false }, realtime: { transport: ws } }
// The types of ws and of the browser's WebSocket differ in details that nobody uses here.
const open = (url: string, key: string) =>
  createClient(url, key, options as unknown as Parameters<typeof createClient>[2])

const PREFIX = '/tea/house'

/** Cuts its prefix off and says so, as the usual proxies are told to. */
const startProxy = async (target: URL): Promise<Server> => {
  const listening = createServer((request, response) => {
    const headers = {
      ...request.headers,
      'x-forwarded-proto': 'http',
      'x-forwarded-host': request.headers.host ?? '',
      'x-forwarded-prefix': PREFIX,
      host: target.host,
    }
    const path = (request.url ?? '').slice(PREFIX.length)
    const onward = forward({ host: target.hostname, port: target.port, method: request.method, path, headers })
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy())
    request.pipe(onward)
  })
  await once(listening.listen(0, '127.0.0.1'), 'listening')
  return listening
}

beforeAll(async () => {
  server = await startServer({ args: ['--trusted-proxies', '127.0.0.1'] })
  const made = await runTeahouse(['sql', '--data-dir', server.dataDir, '-c', SQL])
  expect(made.code, made.stderr).toBe(0)
  proxy = await startProxy(new URL(server.report.url))
  const address = proxy.address()
  outside = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}${PREFIX}`
  service = open(server.report.url, server.report.serviceKey)
})
afterAll(async () => {
  proxy?.closeAllConnections()
  proxy?.close()
  expect((await server.stop()).code).toBe(0)
})

const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const headers = () => ({ apikey: server.report.serviceKey, authorization: `Bearer ${server.report.serviceKey}` })
const blobs = async (): Promise<number> =>
  (
    await readdir(join(server.dataDir, 'files', 'blobs'), { recursive: true, withFileTypes: true }).catch(() => [])
  ).filter((entry) => entry.isFile()).length

/** What SQL or the API of users deletes is collected within half a minute; what the storage API deletes, at once, and everything else with it. */
const collect = async (): Promise<void> => {
  const bucket = service.storage.from('photos')
  await bucket.upload('collect', Buffer.from('x'), { upsert: true })
  expect((await bucket.remove(['collect'])).error).toBeNull()
}

const upload = (file: Buffer, more: UploadOptions) =>
  new Promise<Upload>((resolve, reject) => {
    const task = new Upload(file, { chunkSize: MB, ...more, onError: reject, onSuccess: () => resolve(task) })
    task.start()
  })

describe('behind a proxy with a prefix', () => {
  it.each([1, 3])(
    'a resumable upload over %i connections finds its way back, and arrives whole',
    async (parallelUploads) => {
      const file = randomBytes(3 * MB + 7)
      const metadata = { bucketName: 'open', objectName: `film-${parallelUploads}.mp4`, contentType: 'video/mp4' }
      const task = await upload(file, {
        endpoint: `${outside}/storage/v1/upload/resumable`,
        headers: headers(),
        parallelUploads,
        metadata,
        metadataForPartialUploads: metadata,
      })
      if (parallelUploads === 1)
        expect(task.url).toMatch(new RegExp(`^${outside}/storage/v1/upload/resumable/[0-9a-f-]{36}$`))
      const answer = await fetch(`${outside}/storage/v1/object/public/open/${metadata.objectName}`)
      expect(sha(new Uint8Array(await answer.arrayBuffer()))).toBe(sha(file))
    },
  )

  it('the clients of Supabase and of AWS work as if there were none', async () => {
    const { storage } = open(outside, server.report.serviceKey)
    await storage.from('photos').upload('茶/a.txt', new Blob(['green']))
    const signed = await storage.from('photos').createSignedUrl('茶/a.txt', 60)
    expect(signed.data?.signedUrl.startsWith(`${outside}/`)).toBe(true)
    expect(await (await fetch(signed.data?.signedUrl ?? '')).text()).toBe('green')
    const { publishableKey, secretKey } = server.report
    const s3 = new S3Client({
      endpoint: `${outside}/storage/v1/s3`,
      region: 'local',
      forcePathStyle: true,
      credentials: { accessKeyId: publishableKey, secretAccessKey: secretKey },
    })
    await s3.send(new PutObjectCommand({ Bucket: 'photos', Key: '茶/b.txt', Body: 'black' }))
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'photos', Key: '茶/b.txt' }))
    expect(await Body?.transformToString()).toBe('black')
    s3.destroy()
  })
})

describe('what people uploaded', () => {
  const SCRIPT = `fetch('/storage/v1/ran');document.title='ran';localStorage.setItem('ran','1')`
  const ACTIVE = [
    ['page.html', 'text/html', `<title>still</title><script>${SCRIPT}</script><img src=x onerror="${SCRIPT}">`],
    [
      'page.xhtml',
      'application/xhtml+xml',
      `<html xmlns="http://www.w3.org/1999/xhtml"><script>${SCRIPT}</script></html>`,
    ],
    [
      'drawing.svg',
      'image/svg+xml',
      `<svg xmlns="http://www.w3.org/2000/svg" onload="${SCRIPT}"><script>${SCRIPT}</script></svg>`,
    ],
    ['feed.xml', 'text/xml', `<x xmlns:h="http://www.w3.org/1999/xhtml"><h:script>${SCRIPT}</h:script></x>`],
    ['lie.png', 'image/png', `<title>still</title><script>${SCRIPT}</script>`],
    ['lie.pdf', 'application/pdf', `<script>${SCRIPT}</script>`],
    ['odd', 'application/x-unknown', `<script>${SCRIPT}</script>`],
    ['code.js', 'text/javascript', SCRIPT],
  ] as const

  it('runs nowhere in our origin, opened, framed, as a script or as a worker', async () => {
    const bucket = service.storage.from('open')
    for (const [name, contentType, content] of ACTIVE) {
      expect((await bucket.upload(`active/${name}`, Buffer.from(content), { contentType })).error).toBeNull()
    }
    await bucket.upload('active/host.png', Buffer.from('x'), { contentType: 'image/png' })
    const browser = await launchBrowser()
    try {
      const context = await browser.newContext({ acceptDownloads: false })
      const page = await context.newPage()
      const ran: string[] = []
      context.on('request', (request) => {
        if (request.url().endsWith('/ran')) ran.push('a script asked')
      })
      const base = `${server.report.url}/storage/v1/object/public/open/active`
      for (const [name] of ACTIVE) {
        // What becomes a download ends the navigation; that is how pages are served.
        await page.goto(`${base}/${name}`, { waitUntil: 'load' }).catch(() => {})
        if ((await page.title()) === 'ran') ran.push(`${name} opened`)
      }
      // From a page of this origin: frames, scripts and workers of the same origin.
      await page.goto(`${server.report.url}/storage/v1/status`)
      const loaded = await page.evaluate(
        async ({ names, from }) => {
          const found: string[] = []
          for (const name of names) {
            const script = document.createElement('script')
            script.src = `${from}/${name}`
            await new Promise((resolve) => {
              script.onload = () => resolve(found.push(`${name} as a script`))
              script.onerror = resolve
              document.head.append(script)
            })
            const module = document.createElement('script')
            module.type = 'module'
            module.src = `${from}/${name}`
            await new Promise((resolve) => {
              module.onload = () => resolve(found.push(`${name} as a module`))
              module.onerror = resolve
              document.head.append(module)
            })
            await navigator.serviceWorker?.register(`${from}/${name}`).then(
              () => found.push(`${name} as a service worker`),
              () => {},
            )
            const frame = document.createElement('iframe')
            frame.src = `${from}/${name}`
            await new Promise((resolve) => {
              frame.onload = resolve
              document.body.append(frame)
              // A download fires no event.
              setTimeout(resolve, 100)
            })
          }
          return { found, stored: localStorage.getItem('ran') }
        },
        { names: ACTIVE.map(([name]) => name), from: base },
      )
      expect({ ...loaded, ran }).toEqual({ found: [], stored: null, ran: [] })
    } finally {
      await browser.close()
    }
  })

  it('is kept as it came, also when it claims to be compressed: nothing unpacks a bomb', async () => {
    const { gzipSync } = await import('node:zlib')
    const bomb = gzipSync(Buffer.alloc(200 * MB), { level: 9 })
    const answer = await fetch(`${server.report.url}/storage/v1/object/open/bomb.txt`, {
      method: 'POST',
      headers: { ...headers(), 'content-type': 'text/plain', 'content-encoding': 'gzip' },
      body: new Uint8Array(bomb),
    })
    expect(answer.status).toBe(200)
    const back = await fetch(`${server.report.url}/storage/v1/object/public/open/bomb.txt`)
    expect(back.headers.get('content-encoding')).toBeNull()
    expect(sha(new Uint8Array(await back.arrayBuffer()))).toBe(sha(bomb))
  })
})

describe('who goes takes every file along', () => {
  const begin = async (key: string, name: string) => {
    const bearer = { apikey: server.report.anonKey, authorization: `Bearer ${key}` }
    const pair = (label: string, text: string) => `${label} ${Buffer.from(text).toString('base64')}`
    const about = [pair('bucketName', 'photos'), pair('objectName', name)].join(',')
    const tus = { ...bearer, 'tus-resumable': '1.0.0' }
    const created = await fetch(`${server.report.url}/storage/v1/upload/resumable`, {
      method: 'POST',
      headers: { ...tus, 'upload-length': '10', 'upload-metadata': about },
    })
    const how = { ...tus, 'content-type': 'application/offset+octet-stream', 'upload-offset': '0' }
    const half = await fetch(created.headers.get('location') ?? '', { method: 'PATCH', headers: how, body: 'half' })
    expect(half.status).toBe(204)
  }

  it('a user: objects, and uploads that are under way', async () => {
    const before = await blobs()
    const who = { email: 'guest@example.com', password: 'a long enough password' }
    const { data } = await service.auth.admin.createUser({ ...who, email_confirm: true })
    const guest = open(server.report.url, server.report.anonKey)
    const { data: login } = await guest.auth.signInWithPassword(who)
    for (const name of ['guest/1', 'guest/2']) {
      expect((await guest.storage.from('photos').upload(name, Buffer.from(name))).error).toBeNull()
    }
    await begin(login.session?.access_token ?? '', 'guest/half')
    expect(await blobs()).toBe(before + 3)
    expect((await service.auth.admin.deleteUser(data.user?.id ?? '')).error).toBeNull()
    await collect()
    await until('their files are gone', async () => (await blobs()) === before, { within: 45_000 })
    expect((await service.storage.from('photos').list('guest')).data).toEqual([])
  }, 90_000)

  it('a bucket: emptied and deleted by the API, or by SQL', async () => {
    const before = await blobs()
    for (const name of ['gone', 'cut']) {
      expect((await service.storage.createBucket(name)).error).toBeNull()
      for (const path of ['a', 'b/c']) await service.storage.from(name).upload(path, Buffer.from(path))
    }
    expect(await blobs()).toBe(before + 4)
    expect((await service.storage.deleteBucket('gone')).error?.message).toMatch(/not empty/i)
    expect((await service.storage.emptyBucket('gone')).error).toBeNull()
    expect((await service.storage.deleteBucket('gone')).error).toBeNull()
    await until('half of the files are gone', async () => (await blobs()) === before + 2, { within: 10_000 })
    const sql = `delete from storage.objects where bucket_id = 'cut'; delete from storage.buckets where id = 'cut'`
    const deleted = await runTeahouse(['sql', '--data-dir', server.dataDir, '-c', sql])
    expect(deleted.code, deleted.stderr).toBe(0)
    await collect()
    await until('all of them are gone', async () => (await blobs()) === before, { within: 45_000 })
  }, 90_000)
})
