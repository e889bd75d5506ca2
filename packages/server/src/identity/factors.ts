/** Second factors: an authenticator app (RFC 6238) or a phone. */
import { generateSecret, generateURI, verifySync } from 'otplib'
import { renderSVG } from 'uqr'
import { databaseError, type Queryable } from '../db/pool.ts'
import type { Principal } from './account.ts'
import { parsePhone } from './addresses.ts'
import { type AuthContext, nowOf } from './context.ts'
import { invalid, refuse } from './errors.ts'
import {
  advanceFactor,
  type Challenge,
  closeChallenge,
  deleteFactor,
  deleteUnverifiedFactors,
  findFactor,
  insertChallenge,
  insertFactor,
  type SecretFactor,
  tryChallenge,
  verifyFactor,
} from './factors.sql.ts'
import { newCode, tokenHash } from './one-time.ts'
import type { AuthMethod, Device, Grant, Session } from './session.ts'
import { addProof, lowerSessions, raiseSession } from './sessions.sql.ts'
import type { Sessions } from './sessions.ts'
import type { Factor, User } from './user.ts'

const CHALLENGE_SECONDS = 300
const PERIOD = 30
const MOST_ATTEMPTS = 5

export interface Enrolment {
  readonly id: string
  readonly type: 'totp' | 'phone'
  readonly friendlyName: string | null
  readonly totp: { readonly qrCode: string; readonly secret: string; readonly uri: string } | null
  readonly phone: string | null
}

export interface EnrolInput {
  readonly type: string | undefined
  readonly friendlyName: string | undefined
  readonly issuer: string | undefined
  readonly phone: string | undefined
}

/** A session that a factor is added to or used in; a token of the operator's own making has none. */
export const sessionOf = ({ session }: Principal): Session => {
  if (session === null) throw refuse('session_not_found', 'A session is required')
  return session
}

export const hasVerified = (user: User): boolean => user.factors.some((each) => each.status === 'verified')

/** Who has a second factor changes factors only after having shown it. */
export const assertRaised = (principal: Principal, message?: string): void => {
  if (hasVerified(principal.user) && sessionOf(principal).aal === 'aal1') throw refuse('insufficient_aal', message)
}

export const enrolFactor = async (
  context: AuthContext,
  principal: Principal,
  input: EnrolInput,
): Promise<Enrolment> => {
  const { user } = principal
  const { mfa } = context.settings
  if (input.type === 'webauthn') throw refuse('mfa_webauthn_enroll_not_enabled')
  if (input.type !== 'totp' && input.type !== 'phone') throw invalid('factor_type needs to be totp or phone')
  if (input.type === 'totp' && !mfa.totpEnroll) throw refuse('mfa_totp_enroll_not_enabled')
  if (input.type === 'phone' && !mfa.phoneEnroll) throw refuse('mfa_phone_enroll_not_enabled')
  assertRaised(principal, 'AAL2 required to enroll a new factor')
  if (user.factors.length >= mfa.maxEnrolledFactors) throw refuse('too_many_enrolled_mfa_factors')
  const id = context.ids.uuid()
  const friendlyName = input.friendlyName ?? null
  const base = { id, userId: user.id, friendlyName, status: 'unverified' } as const
  if (input.type === 'phone') {
    const phone = parsePhone(input.phone ?? '')
    await addFactor(context.db, { ...base, type: 'phone', secret: null, phone }, nowOf(context))
    return { id, type: 'phone', friendlyName, totp: null, phone }
  }
  const secret = generateSecret()
  const issuer = input.issuer ?? new URL(context.settings.siteUrl).host
  const uri = generateURI({ issuer, label: user.email ?? user.phone ?? user.id, secret, period: PERIOD })
  // An app that was begun with and never finished is forgotten; its secret may have been seen.
  await context.db.transaction(async (tx) => {
    await tx.run(deleteUnverifiedFactors(user.id, 'totp'))
    await addFactor(tx, { ...base, type: 'totp', secret, phone: null }, nowOf(context))
  })
  return { id, type: 'totp', friendlyName, phone: null, totp: { qrCode: renderSVG(uri), secret, uri } }
}

export const addFactor = async (
  db: Queryable,
  factor: Parameters<typeof insertFactor>[0],
  now: Date,
): Promise<void> => {
  await db.run(insertFactor(factor, now)).catch((error: unknown) => {
    if (databaseError(error)?.code !== '23505') throw error
    throw refuse('mfa_factor_name_conflict', undefined, { cause: error })
  })
}

export interface IssuedChallenge {
  readonly id: string
  readonly type: 'totp' | 'phone'
  readonly expiresAt: number
}

const loadFactor = async (db: Queryable, user: User, factorId: string): Promise<SecretFactor> => {
  const factor = await db.maybeOne<SecretFactor>(findFactor(factorId, user.id))
  if (factor === null || (factor.type !== 'totp' && factor.type !== 'phone')) throw refuse('mfa_factor_not_found')
  return factor
}

/** Begins the use of a factor; a phone is sent its code. */
export const challengeFactor = async (
  context: AuthContext,
  { user }: Principal,
  { factorId, device }: { readonly factorId: string; readonly device: Device },
): Promise<IssuedChallenge> => {
  const factor = await loadFactor(context.db, user, factorId)
  const now = nowOf(context)
  const id = context.ids.uuid()
  const phone = factor.type === 'phone' ? (factor.phone ?? '') : null
  const code = phone === null ? null : newCode(context.settings.sms.otpLength)
  if (phone !== null) {
    if (!context.settings.mfa.phoneVerify) throw refuse('mfa_phone_verify_not_enabled')
    await context.limits.pause('sms', `factor:${factor.id}`)
  }
  const codeHash = code === null ? null : tokenHash(id, code)
  await context.db.run(insertChallenge({ id, factorId: factor.id, ip: device.ip, codeHash }, now))
  if (phone !== null && code !== null) await context.messages.sms(phone, code)
  return {
    id,
    type: phone === null ? 'totp' : 'phone',
    expiresAt: Math.floor(now.getTime() / 1000) + CHALLENGE_SECONDS,
  }
}

export interface FactorProof {
  readonly factorId: string
  readonly challengeId: string
  readonly code: string
  readonly device: Device
}

/** Answers a challenge. The session rises to aal2; those that did not show a second factor end. */
export const verifyChallenge = async (
  context: AuthContext,
  sessions: Sessions,
  principal: Principal,
  proof: FactorProof,
): Promise<Grant> => {
  const session = sessionOf(principal)
  const { user } = principal
  const forgive = await context.limits.attempt(proof.device.ip, `factor:${user.id}`)
  const factor = await loadFactor(context.db, user, proof.factorId)
  if (factor.type === 'totp' && !context.settings.mfa.totpVerify) throw refuse('mfa_totp_verify_not_enabled')
  const challenge = await context.db.maybeOne<Challenge>(tryChallenge(proof.challengeId, factor.id, MOST_ATTEMPTS))
  if (challenge === null) throw refuse('mfa_challenge_expired')
  if (challenge.ip !== proof.device.ip) throw refuse('mfa_ip_address_mismatch')
  if (Date.parse(challenge.createdAt) + CHALLENGE_SECONDS * 1000 < context.clock.now()) {
    throw refuse('mfa_challenge_expired')
  }
  if (!(await isRight(context, factor, challenge, proof.code))) throw refuse('mfa_verification_failed')
  await forgive()
  const method = factor.type === 'totp' ? 'totp' : 'mfa/phone'
  const grant = await context.db.transaction(async (tx) => {
    const now = nowOf(context)
    await tx.run(closeChallenge(challenge.id, now))
    if (factor.status === 'unverified') await tx.run(verifyFactor(factor.id, now))
    return raise(context, sessions, { db: tx, session, factorId: factor.id, method })
  })
  await context.revocations.applied()
  return grant
}

const isRight = async (
  context: AuthContext,
  factor: SecretFactor,
  challenge: Challenge,
  code: string,
): Promise<boolean> => {
  if (challenge.codeHash !== null) return tokenHash(challenge.id, code) === challenge.codeHash
  if (!/^\d{6}$/.test(code)) return false
  const now = nowOf(context)
  const result = verifySync({
    secret: factor.secret ?? '',
    token: code,
    epoch: Math.floor(now.getTime() / 1000),
    // One step back or ahead: clocks of phones differ.
    epochTolerance: PERIOD,
  })
  if (!result.valid || !('timeStep' in result)) return false
  return (await context.db.run(advanceFactor(factor.id, Number(result.timeStep), now))) === 1
}

export interface Raise {
  readonly db: Queryable
  readonly session: Session
  readonly factorId: string
  readonly method: AuthMethod
}

/** Raises a session after a second proof. */
export const raise = async (
  context: AuthContext,
  sessions: Sessions,
  { db, session, factorId, method }: Raise,
): Promise<Grant> => {
  const now = nowOf(context)
  await db.run(addProof(session.id, method, now))
  await db.run(raiseSession(session.id, factorId, now))
  await sessions.endWeaker(db, session.userId, session.id)
  return sessions.renew(db, session.id, method)
}

export const unenrolFactor = async (context: AuthContext, principal: Principal, factorId: string): Promise<void> => {
  const factor = principal.user.factors.find((each) => each.id === factorId)
  if (factor === undefined) throw refuse('mfa_factor_not_found')
  if (factor.status === 'verified' && sessionOf(principal).aal === 'aal1') {
    throw refuse('insufficient_aal', 'AAL2 required to unenroll verified factor')
  }
  await removeFactor(context, principal.user, factor)
}

/** Takes a factor away, and the recovery codes with the last one that they stand in for. */
export const removeFactor = async (context: AuthContext, user: User, factor: Factor): Promise<void> => {
  const others = user.factors.filter((each) => each.id !== factor.id && each.status === 'verified')
  const onlyCodes = others.every((each) => each.type === 'recovery_code') ? others : []
  await context.db.transaction(async (tx) => {
    for (const gone of [factor, ...onlyCodes]) {
      await tx.run(lowerSessions(user.id, gone.id))
      await tx.run(deleteFactor(gone.id))
    }
  })
}
