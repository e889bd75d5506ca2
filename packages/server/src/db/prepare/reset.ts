/**
 * Makes a database as good as new: everything that the operator made in it is dropped, and the product's own schemas start empty.
 * Kept are roles (they belong to the whole server), extensions in the schema `extensions`, and the settings that running nodes share.
 */
import { AppError } from '../../kernel/errors.ts'
import { frag, ident, type Statement, sql, statement } from '../../sql/sql.ts'
import type { Pool, Queryable, Transaction } from '../pool.ts'
import { applyOnce, lockMigrations, type Migration } from './migrate.ts'

/** What a reset would drop, for the question before it. */
export interface ResetPlan {
  readonly database: string
  readonly schemas: readonly string[]
  readonly tables: number
}

// A publication that the server itself reads; a running node has a slot on it.
const OWN_PUBLICATION = 'teahouse_feed'

const ownedSchemas = async (db: Queryable): Promise<readonly string[]> => {
  const rows = await db.many<{ name: string }>(sql('reset.schemas')`
    select nspname::text as name
      from pg_namespace as namespace
     where nspname !~ '^pg_'
       and nspname not in ('information_schema', 'extensions')
       and pg_has_role(nspowner, 'usage')
       and not exists (
         select 1
           from pg_depend as member
          where member.classid = 'pg_namespace'::regclass
            and member.objid = namespace.oid
            and member.deptype = 'e')
     order by nspname`)
  return rows.map((row) => row.name)
}

/** Looks what there is. Throws AppError `conflict` on a database that was never this product's: it holds other people's work. */
export const planReset = async (db: Queryable): Promise<ResetPlan> => {
  const row = await db.maybeOne<{ database: string; known: boolean }>(sql('reset.database')`
    select current_database()::text as database,
           to_regclass('teahouse.migration') is not null as known`)
  if (!row?.known)
    throw new AppError('conflict', `The database "${row?.database}" was never used by Teahouse; it stays as it is.`)
  const schemas = await ownedSchemas(db)
  const count = await db.maybeOne<{ tables: number }>(sql('reset.tables')`
    select count(*)::int as tables
      from pg_class
     where relkind in ('r', 'p')
       and relnamespace in (select oid from pg_namespace where nspname = any(${schemas}::text[]))`)
  return { database: row.database, schemas, tables: count?.tables ?? 0 }
}

/** Resets in one transaction: afterwards all is new, or nothing has changed. Roles, event triggers and logins are `prepareDatabase`'s, which comes next. */
export const resetDatabase = async (owner: Pool, migrations: readonly Migration[]): Promise<void> => {
  await planReset(owner)
  await owner.transaction(
    async (tx) => {
      await lockMigrations(tx)
      await tx.run(
        sql(
          'reset.keep',
        )`create temporary table kept_setting on commit drop as select key, value from teahouse.setting`,
      )
      await dropEverything(tx)
      await tx.run(sql('reset.public')`create schema public authorization pg_database_owner`)
      await tx.run(sql('reset.public_usage')`grant usage on schema public to public`)
      await lockMigrations(tx)
      for (const migration of migrations) await applyOnce(tx, migration)
      await tx.run(sql('reset.restore')`
        insert into teahouse.setting (key, value)
        select key, value from kept_setting
        on conflict (key) do update set value = excluded.value`)
      // The event triggers that would tell the running nodes were dropped with everything else.
      await tx.run(sql('reset.tell')`select pg_notify('teahouse_ddl', '')`)
    },
    { discard: true },
  )
}

const dropEverything = async (tx: Transaction): Promise<void> => {
  const publications = await tx.many<{ name: string }>(sql('reset.publications')`
    select pubname::text as name
      from pg_publication
     where pubname <> ${OWN_PUBLICATION}
       and pg_has_role(pubowner, 'usage')`)
  for (const { name } of publications) await tx.run(drop(frag`publication ${ident(name)}`))
  for (const schema of await ownedSchemas(tx)) await tx.run(drop(frag`schema if exists ${ident(schema)} cascade`))
}

const drop = (what: ReturnType<typeof frag>): Statement => statement('reset.drop', frag`drop ${what}`)
