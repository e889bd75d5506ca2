/** A note that a running server leaves in its data dir, so that the other commands find it. Holds secrets: readable by its owner alone. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { StartReport } from './start-report.ts'

export interface RunNote extends StartReport {
  readonly pid: number
}

const pathIn = (dataDir: string): string => join(dataDir, 'run.json')

export const writeRunNote = async (dataDir: string, note: RunNote): Promise<void> => {
  const path = pathIn(dataDir)
  await writeFile(`${path}.new`, `${JSON.stringify(note, null, 2)}\n`, { mode: 0o600 })
  await rename(`${path}.new`, path)
}

export const removeRunNote = async (dataDir: string): Promise<void> => {
  await rm(pathIn(dataDir), { force: true })
}

/** The note of a server that is running on this data dir; null when there is none. */
export const readRunNote = async (dataDir: string): Promise<RunNote | null> => {
  try {
    // Written by writeRunNote of the same version or an older one.
    const note = JSON.parse(await readFile(pathIn(dataDir), 'utf8')) as RunNote
    process.kill(note.pid, 0)
    return note
  } catch {
    // No note, or one that a killed server left behind.
    return null
  }
}
