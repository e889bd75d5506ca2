/** Coming back: with a password, with a code by message, or with the code of a flow that went elsewhere. */
import type { JsonObject } from '../kernel/json.ts'
import { type Address, addressUser, askBeforeCreate, createUser, findByAddress, isConfirmed } from './accounts.ts'
import { assertPause, MAIL, mailCode, smsCode } from './codes.ts'
import { type AuthContext, nowOf } from './context.ts'
import { refuse } from './errors.ts'
import { type Challenge, redeemCode } from './flow.ts'
import { assertPasswordStrength } from './passwords.ts'
import type { AuthMethod, Device, Grant } from './session.ts'
import type { Sessions } from './sessions.ts'
import { assertSignUpOpen, autoconfirms } from './sign-up.ts'
import { isBanned, type User } from './user.ts'
import { updateUser } from './users.sql.ts'

export interface PasswordLogin {
  readonly address: Address
  readonly password: string
  readonly device: Device
}

const assertLoginOpen = ({ settings }: AuthContext, kind: Address['kind']): void => {
  if (kind === 'email' && !settings.email.enableSignup) throw refuse('email_provider_disabled')
  if (kind === 'phone' && !settings.sms.enableSignup) throw refuse('phone_provider_disabled')
}

export const signInWithPassword = async (
  context: AuthContext,
  sessions: Sessions,
  { address, password, device }: PasswordLogin,
): Promise<Grant> => {
  assertLoginOpen(context, address.kind)
  const forgive = await context.limits.attempt(device.ip, address.value)
  const user = await findByAddress(context.db, address)
  const { matches, rehash } = await context.passwords.verify(user?.passwordHash ?? null, password)
  // Nothing about the account is told to somebody who does not know its password.
  if (user === null || !matches || user.deletedAt !== null) throw refuse('invalid_credentials')
  await forgive()
  if (isBanned(user, context.clock.now())) throw refuse('user_banned')
  if (!isConfirmed(user, address.kind)) {
    throw refuse(address.kind === 'email' ? 'email_not_confirmed' : 'phone_not_confirmed')
  }
  if (rehash) {
    const passwordHash = await context.passwords.hash(password)
    await context.db.run(updateUser(user.id, { passwordHash }, nowOf(context)))
  }
  const grant = await sessions.start(context.db, user.id, { method: 'password', device })
  const weakPassword = weakness(context, password)
  return weakPassword === null ? grant : { ...grant, weakPassword }
}

/** What today's rules would say about a password that was set under older ones. */
const weakness = (context: AuthContext, password: string): NonNullable<Grant['weakPassword']> | null => {
  try {
    assertPasswordStrength(password, context.settings)
    return null
  } catch (error) {
    const details = error instanceof Error && 'details' in error ? String(error.details ?? '') : ''
    const message = error instanceof Error ? error.message : ''
    return details === '' ? null : { message, reasons: details.split(',') }
  }
}

export interface OtpInput {
  readonly address: Address
  readonly createUser: boolean
  readonly data: JsonObject
  readonly challenge: Challenge | null
  readonly redirectTo: string | undefined
  readonly device: Device
}

/** Sends a code to log in with. Answers the id of the short message, or null for an e-mail. */
export const sendOtp = async (context: AuthContext, input: OtpInput): Promise<string | null> => {
  const { address } = input
  assertLoginOpen(context, address.kind)
  const user = await findByAddress(context.db, address)
  if (user === null && !input.createUser) throw refuse('otp_disabled')
  const recipient = user ?? (await createForOtp(context, input))
  if (address.kind === 'phone') {
    assertPause(context, recipient.confirmationSentAt, 'sms')
    return smsCode(context, {
      userId: recipient.id,
      phone: address.value,
      kind: 'confirmation_token',
      sentAt: 'confirmationSentAt',
    })
  }
  // A first mail confirms the address, later ones log in.
  const purpose = isConfirmed(recipient, 'email') ? MAIL.magiclink : MAIL.signup
  const last = purpose === MAIL.magiclink ? recipient.recoverySentAt : recipient.confirmationSentAt
  assertPause(context, last, 'email')
  await mailCode(context, recipient, purpose, input)
  return null
}

/** A user without a password, who exists from the first code on. */
const createForOtp = async (context: AuthContext, input: OtpInput): Promise<User> => {
  const { address, data, device } = input
  assertSignUpOpen(context, address.kind)
  const confirmed = address.kind === 'email' && autoconfirms(context, 'email')
  const draft = addressUser(context.ids.uuid(), address, { confirmed, now: nowOf(context), data })
  await askBeforeCreate(context, draft, device)
  try {
    return await context.db.transaction((tx) => createUser(context, tx, draft))
  } catch (error) {
    const other = await findByAddress(context.db, address)
    if (other === null) throw error
    return other
  }
}

/** The session for the code that a provider's or mailbox's redirect brought to the page. */
export const exchangeCode = async (
  context: AuthContext,
  sessions: Sessions,
  exchange: { readonly code: string; readonly verifier: string; readonly device: Device },
): Promise<Grant> => {
  const flow = await redeemCode(context, exchange.code, exchange.verifier)
  const method = flow.method.replace(/\/returned$/, '') as AuthMethod
  const grant = await sessions.start(context.db, flow.userId ?? '', { method, device: exchange.device })
  if (isBanned(grant.user, context.clock.now())) {
    await sessions.logout({ userId: grant.user.id, sessionId: null }, 'global')
    throw refuse('user_banned')
  }
  if (flow.providerAccessToken === null) return grant
  return { ...grant, provider: { token: flow.providerAccessToken, refreshToken: flow.providerRefreshToken } }
}
