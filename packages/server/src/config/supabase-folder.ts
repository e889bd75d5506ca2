/** Reads the operator's `supabase/` folder: migrations in the order of their 14 digits, and the seed. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface ProjectMigration {
  /** Fourteen digits. */
  readonly version: string
  readonly name: string
  readonly text: string
}

const FILE_NAME = /^(\d{14})_(.+)\.sql$/

/** The migrations of a project folder; none when it has no such folder. */
export const readProjectMigrations = async (project: string): Promise<readonly ProjectMigration[]> => {
  const folder = join(project, 'supabase', 'migrations')
  const files = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const named = files.filter((file) => FILE_NAME.test(file)).sort()
  return Promise.all(
    named.map(async (file) => {
      const [, version = '', name = ''] = FILE_NAME.exec(file) ?? []
      return { version, name, text: await readFile(join(folder, file), 'utf8') }
    }),
  )
}

/** The text of supabase/seed.sql; null when there is none. */
export const readSeed = async (project: string): Promise<string | null> =>
  readFile(join(project, 'supabase', 'seed.sql'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
