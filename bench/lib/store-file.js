/** A file written as durably as the product writes one: beside its place, synced, renamed, and the folder synced. */
import { createWriteStream } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

const syncFolder = async (path) => {
  const handle = await open(path)
  await handle.sync()
  await handle.close()
}

let count = 0

export const store = async (folder, name, source) => {
  count += 1
  const temporary = join(folder, `unfinished-${process.pid}-${count}`)
  await pipeline(source, createWriteStream(temporary, { flush: true }))
  await rename(temporary, join(folder, name))
  await syncFolder(folder)
}
