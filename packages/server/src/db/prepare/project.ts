/** Applies an operator's own migrations, with the history table that Supabase's tools know. */
import { sql } from '../../sql/sql.ts'
import type { Pool } from '../pool.ts'

export interface ProjectScript {
  /** Fourteen digits. */
  readonly version: string
  readonly name: string
  readonly text: string
}

/** Applies what is not applied yet, each script in a transaction of its own. Answers `version_name` of those. Throws Postgres's error; nothing of the failed script remains. */
export const migrateProject = async (db: Pool, scripts: readonly ProjectScript[]): Promise<readonly string[]> => {
  await db.script(`
    create schema if not exists supabase_migrations;
    create table if not exists supabase_migrations.schema_migrations (
      version text primary key,
      statements text[],
      name text
    )`)
  const known = await db.many<{ version: string }>(sql('project.applied')`
    select version from supabase_migrations.schema_migrations`)
  const pending = scripts.filter(({ version }) => !known.some((each) => each.version === version))
  for (const { version, name, text } of pending) {
    await db.transaction(async (tx) => {
      await tx.run(sql('project.record')`
        insert into supabase_migrations.schema_migrations (version, name, statements)
        values (${version}, ${name}, array[${text}::text])`)
      await tx.script(text)
    })
  }
  return pending.map(({ version, name }) => `${version}_${name}`)
}
