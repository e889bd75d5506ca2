/** Asks where the log stands. */
import { type Statement, sql } from '../sql/sql.ts'

export const logPosition = (): Statement => sql('live.log_position')`
  select pg_catalog.pg_current_wal_insert_lsn()::text as lsn`
