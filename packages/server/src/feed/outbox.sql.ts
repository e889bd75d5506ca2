/** Statements on the outbox, where triggers write what changed. */
import { frag, keyword, type Statement, sql, statement } from '../sql/sql.ts'

export const databaseOid = (): Statement => sql('outbox.database')`
  select oid::text as oid
    from pg_catalog.pg_database
   where datname = pg_catalog.current_database()`

export const tryLead = (key: bigint): Statement => sql('outbox.lead')`
  select pg_catalog.pg_try_advisory_lock(${key}) as leading`

export interface StateRow {
  /** Whether triggers have recorded everything since the last reader. */
  readonly whole: boolean
  readonly position: string
}

export const readState = (): Statement => sql('outbox.state')`
  select teahouse.outbox_is_open() as whole, position::text as position
    from teahouse.outbox_state`

/** Begins to record, and answers the transaction after whose end every statement does. */
export const open = (): Statement => sql('outbox.open')`
  update teahouse.outbox_state
     set active = true, seen_at = clock_timestamp(), position = position + 1
  returning position::text as position, pg_current_xact_id()::text as xid`

export const syncTriggers = (): Statement => sql('outbox.sync')`
  select teahouse.outbox_sync() as changed`

/** Whether every transaction that was running at another's time has ended. */
export const hasSettled = (xid: string): Statement => sql('outbox.settled')`
  select pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot()) > ${xid}::xid8 as settled`

export const dropIdleSlot = (slot: string): Statement => sql('outbox.drop_slot')`
  select pg_catalog.pg_drop_replication_slot(slot_name)
    from pg_catalog.pg_replication_slots
   where slot_name = ${slot}
     and not active`

/** The reader's sign of life. Affects no row when the outbox is closed by now, after a reset of the database for example. */
export const touch = (): Statement => sql('outbox.touch')`
  update teahouse.outbox_state
     set seen_at = clock_timestamp()
   where active`

export const removeAll = (): Statement => sql('outbox.remove_all')`
  delete from teahouse.outbox`

export interface OutboxRow {
  readonly seq: string
  readonly op: string
  readonly xid: string
  /** Microseconds since 1970. */
  readonly at: string
  readonly shape: number | null
  readonly next: string | null
  readonly old: string | null
}

/**
 * Rows of all transactions that have committed, transaction after transaction. Numbers are given when rows are written, so neither they nor
 * transaction ids are the order of commits. But whoever changes a row, or reads one and then writes, does so after the other has committed: its
 * last number is higher. So transactions in the order of their last numbers are in an order in which they could have run one after the other.
 */
const ROWS = frag`
  select seq::text as seq,
         op::text as op,
         xid::text as xid,
         (extract(epoch from max(at) over (partition by xid)) * 1000000)::bigint::text as at,
         shape,
         next,
         old
    from teahouse.outbox as outbox
   order by max(outbox.seq) over (partition by outbox.xid), outbox.seq`

export const firstRows = (limit: number): Statement => statement('outbox.first', frag`${ROWS} limit ${limit}`)

/** The cursor outlives transactions, so that each page has one of its own. */
export const declareRows = (): Statement =>
  statement('outbox.declare', frag`declare outbox_rows no scroll cursor with hold for ${ROWS}`)

export const fetchRows = (limit: number): Statement =>
  statement('outbox.fetch', frag`fetch ${keyword(String(limit))} from outbox_rows`)

export const closeRows = (): Statement => sql('outbox.close')`
  close outbox_rows`

export const removeRows = (seqs: readonly string[]): Statement => sql('outbox.remove')`
  delete from teahouse.outbox
   where seq = any(${seqs}::bigint[])`

export const moveOn = (position: bigint): Statement => sql('outbox.move_on')`
  update teahouse.outbox_state
     set position = ${position}, seen_at = clock_timestamp()`

export interface ShapeRow {
  readonly id: number
  readonly told: string
  readonly schema: string
  readonly name: string
  readonly identity: string
  readonly columns: readonly (readonly [name: string, type: number, modifier: number, key: boolean, place: number])[]
}

export const findShapes = (ids: readonly number[]): Statement => sql('outbox.shapes')`
  select id, told::text as told, schema, name, identity::text as identity, columns
    from teahouse.outbox_shape
   where id = any(${ids}::integer[])`

export interface SizeRow {
  readonly waiting: boolean
  readonly bytes: string
}

export const outboxSize = (): Statement => sql('outbox.size')`
  select exists (select 1 from teahouse.outbox) as waiting,
         pg_catalog.pg_table_size('teahouse.outbox')::text as bytes`
