/** Asks whether transactions are visible in a new snapshot. The log names them by 32 bits, snapshots by 64. */
import { type Statement, sql } from '../sql/sql.ts'

/** A transaction is visible when it lies before the snapshot's end and is not listed as running. Differences are modulo 2^32, like the ids. */
export const allVisible = (xids: readonly number[]): Statement => sql('live.all_visible')`
  select coalesce(bool_and(
           ((pg_catalog.pg_snapshot_xmax(snapshot)::text::bigint - wanted.xid) & 4294967295) between 1 and 2147483647
           and not exists (
             select 1
               from pg_catalog.pg_snapshot_xip(snapshot) as running(xid)
              where (running.xid::text::bigint & 4294967295) = wanted.xid)
         ), true) as visible
    from pg_catalog.pg_current_snapshot() as snapshot,
         unnest(${xids}::bigint[]) as wanted(xid)`

/** The number that the next transaction would get, and the number of the oldest that is still running. */
export const transactionRange = (): Statement => sql('live.transaction_range')`
  select pg_catalog.pg_snapshot_xmin(snapshot)::text as oldest,
         pg_catalog.pg_snapshot_xmax(snapshot)::text as next
    from pg_catalog.pg_current_snapshot() as snapshot`
