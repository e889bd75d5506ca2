/** Statements on second factors. */
import { type Statement, sql } from '../sql/sql.ts'
import type { FactorType } from './user.ts'

export interface SecretFactor {
  readonly id: string
  readonly userId: string
  readonly type: FactorType
  readonly status: 'unverified' | 'verified'
  readonly secret: string | null
  readonly phone: string | null
  /** int8: text. */
  readonly lastStep: string | null
}

export interface NewFactor {
  readonly id: string
  readonly userId: string
  readonly friendlyName: string | null
  readonly type: FactorType
  readonly status: 'unverified' | 'verified'
  readonly secret: string | null
  readonly phone: string | null
}

export const insertFactor = (factor: NewFactor, now: Date): Statement => sql('auth.insert_factor')`
  insert into auth.mfa_factors (id, user_id, friendly_name, factor_type, status, secret, phone, created_at, updated_at)
  values (
    ${factor.id}::uuid, ${factor.userId}::uuid, ${factor.friendlyName}, ${factor.type}::auth.factor_type,
    ${factor.status}::auth.factor_status, ${factor.secret}, ${factor.phone}, ${now}, ${now})`

export const findFactor = (id: string, userId: string): Statement => sql('auth.find_factor')`
  select id, user_id as "userId", factor_type as type, status, secret, phone, last_step::text as "lastStep"
    from auth.mfa_factors
   where id = ${id}::uuid
     and user_id = ${userId}::uuid
     for update`

/** Accepts a time step once: of two requests with the same code one gets a row. */
export const advanceFactor = (id: string, step: number, now: Date): Statement => sql('auth.advance_factor')`
  update auth.mfa_factors
     set last_step = ${step}::bigint,
         updated_at = ${now}
   where id = ${id}::uuid
     and coalesce(last_step, -1) < ${step}::bigint`

export const verifyFactor = (id: string, now: Date): Statement => sql('auth.verify_factor')`
  update auth.mfa_factors
     set status = 'verified',
         updated_at = ${now}
   where id = ${id}::uuid`

export const deleteFactor = (id: string): Statement => sql('auth.delete_factor')`
  delete from auth.mfa_factors
   where id = ${id}::uuid`

export const deleteUnverifiedFactors = (userId: string, type: FactorType): Statement =>
  sql('auth.delete_unverified_factors')`
    delete from auth.mfa_factors
     where user_id = ${userId}::uuid
       and factor_type = ${type}::auth.factor_type
       and status = 'unverified'`

export interface Challenge {
  readonly id: string
  readonly factorId: string
  readonly createdAt: string
  readonly verifiedAt: string | null
  readonly ip: string
  readonly codeHash: string | null
}

export const insertChallenge = (
  challenge: { id: string; factorId: string; ip: string; codeHash: string | null },
  now: Date,
): Statement => sql('auth.insert_challenge')`
  insert into auth.mfa_challenges (id, factor_id, created_at, ip_address, otp_code)
  values (${challenge.id}::uuid, ${challenge.factorId}::uuid, ${now}, ${challenge.ip}::inet, ${challenge.codeHash})`

/** Counts the attempt and answers the challenge; none that was answered before or tried too often. */
export const tryChallenge = (id: string, factorId: string, most: number): Statement => sql('auth.try_challenge')`
  update auth.mfa_challenges
     set attempts = attempts + 1
   where id = ${id}::uuid
     and factor_id = ${factorId}::uuid
     and verified_at is null
     and attempts < ${most}
  returning id, factor_id as "factorId", created_at as "createdAt", verified_at as "verifiedAt",
            host(ip_address) as ip, otp_code as "codeHash"`

export const closeChallenge = (id: string, now: Date): Statement => sql('auth.close_challenge')`
  update auth.mfa_challenges
     set verified_at = ${now}
   where id = ${id}::uuid`

export const replaceRecoveryCodes = (factorId: string, hashes: readonly string[]): Statement =>
  sql('auth.replace_recovery_codes')`
    with gone as (
      delete from auth.mfa_recovery_codes
       where factor_id = ${factorId}::uuid
         and not code_hash = any(${hashes}::text[])
    )
    insert into auth.mfa_recovery_codes (factor_id, code_hash)
    select ${factorId}::uuid, code_hash
      from unnest(${hashes}::text[]) as code_hash`

export const countRecoveryCodes = (factorId: string): Statement => sql('auth.count_recovery_codes')`
  select count(*)::int as total,
         (count(*) filter (where used_at is null))::int as remaining
    from auth.mfa_recovery_codes
   where factor_id = ${factorId}::uuid`

export const spendRecoveryCode = (factorId: string, hash: string, now: Date): Statement =>
  sql('auth.spend_recovery_code')`
    update auth.mfa_recovery_codes
       set used_at = ${now}
     where factor_id = ${factorId}::uuid
       and code_hash = ${hash}
       and used_at is null`
