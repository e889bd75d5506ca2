/** `teahouse db reset`: drops everything that was made in the database and brings it back from the supabase/ folder. */
import { resolve } from 'node:path'
import type { Config } from '../config/config.ts'
import { readRunNote } from '../config/run-file.ts'
import { readProjectMigrations, readSeed } from '../config/supabase-folder.ts'
import { readMigrations } from '../db/prepare/migrate.ts'
import { prepareDatabase } from '../db/prepare/prepare.ts'
import { migrateProject, namingScript } from '../db/prepare/project.ts'
import { planReset, type ResetPlan, resetDatabase } from '../db/prepare/reset.ts'
import { AppError } from '../kernel/errors.ts'
import { randomIds } from '../kernel/ids.ts'
import { ownerConnection, type Terminal, withOwner } from './context.ts'

export interface ResetArguments {
  /** Folder that holds supabase/. */
  readonly project: string
  readonly yes: boolean
}

export const dbReset = async (config: Config, terminal: Terminal, { project, yes }: ResetArguments): Promise<void> => {
  const migrations = await readProjectMigrations(resolve(project))
  const seed = await readSeed(resolve(project))
  const connection = await ownerConnection(config)
  const applied = await withOwner(config, async (owner) => {
    const plan = await planReset(owner)
    if (!yes) throw refusal(plan)
    await resetDatabase(owner, await readMigrations())
    await prepareDatabase(owner, connection, randomIds)
    const names = await migrateProject(owner, migrations.scripts)
    if (seed !== null) await namingScript('seed.sql', seed, () => owner.script(seed))
    return names
  })
  if (config.json) {
    terminal.out(JSON.stringify({ reset: true, applied, seeded: seed !== null }))
    return
  }
  terminal.out(['reset', ...applied.map((name) => `applied ${name}`), ...(seed === null ? [] : ['seeded'])].join('\n'))
  if ((await readRunNote(config.dataDir)) !== null) terminal.say('Restart the server that is running on this database.')
}

const refusal = ({ database, schemas, tables }: ResetPlan): AppError =>
  new AppError(
    'bad_request',
    `This would drop ${tables} tables in ${schemas.length} schemas of the database "${database}" with all users, files and messages. Add --yes to do it.`,
  )
