/**
 * Blobs as files below one folder: `blobs/<two digits of the id>/<id>`, written as `unfinished/<id>` first.
 *
 * `put` writes, syncs the file, renames it and syncs the folder, in that order. Without the first sync a power cut can leave a file of
 * the right name and no content; without the second it can take back the rename of a file that was already answered for.
 */
import type { FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { singleFlight } from '../../kernel/single-flight.ts'
import {
  type BlobEntry,
  type BlobId,
  type BlobStore,
  type ByteRange,
  isBlobId,
  type StoredBlob,
} from '../blob-store.ts'
import { refusal } from '../errors.ts'
import { codeOf, type FileSystem, nodeFileSystem } from './file-system.ts'
import { writeFile } from './write-file.ts'

const SHARDS = Array.from({ length: 256 }, (_, index) => index.toString(16).padStart(2, '0'))
/** The file that says which database these blobs belong to. */
const LABEL = 'database-id'
const FULL = new Set(['ENOSPC', 'EDQUOT'])
/** Small chunks cost a system call each; this much keeps a copy near the speed of the disk. */
const READ_CHUNK = 256 * 1024

export interface DiskStoreOptions {
  /** Made when missing. */
  readonly folder: string
  readonly fs?: FileSystem
}

export const createDiskStore = (options: DiskStoreOptions): BlobStore => new DiskStore(options)

class DiskStore implements BlobStore {
  readonly quick = true
  readonly #folder: string
  readonly #blobs: string
  readonly #unfinished: string
  readonly #fs: FileSystem
  readonly #known = new Set<string>()

  constructor({ folder, fs = nodeFileSystem }: DiskStoreOptions) {
    this.#folder = folder
    this.#blobs = join(folder, 'blobs')
    this.#unfinished = join(folder, 'unfinished')
    this.#fs = fs
  }

  async put(id: BlobId, source: AsyncIterable<Uint8Array>): Promise<StoredBlob> {
    const temporary = join(this.#unfinished, idOf(id))
    return toldWhenFull(async () => {
      await this.#ensureShards()
      return this.#writeVia(temporary, source, () => this.#publish(temporary, id, 'rename'))
    })
  }

  async read(id: BlobId, range?: ByteRange): Promise<Readable | null> {
    if (!isBlobId(id)) return null
    const handle = await unlessMissing(() => this.#fs.openToRead(this.#pathOf(id)))
    return handle === null ? null : streamOf(handle, range)
  }

  async sizeOf(id: BlobId): Promise<number | null> {
    if (!isBlobId(id)) return null
    return (await unlessMissing(() => this.#fs.stat(this.#pathOf(id))))?.size ?? null
  }

  async copy(from: BlobId, to: BlobId): Promise<boolean> {
    if (!isBlobId(from)) return false
    const copied = await unlessMissing(async () => {
      // Blobs never change, so one file under two names is a copy.
      await toldWhenFull(() => this.#publish(this.#pathOf(from), to, 'link'))
      return true
    })
    return copied ?? false
  }

  async remove(id: BlobId): Promise<void> {
    if (isBlobId(id)) await unlessMissing(() => this.#fs.unlink(this.#pathOf(id)))
  }

  async *list(before: number): AsyncIterable<BlobEntry> {
    for await (const shard of entriesOf(this.#fs, this.#blobs)) {
      if (shard.isDirectory()) yield* oldFiles(this.#fs, join(this.#blobs, shard.name), before)
    }
  }

  async removeUnfinished(before: number): Promise<number> {
    let removed = 0
    for await (const { id } of oldFiles(this.#fs, this.#unfinished, before)) {
      await unlessMissing(() => this.#fs.unlink(join(this.#unfinished, id)))
      removed += 1
    }
    return removed
  }

  async label(): Promise<string | null> {
    const handle = await unlessMissing(() => this.#fs.openToRead(join(this.#folder, LABEL)))
    if (handle === null) return null
    try {
      return (await handle.readFile('utf8')).trim()
    } finally {
      await handle.close()
    }
  }

  async setLabel(label: string): Promise<void> {
    await this.#ensureFolder(this.#folder)
    const temporary = join(this.#folder, `${LABEL}.new`)
    await unlessMissing(() => this.#fs.unlink(temporary))
    await this.#writeVia(temporary, bytesOf(`${label}\n`), async () => {
      await this.#fs.rename(temporary, join(this.#folder, LABEL))
      await this.#fs.syncFolder(this.#folder)
    })
  }

  #shardOf(id: BlobId): string {
    return join(this.#blobs, id.slice(0, 2))
  }

  #pathOf(id: BlobId): string {
    return join(this.#shardOf(idOf(id)), id)
  }

  async #writeVia(temporary: string, source: AsyncIterable<Uint8Array>, publish: () => Promise<void>) {
    const file = await this.#fs.create(temporary)
    try {
      const stored = await writeFile(file, source)
      await publish()
      return stored
    } catch (error) {
      // A process that is gone cannot tidy up either; what stays is found by removeUnfinished.
      await this.#fs.unlink(temporary).catch(() => {})
      throw error
    }
  }

  async #publish(from: string, id: BlobId, how: 'rename' | 'link'): Promise<void> {
    const to = this.#pathOf(id)
    await this.#ensureFolder(dirname(to))
    await this.#fs[how](from, to)
    await this.#fs.syncFolder(dirname(to))
  }

  /** Makes a folder that survives a power cut. Once per folder and process, also when it exists: who made it may have died before syncing. */
  async #ensureFolder(path: string): Promise<void> {
    if (this.#known.has(path)) return
    if (path !== this.#folder) await this.#ensureFolder(dirname(path))
    await this.#fs.makeFolders([path])
    await this.#fs.syncFolder(dirname(path))
    this.#known.add(path)
  }

  /** All folders for our ids at once: one by one, each of the first 256 uploads would wait for the disk once more. */
  readonly #ensureShards = singleFlight(async () => {
    if (this.#known.has(this.#shardOf('00'))) return
    await this.#ensureFolder(this.#unfinished)
    await this.#ensureFolder(this.#blobs)
    await this.#fs.makeFolders(SHARDS.map((shard) => this.#shardOf(shard)))
    await this.#fs.syncFolder(this.#blobs)
    for (const shard of SHARDS) this.#known.add(this.#shardOf(shard))
  })
}

async function* bytesOf(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text)
}

/** Ids come from the database, and rows there can be written by hand: what is no id of ours never becomes a path. */
const idOf = (id: BlobId): BlobId => {
  if (!isBlobId(id)) throw new RangeError('not a blob id')
  return id
}

const streamOf = (handle: FileHandle, range: ByteRange | undefined): Readable =>
  handle.createReadStream({ highWaterMark: READ_CHUNK, ...range })

const unlessMissing = async <T>(work: () => Promise<T>): Promise<T | null> => {
  try {
    return await work()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  }
}

async function* entriesOf(fs: FileSystem, path: string) {
  try {
    yield* fs.entries(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

async function* oldFiles(fs: FileSystem, path: string, before: number): AsyncIterable<BlobEntry> {
  for await (const entry of entriesOf(fs, path)) {
    if (!entry.isFile()) continue
    const stats = await unlessMissing(() => fs.stat(join(path, entry.name)))
    // ctime, because a link or a rename is a change too and leaves mtime as it was.
    if (stats !== null && stats.ctimeMs < before) yield { id: entry.name, changedAt: stats.ctimeMs }
  }
}

const toldWhenFull = async <T>(work: () => Promise<T>): Promise<T> => {
  try {
    return await work()
  } catch (error) {
    throw FULL.has(codeOf(error))
      ? refusal('disk_full', 'There is no room left for this file', { cause: error })
      : error
  }
}
