/** The server is killed in the middle of uploads, again and again: what it acknowledged is whole, and every object that it lists has its bytes. */
import { createHash, randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startServer, type TestServer, temporaryFolder } from '../support/server.ts'

const ROUNDS = process.env.TEAHOUSE_SOAK === '1' ? 40 : 3
const UPLOADERS = 8

let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeAll(async () => {
  folder = await temporaryFolder()
})
afterAll(() => folder.remove())

const storage = ({ report }: TestServer, path: string, init: RequestInit = {}) =>
  fetch(`${report.url}/storage/v1${path}`, {
    ...init,
    headers: { apikey: report.serviceKey, authorization: `Bearer ${report.serviceKey}`, ...init.headers },
  })

const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex')

/** Uploads until the server is gone; notes what was acknowledged. Some objects are replaced over and over. */
const uploadUntilKilled = async (
  server: TestServer,
  who: string,
  acknowledged: Map<string, string[]>,
): Promise<void> => {
  for (let count = 0; ; count += 1) {
    const replace = count % 3 === 0
    const name = replace ? `${who}/again.bin` : `${who}/${count}.bin`
    const bytes = randomBytes(1 + Math.floor(Math.random() * 200_000))
    // Until the answer is here, either content of a replaced object may be the one that stayed.
    acknowledged.set(name, [...(acknowledged.get(name) ?? ['']), md5(bytes)])
    try {
      const body = replace ? bytes : new Blob([bytes])
      const init = { method: replace ? 'PUT' : 'POST', body }
      const response = await storage(server, `/object/kill/${name}`, init)
      if (!response.ok) throw new Error(await response.text())
      await response.json()
    } catch {
      return
    }
    acknowledged.set(name, [md5(bytes)])
  }
}

interface Listed {
  readonly name: string
  readonly metadata: { readonly size: number; readonly eTag: string }
}

const listAll = async (server: TestServer): Promise<readonly Listed[]> => {
  const all: Listed[] = []
  let cursor: string | undefined
  do {
    const init = { method: 'POST', body: JSON.stringify({ limit: 1000, ...(cursor && { cursor }) }) }
    // The dialect's own answer; its shape is what the storage tests check.
    const page = (await (await storage(server, '/object/list-v2/kill', init)).json()) as {
      objects: Listed[]
      nextCursor?: string
    }
    all.push(...page.objects)
    cursor = page.nextCursor
  } while (cursor !== undefined)
  return all
}

it('loses nothing that it acknowledged and lists nothing that it does not have', async () => {
  const acknowledged = new Map<string, string[]>()
  const dataDir = join(folder.path, 'data')
  for (let round = 0; round < ROUNDS; round += 1) {
    const server = await startServer({ dataDir })
    if (round === 0) {
      const made = await storage(server, '/bucket', { method: 'POST', body: JSON.stringify({ name: 'kill' }) })
      expect(await made.json()).toEqual({ name: 'kill' })
    }
    const before = acknowledged.size
    const uploaders = Array.from({ length: UPLOADERS }, (_, index) =>
      uploadUntilKilled(server, `${round}-${index}`, acknowledged),
    )
    await expect
      .poll(() => acknowledged.size - before, { timeout: 30_000, interval: 5 })
      .toBeGreaterThan(40 + round * 7)
    await server.kill9()
    await Promise.all(uploaders)
  }

  const server = await startServer({ dataDir })
  const listed = await listAll(server)
  const held = new Map<string, string>()
  for (const { name, metadata } of listed) {
    const response = await storage(server, `/object/kill/${name}`)
    const bytes = new Uint8Array(await response.arrayBuffer())
    expect([name, response.status, bytes.length, `"${md5(bytes)}"`]).toEqual([name, 200, metadata.size, metadata.eTag])
    held.set(name, md5(bytes))
  }
  for (const [name, contents] of acknowledged) expect(contents, name).toContain(held.get(name) ?? '')
  const files = await readdir(join(dataDir, 'files', 'blobs'), { recursive: true, withFileTypes: true })
  const left = files.filter((entry) => entry.isFile()).length - listed.length
  // What a kill leaves behind waits for the sweep: at most one blob of each upload that was under way.
  expect(left).toBeGreaterThanOrEqual(0)
  expect(left).toBeLessThanOrEqual(2 * UPLOADERS * ROUNDS)
  expect((await server.stop()).code).toBe(0)
}, 300_000)
