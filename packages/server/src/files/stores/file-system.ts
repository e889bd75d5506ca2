/** The few file operations that the disk store needs, as a value, so that tests can fail or stop between any two of them. */

import type { Dirent, Stats } from 'node:fs'
import { constants, type FileHandle, link, mkdir, open, opendir, rename, stat, unlink } from 'node:fs/promises'

export interface FileSystem {
  /** Creates a file that must not exist. */
  create(path: string): Promise<WritableFile>
  openToRead(path: string): Promise<FileHandle>
  rename(from: string, to: string): Promise<void>
  link(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  /** Each with everything above it; fine when they exist. */
  makeFolders(paths: readonly string[]): Promise<void>
  /** Makes renames, links and new entries in this folder survive a power cut. */
  syncFolder(path: string): Promise<void>
  stat(path: string): Promise<Stats>
  entries(path: string): AsyncIterable<Dirent>
}

export interface WritableFile {
  write(bytes: Uint8Array): Promise<void>
  sync(): Promise<void>
  close(): Promise<void>
}

export const nodeFileSystem: FileSystem = {
  async create(path) {
    const handle = await open(path, 'wx', 0o600)
    return { write: (bytes) => writeAll(handle, bytes), sync: () => handle.sync(), close: () => handle.close() }
  },
  openToRead: (path) => open(path, constants.O_RDONLY),
  rename,
  link,
  unlink,
  async makeFolders(paths) {
    for (const path of paths) await mkdir(path, { recursive: true, mode: 0o700 })
  },
  async syncFolder(path) {
    const handle = await open(path, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  },
  stat: (path) => stat(path),
  entries: async function* (path) {
    yield* await opendir(path)
  },
}

/** A write may take only part of what it is given, for example on a full disk. */
const writeAll = async (handle: FileHandle, bytes: Uint8Array): Promise<void> => {
  let offset = 0
  while (offset < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, offset, bytes.length - offset)
    offset += bytesWritten
  }
}

/** The system's error code of a failed file operation, for example `ENOENT`. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
