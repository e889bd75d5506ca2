/** Statements on teahouse.wechat_token. */
import { type Statement, sql } from '../sql/sql.ts'

export interface TokenRow {
  readonly token: string
  readonly expiresAt: string
}

/** One node at a time fetches the token of an app. */
export const lockToken = (appid: string): Statement => sql('wechat.lock_token')`
  select pg_advisory_xact_lock(7237102, hashtext(${appid}))`

export const readToken = (appid: string): Statement => sql('wechat.read_token')`
  select access_token as token, expires_at as "expiresAt"
    from teahouse.wechat_token
   where appid = ${appid}`

export const writeToken = (appid: string, row: { token: string; expiresAt: Date; now: Date }): Statement =>
  sql('wechat.write_token')`
    insert into teahouse.wechat_token (appid, access_token, expires_at, fetched_at)
    values (${appid}, ${row.token}, ${row.expiresAt}, ${row.now})
        on conflict (appid) do update
           set access_token = excluded.access_token,
               expires_at = excluded.expires_at,
               fetched_at = excluded.fetched_at`
