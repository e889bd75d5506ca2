/** Sends the codes and links that prove that an address is somebody's, and writes down when it did. */
import type { Queryable } from '../db/pool.ts'
import type { MailKind } from '../notify/templates.ts'
import { type AuthContext, nowOf } from './context.ts'
import { refuse } from './errors.ts'
import type { Challenge } from './flow.ts'
import { beginMailFlow } from './flow.ts'
import type { OneTimeKind } from './one-time.sql.ts'
import { type Issued, issueOneTime } from './one-time.ts'
import type { AuthMethod } from './session.ts'
import type { User, UserChanges } from './user.ts'
import { updateUser } from './users.sql.ts'

/** What a link is opened for: the `type` of `/verify`. */
export type LinkType = 'signup' | 'invite' | 'magiclink' | 'recovery' | 'email_change'

export interface MailPurpose {
  readonly kind: MailKind
  readonly type: LinkType
  readonly token: OneTimeKind
  /** Column that remembers when it was sent. */
  readonly sentAt: keyof UserChanges & ('confirmationSentAt' | 'recoverySentAt' | 'emailChangeSentAt')
  readonly method: AuthMethod
}

export const MAIL: Readonly<Record<'signup' | 'invite' | 'magiclink' | 'recovery', MailPurpose>> = {
  signup: {
    kind: 'confirmation',
    type: 'signup',
    token: 'confirmation_token',
    sentAt: 'confirmationSentAt',
    method: 'email/signup',
  },
  invite: {
    kind: 'invite',
    type: 'invite',
    token: 'confirmation_token',
    sentAt: 'confirmationSentAt',
    method: 'invite',
  },
  magiclink: {
    kind: 'magic_link',
    type: 'magiclink',
    token: 'recovery_token',
    sentAt: 'recoverySentAt',
    method: 'magiclink',
  },
  recovery: {
    kind: 'recovery',
    type: 'recovery',
    token: 'recovery_token',
    sentAt: 'recoverySentAt',
    method: 'recovery',
  },
}

/** Throws `over_email_send_rate_limit` or `over_sms_send_rate_limit` when the last message is too young. */
export const assertPause = (context: AuthContext, lastSentAt: string | null, channel: 'email' | 'sms'): void => {
  if (lastSentAt === null) return
  const wait = Date.parse(lastSentAt) + context.settings[channel].maxFrequency * 1000 - context.clock.now()
  if (wait <= 0) return
  const seconds = Math.ceil(wait / 1000)
  throw refuse(
    channel === 'email' ? 'over_email_send_rate_limit' : 'over_sms_send_rate_limit',
    `For security purposes, you can only request this after ${seconds} seconds.`,
    { retryAfter: seconds },
  )
}

export interface LinkOptions {
  readonly redirectTo: string | undefined
  readonly challenge: Challenge | null
}

/** The address that a link in a mail opens. */
export const verifyLink = (
  context: AuthContext,
  link: { readonly hash: string; readonly type: string; readonly redirectTo: string | undefined },
): string => {
  const query = new URLSearchParams({
    token: link.hash,
    type: link.type,
    redirect_to: context.redirects.resolve(link.redirectTo),
  })
  return `${context.externalUrl()}/auth/v1/verify?${query}`
}

/** Makes a code for an address of the user and remembers when. Sending comes after the transaction. */
export const prepareMail = async (
  context: AuthContext,
  db: Queryable,
  mail: { readonly user: User; readonly purpose: MailPurpose; readonly challenge: Challenge | null },
): Promise<Issued> => {
  const { user, purpose, challenge } = mail
  const issued = await issueOneTime(context, db, {
    userId: user.id,
    kind: purpose.token,
    address: user.email ?? '',
    length: context.settings.email.otpLength,
    pkce: challenge !== null,
  })
  if (challenge !== null) await beginMailFlow(context, db, { userId: user.id, challenge, method: purpose.method })
  await db.run(updateUser(user.id, { [purpose.sentAt]: nowOf(context) }, nowOf(context)))
  return issued
}

/** Makes a code and sends it by e-mail. */
export const mailCode = async (
  context: AuthContext,
  user: User,
  purpose: MailPurpose,
  options: LinkOptions,
): Promise<void> => {
  const issued = await context.db.transaction((tx) =>
    prepareMail(context, tx, { user, purpose, challenge: options.challenge }),
  )
  await context.messages.mail({
    kind: purpose.kind,
    to: user.email ?? '',
    user,
    ...issued,
    link: verifyLink(context, { hash: issued.hash, type: purpose.type, redirectTo: options.redirectTo }),
    redirectTo: context.redirects.resolve(options.redirectTo),
  })
}

export interface PhoneCode {
  readonly userId: string
  readonly phone: string
  readonly kind: 'confirmation_token' | 'phone_change_token' | 'reauthentication_token'
  readonly sentAt: 'confirmationSentAt' | 'phoneChangeSentAt' | 'reauthenticationSentAt'
}

/** Makes a code and sends it by short message. Answers the provider's id of the message. */
export const smsCode = async (context: AuthContext, order: PhoneCode): Promise<string> => {
  const { otpLength, testOtp } = context.settings.sms
  const fixed = Object.hasOwn(testOtp, order.phone) ? testOtp[order.phone] : undefined
  const { code } = await context.db.transaction(async (tx) => {
    const { userId, kind, phone } = order
    const issued = await issueOneTime(context, tx, { userId, kind, address: phone, length: otpLength, code: fixed })
    await tx.run(updateUser(userId, { [order.sentAt]: nowOf(context) }, nowOf(context)))
    return issued
  })
  return context.messages.sms(order.phone, code)
}
