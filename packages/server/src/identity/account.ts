/** What somebody who is logged in may change about themselves. */
import type { JsonObject } from '../kernel/json.ts'
import { findByAddress, loadUser } from './accounts.ts'
import { assertPause, type LinkOptions, smsCode, verifyLink } from './codes.ts'
import { takeAddress } from './contact.ts'
import { type AuthContext, nowOf } from './context.ts'
import { invalid, refuse } from './errors.ts'
import { beginMailFlow } from './flow.ts'
import { consumeOneTime, type Issued, issueOneTime, lookUpOneTime, tokenHash } from './one-time.ts'
import { assertPasswordStrength } from './passwords.ts'
import type { Device, Session } from './session.ts'
import type { Sessions } from './sessions.ts'
import { autoconfirms } from './sign-up.ts'
import { mergeMetadata, type User } from './user.ts'
import { updateUser } from './users.sql.ts'

/** Somebody who is logged in. */
export interface Principal {
  readonly user: User
  /** Null for a token that the operator made without one. */
  readonly session: Session | null
}

export interface AccountChanges extends LinkOptions {
  readonly email: string | undefined
  readonly phone: string | undefined
  readonly password: string | undefined
  readonly data: JsonObject | undefined
  readonly nonce: string | undefined
  readonly device: Device
}

const RECENT_MS = 24 * 3600 * 1000

/** Applies the changes that need no message, begins those that do, and answers the user as it is then. */
export const changeAccount = async (
  context: AuthContext,
  sessions: Sessions,
  principal: Principal,
  changes: AccountChanges,
): Promise<User> => {
  const { user } = principal
  await assertFree(context, user, changes)
  const { data, password } = changes
  if (password !== undefined) await changePassword(context, sessions, principal, changes)
  if (data !== undefined) {
    const userMetadata = mergeMetadata(user.userMetadata, data)
    await context.db.run(updateUser(user.id, { userMetadata }, nowOf(context)))
  }
  await changeEmail(context, user, changes)
  await changePhone(context, user, changes)
  return loadUser(context.db, user.id)
}

/** Everything that can be refused is refused before anything is changed. */
const assertFree = async (
  context: AuthContext,
  user: User,
  { email, phone, password }: AccountChanges,
): Promise<void> => {
  if (password !== undefined && user.isAnonymous && user.email === null && user.phone === null && !email && !phone) {
    throw invalid('Updating password of an anonymous user without an email or phone is not allowed')
  }
  if (email !== undefined && email !== user.email) {
    const other = await findByAddress(context.db, { kind: 'email', value: email })
    if (other !== null && other.id !== user.id) throw refuse('email_exists')
    if (!autoconfirms(context, 'email')) assertPause(context, user.emailChangeSentAt, 'email')
  }
  if (phone !== undefined && phone !== user.phone) {
    const other = await findByAddress(context.db, { kind: 'phone', value: phone })
    if (other !== null && other.id !== user.id) throw refuse('phone_exists')
    if (!autoconfirms(context, 'phone')) assertPause(context, user.phoneChangeSentAt, 'sms')
  }
}

const changePassword = async (
  context: AuthContext,
  sessions: Sessions,
  { user, session }: Principal,
  { password = '', nonce, device }: AccountChanges,
): Promise<void> => {
  assertPasswordStrength(password, context.settings)
  const recent = session !== null && Date.parse(session.createdAt) + RECENT_MS > context.clock.now()
  if (context.settings.email.securePasswordChange && !recent) {
    if (nonce === undefined || nonce === '') throw refuse('reauthentication_needed')
    await consumeNonce(context, user, nonce, device)
  }
  if (user.passwordHash !== null && (await context.passwords.verify(user.passwordHash, password)).matches) {
    throw refuse('same_password')
  }
  const passwordHash = await context.passwords.hash(password)
  await context.db.transaction(async (tx) => {
    await tx.run(updateUser(user.id, { passwordHash }, nowOf(context)))
    // Whoever logged in with the old one is out.
    await sessions.endOthers(tx, user.id, session?.id ?? null)
  })
  await context.revocations.applied()
}

const consumeNonce = async (context: AuthContext, user: User, nonce: string, device: Device): Promise<void> => {
  const forgive = await context.limits.attempt(device.ip, `nonce:${user.id}`)
  const found = await lookUpOneTime(context, context.db, {
    hashes: [tokenHash(user.email ?? user.phone ?? '', nonce)],
    kinds: ['reauthentication_token'],
    expiry: context.settings.email.otpExpiry,
  })
  if (found === null || found.userId !== user.id || !(await consumeOneTime(context.db, found))) {
    throw refuse('reauthentication_not_valid')
  }
  await forgive()
}

const changeEmail = async (context: AuthContext, user: User, changes: AccountChanges): Promise<void> => {
  const { email } = changes
  if (email === undefined || email === user.email) return
  if (autoconfirms(context, 'email')) {
    await context.db.transaction(async (tx) =>
      takeAddress(context, tx, await loadUser(tx, user.id), { kind: 'email', value: email }),
    )
    return
  }
  await sendEmailChange(context, user, email, changes)
}

/** Asks the new mailbox, and the old one where both have to agree. */
export const sendEmailChange = async (
  context: AuthContext,
  user: User,
  email: string,
  options: LinkOptions,
): Promise<void> => {
  const both = context.settings.email.doubleConfirmChanges && user.email !== null
  const length = context.settings.email.otpLength
  const pkce = options.challenge !== null
  const letters = await context.db.transaction(async (tx) => {
    const fresh = await issueOneTime(context, tx, {
      userId: user.id,
      kind: 'email_change_token_new',
      address: email,
      length,
      pkce,
    })
    const current = both
      ? await issueOneTime(context, tx, {
          userId: user.id,
          kind: 'email_change_token_current',
          address: user.email ?? '',
          length,
          pkce,
        })
      : null
    if (options.challenge !== null) {
      await beginMailFlow(context, tx, { userId: user.id, challenge: options.challenge, method: 'email_change' })
    }
    const now = nowOf(context)
    await tx.run(updateUser(user.id, { emailChange: email, emailChangeSentAt: now, emailChangeConfirmStatus: 0 }, now))
    return { fresh, current }
  })
  const mail = (to: string, issued: Issued) =>
    context.messages.mail({
      kind: 'email_change',
      to,
      user,
      newEmail: email,
      ...issued,
      link: verifyLink(context, { hash: issued.hash, type: 'email_change', redirectTo: options.redirectTo }),
      redirectTo: context.redirects.resolve(options.redirectTo),
    })
  await mail(email, letters.fresh)
  if (letters.current !== null) await mail(user.email ?? '', letters.current)
}

const changePhone = async (context: AuthContext, user: User, { phone }: AccountChanges): Promise<void> => {
  if (phone === undefined || phone === user.phone) return
  if (autoconfirms(context, 'phone')) {
    await context.db.transaction(async (tx) =>
      takeAddress(context, tx, await loadUser(tx, user.id), { kind: 'phone', value: phone }),
    )
    return
  }
  await context.db.run(updateUser(user.id, { phoneChange: phone }, nowOf(context)))
  await smsCode(context, { userId: user.id, phone, kind: 'phone_change_token', sentAt: 'phoneChangeSentAt' })
}
