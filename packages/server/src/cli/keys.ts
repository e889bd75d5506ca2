/** `teahouse keys`: the keys of this data dir, made if need be. */
import type { Config } from '../config/config.ts'
import { readRunNote } from '../config/run-file.ts'
import { ensureDataDir, loadJwtSecret } from '../config/secrets.ts'
import { deriveKeys } from '../identity/keys.ts'
import { randomIds } from '../kernel/ids.ts'
import type { Terminal } from './context.ts'

export const keys = async (config: Config, terminal: Terminal): Promise<void> => {
  const all = await deriveKeys(config.jwtSecret ?? (await secretHere(config.dataDir)))
  if (config.json) {
    terminal.out(JSON.stringify(all))
    return
  }
  for (const [name, value] of Object.entries(all)) terminal.out(`${name.padEnd(16)} ${value}`)
}

/** The running server's, which may have been given another one than the data dir keeps. */
const secretHere = async (dataDir: string): Promise<string> => {
  await ensureDataDir(dataDir)
  return (await readRunNote(dataDir))?.jwtSecret ?? loadJwtSecret(dataDir, randomIds)
}
