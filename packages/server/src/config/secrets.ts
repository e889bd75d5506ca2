/** The app's secret: given by the operator, or made at the first start and kept in the data dir, readable by its owner alone. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../kernel/errors.ts'
import type { Ids } from '../kernel/ids.ts'

const FILE = 'jwt-secret'

/** Makes the data dir when it is missing; nobody but its owner may look inside. */
export const ensureDataDir = async (dataDir: string): Promise<void> => {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new AppError('bad_request', `The data dir ${dataDir} cannot be made`, { cause })
  }
}

/** The secret in the data dir, made when there is none. */
export const loadJwtSecret = async (dataDir: string, ids: Ids): Promise<string> => {
  const path = join(dataDir, FILE)
  const known = await readSecret(path)
  if (known !== null) return known
  try {
    // `wx`: of two that start at once, one writes and both read the same.
    await writeFile(path, `${ids.secret(48)}\n`, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const made = await readSecret(path)
  if (made === null) throw new AppError('internal', `${path} could not be read back`)
  return made
}

const readSecret = async (path: string): Promise<string | null> => {
  try {
    const text = (await readFile(path, 'utf8')).trim()
    return text === '' ? null : text
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
