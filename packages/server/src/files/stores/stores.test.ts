/** What every blob store promises. A new store joins by one line in STORES. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startS3 } from '../../../test/s3.ts'
import { randomIds } from '../../kernel/ids.ts'
import type { BlobStore } from '../blob-store.ts'
import { createDiskStore } from './disk.ts'
import { createS3Store } from './s3.ts'
import { parseS3Address } from './s3-address.ts'

interface Fixture {
  readonly store: BlobStore
  close(): Promise<void>
}

const STORES: Readonly<Record<string, () => Promise<Fixture>>> = {
  async disk() {
    const folder = await mkdtemp(join(tmpdir(), 'teahouse-blobs-'))
    return {
      store: createDiskStore({ folder: join(folder, 'files') }),
      close: () => rm(folder, { recursive: true, force: true }),
    }
  },
  async S3() {
    const server = await startS3()
    const address = parseS3Address(`s3://S3RVER:S3RVER@127.0.0.1:${server.port}/blobs/below?tls=false`)
    if (address === null) throw new Error('not an address')
    return { store: createS3Store(address), close: server.close }
  },
}

async function* chunks(...parts: readonly (string | Uint8Array | Error)[]): AsyncIterable<Uint8Array> {
  for (const part of parts) {
    if (part instanceof Error) throw part
    yield typeof part === 'string' ? Buffer.from(part) : part
  }
}

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

const text = async (stream: Readable | null): Promise<string | null> =>
  stream === null ? null : (await buffer(stream)).toString()

const FUTURE = () => Date.now() + 60_000

describe.each(Object.entries(STORES))('the %s store', (_name, open) => {
  let fixture: Fixture
  let store: BlobStore
  beforeEach(async () => {
    fixture = await open()
    store = fixture.store
  })
  afterEach(() => fixture.close())

  it('gives back what was put, with size and hash', async () => {
    const id = randomIds.uuid()
    const stored = await store.put(id, chunks('hello ', 'world'))
    expect(stored).toEqual({ size: 11, md5: createHash('md5').update('hello world').digest('hex') })
    expect(await store.sizeOf(id)).toBe(11)
    expect(await text(await store.read(id))).toBe('hello world')
  })

  it('keeps the bytes of a large blob as they are', async () => {
    const id = randomIds.uuid()
    const bytes = randomBytes(20 * 2 ** 20 + 11)
    const sha = (all: Uint8Array) => createHash('sha256').update(all).digest('hex')
    async function* source() {
      for (let at = 0; at < bytes.length; at += 65_537) yield bytes.subarray(at, at + 65_537)
    }
    expect(await store.put(id, source())).toEqual({
      size: bytes.length,
      md5: createHash('md5').update(bytes).digest('hex'),
    })
    const stream = await store.read(id)
    expect(stream === null ? null : sha(await buffer(stream))).toBe(sha(bytes))
    const middle = await store.read(id, { start: 9_000_000, end: 9_000_099 })
    expect(middle === null ? null : sha(await buffer(middle))).toBe(sha(bytes.subarray(9_000_000, 9_000_100)))
  })

  it('remembers whose it is', async () => {
    expect(await store.label()).toBeNull()
    await store.setLabel('one')
    expect(await store.label()).toBe('one')
    expect(await collect(store.list(FUTURE()))).toEqual([])
  })

  it('keeps an empty blob', async () => {
    const id = randomIds.uuid()
    expect((await store.put(id, chunks())).size).toBe(0)
    expect(await text(await store.read(id))).toBe('')
  })

  it('reads ranges, both ends included', async () => {
    const id = randomIds.uuid()
    await store.put(id, chunks('0123456789'))
    expect(await text(await store.read(id, { start: 2, end: 4 }))).toBe('234')
    expect(await text(await store.read(id, { start: 9, end: 9 }))).toBe('9')
  })

  it('answers null for what it does not have', async () => {
    const id = randomIds.uuid()
    expect(await store.read(id)).toBeNull()
    expect(await store.sizeOf(id)).toBeNull()
    expect(await store.copy(id, randomIds.uuid())).toBe(false)
    await store.remove(id)
  })

  it('keeps nothing of a put whose source fails', async () => {
    const id = randomIds.uuid()
    await expect(store.put(id, chunks('half', new Error('client went away')))).rejects.toThrow('client went away')
    expect(await store.sizeOf(id)).toBeNull()
    expect(await store.removeUnfinished(FUTURE())).toBe(0)
    expect(await collect(store.list(FUTURE()))).toEqual([])
  })

  it('shows nothing under an id before put has resolved', async () => {
    const id = randomIds.uuid()
    const seen: (number | null)[] = []
    async function* source() {
      yield Buffer.from('first')
      seen.push(await store.sizeOf(id))
      yield Buffer.from('second')
    }
    await store.put(id, source())
    expect(seen).toEqual([null])
  })

  it('copies, and the copy outlives the original', async () => {
    const [from, to] = [randomIds.uuid(), randomIds.uuid()]
    await store.put(from, chunks('tea'))
    expect(await store.copy(from, to)).toBe(true)
    await store.remove(from)
    expect(await text(await store.read(to))).toBe('tea')
  })

  it('lists what is older than a moment', async () => {
    const id = randomIds.uuid()
    const before = Date.now() - 60_000
    await store.put(id, chunks('x'))
    expect(await collect(store.list(before))).toEqual([])
    expect((await collect(store.list(FUTURE()))).map((entry) => entry.id)).toEqual([id])
    await store.remove(id)
    expect(await collect(store.list(FUTURE()))).toEqual([])
  })

  it('goes on reading a blob that is removed meanwhile', async () => {
    const id = randomIds.uuid()
    await store.put(id, chunks('still here'))
    const stream = await store.read(id)
    await store.remove(id)
    expect(await text(stream)).toBe('still here')
  })

  it.each(['../../etc/passwd', '..', '', 'a/b', 'A'.repeat(36), 'x\0y-aaaaaaaa', '/etc/passwd', 'con\\..\\x-aaaaaaaa'])(
    'treats the foreign id %j as unknown and never writes it',
    async (id) => {
      expect(await store.read(id)).toBeNull()
      expect(await store.sizeOf(id)).toBeNull()
      await store.remove(id)
      await expect(store.put(id, chunks('x'))).rejects.toThrow('not a blob id')
    },
  )
})
