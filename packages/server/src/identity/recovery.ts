/** Messages that somebody asks for: to get back in, once more, or to prove again who they are. None of them tells whether there is an account. */

import { sendEmailChange } from './account.ts'
import { type Address, findByAddress, isConfirmed } from './accounts.ts'
import { type LinkOptions, MAIL, mailCode, smsCode } from './codes.ts'
import { type AuthContext, nowOf } from './context.ts'
import { refuse } from './errors.ts'
import { issueOneTime } from './one-time.ts'
import type { User } from './user.ts'
import { updateUser } from './users.sql.ts'

/** Sends a link to set a new password, if the address is anybody's. Answers at once in either case. */
export const recover = async (context: AuthContext, email: string, options: LinkOptions): Promise<void> => {
  await context.limits.pause('email', `recover:${email}`)
  const user = await findByAddress(context.db, { kind: 'email', value: email })
  if (user === null || user.deletedAt !== null) return
  context.later('recovery mail', () => mailCode(context, user, MAIL.recovery, options))
}

export type ResendType = 'signup' | 'email_change' | 'sms' | 'phone_change'

/** Sends the latest message of a kind again, if one is due. */
export const resend = async (
  context: AuthContext,
  request: { readonly type: ResendType; readonly address: Address },
  options: LinkOptions,
): Promise<void> => {
  const { type, address } = request
  await context.limits.pause(address.kind === 'email' ? 'email' : 'sms', `resend:${address.value}`)
  const user = await findByAddress(context.db, address)
  if (user !== null) context.later(`resent ${type}`, () => resendTo(context, user, request, options))
}

const resendTo = async (
  context: AuthContext,
  user: User,
  { type, address }: { readonly type: ResendType; readonly address: Address },
  options: LinkOptions,
): Promise<void> => {
  switch (type) {
    case 'signup':
      if (!isConfirmed(user, 'email')) await mailCode(context, user, MAIL.signup, options)
      return
    case 'sms':
      if (isConfirmed(user, 'phone')) return
      await smsCode(context, {
        userId: user.id,
        phone: address.value,
        kind: 'confirmation_token',
        sentAt: 'confirmationSentAt',
      })
      return
    case 'email_change':
      if (user.emailChange !== null) await sendEmailChange(context, user, user.emailChange, options)
      return
    case 'phone_change':
      if (user.phoneChange === null) return
      await smsCode(context, {
        userId: user.id,
        phone: user.phoneChange,
        kind: 'phone_change_token',
        sentAt: 'phoneChangeSentAt',
      })
  }
}

/** Sends a nonce to somebody who is logged in, for a change of password. Answers the id of the short message, or null. */
export const reauthenticate = async (context: AuthContext, user: User): Promise<string | null> => {
  if (user.email === null && user.phone === null) {
    throw refuse('validation_failed', 'Reauthentication requires the user to have an email or a phone number')
  }
  if (user.email !== null) {
    if (!isConfirmed(user, 'email')) throw refuse('email_not_confirmed', 'Please verify your email first.')
    await context.limits.pause('email', `reauthenticate:${user.id}`)
    await mailNonce(context, user, user.email)
    return null
  }
  if (!isConfirmed(user, 'phone')) throw refuse('phone_not_confirmed', 'Please verify your phone first.')
  await context.limits.pause('sms', `reauthenticate:${user.id}`)
  return smsCode(context, {
    userId: user.id,
    phone: user.phone ?? '',
    kind: 'reauthentication_token',
    sentAt: 'reauthenticationSentAt',
  })
}

const mailNonce = async (context: AuthContext, user: User, email: string): Promise<void> => {
  const issued = await issueOneTime(context, context.db, {
    userId: user.id,
    kind: 'reauthentication_token',
    address: email,
    length: context.settings.email.otpLength,
  })
  await context.db.run(updateUser(user.id, { reauthenticationSentAt: nowOf(context) }, nowOf(context)))
  await context.messages.mail({ kind: 'reauthentication', to: email, user, ...issued, link: '', redirectTo: '' })
}
