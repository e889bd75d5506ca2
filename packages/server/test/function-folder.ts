/** Folders of functions that tests deploy. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A folder with these files, taken away after the test. */
export const folderOf = async (files: Readonly<Record<string, string>>): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'teahouse-test-function-'))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), text)
  }
  try {
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
  } catch {
    // Made in a hook: the folder is small, and the system's own to clean.
  }
  return folder
}
