/**
 * The disk store when the process or the power goes at any step. A fake file system dies after N operations; what it had not synced by then
 * is lost, as after a power cut. Then a new store opens what is left.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rename, rm, stat, truncate, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { randomIds } from '../../kernel/ids.ts'
import { createDiskStore } from './disk.ts'
import { type FileSystem, nodeFileSystem } from './file-system.ts'

// Each put waits for the disk, which other tests keep busy.
vi.setConfig({ testTimeout: 60_000 })

let folder: string
let writer: ChildProcess | null = null
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'teahouse-crash-')), 'files')
})
afterEach(async () => {
  writer?.kill('SIGKILL')
  await rm(dirname(folder), { recursive: true, force: true })
})

const FUTURE = () => Date.now() + 60_000

async function* source(...parts: string[]): AsyncIterable<Uint8Array> {
  for (const part of parts) yield Buffer.from(part)
}

const filesBelow = async (path: string): Promise<string[]> =>
  (await readdir(path, { recursive: true, withFileTypes: true }).catch(() => []))
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)

/** A file system that lets `steps` operations through and then is as dead as its process: no cleanup gets through either. */
const dying = (steps: number) => {
  let left = steps
  const unsynced = new Set<string>()
  const undoRename = new Map<string, () => Promise<void>>()
  const step = async <T>(work: () => Promise<T>): Promise<T> => {
    if (left <= 0) throw new Error('dead')
    left -= 1
    return work()
  }
  const fs: FileSystem = {
    ...nodeFileSystem,
    create: (path) =>
      step(async () => {
        const file = await nodeFileSystem.create(path)
        unsynced.add(path)
        return {
          write: (bytes) => step(() => file.write(bytes)),
          sync: () =>
            step(async () => {
              await file.sync()
              unsynced.delete(path)
            }),
          close: async () => file.close(),
        }
      }),
    rename: (from, to) =>
      step(async () => {
        await nodeFileSystem.rename(from, to)
        if (unsynced.delete(from)) unsynced.add(to)
        undoRename.set(dirname(to), () => rename(to, from))
      }),
    link: (from, to) =>
      step(async () => {
        await nodeFileSystem.link(from, to)
        undoRename.set(dirname(to), () => unlink(to))
      }),
    unlink: (path) => step(() => nodeFileSystem.unlink(path)),
    makeFolders: (paths) => step(() => nodeFileSystem.makeFolders(paths)),
    syncFolder: (path) =>
      step(async () => {
        await nodeFileSystem.syncFolder(path)
        undoRename.delete(path)
      }),
  }
  /** Takes away what was not on the disk yet. */
  const cutPower = async () => {
    for (const undo of undoRename.values()) await undo()
    for (const path of unsynced) await truncate(path, 0).catch(() => {})
  }
  return { fs, cutPower, used: () => steps - left }
}

describe('the disk store', () => {
  it.each([false, true])(
    'keeps what it acknowledged and nothing half, whichever step is the last (power cut: %s)',
    async (power) => {
      const needed = await (async () => {
        const { fs, used } = dying(1000)
        await createDiskStore({ folder: `${folder}-count`, fs }).put(randomIds.uuid(), source('one', 'two'))
        return used()
      })()
      expect(needed).toBeGreaterThan(6)
      for (let steps = 0; steps <= needed; steps += 1) {
        await rm(folder, { recursive: true, force: true })
        const id = randomIds.uuid()
        const { fs, cutPower } = dying(steps)
        const acknowledged = await createDiskStore({ folder, fs })
          .put(id, source('one', 'two'))
          .then(
            () => true,
            () => false,
          )
        if (power) await cutPower()
        const after = createDiskStore({ folder })
        const stream = await after.read(id)
        const content = stream === null ? null : (await buffer(stream)).toString()
        expect(acknowledged, `step ${steps}`).toBe(steps === needed)
        if (acknowledged) expect(content).toBe('onetwo')
        else expect([null, 'onetwo'], `step ${steps}`).toContain(content)
        // What is left over can be found and removed.
        await after.removeUnfinished(FUTURE())
        await after.remove(id)
        expect(await filesBelow(folder), `step ${steps}`).toEqual([])
      }
    },
  )

  it('copies all or nothing, whichever step is the last', async () => {
    const [from, to] = [randomIds.uuid(), randomIds.uuid()]
    await createDiskStore({ folder }).put(from, source('tea'))
    for (let steps = 0; steps < 12; steps += 1) {
      const { fs, cutPower } = dying(steps)
      const acknowledged = await createDiskStore({ folder, fs })
        .copy(from, to)
        .catch(() => false)
      await cutPower()
      const after = createDiskStore({ folder })
      const size = await after.sizeOf(to)
      expect(acknowledged ? [3] : [3, null], `step ${steps}`).toContain(size)
      expect(await after.sizeOf(from)).toBe(3)
      await after.remove(to)
    }
  })

  it('says that the disk is full, and leaves nothing of the file', async () => {
    const full: FileSystem = {
      ...nodeFileSystem,
      create: async (path) => ({
        ...(await nodeFileSystem.create(path)),
        write: async () => {
          throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
        },
      }),
    }
    const id = randomIds.uuid()
    await expect(createDiskStore({ folder, fs: full }).put(id, source('x'))).rejects.toMatchObject({
      reason: 'disk_full',
    })
    expect(await filesBelow(folder)).toEqual([])
    // With room again it works, without a restart.
    await createDiskStore({ folder }).put(id, source('x'))
  })

  it('leaves unfinished files alone that are still being written', async () => {
    const id = randomIds.uuid()
    const store = createDiskStore({ folder })
    const removed: number[] = []
    async function* slow() {
      yield Buffer.from('a')
      removed.push(await store.removeUnfinished(Date.now() - 60_000))
      yield Buffer.from('b')
    }
    expect((await store.put(id, slow())).size).toBe(2)
    expect(removed).toEqual([0])
  })
})

/** Puts blobs one after another and says which it has: killed from outside at any moment. */
const WRITER = `
  import { createHash, randomBytes, randomUUID } from 'node:crypto'
  import { createDiskStore } from './disk.ts'
  const store = createDiskStore({ folder: process.argv[2] })
  async function* parts(bytes) { for (let at = 0; at < bytes.length; at += 4096) yield bytes.subarray(at, at + 4096) }
  for (;;) {
    const id = randomUUID()
    const bytes = randomBytes(1 + Math.floor(Math.random() * 60000))
    await store.put(id, parts(bytes))
    process.stdout.write(id + ' ' + createHash('md5').update(bytes).digest('hex') + '\\n')
  }
`

describe('a killed process', () => {
  it('loses nothing that it acknowledged and leaves nothing that cannot be removed', async () => {
    const rounds = process.env.TEAHOUSE_SOAK === '1' ? 100 : 3
    const acknowledged = new Map<string, string>()
    await mkdir(folder, { recursive: true })
    const script = join(dirname(folder), 'writer.mjs')
    // One plain JavaScript file: this process may not understand types, and the writer must start in no time.
    const stdin = { contents: WRITER, resolveDir: dirname(fileURLToPath(import.meta.url)), loader: 'ts' } as const
    await build({ stdin, bundle: true, platform: 'node', format: 'esm', outfile: script })
    for (let round = 0; round < rounds; round += 1) {
      writer = spawn(process.execPath, [script, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
      await killAfter(writer, 20 + round * 17, acknowledged)
    }
    expect(acknowledged.size).toBeGreaterThanOrEqual(20 * rounds)
    const store = createDiskStore({ folder })
    for (const [id, md5] of acknowledged) {
      const stream = await store.read(id)
      expect(stream, id).not.toBeNull()
      if (stream !== null)
        expect(
          createHash('md5')
            .update(await buffer(stream))
            .digest('hex'),
        ).toBe(md5)
    }
    await store.removeUnfinished(FUTURE())
    for await (const { id } of store.list(FUTURE())) if (!acknowledged.has(id)) await store.remove(id)
    expect((await filesBelow(folder)).sort()).toEqual([...acknowledged.keys()].sort())
    expect((await stat(join(folder, 'unfinished'))).isDirectory()).toBe(true)
  })
})

/** Kills the child once it has acknowledged `count` blobs; what it acknowledges until its end counts too. */
const killAfter = async (child: ChildProcess, count: number, acknowledged: Map<string, string>): Promise<void> => {
  if (child.stdout === null) throw new Error('no output')
  let seen = 0
  for await (const line of createInterface({ input: child.stdout })) {
    const [id = '', md5 = ''] = line.split(' ')
    // The last line may have been cut off with its process.
    if (md5.length === 32) acknowledged.set(id, md5)
    seen += 1
    if (seen === count) child.kill('SIGKILL')
  }
}
