/**
 * Blobs as files below one folder: `blobs/<two digits of the id>/<id>`, written as `unfinished/<id>` first.
 *
 * `put` writes, syncs the file, renames it and syncs the folder, in that order. Without the first sync a power cut can leave a file of
 * the right name and no content; without the second it can take back the rename of a file that was already answered for.
 */
import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { singleFlight } from '../../kernel/single-flight.ts'
import type { BlobEntry, BlobId, BlobStore, ByteRange, StoredBlob } from '../blob-store.ts'
import { refusal } from '../errors.ts'
import { codeOf, type FileSystem, nodeFileSystem, type WritableFile } from './file-system.ts'

const BLOB_ID = /^[0-9a-z][0-9a-z-]{7,79}$/
const SHARDS = Array.from({ length: 256 }, (_, index) => index.toString(16).padStart(2, '0'))
const FULL = new Set(['ENOSPC', 'EDQUOT'])
/** Small chunks cost a system call each; this much keeps a copy near the speed of the disk. */
const READ_CHUNK = 256 * 1024

export interface DiskStoreOptions {
  /** Made when missing. */
  readonly folder: string
  readonly fs?: FileSystem
}

export const createDiskStore = ({ folder, fs = nodeFileSystem }: DiskStoreOptions): BlobStore => {
  const blobs = join(folder, 'blobs')
  const unfinished = join(folder, 'unfinished')
  const known = new Set<string>()

  const shardOf = (id: BlobId): string => join(blobs, id.slice(0, 2))
  const pathOf = (id: BlobId): string => join(shardOf(idOf(id)), id)

  /** Makes a folder that survives a power cut. Once per folder and process, also when it exists: who made it may have died before syncing. */
  const ensureFolder = async (path: string): Promise<void> => {
    if (known.has(path)) return
    if (path !== folder) await ensureFolder(dirname(path))
    await fs.makeFolders([path])
    await fs.syncFolder(dirname(path))
    known.add(path)
  }

  /** All folders for our ids at once: one by one, each of the first 256 uploads would wait for the disk once more. */
  const ensureShards = singleFlight(async () => {
    if (known.has(shardOf('00'))) return
    await ensureFolder(unfinished)
    await ensureFolder(blobs)
    await fs.makeFolders(SHARDS.map(shardOf))
    await fs.syncFolder(blobs)
    for (const shard of SHARDS) known.add(shardOf(shard))
  })

  const publish = async (from: string, id: BlobId, how: 'rename' | 'link'): Promise<void> => {
    const to = pathOf(id)
    await ensureFolder(dirname(to))
    await fs[how](from, to)
    await fs.syncFolder(dirname(to))
  }

  const openBlob = async (id: BlobId): Promise<FileHandle | null> =>
    BLOB_ID.test(id) ? unlessMissing(() => fs.openToRead(pathOf(id))) : null

  return {
    async put(id, source) {
      const temporary = join(unfinished, idOf(id))
      try {
        await ensureShards()
        const file = await fs.create(temporary)
        try {
          const stored = await writeFile(file, source)
          await publish(temporary, id, 'rename')
          return stored
        } catch (error) {
          // A process that is gone cannot tidy up either; what stays is found by removeUnfinished.
          await fs.unlink(temporary).catch(() => {})
          throw error
        }
      } catch (error) {
        throw FULL.has(codeOf(error)) ? diskFull(error) : error
      }
    },

    async read(id, range) {
      const handle = await openBlob(id)
      return handle === null ? null : streamOf(handle, range)
    },

    async sizeOf(id) {
      if (!BLOB_ID.test(id)) return null
      return (await unlessMissing(() => fs.stat(pathOf(id))))?.size ?? null
    },

    async copy(from, to) {
      if (!BLOB_ID.test(from)) return false
      // Blobs never change, so one file under two names is a copy.
      return (
        (await unlessMissing(async () => {
          await publish(pathOf(from), to, 'link')
          return true
        })) ?? false
      )
    },

    async remove(id) {
      if (BLOB_ID.test(id)) await unlessMissing(() => fs.unlink(pathOf(id)))
    },

    async *list(before) {
      for await (const shard of entriesOf(fs, blobs)) {
        if (shard.isDirectory()) yield* oldFiles(fs, join(blobs, shard.name), before)
      }
    },

    async removeUnfinished(before) {
      let removed = 0
      for await (const { id } of oldFiles(fs, unfinished, before)) {
        await unlessMissing(() => fs.unlink(join(unfinished, id)))
        removed += 1
      }
      return removed
    },
  }
}

/** Ids come from the database, and rows there can be written by hand: what is no id of ours never becomes a path. */
const idOf = (id: BlobId): BlobId => {
  if (!BLOB_ID.test(id)) throw new RangeError('not a blob id')
  return id
}

const writeFile = async (file: WritableFile, source: AsyncIterable<Uint8Array>): Promise<StoredBlob> => {
  const hash = createHash('md5')
  let size = 0
  // One write is under way while the next chunk arrives and is hashed; never more, so memory stays flat.
  let writing = Promise.resolve()
  try {
    for await (const chunk of source) {
      hash.update(chunk)
      size += chunk.length
      await writing
      writing = file.write(chunk)
      // Reported by the next await; until then it must not count as unhandled.
      writing.catch(() => {})
    }
    await writing
    await file.sync()
  } finally {
    await writing.catch(() => {})
    await file.close()
  }
  return { size, md5: hash.digest('hex') }
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

const diskFull = (cause: unknown) => refusal('disk_full', 'There is no room left for this file', { cause })
