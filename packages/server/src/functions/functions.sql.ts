/** Statements on the tables of functions. */
import { type Statement, sql } from '../sql/sql.ts'
import type { FunctionConfig, Timer } from './config.ts'
import type { LogEntry } from './invocation.ts'

export interface VersionRow {
  readonly name: string
  readonly version: string
  readonly digest: string
  readonly config: FunctionConfig
  readonly created_at: string
  readonly current: boolean
}

/** What is invoked now. */
export const currentVersions = (): Statement => sql('functions.current')`
  select f.name, f.version, v.digest, v.config, v.created_at, true as current
    from teahouse.function as f
    join teahouse.function_version as v using (name, version)
   order by f.name`

export const allVersions = (name: string): Statement => sql('functions.versions')`
  select v.name, v.version, v.digest, v.config, v.created_at, v.version = f.version as current
    from teahouse.function as f
    join teahouse.function_version as v using (name)
   where f.name = ${name}
   order by v.version desc`

export const getBundle = (name: string, version: number): Statement => sql('functions.bundle')`
  select bundle from teahouse.function_version where name = ${name} and version = ${version}`

/** Makes the function when it is new, and holds its row until the transaction ends. Answers the current version's digest. */
export const lockFunction = (name: string): Statement => sql('functions.lock')`
  insert into teahouse.function as f (name, version) values (${name}, 0)
      on conflict (name) do update set name = excluded.name
  returning (select v.digest from teahouse.function_version as v where v.name = f.name and v.version = f.version) as digest,
            (select coalesce(max(v.version), 0) from teahouse.function_version as v where v.name = f.name) as latest,
            f.version as current`

export interface NewVersion {
  readonly name: string
  readonly version: number
  readonly bundle: Buffer
  readonly digest: string
  readonly config: FunctionConfig
}

export const putVersion = ({ name, version, bundle, digest, config }: NewVersion): Statement => sql('functions.put')`
  insert into teahouse.function_version (name, version, bundle, digest, config)
  values (${name}, ${version}, ${bundle}, ${digest}, ${config})`

export const activate = (name: string, version: number): Statement => sql('functions.activate')`
  update teahouse.function
     set version = ${version}, updated_at = now()
   where name = ${name}
     and exists (select from teahouse.function_version as v where v.name = ${name} and v.version = ${version})`

export const pruneVersions = (name: string, keep: number): Statement => sql('functions.prune')`
  delete from teahouse.function_version as old
   using teahouse.function as f
   where old.name = ${name} and f.name = old.name and old.version <> f.version
     and old.version not in (select v.version from teahouse.function_version as v
                              where v.name = ${name} order by v.version desc limit ${keep})`

export const deleteFunction = (name: string): Statement => sql('functions.delete')`
  delete from teahouse.function where name = ${name}`

// --- variables

export const variablesOf = (): Statement => sql('functions.variables')`
  select function, key, value from teahouse.function_variable order by function, key`

export const putVariable = (name: string, key: string, value: string): Statement => sql('functions.put_variable')`
  insert into teahouse.function_variable (function, key, value) values (${name}, ${key}, ${value})
      on conflict (function, key) do update set value = excluded.value`

export const deleteVariable = (name: string, key: string): Statement => sql('functions.delete_variable')`
  delete from teahouse.function_variable where function = ${name} and key = ${key}`

// --- timers

export const dropTimers = (name: string, kept: readonly string[]): Statement => sql('functions.drop_timers')`
  delete from teahouse.function_timer where function = ${name} and name <> all (${kept}::text[])`

/** An unchanged timer keeps its turn. */
export const putTimer = (name: string, timer: Timer, next: Date | null): Statement => sql('functions.put_timer')`
  insert into teahouse.function_timer as t (function, name, cron, next_at)
  values (${name}, ${timer.name}, ${timer.cron}, ${next})
      on conflict (function, name) do update
         set cron = excluded.cron, next_at = excluded.next_at
       where t.cron <> excluded.cron`

/** One timer that is due; nobody else gets it. */
export const takeDueTimer = (now: Date): Statement => sql('functions.take_timer')`
  select function, name, cron, next_at from teahouse.function_timer
   where next_at <= ${now}
   order by next_at limit 1
     for update skip locked`

export const moveTimer = (
  name: string,
  timer: string,
  turn: { readonly last: Date; readonly next: Date | null },
): Statement =>
  sql('functions.move_timer')`
  update teahouse.function_timer set last_at = ${turn.last}, next_at = ${turn.next} where function = ${name} and name = ${timer}`

// --- logs

export interface LogRow extends LogEntry {
  readonly name: string
  readonly version: number
}

export const putLogs = (rows: readonly LogRow[]): Statement => sql('functions.put_logs')`
  insert into teahouse.function_log (function, version, invocation, at, level, message)
  select * from unnest(
    ${rows.map((each) => each.name)}::text[],
    ${rows.map((each) => each.version)}::bigint[],
    ${rows.map((each) => each.invocation)}::uuid[],
    ${rows.map((each) => each.at)}::timestamptz[],
    ${rows.map((each) => each.level)}::text[],
    ${rows.map((each) => each.message)}::text[])`

/** The latest `limit` entries after `after`, oldest first. */
export const getLogs = (
  name: string,
  { after, limit }: { readonly after: bigint; readonly limit: number },
): Statement =>
  sql('functions.logs')`
  select * from (
    select id, function, version, invocation, at, level, message from teahouse.function_log
     where function = ${name} and id > ${after}
     order by id desc limit ${limit}) as latest
   order by id`

export const trimLogs = (before: Date, most: number): Statement => sql('functions.trim_logs')`
  delete from teahouse.function_log
   where at < ${before}
      or id <= (select max(id) from teahouse.function_log) - ${most}::bigint`
