/** The names of the WeChat sandbox's people, kept in the data dir: the openids of users in the database stay good over a restart. */
import { appendFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'

const FILE = 'wechat-sandbox-people'

/** Those who were here before; none at the first start. */
export const readSandboxPeople = async (dataDir: string): Promise<readonly string[]> => {
  try {
    const lines = (await readFile(join(dataDir, FILE), 'utf8')).split('\n')
    return [...new Set(lines.filter((line) => line !== ''))]
  } catch (error) {
    // Node's own errors carry a code.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** Adds somebody new. Short lines are appended whole, also by two at once. */
export const addSandboxPerson = (dataDir: string, name: string): Promise<void> =>
  appendFile(join(dataDir, FILE), `${name}\n`, { mode: 0o600 })
