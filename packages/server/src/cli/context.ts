/** What every command needs: its output, its settings, and a running server's whereabouts. */
import type pg from 'pg'
import { type Config, type Flags, readConfig, readConfigFile } from '../config/config.ts'
import { type RunNote, readRunNote } from '../config/run-file.ts'
import { connectionOf } from '../db/connection-url.ts'
import { Pool, reasonOf } from '../db/pool.ts'
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

/** How the owner connects: to the given database URL, else to the running server's. */
export const ownerConnection = async (config: Config): Promise<pg.ClientConfig> =>
  connectionOf(config.databaseUrl ?? (await runningServer(config)).databaseUrl)

/** Runs `work` on one connection of the owner's. */
export const withOwner = async <T>(config: Config, work: (owner: Pool) => Promise<T>): Promise<T> => {
  const owner = new Pool({ connection: await ownerConnection(config), max: 1, applicationName: 'teahouse cli' })
  try {
    return await work(owner)
  } catch (error) {
    throw explained(error)
  } finally {
    await owner.end()
  }
}

/** A connection that fails is told with its reason: the person at the terminal can mend it. */
const explained = (error: unknown): unknown =>
  error instanceof AppError && error.code === 'unavailable' && error.cause instanceof Error
    ? new AppError('unavailable', `The database cannot be reached: ${reasonOf(error.cause)}`, { cause: error })
    : error
