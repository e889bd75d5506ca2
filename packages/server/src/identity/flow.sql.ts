/** Statements on auth.flow_state. */
import { type Statement, sql } from '../sql/sql.ts'

export interface Flow {
  readonly id: string
  readonly userId: string | null
  readonly authCode: string | null
  readonly challengeMethod: 's256' | 'plain' | null
  readonly challenge: string | null
  readonly provider: string
  readonly method: string
  readonly redirectTo: string | null
  readonly linkingUserId: string | null
  readonly nonce: string | null
  /** What this server proves to the provider. */
  readonly providerVerifier: string | null
  readonly providerAccessToken: string | null
  readonly providerRefreshToken: string | null
  readonly createdAt: string
  readonly codeIssuedAt: string | null
}

export type NewFlow = Omit<
  Flow,
  'userId' | 'providerAccessToken' | 'providerRefreshToken' | 'createdAt' | 'codeIssuedAt'
> & {
  readonly userId?: string | null
}

export const insertFlow = (flow: NewFlow, now: Date): Statement => sql('auth.insert_flow')`
  insert into auth.flow_state (
    id, user_id, auth_code, code_challenge_method, code_challenge, provider_type, authentication_method,
    redirect_to, linking_user_id, nonce, provider_verifier, created_at, updated_at)
  values (
    ${flow.id}::uuid, ${flow.userId ?? null}::uuid, ${flow.authCode}, ${flow.challengeMethod}::auth.code_challenge_method,
    ${flow.challenge}, ${flow.provider}, ${flow.method}, ${flow.redirectTo}, ${flow.linkingUserId}::uuid,
    ${flow.nonce}, ${flow.providerVerifier}, ${now}, ${now})`

/** A state goes to the provider once and comes back once. */
export const takeFlow = (id: string): Statement => sql('auth.take_flow')`
  update auth.flow_state
     set nonce = null,
         provider_verifier = null,
         authentication_method = authentication_method || '/returned'
   where id = ${id}::uuid
     and authentication_method not like '%/returned'
  returning id`

export const findFlow = (id: string): Statement => sql('auth.find_flow')`
  select id, user_id as "userId", auth_code as "authCode", code_challenge_method as "challengeMethod",
         code_challenge as challenge, provider_type as provider, authentication_method as method,
         redirect_to as "redirectTo", linking_user_id as "linkingUserId", nonce,
         provider_verifier as "providerVerifier", provider_access_token as "providerAccessToken",
         provider_refresh_token as "providerRefreshToken", created_at as "createdAt",
         auth_code_issued_at as "codeIssuedAt"
    from auth.flow_state
   where id = ${id}::uuid`

/** The flow that a message was sent for. */
export const findFlowOfUser = (userId: string, method: string): Statement => sql('auth.find_flow_of_user')`
  select id
    from auth.flow_state
   where user_id = ${userId}::uuid
     and authentication_method = ${method}
     and auth_code_issued_at is null
   order by created_at desc
   limit 1`

export interface FlowEnd {
  readonly userId: string
  readonly authCode: string
  readonly accessToken?: string | null
  readonly refreshToken?: string | null
}

export const finishFlow = (id: string, end: FlowEnd, now: Date): Statement => sql('auth.finish_flow')`
  update auth.flow_state
     set user_id = ${end.userId}::uuid,
         auth_code = ${end.authCode},
         provider_access_token = ${end.accessToken ?? null},
         provider_refresh_token = ${end.refreshToken ?? null},
         auth_code_issued_at = ${now},
         updated_at = ${now}
   where id = ${id}::uuid`

/** Takes the flow of a code away: a code works once, right or wrong verifier. */
export const redeemFlow = (code: string): Statement => sql('auth.redeem_flow')`
  delete from auth.flow_state
   where auth_code = ${code}
     and auth_code_issued_at is not null
  returning id, user_id as "userId", code_challenge_method as "challengeMethod", code_challenge as challenge,
            authentication_method as method, provider_type as provider,
            provider_access_token as "providerAccessToken", provider_refresh_token as "providerRefreshToken",
            created_at as "createdAt", auth_code_issued_at as "codeIssuedAt"`

export const sweepFlows = (before: Date): Statement => sql('auth.sweep_flows')`
  delete from auth.flow_state
   where created_at < ${before}`
