/** Reads the operator's `supabase/` folder: migrations in the order of their 14 digits, and the seed. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface ProjectMigration {
  /** Fourteen digits. */
  readonly version: string
  readonly name: string
  readonly text: string
}

/** What lies in the migrations folder. */
export interface ProjectMigrations {
  /** In the order in which they are applied. */
  readonly scripts: readonly ProjectMigration[]
  /** SQL files whose names do not begin with fourteen digits and an underscore. */
  readonly ignored: readonly string[]
}

const FILE_NAME = /^(\d{14})_(.+)\.sql$/

/** The migrations of a project folder; none when it has no such folder. */
export const readProjectMigrations = async (project: string): Promise<ProjectMigrations> => {
  const folder = join(project, 'supabase', 'migrations')
  const files = (await orWhenMissing(readdir(folder), [])).filter((file) => file.endsWith('.sql')).sort()
  const named = files.filter((file) => FILE_NAME.test(file))
  const scripts = await Promise.all(
    named.map(async (file) => {
      const [, version = '', name = ''] = FILE_NAME.exec(file) ?? []
      return { version, name, text: await readScript(join(folder, file)) }
    }),
  )
  return { scripts, ignored: files.filter((file) => !FILE_NAME.test(file)) }
}

/** The text of supabase/seed.sql; null when there is none. */
export const readSeed = async (project: string): Promise<string | null> =>
  orWhenMissing(readScript(join(project, 'supabase', 'seed.sql')), null)

/** The text of an SQL file, without the mark that editors on Windows put before it: Postgres takes it for a character of the first word. */
export const readScript = async (path: string): Promise<string> => (await readFile(path, 'utf8')).replace(/^\ufeff/, '')

const orWhenMissing = async <T, U>(reading: Promise<T>, otherwise: U): Promise<T | U> =>
  reading.catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return otherwise
    throw error
  })
