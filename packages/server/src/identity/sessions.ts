/** Logins: how one begins, goes on and ends. */
import type { Queryable } from '../db/pool.ts'
import type { Statement } from '../sql/sql.ts'
import { type AuthContext, nowOf } from './context.ts'
import { refuse } from './errors.ts'
import { provesRefresh, type RefreshClaim, readRefreshToken, refreshToken } from './refresh-token.ts'
import type { Aal, AuthMethod, Device, Grant, Session } from './session.ts'
import {
  advanceSession,
  deleteOtherSessions,
  deleteSession,
  deleteSessionsOf,
  deleteWeakerSessions,
  findSession,
  insertSession,
  listSessions,
} from './sessions.sql.ts'
import { isBanned, type User } from './user.ts'
import { findUser } from './users.sql.ts'

export interface Login {
  readonly method: AuthMethod
  readonly device: Device
  readonly aal?: Aal
}

export type LogoutScope = 'global' | 'local' | 'others'

export interface Sessions {
  /** Begins a session for a user who proved who they are. */
  start(db: Queryable, userId: string, login: Login): Promise<Grant>
  /** Exchanges a refresh token. */
  refresh(token: string, device: Device): Promise<Grant>
  /** Signs a new access token for a session that goes on, after its proofs changed. */
  renew(db: Queryable, sessionId: string, method: AuthMethod): Promise<Grant>
  find(id: string): Promise<Session | null>
  list(userId: string): Promise<readonly Session[]>
  logout(session: { readonly userId: string; readonly sessionId: string | null }, scope: LogoutScope): Promise<void>
  /** Ends sessions inside a transaction; call `revocations.applied` once it has committed. */
  endOthers(db: Queryable, userId: string, keep: string | null): Promise<void>
  endWeaker(db: Queryable, userId: string, keep: string): Promise<void>
}

/** How often a refresh that lost a race looks again: the winner has moved the family on by then. */
const ATTEMPTS = 3

export const createSessions = (context: AuthContext): Sessions => {
  const { db } = context
  const endNow = async (statement: Statement): Promise<void> => {
    await db.transaction((tx) => end(context, tx, statement))
    await context.revocations.applied()
  }
  return {
    start: (on, userId, login) => start(context, on, { userId, login }),
    refresh: (token, device) => refresh(context, { token, device, endNow }),
    async renew(on, sessionId, method) {
      const [user, session] = await load(on, sessionId)
      return grantOf(context, { user, session, method, counter: BigInt(session.counter) })
    },
    find: (id) => db.maybeOne<Session>(findSession(id)),
    list: (userId) => db.many<Session>(listSessions(userId)),
    async logout({ userId, sessionId }, scope) {
      if (scope === 'global' || sessionId === null) await endNow(deleteSessionsOf(userId))
      else await endNow(scope === 'local' ? deleteSession(sessionId) : deleteOtherSessions(userId, sessionId))
    },
    endOthers: (on, userId, keep) =>
      end(context, on, keep === null ? deleteSessionsOf(userId) : deleteOtherSessions(userId, keep)),
    endWeaker: (on, userId, keep) => end(context, on, deleteWeakerSessions(userId, keep)),
  }
}

interface Granted {
  readonly user: User
  readonly session: Session
  readonly counter: bigint
  readonly method: AuthMethod
}

const grantOf = async (context: AuthContext, { user, session, counter, method }: Granted): Promise<Grant> => {
  const [pepper = new Uint8Array()] = context.ring.secrets
  const signed = await context.tokens(user, session, { method, now: context.clock.now() })
  return {
    accessToken: signed.token,
    refreshToken: refreshToken(session.id, counter, session.key, pepper),
    expiresIn: signed.expiresIn,
    expiresAt: signed.expiresAt,
    user,
  }
}

const load = async (on: Queryable, sessionId: string): Promise<readonly [User, Session]> => {
  const session = await on.maybeOne<Session>(findSession(sessionId))
  if (session === null) throw refuse('session_not_found')
  const user = await on.maybeOne<User>(findUser(session.userId))
  if (user === null) throw refuse('user_not_found')
  return [user, session]
}

/** Ends the sessions that the statement deletes, with the access tokens that were given out for them. */
const end = async (context: AuthContext, on: Queryable, statement: Statement): Promise<void> => {
  const ended = await on.many<{ id: string }>(statement)
  await context.revocations.revoke(
    on,
    ended.map(({ id }) => id),
  )
}

const start = async (
  context: AuthContext,
  on: Queryable,
  { userId, login }: { readonly userId: string; readonly login: Login },
): Promise<Grant> => {
  const { ids, settings } = context
  const { method, device, aal = 'aal1' } = login
  const now = nowOf(context)
  const id = ids.uuid()
  const notAfter = settings.timebox === null ? null : new Date(now.getTime() + settings.timebox * 1000)
  await on.run(insertSession({ id, userId, key: ids.secret(32), aal, method, device, notAfter }, now))
  const [user, session] = await load(on, id)
  return grantOf(context, { user, session, method, counter: 0n })
}

interface Refresh {
  readonly token: string
  readonly device: Device
  readonly endNow: (statement: Statement) => Promise<void>
}

const refresh = async (context: AuthContext, { token, device, endNow }: Refresh): Promise<Grant> => {
  const { db, settings } = context
  const claim = readRefreshToken(token)
  if (claim === null) throw refuse('refresh_token_not_found')
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const session = await provenSession(context, claim)
    const user = await db.maybeOne<User>(findUser(session.userId))
    if (user === null) throw refuse('refresh_token_not_found')
    if (isBanned(user, context.clock.now())) throw refuse('user_banned')
    if (hasEnded(session, context)) {
      await endNow(deleteSession(session.id))
      throw refuse('session_expired')
    }
    const current = BigInt(session.counter)
    const next = { user, session, method: 'token_refresh' } as const
    if (claim.counter === current) {
      if ((await db.run(advanceSession(session.id, current, device, nowOf(context)))) === 0) continue
      return grantOf(context, { ...next, counter: current + 1n })
    }
    // The one before the latest: its owner never got the answer, and gets it again.
    if (mayReuse(session, claim, context)) return grantOf(context, { ...next, counter: current })
    if (settings.enableRefreshTokenRotation) await endNow(deleteSession(session.id))
    throw refuse('refresh_token_already_used')
  }
  throw refuse('conflict')
}

const provenSession = async ({ db, ring }: AuthContext, claim: RefreshClaim): Promise<Session> => {
  const session = await db.maybeOne<Session>(findSession(claim.sessionId))
  if (session === null || !provesRefresh(claim, session.key, ring.secrets)) throw refuse('refresh_token_not_found')
  return session
}

/** By its own end, the operator's longest life, or for having been left alone. */
const hasEnded = (session: Session, { clock, settings }: AuthContext): boolean => {
  const now = clock.now()
  if (session.notAfter !== null && Date.parse(session.notAfter) <= now) return true
  if (settings.timebox !== null && Date.parse(session.createdAt) + settings.timebox * 1000 <= now) return true
  if (settings.inactivityTimeout === null) return false
  return Date.parse(session.refreshedAt ?? session.createdAt) + settings.inactivityTimeout * 1000 <= now
}

/** A token that was exchanged: good again right before the latest one, or within the reuse interval, or when tokens do not rotate. */
const mayReuse = (session: Session, claim: RefreshClaim, { clock, settings }: AuthContext): boolean => {
  const behind = Number(BigInt(session.counter) - claim.counter)
  if (behind < 0) return false
  if (behind === 1 || !settings.enableRefreshTokenRotation) return true
  const exchangedAt = session.refreshTimes[behind - 1]
  return exchangedAt !== undefined && clock.now() - Date.parse(exchangedAt) <= settings.refreshTokenReuseInterval * 1000
}
