/** A note that a running server leaves in its data dir, so that the other commands find it. Holds secrets: readable by its owner alone. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { lockHolder } from '../db/embedded/lock.ts'
import type { StartReport } from './start-report.ts'

export interface RunNote extends StartReport {
  readonly pid: number
}

export const RUN_FILE = 'run.json'

const pathIn = (dataDir: string): string => join(dataDir, RUN_FILE)

export const writeRunNote = async (dataDir: string, note: RunNote): Promise<void> => {
  const path = pathIn(dataDir)
  // A draft that a crash left behind may have been anyone's to read.
  await rm(`${path}.new`, { force: true })
  await writeFile(`${path}.new`, `${JSON.stringify(note, null, 2)}\n`, { mode: 0o600 })
  await rename(`${path}.new`, path)
}

export const removeRunNote = async (dataDir: string): Promise<void> => {
  await rm(pathIn(dataDir), { force: true })
}

/** The note of the server that is running on this data dir; null when there is none. */
export const readRunNote = async (dataDir: string): Promise<RunNote | null> => {
  const note = await readNote(dataDir)
  // A killed server leaves its note behind, and its pid may be a stranger's by now; its lock is gone for sure.
  return note !== null && (await lockHolder(dataDir)) === note.pid ? note : null
}

const readNote = async (dataDir: string): Promise<RunNote | null> => {
  try {
    // Written by writeRunNote of this version or an older one.
    return JSON.parse(await readFile(pathIn(dataDir), 'utf8')) as RunNote
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
