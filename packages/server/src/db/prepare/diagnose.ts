/** Looks at a prepared database and says what is missing, unsafe or weak. Changes nothing. */
import type { Clock } from '../../kernel/clock.ts'
import type { Finding } from '../../observe/finding.ts'
import { quoteIdent } from '../../sql/quote.ts'
import { sql } from '../../sql/sql.ts'
import type { Queryable } from '../pool.ts'
import { type Exposed, tablesWithoutPolicies, viewsPastPolicies } from './exposed.ts'
import { findShortcomings } from './prepare.ts'
import { readProfile, type Shortcoming } from './profile.ts'

export interface DiagnosisOptions {
  /** The schemas that clients reach. */
  readonly schemas: readonly string[]
  readonly clock: Clock
}

/** Everything worth knowing about the database, the worst first. */
export const diagnoseDatabase = async (
  db: Queryable,
  { schemas, clock }: DiagnosisOptions,
): Promise<readonly Finding[]> => {
  const profile = await readProfile(db)
  const shortcomings = await findShortcomings(db, profile)
  return [
    ...shortcomings.map(ofShortcoming),
    ...(await settingFindings(db)),
    ...(await slotFindings(db)),
    ...(await clockFindings(db, clock)),
    ...(await tablesWithoutPolicies(db, schemas)).map(ofTable),
    ...(await viewsPastPolicies(db, schemas)).map(ofView),
  ]
}

const ofShortcoming = ({ id, what, consequence, sql: remedy, fatal }: Shortcoming): Finding => ({
  id,
  severity: fatal ? 'problem' : 'warning',
  what: `${what} ${consequence}`,
  remedy,
})

const nameOf = ({ schema, name }: Exposed): string => `${quoteIdent(schema)}.${quoteIdent(name)}`

const ofTable = (table: Exposed): Finding => ({
  id: 'no_row_security',
  severity: 'warning',
  what: `Everyone who holds the public key can use the table ${table.schema}.${table.name}: row-level security is off.`,
  remedy: `alter table ${nameOf(table)} enable row level security; -- and create the policies that it needs`,
})

const ofView = (view: Exposed): Finding => ({
  id: 'view_past_policies',
  severity: 'note',
  what: `The view ${view.schema}.${view.name} shows what its owner may see, past the policies of its tables.`,
  remedy: `alter view ${nameOf(view)} set (security_invoker = on); -- unless that is what it is for; a materialized view has only its grants`,
})

interface Rule {
  readonly setting: string
  readonly severity: Finding['severity']
  readonly isWeak: (value: string) => boolean
  readonly what: string
  readonly remedy: string
}

const durable = (setting: string, what: string): Rule => ({
  setting,
  severity: 'problem',
  isWeak: (value) => value === 'off',
  what,
  remedy: `alter system set ${setting} = on; select pg_reload_conf();`,
})

/** Two nodes with their pools, the feed, and someone with psql. */
const FEWEST_CONNECTIONS = 40

const RULES: readonly Rule[] = [
  durable('fsync', 'fsync is off: a power cut may destroy the whole database.'),
  durable('full_page_writes', 'full_page_writes is off: a power cut may destroy pages of the database.'),
  durable('synchronous_commit', 'synchronous_commit is off: writes that were answered OK may be lost in a crash.'),
  {
    setting: 'password_encryption',
    severity: 'warning',
    isWeak: (value) => value === 'md5',
    what: 'Passwords of database roles are stored as MD5.',
    remedy: "alter system set password_encryption = 'scram-sha-256'; -- then set the passwords anew",
  },
  {
    setting: 'max_connections',
    severity: 'warning',
    isWeak: (value) => Number(value) < FEWEST_CONNECTIONS,
    what: `The server takes fewer than ${FEWEST_CONNECTIONS} connections.`,
    remedy: 'alter system set max_connections = 100; -- then restart PostgreSQL',
  },
  {
    setting: 'max_slot_wal_keep_size',
    severity: 'note',
    isWeak: (value) => value === '-1',
    what: 'Nothing limits the log that is kept for a change feed which does not read: it can fill the disk.',
    remedy: "alter system set max_slot_wal_keep_size = '2GB'; select pg_reload_conf();",
  },
]

const settingFindings = async (db: Queryable): Promise<readonly Finding[]> => {
  const names = RULES.map((rule) => rule.setting)
  const rows = await db.many<{ name: string; setting: string }>(sql('diagnose.settings')`
    select name, setting from pg_settings where name = any(${names}::text[])`)
  const values = new Map(rows.map((row) => [row.name, row.setting]))
  return RULES.filter(({ setting, isWeak }) => isWeak(values.get(setting) ?? '')).map(
    ({ setting, severity, what, remedy }) => ({ id: `setting_${setting}`, severity, what, remedy }),
  )
}

const slotFindings = async (db: Queryable): Promise<readonly Finding[]> => {
  const rows = await db.many<{ name: string; size: string }>(sql('diagnose.slots')`
    select slot_name::text as name,
           pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) as size
      from pg_replication_slots
     where not active
       and database = current_database()
       and pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) > 256 * 1024 * 1024`)
  return rows.map(({ name, size }) => ({
    id: 'idle_slot',
    severity: 'warning',
    what: `The replication slot ${name} is read by nobody and keeps ${size} of the log.`,
    remedy: `select pg_drop_replication_slot('${name}'); -- when no server needs it any more`,
  }))
}

// Tokens are checked by this machine's clock, and rows carry the database's.
const MOST_SKEW_MS = 2_000

const clockFindings = async (db: Queryable, clock: Clock): Promise<readonly Finding[]> => {
  const before = clock.now()
  const row = await db.maybeOne<{ now: number }>(sql('diagnose.clock')`
    select (extract(epoch from clock_timestamp()) * 1000)::float8 as now`)
  const skew = Math.abs((row?.now ?? before) - (before + clock.now()) / 2)
  if (skew <= MOST_SKEW_MS) return []
  return [
    {
      id: 'clock_skew',
      severity: 'warning',
      what: `The clocks of this machine and of the database differ by ${Math.round(skew / 1000)} s.`,
      remedy: 'Synchronise both with a time server.',
    },
  ]
}
