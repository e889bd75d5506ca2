/** `teahouse migrate` and `teahouse seed`: bring the operator's own supabase/ folder into the database. */
import { resolve } from 'node:path'
import type { Config } from '../config/config.ts'
import { readProjectMigrations, readSeed } from '../config/supabase-folder.ts'
import { migrateProject, namingScript } from '../db/prepare/project.ts'
import { AppError } from '../kernel/errors.ts'
import { type Terminal, withOwner } from './context.ts'

/** Applies the pending migrations of `project` (a folder that holds supabase/). */
export const migrateCommand = async (config: Config, terminal: Terminal, project: string): Promise<void> => {
  const { scripts, ignored } = await readProjectMigrations(resolve(project))
  for (const file of ignored) terminal.say(`skipped ${file}: its name should be <14 digits>_<name>.sql`)
  if (scripts.length === 0) throw new AppError('not_found', `There is no supabase/migrations in ${resolve(project)}`)
  const applied = await withOwner(config, (owner) => migrateProject(owner, scripts))
  if (config.json) terminal.out(JSON.stringify({ applied }))
  else terminal.out(applied.length === 0 ? 'Nothing to apply.' : applied.map((name) => `applied ${name}`).join('\n'))
}

/** Runs supabase/seed.sql of `project`. */
export const seedCommand = async (config: Config, terminal: Terminal, project: string): Promise<void> => {
  const script = await readSeed(resolve(project))
  if (script === null) throw new AppError('not_found', `There is no supabase/seed.sql in ${resolve(project)}`)
  await withOwner(config, (owner) => namingScript('seed.sql', script, () => owner.script(script)))
  terminal.out(config.json ? JSON.stringify({ seeded: true }) : 'seeded')
}
