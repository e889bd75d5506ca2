/** The server is killed again and again while the official client of tus uploads: the file arrives whole, and nothing else stays. */
import { createHash, randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Upload } from 'tus-js-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startServer, type TestServer, temporaryFolder } from '../support/server.ts'

const KILLS = process.env.TEAHOUSE_SOAK === '1' ? 30 : 4
const MB = 2 ** 20

let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeAll(async () => {
  folder = await temporaryFolder()
})
afterAll(() => folder.remove())

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })

const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

it('uploads 25 MB through a server that is killed in the middle', async () => {
  const dataDir = join(folder.path, 'data')
  const port = await freePort()
  // The same address and secret in every life: the client goes on with the address that it has.
  const start = () => startServer({ dataDir, args: ['--port', String(port)] })
  let server: TestServer = await start()
  const { url, serviceKey } = server.report
  const headers = { apikey: serviceKey, authorization: `Bearer ${serviceKey}` }
  const made = await fetch(`${url}/storage/v1/bucket`, { method: 'POST', headers, body: '{"name":"b"}' })
  expect(await made.json()).toEqual({ name: 'b' })

  const file = randomBytes(25 * MB + 13)
  let sent = 0
  let finished = false
  const done = new Promise<void>((resolve, reject) => {
    new Upload(file, {
      endpoint: `${url}/storage/v1/upload/resumable`,
      headers,
      chunkSize: 3 * MB,
      retryDelays: Array.from({ length: 400 }, () => 100),
      metadata: { bucketName: 'b', objectName: 'film.bin', contentType: 'video/mp4' },
      onProgress: (bytes) => {
        sent = bytes
      },
      onError: reject,
      onSuccess: () => {
        finished = true
        resolve()
      },
    }).start()
  })
  done.catch(() => {})
  for (let kill = 1; kill <= KILLS && !finished; kill += 1) {
    const goal = (file.length * kill) / (KILLS + 1)
    await expect.poll(() => sent >= goal || finished, { timeout: 60_000, interval: 1 }).toBe(true)
    await server.kill9()
    server = await start()
  }
  await done

  const answer = await fetch(`${url}/storage/v1/object/b/film.bin`, { headers })
  expect(answer.headers.get('content-type')).toBe('video/mp4')
  expect(sha(new Uint8Array(await answer.arrayBuffer()))).toBe(sha(file))
  const blobs = async () =>
    (await readdir(join(dataDir, 'files', 'blobs'), { recursive: true, withFileTypes: true })).filter((entry) =>
      entry.isFile(),
    )
  // Parts go at once; a part that was stored but not counted when the server died waits for the sweep.
  await expect.poll(async () => (await blobs()).length, { timeout: 20_000 }).toBeLessThanOrEqual(1 + KILLS)
  expect((await server.stop()).code).toBe(0)
}, 300_000)
