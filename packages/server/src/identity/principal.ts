/** From a verified caller to the person and the login behind it. */
import { isObject, parseJson } from '../kernel/json.ts'
import type { Principal } from './account.ts'
import { loadUser } from './accounts.ts'
import type { Caller } from './caller.ts'
import type { AuthContext } from './context.ts'
import { refuse } from './errors.ts'
import type { Session } from './session.ts'
import { findSession } from './sessions.sql.ts'
import { isBanned } from './user.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export const isUuid = (text: unknown): text is string => typeof text === 'string' && UUID.test(text)

/** Throws when the token stands for nobody, or for somebody who is gone, logged out or banned. */
export const principalOf = async (context: AuthContext, caller: Caller): Promise<Principal> => {
  if (!isUuid(caller.userId)) throw refuse('bad_jwt', 'invalid claim: missing sub claim')
  const sessionId = caller.claims.session_id
  const session = isUuid(sessionId) ? await context.db.maybeOne<Session>(findSession(sessionId)) : null
  if (session === null && sessionId !== undefined && sessionId !== '') throw refuse('session_not_found')
  const user = await loadUser(context.db, caller.userId).catch((error: unknown) => {
    throw refuse('user_not_found', 'User from sub claim in JWT does not exist', { cause: error, details: 'token' })
  })
  if (isBanned(user, context.clock.now())) throw refuse('user_banned')
  return { user, session }
}

/** What a token says, unverified: for telling why it was refused, never for deciding. */
export const peek = (token: string): Readonly<Record<string, unknown>> => {
  const [, payload = ''] = token.split('.')
  const claims = parseJson(Buffer.from(payload, 'base64url').toString('utf8'))
  return isObject(claims) ? claims : {}
}
