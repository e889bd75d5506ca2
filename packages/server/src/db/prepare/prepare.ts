/** From a reachable PostgreSQL to one that serves the product: roles, migrations, event triggers, and a list of what this server lacks. */
import type pg from 'pg'
import { AppError } from '../../kernel/errors.ts'
import type { Ids } from '../../kernel/ids.ts'
import { quoteIdent } from '../../sql/quote.ts'
import { frag, ident, keyword, sql, statement } from '../../sql/sql.ts'
import type { Pool, Queryable } from '../pool.ts'
import { migrate, readMigrations } from './migrate.ts'
import { type DatabaseProfile, readProfile, type Shortcoming } from './profile.ts'
import { type RequestLogin, requestLogin } from './request-login.ts'
import { anotherWasFaster, assertRequestRoles, ensureRoles, roleShortcomings } from './roles.ts'

export interface PreparedDatabase {
  readonly profile: DatabaseProfile
  readonly login: RequestLogin
  readonly shortcomings: readonly Shortcoming[]
  /** Migrations that were applied just now. */
  readonly applied: readonly string[]
}

const OLDEST = 15
const NEWEST = 18

/** Prepares the database that `owner` is connected to. Throws an AppError with the mending SQL as its hint when the product cannot run on it. */
export const prepareDatabase = async (
  owner: Pool,
  connection: pg.ClientConfig,
  ids: Ids,
): Promise<PreparedDatabase> => {
  const profile = await readProfile(owner)
  const shortcomings = [...profileShortcomings(profile)]
  if (!shortcomings.some((each) => each.fatal)) shortcomings.push(...(await ensureRoles(owner, profile)))
  const fatal = shortcomings.find((each) => each.fatal)
  if (fatal !== undefined) throw new AppError('unsupported', `${fatal.what} ${fatal.consequence}`, { hint: fatal.sql })
  const applied = await migrate(owner, await readMigrations())
  shortcomings.push(...(await ensureEventTriggers(owner, profile)))
  const bypassRls = !shortcomings.some((each) => each.id === 'bypass_rls')
  const login = await requestLogin(owner, profile, connection, { ids, bypassRls })
  await assertRequestRoles(owner, String(login.connection.user ?? profile.owner))
  return { profile, login, shortcomings: [...shortcomings, ...login.shortcomings], applied }
}

/** Everything that can be said of a database without changing it. */
export const findShortcomings = async (db: Queryable, profile: DatabaseProfile): Promise<readonly Shortcoming[]> => {
  const missing = await missingEventTriggers(db)
  return [
    ...profileShortcomings(profile),
    ...(await roleShortcomings(db, profile)),
    ...(missing.length === 0 ? [] : [noEventTriggers(missing)]),
  ]
}

const profileShortcomings = (profile: DatabaseProfile): readonly Shortcoming[] => [
  ...versionShortcomings(profile),
  ...schemaShortcomings(profile),
  ...replicationShortcomings(profile),
]

const schemaShortcomings = ({ owner, database, createSchemas }: DatabaseProfile): readonly Shortcoming[] =>
  createSchemas
    ? []
    : [
        {
          id: 'create_schemas',
          what: `The role "${owner}" may not create schemas in the database "${database}".`,
          consequence: 'The product has no place for its tables.',
          sql: `alter database ${quoteIdent(database)} owner to ${quoteIdent(owner)};`,
          fatal: true,
        },
      ]

const versionShortcomings = (profile: DatabaseProfile): readonly Shortcoming[] =>
  profile.major >= OLDEST && profile.major <= NEWEST
    ? []
    : [
        {
          id: 'version',
          what: `This is PostgreSQL ${profile.version}.`,
          consequence: `The product runs on PostgreSQL ${OLDEST} to ${NEWEST}.`,
          sql: '',
          fatal: profile.major < OLDEST,
        },
      ]

const replicationShortcomings = (profile: DatabaseProfile): readonly Shortcoming[] => {
  const consequence =
    'Changes for realtime are written down by triggers instead of read from the log: writes to published tables cost more.'
  const found: Shortcoming[] = []
  if (profile.walLevel !== 'logical') {
    found.push({
      id: 'wal_level',
      what: `wal_level is ${profile.walLevel}, not logical.`,
      consequence,
      sql: 'alter system set wal_level = logical; -- then restart PostgreSQL',
      fatal: false,
    })
  }
  if (!profile.replication) {
    found.push({
      id: 'replication',
      what: `The role "${profile.owner}" may not replicate.`,
      consequence,
      sql: `alter role ${quoteIdent(profile.owner)} replication;`,
      fatal: false,
    })
  }
  return found
}

const EVENTS = { teahouse_ddl_end: 'ddl_command_end', teahouse_ddl_drop: 'sql_drop' } as const

/** Name and event of what is not there. */
type MissingTriggers = readonly (readonly [name: string, event: string])[]

const missingEventTriggers = async (db: Queryable): Promise<MissingTriggers> => {
  const present = await db.many<{ evtname: string }>(sql('prepare.event_triggers')`
    select evtname from pg_event_trigger where evtname = any(${Object.keys(EVENTS)}::text[])`)
  return Object.entries(EVENTS).filter(([name]) => !present.some((each) => each.evtname === name))
}

const noEventTriggers = (missing: MissingTriggers): Shortcoming => ({
  id: 'event_triggers',
  what: 'Only a superuser can watch for schema changes as they happen.',
  consequence: 'A change of the schema is noticed within a second instead of at once.',
  sql: missing.map(([name, event]) => eventTriggerSql(name, event)).join(' '),
  fatal: false,
})

const ensureEventTriggers = async (owner: Pool, profile: DatabaseProfile): Promise<readonly Shortcoming[]> => {
  const missing = await missingEventTriggers(owner)
  if (missing.length === 0) return []
  if (!profile.superuser) return [noEventTriggers(missing)]
  for (const [name, event] of missing) {
    try {
      await owner.run(
        statement(
          'prepare.event_trigger',
          frag`create event trigger ${ident(name)} on ${keyword(event)} execute function teahouse.notify_ddl()`,
        ),
      )
    } catch (error) {
      if (!anotherWasFaster(error)) throw error
    }
  }
  return []
}

const eventTriggerSql = (name: string, event: string): string =>
  `create event trigger ${name} on ${event} execute function teahouse.notify_ddl();`
