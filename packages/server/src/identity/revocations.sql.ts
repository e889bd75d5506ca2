/** Statements on teahouse.revocation. */
import { type Statement, sql } from '../sql/sql.ts'

export const insertRevocations = (subjects: readonly string[], at: Date, keepUntil: Date): Statement =>
  sql('auth.revoke')`
    insert into teahouse.revocation (subject, revoked_at, keep_until)
    select subject, ${at}, ${keepUntil}
      from unnest(${subjects}::uuid[]) as subject`

export const revocationsAfter = (seq: string, now: Date): Statement => sql('auth.revocations')`
  select seq::text as seq, subject, revoked_at as "revokedAt", keep_until as "keepUntil"
    from teahouse.revocation
   where seq > ${seq}::bigint
     and keep_until > ${now}
   order by seq`

export const forgetRevocations = (now: Date): Statement => sql('auth.forget_revocations')`
  delete from teahouse.revocation
   where keep_until <= ${now}`
