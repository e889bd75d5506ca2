/** Resumable uploads by the rules of tus 1.0.0, over plain HTTP. */
import { request as httpRequest } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { delegating, type StorageFixture, startStorage } from '../../../../test/storage.ts'
import type { BlobStore } from '../../../files/blob-store.ts'
import { systemClock } from '../../../kernel/clock.ts'
import { randomIds } from '../../../kernel/ids.ts'

const MB = 2 ** 20
const USER = '11111111-2222-3333-4444-555555555555'
const OTHER = '66666666-7777-8888-9999-aaaaaaaaaaaa'

let now = Date.now()
let fixture: StorageFixture
/** Bytes that the store has taken of the blob that came last. */
let taken = 0

/** The store, telling how far its blobs are: what it holds in memory cannot be seen on the disk. */
const counting = (store: BlobStore): BlobStore => ({
  ...delegating(store),
  put: (id, source) => {
    taken = 0
    return store.put(id, counted(source))
  },
})

async function* counted(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  for await (const chunk of source) {
    taken += chunk.length
    yield chunk
  }
}

beforeAll(async () => {
  const clock = { now: () => now, after: systemClock.after }
  fixture = await startStorage({ fileSizeLimit: 40 * MB, clock, trustedProxies: ['127.0.0.1'], wrap: counting })
  await fixture.db.sql(`
    insert into storage.buckets (id, name, public) values ('b', 'b', true), ('closed', 'closed', false), ('字', '字', true);
    insert into storage.buckets (id, name, file_size_limit, allowed_mime_types) values ('small', 'small', 1000, '{image/*}');
    create table public.allowed (yes boolean);
    insert into public.allowed values (true);
    grant select on public.allowed to public;
    create policy "write" on storage.objects for insert to authenticated
      with check (bucket_id in ('b', 'small') and exists (select 1 from public.allowed));
    create policy "anyone writes" on storage.objects for insert to anon with check (bucket_id = 'b' and name like 'anon/%');
    create policy "read" on storage.objects for select to authenticated using (bucket_id = 'b');
    create policy "change" on storage.objects for update to authenticated using (bucket_id = 'b');
  `)
})
afterAll(() => fixture.close())
afterEach(() => {
  now = Date.now()
})

const base64 = (text: string) => Buffer.from(text).toString('base64')
const described = (pairs: Record<string, string>) =>
  Object.entries(pairs)
    .map(([key, value]) => `${key} ${base64(value)}`)
    .join(',')
const about = (objectName: string, more: Record<string, string> = {}) =>
  described({ bucketName: 'b', objectName, ...more })

const endpoint = () => `${fixture.url}/storage/v1/upload/resumable`
const send = (method: string, url: string, headers: Record<string, string> = {}, body?: BodyInit) =>
  fetch(url, {
    method,
    headers: { authorization: `Bearer user:${USER}`, 'tus-resumable': '1.0.0', ...headers },
    ...(body === undefined ? {} : { body }),
  })
const CHUNK = { 'content-type': 'application/offset+octet-stream' }

const begin = async (name: string, length: number, headers: Record<string, string> = {}) => {
  const response = await send('POST', endpoint(), {
    'upload-length': String(length),
    'upload-metadata': about(name),
    ...headers,
  })
  expect([response.status, await response.text()]).toEqual([201, ''])
  return response.headers.get('location') ?? ''
}
const patch = (url: string, offset: number, body: BodyInit, headers: Record<string, string> = {}) =>
  send('PATCH', url, { ...CHUNK, 'upload-offset': String(offset), ...headers }, body)
const offsetOf = async (url: string) => (await send('HEAD', url)).headers.get('upload-offset')
const stored = async (name: string) => {
  const response = await fetch(`${fixture.url}/storage/v1/object/public/b/${encodeURI(name)}`)
  return response.ok ? Buffer.from(await response.arrayBuffer()) : null
}
/** Waits until the store has taken this many bytes of the file that comes. */
const arrived = (bytes: number) => expect.poll(() => taken).toBe(bytes)
const left = async () => {
  await fixture.files.collector.drain()
  const rows = await fixture.db.owner.many<{ version: string }>({
    name: 'test',
    text: 'select version from storage.objects union select version from teahouse.upload_part',
    values: [],
  })
  const blobs: string[] = []
  for await (const { id } of fixture.store.list(Number.POSITIVE_INFINITY)) blobs.push(id)
  return blobs.filter((id) => !rows.some(({ version }) => version === id))
}

describe('the protocol', () => {
  it('says what it can', async () => {
    const response = await fetch(endpoint(), { method: 'OPTIONS' })
    expect(response.status).toBe(204)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'tus-resumable': '1.0.0',
      'tus-version': '1.0.0',
      'tus-extension': 'creation,creation-with-upload,creation-defer-length,termination,expiration,concatenation',
      'tus-max-size': String(40 * MB),
    })
  })

  it('takes a file in pieces, with its type, caching and metadata', async () => {
    const metadata = about('pieces/茶.txt', { contentType: 'text/plain', cacheControl: '60', metadata: '{"a":1}' })
    const url = await begin('x', 9, { 'upload-metadata': metadata })
    expect(url).toMatch(new RegExp(`^${endpoint()}/[0-9a-f-]{36}$`))
    const first = await patch(url, 0, 'green')
    expect([first.status, first.headers.get('upload-offset')]).toEqual([204, '5'])
    expect(Date.parse(first.headers.get('upload-expires') ?? '')).toBeGreaterThan(now)
    const state = await send('HEAD', url)
    expect(Object.fromEntries(state.headers)).toMatchObject({
      'upload-offset': '5',
      'upload-length': '9',
      'upload-metadata': metadata,
      'cache-control': 'no-store',
    })
    expect(await stored('pieces/茶.txt')).toBeNull()
    expect((await patch(url, 5, ' tea')).status).toBe(204)
    const answer = await fetch(`${fixture.url}/storage/v1/object/info/public/b/${encodeURI('pieces/茶.txt')}`)
    expect(await answer.json()).toMatchObject({
      size: 9,
      content_type: 'text/plain',
      cache_control: 'max-age=60',
      metadata: { a: 1 },
    })
    expect((await stored('pieces/茶.txt'))?.toString()).toBe('green tea')
    expect(await offsetOf(url)).toBe('9')
    expect(await left()).toEqual([])
  })

  it('takes the first piece with the creation, and files without bytes', async () => {
    const headers = { ...CHUNK, 'upload-length': '5', 'upload-metadata': about('with') }
    const whole = await send('POST', endpoint(), headers, 'leafy')
    expect([whole.status, whole.headers.get('upload-offset')]).toEqual([201, '5'])
    expect((await stored('with'))?.toString()).toBe('leafy')
    await begin('empty', 0)
    expect((await stored('empty'))?.length).toBe(0)
  })

  it('learns the length later', async () => {
    const headers = { 'upload-defer-length': '1', 'upload-metadata': about('later') }
    const url = (await send('POST', endpoint(), headers)).headers.get('location') ?? ''
    expect((await patch(url, 0, 'abc')).status).toBe(204)
    expect((await send('HEAD', url)).headers.get('upload-defer-length')).toBe('1')
    expect((await patch(url, 3, 'd', { 'upload-length': '2' })).status).toBe(400)
    expect((await patch(url, 3, 'd', { 'upload-length': '4' })).status).toBe(204)
    expect((await stored('later'))?.toString()).toBe('abcd')
  })

  it('refuses a wrong offset and says so, whatever the caller believes', async () => {
    const url = await begin('offset', 10)
    expect((await patch(url, 0, 'abc')).status).toBe(204)
    for (const offset of [0, 2, 4, 10]) expect((await patch(url, offset, 'x')).status).toBe(409)
    expect(await offsetOf(url)).toBe('3')
  })

  it('refuses more than was announced, and keeps what came before', async () => {
    const url = await begin('more', 5)
    expect((await patch(url, 0, 'abc')).status).toBe(204)
    expect((await patch(url, 3, 'defg')).status).toBe(413)
    expect(await offsetOf(url)).toBe('3')
    expect((await patch(url, 3, 'de')).status).toBe(204)
  })

  it('ends and forgets', async () => {
    const url = await begin('ended', 10)
    await patch(url, 0, 'abc')
    expect((await send('DELETE', url)).status).toBe(204)
    expect((await send('HEAD', url)).status).toBe(404)
    expect((await patch(url, 3, 'x')).status).toBe(404)
    expect(await left()).toEqual([])
  })

  it('expires, and its bytes go', async () => {
    const url = await begin('late', 10)
    await patch(url, 0, 'abc')
    now += 25 * 3_600_000
    expect((await send('HEAD', url)).status).toBe(404)
    expect((await patch(url, 3, 'x')).status).toBe(404)
    await fixture.files.start()
    await expect.poll(async () => (await left()).length + (await parts('late')), { timeout: 10_000 }).toBe(0)
    await fixture.files.stop()
  })

  const parts = async (name: string) =>
    (
      await fixture.db.owner.many({
        name: 'test',
        text: 'select 1 from teahouse.upload where name = $1',
        values: [name],
      })
    ).length

  it.each([
    ['no length', { 'upload-metadata': about('x') }, 400],
    ['both lengths', { 'upload-metadata': about('x'), 'upload-length': '1', 'upload-defer-length': '1' }, 400],
    ['a negative length', { 'upload-metadata': about('x'), 'upload-length': '-1' }, 400],
    ['an endless length', { 'upload-metadata': about('x'), 'upload-length': '9'.repeat(30) }, 400],
    ['too long a file', { 'upload-metadata': about('x'), 'upload-length': String(41 * MB) }, 413],
    ['no metadata', { 'upload-length': '1' }, 400],
    ['no bucket', { 'upload-length': '1', 'upload-metadata': described({ objectName: 'x' }) }, 400],
    ['metadata that is not base64', { 'upload-length': '1', 'upload-metadata': 'bucketName ***,objectName eA==' }, 400],
    [
      'metadata that is not UTF-8',
      { 'upload-length': '1', 'upload-metadata': 'bucketName Yg==,objectName /////w==' },
      400,
    ],
    ['a key twice', { 'upload-length': '1', 'upload-metadata': `${about('x')},objectName eA==` }, 400],
    ['a path', { 'upload-length': '1', 'upload-metadata': about('../x') }, 400],
    ['NUL', { 'upload-length': '1', 'upload-metadata': about('a\0b') }, 400],
    [
      'custom metadata that is no object',
      { 'upload-length': '1', 'upload-metadata': about('x', { metadata: '[1]' }) },
      400,
    ],
    ['a type that is none', { 'upload-length': '1', 'upload-metadata': about('x', { contentType: 'a\nb' }) }, 415],
    ['another version', { 'upload-length': '1', 'upload-metadata': about('x'), 'tus-resumable': '0.2.0' }, 412],
    [
      'a bucket that is not there',
      { 'upload-length': '1', 'upload-metadata': described({ bucketName: 'none', objectName: 'x' }) },
      404,
    ],
    [
      'a bucket of pictures',
      {
        'upload-length': '1',
        'upload-metadata': described({ bucketName: 'small', objectName: 'x', contentType: 'text/plain' }),
      },
      415,
    ],
    [
      'a bucket of small files',
      {
        'upload-length': '1001',
        'upload-metadata': described({ bucketName: 'small', objectName: 'x', contentType: 'image/png' }),
      },
      413,
    ],
    [
      'a bucket that is closed',
      { 'upload-length': '1', 'upload-metadata': described({ bucketName: 'closed', objectName: 'x' }) },
      403,
    ],
  ])('refuses to begin with %s', async (_what, headers, status) => {
    const response = await send('POST', endpoint(), headers as Record<string, string>)
    expect([response.status, response.headers.get('tus-resumable')]).toEqual([status, '1.0.0'])
    expect(response.headers.get('content-type')).toContain('text/plain')
    expect(await response.text()).not.toBe('')
  })

  it('refuses requests that are none', async () => {
    const url = await begin('odd', 10)
    expect((await send('PATCH', url, { 'upload-offset': '0', 'content-type': 'text/plain' }, 'x')).status).toBe(415)
    expect((await send('PATCH', url, CHUNK, 'x')).status).toBe(400)
    expect((await patch(url, 0, 'x', { 'upload-offset': '1e3' })).status).toBe(400)
    for (const id of ['nope', '%00', '..%2f..', randomIds.uuid()]) {
      expect((await send('HEAD', `${endpoint()}/${id}`)).status).toBe(404)
    }
  })

  it('is not for others to continue', async () => {
    const url = await begin('mine', 4)
    for (const proof of [`user:${OTHER}`, 'anon']) {
      const headers = { authorization: `Bearer ${proof}` }
      expect((await send('HEAD', url, headers)).status).toBe(403)
      expect((await patch(url, 0, 'abcd', headers)).status).toBe(403)
      expect((await send('DELETE', url, headers)).status).toBe(403)
    }
    expect((await patch(url, 0, 'abcd', { authorization: 'Bearer service_role' })).status).toBe(204)
  })

  it('asks for permission again when the last byte is in', async () => {
    const url = await begin('asked-again', 4)
    await patch(url, 0, 'ab')
    await fixture.db.sql('delete from public.allowed')
    expect((await patch(url, 2, 'cd')).status).toBe(403)
    await fixture.db.sql('insert into public.allowed values (true)')
    expect((await send('HEAD', url)).status).toBe(404)
    expect(await stored('asked-again')).toBeNull()
    expect(await left()).toEqual([])
  })

  it('replaces only when told to', async () => {
    const headers = { ...CHUNK, 'upload-length': '3', 'upload-metadata': about('again') }
    const first = await begin('again', 3)
    expect((await send('POST', endpoint(), headers, 'one')).status).toBe(201)
    expect((await patch(first, 0, 'two')).status).toBe(409)
    expect((await send('POST', endpoint(), headers, 'two')).status).toBe(409)
    expect((await send('POST', endpoint(), { ...headers, 'x-upsert': 'true' }, 'two')).status).toBe(201)
    expect((await stored('again'))?.toString()).toBe('two')
    expect(await left()).toEqual([])
  })

  it('goes away with its bucket and with its owner', async () => {
    await fixture.db.sql(`
      insert into storage.buckets (id, name) values ('gone', 'gone');
      insert into auth.users (id) values ('${OTHER}');
    `)
    const service = { authorization: 'Bearer service_role' }
    const metadata = described({ bucketName: 'gone', objectName: 'x' })
    const url = await begin('x', 10, { ...service, 'upload-metadata': metadata })
    expect((await patch(url, 0, 'abc', service)).status).toBe(204)
    const theirs = await begin('theirs', 10, { authorization: `Bearer user:${OTHER}` })
    expect((await patch(theirs, 0, 'abc', { authorization: `Bearer user:${OTHER}` })).status).toBe(204)
    await fixture.db.sql(`delete from storage.buckets where id = 'gone'; delete from auth.users where id = '${OTHER}'`)
    expect((await send('HEAD', url, service)).status).toBe(404)
    expect(await parts('theirs')).toBe(0)
    expect(await left()).toEqual([])
  })

  it('keeps the bytes that came before a connection broke', async () => {
    const url = await begin('broken', 100)
    await new Promise<void>((resolve) => {
      const request = httpRequest(url, {
        method: 'PATCH',
        headers: {
          ...CHUNK,
          authorization: `Bearer user:${USER}`,
          'tus-resumable': '1.0.0',
          'upload-offset': '0',
          'content-length': '100',
        },
      })
      request.on('error', () => resolve())
      request.write('0123456789', () => void arrived(10).then(() => request.destroy()))
    })
    await expect.poll(() => offsetOf(url)).toBe('10')
  })

  it('hands a hanging upload over to the request that comes after it', async () => {
    const url = await begin('hanging', 10)
    const request = httpRequest(url, {
      method: 'PATCH',
      headers: {
        ...CHUNK,
        authorization: `Bearer user:${USER}`,
        'tus-resumable': '1.0.0',
        'upload-offset': '0',
        'content-length': '10',
      },
    })
    const status = new Promise<number | undefined>((resolve) => {
      request.on('response', (response) => resolve(response.statusCode))
      request.on('error', () => resolve(undefined))
    })
    await new Promise((resolve) => request.write('01234', resolve))
    await arrived(5)
    expect(await offsetOf(url)).toBe('5')
    expect(await status).toBe(423)
    expect((await patch(url, 5, '56789')).status).toBe(204)
    expect((await stored('hanging'))?.toString()).toBe('0123456789')
    request.destroy()
  })

  it('finishes on the next question what a crash kept from being finished', async () => {
    const url = await begin('crashed', 4)
    await patch(url, 0, 'abcd')
    const id = url.split('/').at(-1) ?? ''
    // As if the process had gone right after the row was committed.
    await fixture.db.sql(`update teahouse.upload set finished_at = null where id = '${id}'`)
    expect(await offsetOf(url)).toBe('4')
    expect((await stored('crashed'))?.toString()).toBe('abcd')
  })
})

describe('behind a proxy', () => {
  it('answers the address that the client uses', async () => {
    const headers = {
      'x-forwarded-host': 'api.example.com',
      'x-forwarded-proto': 'https',
      'x-forwarded-prefix': '/tea',
    }
    const url = await begin('proxied', 3, headers)
    expect(url).toMatch(/^https:\/\/api\.example\.com\/tea\/storage\/v1\/upload\/resumable\/[0-9a-f-]{36}$/)
  })
})
