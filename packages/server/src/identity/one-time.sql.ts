/** Statements on auth.one_time_tokens. */
import { type Statement, sql } from '../sql/sql.ts'

export type OneTimeKind =
  | 'confirmation_token'
  | 'reauthentication_token'
  | 'recovery_token'
  | 'email_change_token_new'
  | 'email_change_token_current'
  | 'phone_change_token'

export interface OneTimeRow {
  readonly id: string
  readonly userId: string
  readonly kind: OneTimeKind
  readonly hash: string
  readonly relatesTo: string
  readonly createdAt: string
}

/** One token of a kind per person: a newer one replaces it. */
export const putOneTime = (token: Omit<OneTimeRow, 'id' | 'createdAt'>, now: Date): Statement => sql(
  'auth.put_one_time',
)`
  insert into auth.one_time_tokens (user_id, token_type, token_hash, relates_to, created_at, updated_at)
  values (
    ${token.userId}::uuid, ${token.kind}::auth.one_time_token_type, ${token.hash}, ${token.relatesTo}, ${now}, ${now})
      on conflict (user_id, token_type) do update
         set token_hash = excluded.token_hash,
             relates_to = excluded.relates_to,
             created_at = excluded.created_at,
             updated_at = excluded.updated_at`

export const findOneTime = (hashes: readonly string[], kinds: readonly OneTimeKind[]): Statement =>
  sql('auth.find_one_time')`
    select id, user_id as "userId", token_type as kind, token_hash as hash,
           relates_to as "relatesTo", created_at as "createdAt"
      from auth.one_time_tokens
     where token_hash = any(${hashes}::text[])
       and token_type = any(${kinds}::text[]::auth.one_time_token_type[])
     limit 1`

/** Takes a token; 0 rows when another request was faster. */
export const takeOneTime = (id: string): Statement => sql('auth.take_one_time')`
  delete from auth.one_time_tokens
   where id = ${id}::uuid`

export const dropOneTime = (userId: string, kinds: readonly OneTimeKind[]): Statement => sql('auth.drop_one_time')`
  delete from auth.one_time_tokens
   where user_id = ${userId}::uuid
     and token_type = any(${kinds}::text[]::auth.one_time_token_type[])`
