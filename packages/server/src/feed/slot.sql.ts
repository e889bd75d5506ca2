/** The feed's SQL: leadership, slot and publication. Replication sessions take no parameters, so the statements carry literals. */
import { frag, keyword, literal, type Statement, statement } from '../sql/sql.ts'

export interface ServerRow {
  readonly version: string
  readonly database_oid: string
  readonly system_id: string
}

export const serverIdentity = (): Statement =>
  statement(
    'feed.server',
    frag`select current_setting('server_version_num') as version,
                (select oid::text from pg_catalog.pg_database where datname = pg_catalog.current_database()) as database_oid,
                (select system_identifier::text from pg_catalog.pg_control_system()) as system_id`,
  )

/** Leadership: a session-level advisory lock held by the replication session itself, so that it ends exactly when the stream does. */
export const tryLead = (key: bigint): Statement =>
  statement('feed.lead', frag`select pg_catalog.pg_try_advisory_lock(${keyword(key.toString())}) as leading`)

export interface SlotRow {
  readonly lost: boolean
  readonly plugin: string
  readonly confirmed: string | null
}

export const findSlot = (name: string): Statement =>
  statement(
    'feed.find_slot',
    frag`select coalesce(wal_status = 'lost', false) as lost,
                plugin::text as plugin,
                confirmed_flush_lsn::text as confirmed
           from pg_catalog.pg_replication_slots
          where slot_name = ${literal(name)}`,
  )

/** The log is read from here on: triggers that recorded changes instead are not wanted any more. */
export const closeOutbox = (): Statement => statement('feed.close_outbox', frag`select teahouse.outbox_close()`)

export const createSlot = (name: string): Statement =>
  statement(
    'feed.create_slot',
    frag`select lsn::text as lsn from pg_catalog.pg_create_logical_replication_slot(${literal(name)}, 'pgoutput')`,
  )

export const dropSlot = (name: string): Statement =>
  statement('feed.drop_slot', frag`select pg_catalog.pg_drop_replication_slot(${literal(name)})`)

export const publicationExists = (name: string): Statement =>
  statement('feed.publication', frag`select 1 as found from pg_catalog.pg_publication where pubname = ${literal(name)}`)

/** Brings the feed's publication in line with what is published for clients and watched inside; answers how many tables changed. */
export const syncPublication = (): Statement =>
  statement('feed.sync_publication', frag`select teahouse.feed_sync() + teahouse.outbox_sync() as changed`)

export interface LagRow {
  readonly bytes: string | null
  readonly retained: string | null
  readonly wal_status: string | null
}

export const slotLag = (name: string): Statement =>
  statement(
    'feed.lag',
    frag`select pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), confirmed_flush_lsn)::text as bytes,
                pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), restart_lsn)::text as retained,
                wal_status
           from pg_catalog.pg_replication_slots
          where slot_name = ${name}`,
  )
