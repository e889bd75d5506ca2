/** Statements on auth.sessions and what hangs on them. */
import { type Fragment, frag, type Statement, sql, statement } from '../sql/sql.ts'
import type { Aal, AuthMethod, Device } from './session.ts'

const columns = frag`
  s.id, s.user_id as "userId", coalesce(s.aal, 'aal1') as aal, s.factor_id as "factorId",
  s.created_at as "createdAt", s.not_after as "notAfter", s.refreshed_at as "refreshedAt",
  s.refresh_token_hmac_key as key, s.refresh_token_counter::text as counter,
  to_jsonb(s.refresh_times) as "refreshTimes",
  coalesce((select jsonb_agg(jsonb_build_object(
                     'method', a.authentication_method,
                     'timestamp', floor(extract(epoch from a.updated_at))::bigint) order by a.updated_at desc)
              from auth.mfa_amr_claims as a
             where a.session_id = s.id), '[]') as amr`

const selectSession = (name: string, where: Fragment): Statement =>
  statement(name, frag`select ${columns} from auth.sessions as s where ${where}`)

export const findSession = (id: string): Statement => selectSession('auth.find_session', frag`s.id = ${id}::uuid`)

export const lockSession = (id: string): Statement =>
  selectSession('auth.lock_session', frag`s.id = ${id}::uuid for update of s`)

export const listSessions = (userId: string): Statement =>
  selectSession('auth.list_sessions', frag`s.user_id = ${userId}::uuid order by s.created_at`)

export interface NewSession {
  readonly id: string
  readonly userId: string
  readonly key: string
  readonly aal: Aal
  readonly method: AuthMethod
  readonly device: Device
  readonly notAfter: Date | null
}

/** The session, its first proof, and the user's time of sign-in, at once. */
export const insertSession = (session: NewSession, now: Date): Statement => sql('auth.insert_session')`
  with started as (
    insert into auth.sessions (
      id, user_id, created_at, updated_at, aal, not_after, user_agent, ip, refresh_token_hmac_key)
    values (
      ${session.id}::uuid, ${session.userId}::uuid, ${now}, ${now}, ${session.aal}::auth.aal_level,
      ${session.notAfter}, ${session.device.userAgent}, ${session.device.ip}::inet, ${session.key})
  ), proven as (
    insert into auth.mfa_amr_claims (session_id, created_at, updated_at, authentication_method)
    values (${session.id}::uuid, ${now}, ${now}, ${session.method})
  )
  update auth.users
     set last_sign_in_at = ${now},
         updated_at = ${now}
   where id = ${session.userId}::uuid`

/** Moves the family on by one, unless somebody did already. */
export const advanceSession = (id: string, counter: bigint, device: Device, now: Date): Statement =>
  sql('auth.advance_session')`
    update auth.sessions
       set refresh_token_counter = refresh_token_counter + 1,
           refresh_times = (array_prepend(${now}::timestamptz, refresh_times))[1:8],
           refreshed_at = ${now},
           updated_at = ${now},
           user_agent = ${device.userAgent},
           ip = ${device.ip}::inet
     where id = ${id}::uuid
       and refresh_token_counter = ${counter}::bigint`

export const addProof = (sessionId: string, method: AuthMethod, now: Date): Statement => sql('auth.add_proof')`
  insert into auth.mfa_amr_claims (session_id, created_at, updated_at, authentication_method)
  values (${sessionId}::uuid, ${now}, ${now}, ${method})
      on conflict (session_id, authentication_method) do update set updated_at = excluded.updated_at`

export const raiseSession = (id: string, factorId: string, now: Date): Statement => sql('auth.raise_session')`
  update auth.sessions
     set aal = 'aal2',
         factor_id = ${factorId}::uuid,
         updated_at = ${now}
   where id = ${id}::uuid`

/** A factor is gone: what it had raised falls back. */
export const lowerSessions = (userId: string, factorId: string): Statement => sql('auth.lower_sessions')`
  with lowered as (
    update auth.sessions
       set aal = 'aal1',
           factor_id = null,
           updated_at = now()
     where user_id = ${userId}::uuid
       and factor_id = ${factorId}::uuid
    returning id
  )
  delete from auth.mfa_amr_claims
   where session_id in (select id from lowered)
     and authentication_method in ('totp', 'mfa/phone', 'mfa/recovery_code')`

export const deleteSession = (id: string): Statement => sql('auth.delete_session')`
  delete from auth.sessions
   where id = ${id}::uuid
  returning id`

export const deleteSessionsOf = (userId: string): Statement => sql('auth.delete_sessions')`
  delete from auth.sessions
   where user_id = ${userId}::uuid
  returning id`

export const deleteOtherSessions = (userId: string, keep: string): Statement => sql('auth.delete_other_sessions')`
  delete from auth.sessions
   where user_id = ${userId}::uuid
     and id <> ${keep}::uuid
  returning id`

export const deleteWeakerSessions = (userId: string, keep: string): Statement => sql('auth.delete_weaker_sessions')`
  delete from auth.sessions
   where user_id = ${userId}::uuid
     and id <> ${keep}::uuid
     and coalesce(aal, 'aal1') < 'aal2'
  returning id`
