/** Files that are sent over several connections at once: the concatenation extension of tus, by hand and through its official client. */
import { createHash, randomBytes } from 'node:crypto'
import { Upload, type UploadOptions } from 'tus-js-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { delegating, type StorageFixture, startStorage } from '../../../../test/storage.ts'
import { refusal } from '../../../files/errors.ts'

const MB = 2 ** 20
const USER = '11111111-2222-3333-4444-555555555555'
const OTHER = '66666666-7777-8888-9999-aaaaaaaaaaaa'

let fixture: StorageFixture
let full = false
beforeAll(async () => {
  fixture = await startStorage({
    fileSizeLimit: 20 * MB,
    wrap: (store) => ({
      ...delegating(store),
      put: (id, source) => (full ? Promise.reject(refusal('disk_full', 'full')) : store.put(id, source)),
    }),
  })
  await fixture.db.sql(`
    insert into storage.buckets (id, name, public) values ('b', 'b', true), ('other', 'other', true);
    create policy "write" on storage.objects for insert to authenticated with check (name not like 'closed/%');
  `)
})
afterAll(() => fixture.close())

const endpoint = () => `${fixture.url}/storage/v1/upload/resumable`
const about = (objectName: string, bucketName = 'b') =>
  Object.entries({ bucketName, objectName, contentType: 'video/mp4' })
    .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
    .join(',')
const send = (method: string, url: string, headers: Record<string, string> = {}, body?: BodyInit, user = USER) =>
  fetch(url, {
    method,
    headers: { authorization: `Bearer user:${user}`, 'tus-resumable': '1.0.0', ...headers },
    ...(body === undefined ? {} : { body }),
  })
const stored = async (name: string) => {
  const response = await fetch(`${fixture.url}/storage/v1/object/public/b/${encodeURI(name)}`)
  return response.ok ? Buffer.from(await response.arrayBuffer()) : null
}
const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const blobs = async () => {
  await fixture.files.collector.drain()
  const ids: string[] = []
  for await (const { id } of fixture.store.list(Number.POSITIVE_INFINITY)) ids.push(id)
  return ids.length
}

const piece = async (name: string, bytes: string, { bucket = 'b', length = bytes.length, user = USER } = {}) => {
  const headers = {
    'upload-concat': 'partial',
    'upload-length': String(length),
    'upload-metadata': about(name, bucket),
  }
  const created = await send('POST', endpoint(), headers, undefined, user)
  expect([created.status, await created.text()]).toEqual([201, ''])
  const place = created.headers.get('location') ?? ''
  const how = { 'content-type': 'application/offset+octet-stream', 'upload-offset': '0' }
  if (bytes !== '') expect((await send('PATCH', place, how, bytes, user)).status).toBe(204)
  return place
}
const join = (name: string, places: readonly string[], headers: Record<string, string> = {}, user = USER) =>
  send(
    'POST',
    endpoint(),
    { 'upload-concat': `final;${places.join(' ')}`, 'upload-metadata': about(name), ...headers },
    undefined,
    user,
  )

describe('pieces', () => {
  it('are no objects by themselves, and become one in the order in which they are named', async () => {
    const before = await blobs()
    const [first, second, empty] = [await piece('tea', 'green '), await piece('tea', 'tea'), await piece('tea', '')]
    const head = await send('HEAD', first)
    expect(['upload-concat', 'upload-offset'].map((name) => head.headers.get(name))).toEqual(['partial', '6'])
    expect(await stored('tea')).toBeNull()
    const joined = await join('tea', [first, empty, new URL(second).pathname])
    expect([joined.status, joined.headers.get('upload-offset')]).toEqual([201, '9'])
    expect(String(await stored('tea'))).toBe('green tea')

    const whole = joined.headers.get('location') ?? ''
    const look = await send('HEAD', whole)
    expect(['upload-length', 'upload-offset'].map((name) => look.headers.get(name))).toEqual(['9', '9'])
    expect(look.headers.get('upload-concat')).toMatch(/^final;/)
    const how = { 'content-type': 'application/offset+octet-stream', 'upload-offset': '9' }
    expect((await send('PATCH', whole, how, 'x')).status).toBe(403)
    expect((await send('HEAD', first)).status).toBe(404)
    expect(await blobs()).toBe(before + 1)
    const options = await send('OPTIONS', endpoint())
    expect(options.headers.get('tus-extension')).toContain('concatenation')
  })

  it('are kept when the file cannot be made of them now', async () => {
    const places = [await piece('later', 'a'), await piece('later', 'b')]
    full = true
    const refused = await join('later', places)
    full = false
    expect(refused.status).toBe(507)
    expect(await stored('later')).toBeNull()
    expect((await join('later', places)).status).toBe(201)
    expect(String(await stored('later'))).toBe('ab')
  })

  it('are refused when they are not whole, not pieces, not theirs, not there, twice there or of another bucket', async () => {
    const good = await piece('bad', 'good')
    const plain = await send('POST', endpoint(), { 'upload-length': '5', 'upload-metadata': about('bad') })
    const cases: readonly (readonly [string, readonly string[], number, Record<string, string>?])[] = [
      ['half', [good, await piece('bad', 'half', { length: 9 })], 409],
      ['no piece', [good, plain.headers.get('location') ?? ''], 400],
      ['another bucket', [good, await piece('bad', 'x', { bucket: 'other' })], 400],
      ['not there', [good, `${endpoint()}/${USER}`], 404],
      ['no address', [good, 'nonsense'], 404],
      ['twice', [good, good], 400],
      ['a length', [good], 400, { 'upload-length': '4' }],
      ['too many', Array.from({ length: 101 }, (_, index) => `/${index}`), 400],
    ]
    for (const [what, places, status, headers] of cases) {
      expect([what, (await join('bad', places, headers)).status]).toEqual([what, status])
    }
    for (const concat of ['final', 'final;', 'partial;x', 'x', 'final;\u00e9']) {
      const headers = { 'upload-concat': concat, 'upload-metadata': about('bad') }
      expect([concat, (await send('POST', endpoint(), headers)).status]).toEqual([concat, 400])
    }
    expect((await join('bad', [good], {}, OTHER)).status).toBe(403)
    expect((await join('closed/bad', [good])).status).toBe(403)
    expect(await stored('bad')).toBeNull()
    // Nothing of that harmed the piece.
    expect((await join('bad', [good])).status).toBe(201)
    expect(String(await stored('bad'))).toBe('good')
  })

  it('are too large together as one file would be', async () => {
    const big = 'x'.repeat(11 * MB)
    const places = [await piece('large', big), await piece('large', big)]
    expect((await join('large', places)).status).toBe(413)
  })

  it('that say nothing of their file are refused: nobody could know who may upload it', async () => {
    const answer = await send('POST', endpoint(), { 'upload-concat': 'partial', 'upload-length': '5' })
    expect([answer.status, await answer.text()]).toEqual([400, 'Upload-Metadata is required'])
  })
})

describe('tus-js-client', () => {
  const metadataOf = (objectName: string) => ({ bucketName: 'b', objectName, contentType: 'video/mp4' })
  const options = (name: string, more: UploadOptions): UploadOptions => ({
    endpoint: endpoint(),
    parallelUploads: 4,
    chunkSize: MB,
    retryDelays: [0, 10, 50],
    headers: { authorization: `Bearer user:${USER}` },
    metadata: metadataOf(name),
    metadataForPartialUploads: metadataOf(name),
    ...more,
  })

  it('sends a file over four connections', async () => {
    const file = randomBytes(13 * MB + 5)
    await new Promise<void>((resolve, reject) =>
      new Upload(file, options('parallel.mp4', { onError: reject, onSuccess: () => resolve() })).start(),
    )
    expect(sha((await stored('parallel.mp4')) ?? Buffer.alloc(0))).toBe(sha(file))
  })

  it('goes on where it was interrupted, each connection by itself', async () => {
    const file = randomBytes(12 * MB)
    let sent = 0
    const progress = { onProgress: (bytes: number) => (sent = Math.max(sent, bytes)) }
    const task: Upload = await new Promise((resolve, reject) => {
      const first = new Upload(
        file,
        options('paused.mp4', {
          onError: reject,
          onProgress: (bytes) => {
            sent = bytes
            if (bytes > 5 * MB) void first.abort().then(() => resolve(first))
          },
        }),
      )
      first.start()
    })
    expect(sent).toBeLessThan(file.length)
    expect(await stored('paused.mp4')).toBeNull()
    await new Promise<void>((resolve, reject) => {
      Object.assign(task.options, { ...progress, onError: reject, onSuccess: () => resolve() })
      task.start()
    })
    expect(sha((await stored('paused.mp4')) ?? Buffer.alloc(0))).toBe(sha(file))
  })
})
