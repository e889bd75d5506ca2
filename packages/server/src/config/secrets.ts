/** The app's secret: given by the operator, or made at the first start and kept in the data dir, readable by its owner alone. */
import { link, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../kernel/errors.ts'
import type { Ids } from '../kernel/ids.ts'

export const SECRET_FILE = 'jwt-secret'

/** Makes the data dir when it is missing; nobody but its owner may look inside. */
export const ensureDataDir = async (dataDir: string): Promise<void> => {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 })
  } catch (cause) {
    // Node's own errors carry a code.
    const { code } = cause as NodeJS.ErrnoException
    throw new AppError('bad_request', `The data dir ${dataDir} cannot be made (${code})`, { cause })
  }
}

/** The secret in the data dir, made when there is none. */
export const loadJwtSecret = async (dataDir: string, ids: Ids): Promise<string> => {
  const path = join(dataDir, SECRET_FILE)
  const known = await readSecret(path)
  if (known !== null) return known
  await writeOnce(path, `${ids.secret(48)}\n`, ids)
  const made = await readSecret(path)
  if (made === null) throw new AppError('internal', `${path} could not be read back`)
  return made
}

/**
 * Writes a file unless another process was faster. Naive: open it exclusively and write; then the other one reads an empty file, and so does
 * everyone after a crash between the two. Here the complete file gets its name in one step.
 */
const writeOnce = async (path: string, text: string, ids: Ids): Promise<void> => {
  const draft = `${path}.${ids.secret(6)}.new`
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
    await publish(draft, path)
  } finally {
    await file.close()
    await rm(draft, { force: true })
  }
}

const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']

const publish = async (draft: string, path: string): Promise<void> => {
  try {
    await link(draft, path)
  } catch (error) {
    // Node's own errors carry a code.
    const { code = '' } = error as NodeJS.ErrnoException
    // File systems without hard links: the window between two first starts is microseconds.
    if (NO_LINKS.includes(code)) await rename(draft, path)
    else if (code !== 'EEXIST') throw error
  }
}

const readSecret = async (path: string): Promise<string | null> => {
  try {
    const text = (await readFile(path, 'utf8')).trim()
    if (text === '')
      throw new AppError('bad_request', `${path} is empty. Remove it and a new secret is made, with new keys.`)
    return text
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
