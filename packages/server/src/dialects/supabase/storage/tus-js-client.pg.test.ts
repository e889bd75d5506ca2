/** Resumable uploads through the official client of tus. */
import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { Upload, type UploadOptions } from 'tus-js-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type StorageFixture, startStorage } from '../../../../test/storage.ts'

const MB = 2 ** 20
const USER = '11111111-2222-3333-4444-555555555555'

let fixture: StorageFixture
beforeAll(async () => {
  fixture = await startStorage({ fileSizeLimit: 40 * MB })
  await fixture.db.sql(`
    insert into storage.buckets (id, name, public) values ('b', 'b', true);
    create policy "write" on storage.objects for insert to authenticated with check (bucket_id = 'b');
  `)
})
afterAll(() => fixture.close())

const endpoint = () => `${fixture.url}/storage/v1/upload/resumable`
const send = (method: string, url: string) =>
  fetch(url, { method, headers: { authorization: `Bearer user:${USER}`, 'tus-resumable': '1.0.0' } })
const offsetOf = async (url: string) => (await send('HEAD', url)).headers.get('upload-offset')
const stored = async (name: string) => {
  const response = await fetch(`${fixture.url}/storage/v1/object/public/b/${encodeURI(name)}`)
  return response.ok ? Buffer.from(await response.arrayBuffer()) : null
}
const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
/** Blobs that neither an object nor a part names. */
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

describe('tus-js-client', () => {
  const upload = (file: Buffer, options: UploadOptions & { readonly name: string; readonly upTo?: number }) =>
    new Promise<Upload>((resolve, reject) => {
      const task = new Upload(file, {
        endpoint: endpoint(),
        retryDelays: [0, 10, 50, 100],
        headers: { authorization: `Bearer user:${USER}` },
        metadata: { bucketName: 'b', objectName: options.name, contentType: 'application/x-tea', cacheControl: '3600' },
        ...options,
        onError: reject,
        onSuccess: () => resolve(task),
        onChunkComplete: (_size, accepted) => {
          if (options.upTo !== undefined && accepted >= options.upTo) void task.abort().then(() => resolve(task))
        },
      })
      task.start()
    })

  it.each([[undefined], [6 * MB], [1_000_003]])('uploads 20 MB in chunks of %s bytes', async (chunkSize) => {
    const file = randomBytes(20 * MB + 7)
    const name = `client/${chunkSize}.bin`
    await upload(file, { name, ...(chunkSize === undefined ? {} : { chunkSize }) })
    expect(sha((await stored(name)) ?? Buffer.alloc(0))).toBe(sha(file))
    expect(await left()).toEqual([])
  })

  it('pauses, resumes, and goes on from its address in a new life', async () => {
    const file = randomBytes(5 * MB)
    const paused = await upload(file, { name: 'client/paused', chunkSize: MB, upTo: 2 * MB })
    expect(Number(await offsetOf(paused.url ?? ''))).toBeGreaterThanOrEqual(2 * MB)
    await upload(file, { name: 'client/paused', uploadUrl: paused.url, chunkSize: MB })
    expect(sha((await stored('client/paused')) ?? Buffer.alloc(0))).toBe(sha(file))
  })

  it('sends the first bytes with the creation, learns the length late, and tunnels PATCH through POST', async () => {
    const file = randomBytes(3 * MB)
    await upload(file, {
      name: 'client/during',
      uploadDataDuringCreation: true,
      chunkSize: MB,
      overridePatchMethod: true,
    })
    expect(sha((await stored('client/during')) ?? Buffer.alloc(0))).toBe(sha(file))
    const metadata = { bucketName: 'b', objectName: 'client/deferred' }
    await new Promise<void>((resolve, reject) =>
      new Upload(Readable.from([file.subarray(0, MB), file.subarray(MB)]), {
        endpoint: endpoint(),
        headers: { authorization: `Bearer user:${USER}` },
        metadata,
        chunkSize: MB,
        uploadLengthDeferred: true,
        onError: reject,
        onSuccess: () => resolve(),
      }).start(),
    )
    expect(sha((await stored('client/deferred')) ?? Buffer.alloc(0))).toBe(sha(file))
  })

  it('terminates', async () => {
    const paused = await upload(randomBytes(2 * MB), { name: 'client/terminated', chunkSize: MB, upTo: MB })
    await paused.abort(true)
    expect((await send('HEAD', paused.url ?? '')).status).toBe(404)
  })

  it('uploads with the token of a signed upload, and only what that is for', async () => {
    const signed = await send('POST', `${fixture.url}/storage/v1/object/upload/sign/b/client/signed`)
    // The dialect's own answer.
    const { token } = (await signed.json()) as { token: string }
    const file = randomBytes(2 * MB)
    const options = { endpoint: `${endpoint()}/sign`, headers: { 'x-signature': token }, chunkSize: MB }
    const done = await upload(file, { name: 'client/signed', ...options })
    expect(done.url).toContain('/upload/resumable/sign/')
    expect(sha((await stored('client/signed')) ?? Buffer.alloc(0))).toBe(sha(file))
    await expect(upload(file, { name: 'client/other', ...options })).rejects.toThrow('signature')
    const wrong = { ...options, headers: { 'x-signature': `${token.slice(0, -2)}xx` } }
    await expect(upload(file, { name: 'client/signed', ...wrong })).rejects.toThrow('not valid')
    expect((await send('HEAD', (done.url ?? '').replace('/sign/', '/'))).status).toBe(403)
  })
})
