/** What every command needs: its output, its settings, and a running server's whereabouts. */
import { type Config, type Flags, readConfig, readConfigFile } from '../config/config.ts'
import { type RunNote, readRunNote } from '../config/run-file.ts'
import { Pool } from '../db/pool.ts'
import { AppError } from '../kernel/errors.ts'

export interface Terminal {
  /** Results; nothing else goes there. */
  readonly out: (text: string) => void
  /** Everything that is said on the way. */
  readonly say: (text: string) => void
}

export const processTerminal: Terminal = {
  out: (text) => process.stdout.write(`${text}\n`),
  say: (text) => process.stderr.write(`${text}\n`),
}

/** Reads the settings of this process: flags, then environment, then supabase/config.toml. */
export const loadConfig = async (flags: Flags): Promise<Config> => {
  const cwd = process.cwd()
  return readConfig({ flags, env: process.env, file: await readConfigFile(cwd), cwd })
}

/** The running server of the data dir. Throws AppError `unavailable` when none runs. */
export const runningServer = async (config: Config): Promise<RunNote> => {
  const note = await readRunNote(config.dataDir)
  if (note !== null) return note
  throw new AppError('unavailable', `No server is running on ${config.dataDir}. Start one with: npx teahouse start`)
}

/** Runs `work` on the owner's connection: the given database URL, else the running server's. */
export const withOwner = async <T>(config: Config, work: (owner: Pool) => Promise<T>): Promise<T> => {
  const connectionString = config.databaseUrl ?? (await runningServer(config)).databaseUrl
  const owner = new Pool({ connection: { connectionString }, max: 1, applicationName: 'teahouse cli' })
  try {
    return await work(owner)
  } finally {
    await owner.end()
  }
}
