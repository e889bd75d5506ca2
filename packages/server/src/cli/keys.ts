/** `teahouse keys`: the keys of this data dir, made if need be. */
import type { Config } from '../config/config.ts'
import { ensureDataDir, loadJwtSecret } from '../config/secrets.ts'
import { deriveKeys } from '../identity/keys.ts'
import { randomIds } from '../kernel/ids.ts'
import type { Terminal } from './context.ts'

export const keys = async (config: Config, terminal: Terminal): Promise<void> => {
  await ensureDataDir(config.dataDir)
  const all = await deriveKeys(config.jwtSecret ?? (await loadJwtSecret(config.dataDir, randomIds)))
  if (config.json) {
    terminal.out(JSON.stringify(all))
    return
  }
  for (const [name, value] of Object.entries(all)) terminal.out(`${name.padEnd(16)} ${value}`)
}
