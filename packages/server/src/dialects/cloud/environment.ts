/** What the process of a cloud function finds in its environment: where the API is, who calls, and credentials for this one invocation. */
import type { Invocation } from '../../functions/functions.ts'
import type { Caller } from '../../identity/caller.ts'
import type { Clock } from '../../kernel/clock.ts'
import { openidOf } from '../../policy/claims.ts'
import type { CredentialIssuer, Grant } from './credentials.ts'

/** The one environment of a server; SDKs name it, and any other name means it too. */
export const ENVIRONMENT = 'teahouse'

/** Beyond its longest invocation, so that work which goes on after the answer may still write. */
const GRANT_MS = 1_800_000

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

/** The caller that a grant stands for, when a function calls another one: its own caller is handed on. */
export const callerOf = ({ openid, unionid, userId }: Grant): Caller | null => {
  if (openid === '' && userId === '') return null
  const claims = { role: 'authenticated', sub: userId, openid, unionid }
  return { role: 'authenticated', userId: userId || null, claims, claimsText: JSON.stringify(claims), expiresAt: null }
}

/** There when the code is loaded: SDKs are usually set up in its first line. */
export const processEnvironment = (url: string): Readonly<Record<string, string>> => ({
  TENCENTCLOUD_RUNENV: 'SCF',
  TENCENTCLOUD_REGION: 'local',
  SCF_NAMESPACE: ENVIRONMENT,
  TCB_ENV: ENVIRONMENT,
  TCB_CONTEXT_CNFG: JSON.stringify({ URL: `${url}/admin` }),
})

export interface EnvironmentOptions {
  readonly issuer: CredentialIssuer
  readonly clock: Clock
  readonly appid: string
}

export const invocationEnvironment = (
  { issuer, clock, appid }: EnvironmentOptions,
  { name, caller, trigger }: Invocation,
  id: string,
): Readonly<Record<string, string>> => {
  const grant: Grant = {
    function: name,
    invocation: id,
    openid: caller === null ? '' : (openidOf(caller.claims) ?? ''),
    unionid: textOf(caller?.claims.unionid),
    userId: caller?.userId ?? '',
    expiresAt: clock.now() + GRANT_MS,
  }
  const { secretId, secretKey, sessionToken } = issuer.issue(grant)
  const who = { WX_OPENID: grant.openid, WX_APPID: appid, WX_UNIONID: grant.unionid, WX_API_TOKEN: sessionToken }
  const known = Object.entries(who).filter(([, value]) => value !== '')
  return {
    TENCENTCLOUD_SECRETID: secretId,
    TENCENTCLOUD_SECRETKEY: secretKey,
    TENCENTCLOUD_SESSIONTOKEN: sessionToken,
    TCB_SOURCE: trigger === 'timer' ? 'wx_trigger' : trigger === 'http' ? 'wx_http' : 'wx_client',
    ...(trigger === 'timer' ? { TRIGGER_SRC: 'timer', WX_TRIGGER_API_TOKEN_V0: sessionToken } : {}),
    WX_CONTEXT_KEYS: known.map(([key]) => key).join(','),
    ...Object.fromEntries(known),
  }
}
