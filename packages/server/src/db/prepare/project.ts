/** Applies an operator's own migrations, with the history table that Supabase's tools know. */
import { AppError } from '../../kernel/errors.ts'
import { sql } from '../../sql/sql.ts'
import { databaseError, type Pool, type Transaction } from '../pool.ts'

export interface ProjectScript {
  /** Fourteen digits. */
  readonly version: string
  readonly name: string
  readonly text: string
}

/**
 * Applies what is not applied yet, each script in a transaction of its own. Answers `version_name` of those. Throws AppError `bad_request` that
 * names script, line and reason; nothing of the failed script remains.
 */
export const migrateProject = async (db: Pool, scripts: readonly ProjectScript[]): Promise<readonly string[]> => {
  await db.transaction(async (tx) => {
    await lock(tx)
    await tx.script(HISTORY)
  })
  const applied: string[] = []
  for (const script of scripts) {
    // Dumps set the search path of the session and leave it so: each script gets a session of its own.
    const done = await db.transaction((tx) => applyOnce(tx, script), { discard: true })
    if (done) applied.push(`${script.version}_${script.name}`)
  }
  return applied
}

const HISTORY = `
  create schema if not exists supabase_migrations;
  create table if not exists supabase_migrations.schema_migrations (
    version text primary key,
    statements text[],
    name text
  )`

/** Of two that run at once, the second one waits and then finds everything done; `if not exists` alone does not, two of them collide. The key is this product's own. */
const lock = async (tx: Transaction): Promise<void> => {
  await tx.run(sql('project.lock')`select pg_advisory_xact_lock(7237101, 3)`)
}

const applyOnce = async (tx: Transaction, { version, name, text }: ProjectScript): Promise<boolean> => {
  await lock(tx)
  const known = await tx.maybeOne(sql('project.applied')`
    select 1 from supabase_migrations.schema_migrations where version = ${version}`)
  if (known !== null) return false
  await tx.run(sql('project.record')`
    insert into supabase_migrations.schema_migrations (version, name, statements)
    values (${version}, ${name}, array[${text}::text])`)
  await namingScript(`${version}_${name}.sql`, text, () => tx.script(text))
  return true
}

/** Runs a script of the operator's; an error of Postgres is told with the file and the line. */
export const namingScript = async <T>(file: string, text: string, run: () => Promise<T>): Promise<T> => {
  try {
    return await run()
  } catch (error) {
    const database = databaseError(error)
    if (database === null) throw error
    const { message, detail, hint, position } = database
    const line = position === undefined ? '' : `:${lineAt(text, Number(position))}`
    throw new AppError('bad_request', `${file}${line}: ${message}${detail === undefined ? '' : ` (${detail})`}`, {
      cause: error,
      ...(hint === undefined ? {} : { hint }),
    })
  }
}

/** Postgres counts characters, not UTF-16 units. */
const lineAt = (text: string, position: number): number => {
  let line = 1
  let seen = 0
  for (const character of text) {
    seen += 1
    if (seen >= position) break
    if (character === '\n') line += 1
  }
  return line
}
