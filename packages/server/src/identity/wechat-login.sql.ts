/** The lock behind which one WeChat person becomes one user. */
import { type Statement, sql } from '../sql/sql.ts'

export const lockPerson = (key: string): Statement => sql('auth.lock_wechat_person')`
  select pg_advisory_xact_lock(hashtextextended(${key}, 7237103))`
