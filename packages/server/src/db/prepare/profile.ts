/** What kind of server and login this is, and what that means for the product. Read once at start. */
import { sql } from '../../sql/sql.ts'
import type { Queryable } from '../pool.ts'

export interface DatabaseProfile {
  /** Major version: 15 to 18. */
  readonly major: number
  readonly version: string
  readonly database: string
  /** The login role of the owner connection. */
  readonly owner: string
  readonly superuser: boolean
  readonly createRole: boolean
  readonly bypassRls: boolean
  readonly replication: boolean
  /** Whether this login owns the database, which CREATE EXTENSION and ALTER DATABASE need. */
  readonly ownsDatabase: boolean
  /** Whether this login may create schemas. */
  readonly createSchemas: boolean
  readonly walLevel: string
}

export const readProfile = async (db: Queryable): Promise<DatabaseProfile> => {
  const row = await db.maybeOne<Omit<DatabaseProfile, 'major'> & { num: number }>(sql('prepare.profile')`
    select current_setting('server_version_num')::int as num,
           current_setting('server_version') as version,
           current_database()::text as database,
           current_user::text as owner,
           role.rolsuper as superuser,
           role.rolsuper or role.rolcreaterole as "createRole",
           role.rolsuper or role.rolbypassrls as "bypassRls",
           role.rolsuper or role.rolreplication as replication,
           role.rolsuper or pg_has_role(current_user, database.datdba, 'member') as "ownsDatabase",
           has_database_privilege(database.oid, 'create') as "createSchemas",
           current_setting('wal_level') as "walLevel"
      from pg_roles as role, pg_database as database
     where role.rolname = current_user
       and database.datname = current_database()`)
  if (row === null) throw new Error('the server did not describe itself')
  const { num, ...rest } = row
  return { ...rest, major: Math.floor(num / 10_000) }
}

/** Where changes can be read from here: the write-ahead log, or what triggers write down. */
export const changeSourceOf = ({ replication, walLevel }: DatabaseProfile): 'log' | 'outbox' =>
  replication && walLevel === 'logical' ? 'log' : 'outbox'

/** Something that the server lacks: what follows from it, and the SQL with which an administrator mends it. */
export interface Shortcoming {
  readonly id:
    | 'version'
    | 'create_schemas'
    | 'roles'
    | 'wal_level'
    | 'replication'
    | 'event_triggers'
    | 'bypass_rls'
    | 'request_login'
  readonly what: string
  readonly consequence: string
  readonly sql: string
  /** The product cannot start without it. */
  readonly fatal: boolean
}
