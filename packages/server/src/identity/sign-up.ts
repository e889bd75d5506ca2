/** New people: with an address and a password, or without either. */
import type { JsonObject } from '../kernel/json.ts'
import { type Address, addressUser, askBeforeCreate, createUser, findByAddress, isConfirmed } from './accounts.ts'
import { assertPause, MAIL, mailCode, smsCode } from './codes.ts'
import { type AuthContext, nowOf } from './context.ts'
import { refuse } from './errors.ts'
import type { Challenge } from './flow.ts'
import { assertPasswordStrength } from './passwords.ts'
import type { Device, Grant } from './session.ts'
import type { Sessions } from './sessions.ts'
import type { User } from './user.ts'

export interface SignUpInput {
  readonly address: Address
  readonly password: string
  readonly data: JsonObject
  readonly challenge: Challenge | null
  readonly redirectTo: string | undefined
  readonly device: Device
}

/** Somebody who may be in at once, or has to open a message first. */
export type SignUpResult =
  | { readonly kind: 'session'; readonly grant: Grant }
  | { readonly kind: 'user'; readonly user: User }

/** Whether an address counts as proven without a message. */
export const autoconfirms = ({ settings }: AuthContext, kind: Address['kind']): boolean =>
  kind === 'email' ? !settings.email.enableConfirmations : !settings.sms.enableConfirmations

/** Throws unless people may sign up with this kind of address here. */
export const assertSignUpOpen = ({ settings }: AuthContext, kind: Address['kind']): void => {
  if (!settings.enableSignup) throw refuse('signup_disabled')
  if (kind === 'email' && !settings.email.enableSignup) {
    throw refuse('email_provider_disabled', 'Email signups are disabled')
  }
  if (kind === 'phone' && !settings.sms.enableSignup) {
    throw refuse('phone_provider_disabled', 'Phone signups are disabled')
  }
}

export const signUp = async (context: AuthContext, sessions: Sessions, input: SignUpInput): Promise<SignUpResult> => {
  const { address, device } = input
  assertSignUpOpen(context, address.kind)
  assertPasswordStrength(input.password, context.settings)
  // Hashed whether or not it will be used: the time that this takes tells nobody whether there is an account.
  const passwordHash = await context.passwords.hash(input.password)
  const confirmed = autoconfirms(context, address.kind)
  const existing = await findByAddress(context.db, address)
  if (existing !== null && isConfirmed(existing, address.kind)) {
    if (confirmed) throw refuse('user_already_exists')
    return { kind: 'user', user: decoyUser(context, input) }
  }
  const user = existing ?? (await createWithPassword(context, input, { passwordHash, confirmed }))
  if (user === null) {
    if (confirmed) throw refuse('user_already_exists')
    return { kind: 'user', user: decoyUser(context, input) }
  }
  if (confirmed && existing === null) {
    return { kind: 'session', grant: await sessions.start(context.db, user.id, { method: 'password', device }) }
  }
  await sendConfirmation(context, user, input)
  return { kind: 'user', user: { ...user, confirmationSentAt: nowOf(context).toISOString() } }
}

/** Null when another request made the same user meanwhile. */
const createWithPassword = async (
  context: AuthContext,
  { address, data, device }: SignUpInput,
  { passwordHash, confirmed }: { readonly passwordHash: string; readonly confirmed: boolean },
): Promise<User | null> => {
  const draft = addressUser(context.ids.uuid(), address, { confirmed, now: nowOf(context), data })
  const user = { ...draft, values: { ...draft.values, passwordHash } }
  await askBeforeCreate(context, user, device)
  try {
    return await context.db.transaction((tx) => createUser(context, tx, user))
  } catch (error) {
    if (error instanceof Error && 'reason' in error && /^(email|phone)_exists$/.test(String(error.reason))) return null
    throw error
  }
}

const sendConfirmation = async (context: AuthContext, user: User, input: SignUpInput): Promise<void> => {
  if (input.address.kind === 'email') {
    assertPause(context, user.confirmationSentAt, 'email')
    await mailCode(context, user, MAIL.signup, input)
    return
  }
  assertPause(context, user.confirmationSentAt, 'sms')
  const phone = input.address.value
  await smsCode(context, { userId: user.id, phone, kind: 'confirmation_token', sentAt: 'confirmationSentAt' })
}

/** What a stranger is shown who signs up with somebody else's confirmed address: a new user like any other, who does not exist. */
const decoyUser = (context: AuthContext, { address, data }: SignUpInput): User => {
  const id = context.ids.uuid()
  const now = nowOf(context).toISOString()
  const { value, kind } = address
  return {
    id,
    aud: 'authenticated',
    role: kind === 'email' ? '' : 'authenticated',
    email: kind === 'email' ? value : null,
    phone: kind === 'phone' ? value : null,
    passwordHash: null,
    emailConfirmedAt: null,
    phoneConfirmedAt: null,
    confirmedAt: null,
    invitedAt: null,
    confirmationSentAt: now,
    recoverySentAt: null,
    emailChange: null,
    emailChangeSentAt: null,
    emailChangeConfirmStatus: 0,
    phoneChange: null,
    phoneChangeSentAt: null,
    reauthenticationSentAt: null,
    lastSignInAt: null,
    appMetadata: { provider: kind, providers: [kind] },
    userMetadata: data,
    bannedUntil: null,
    deletedAt: null,
    isAnonymous: false,
    isSsoUser: false,
    createdAt: now,
    updatedAt: now,
    identities: [],
    factors: [],
  }
}

/** Somebody who gives neither name nor address yet. */
export const signInAnonymously = async (
  context: AuthContext,
  sessions: Sessions,
  { data, device }: { readonly data: JsonObject; readonly device: Device },
): Promise<Grant> => {
  if (!context.settings.enableSignup) throw refuse('signup_disabled')
  if (!context.settings.enableAnonymousSignIns) throw refuse('anonymous_provider_disabled')
  await context.limits.byAddress('anonymousUsers', device.ip)
  const user = {
    id: context.ids.uuid(),
    identity: null,
    values: { isAnonymous: true, userMetadata: data, appMetadata: {} },
  }
  await askBeforeCreate(context, user, device)
  return context.db.transaction(async (tx) => {
    const created = await createUser(context, tx, user)
    return sessions.start(tx, created.id, { method: 'anonymous', device })
  })
}
