/** The other end of a message: a code that was typed in, or a link that was opened. */
import type { Queryable } from '../db/pool.ts'
import { type Address, loadUser } from './accounts.ts'
import { confirmAddress, takeAddress } from './contact.ts'
import { type AuthContext, nowOf } from './context.ts'
import { invalid, refuse } from './errors.ts'
import { finishMailFlow } from './flow.ts'
import { dropOneTime, type OneTimeKind, type OneTimeRow } from './one-time.sql.ts'
import { consumeOneTime, lookUpOneTime, PKCE_PREFIX, tokenHash } from './one-time.ts'
import type { AuthMethod, Device, Grant } from './session.ts'
import type { Sessions } from './sessions.ts'
import { isBanned, type User } from './user.ts'
import { lockUser, updateUser } from './users.sql.ts'

const TYPES = {
  signup: { kinds: ['confirmation_token'], channel: 'email', method: 'email/signup' },
  invite: { kinds: ['confirmation_token'], channel: 'email', method: 'invite' },
  magiclink: { kinds: ['recovery_token'], channel: 'email', method: 'magiclink' },
  recovery: { kinds: ['recovery_token'], channel: 'email', method: 'recovery' },
  email: { kinds: ['confirmation_token', 'recovery_token'], channel: 'email', method: 'magiclink' },
  email_change: {
    kinds: ['email_change_token_new', 'email_change_token_current'],
    channel: 'email',
    method: 'email_change',
  },
  sms: { kinds: ['confirmation_token'], channel: 'sms', method: 'otp' },
  phone_change: { kinds: ['phone_change_token'], channel: 'sms', method: 'otp' },
} as const satisfies Readonly<
  Record<string, { kinds: readonly OneTimeKind[]; channel: 'email' | 'sms'; method: AuthMethod }>
>

export type VerifyType = keyof typeof TYPES

/** Throws `validation_failed` for a word that is none. */
export const parseVerifyType = (text: string | undefined): VerifyType => {
  if (text === undefined || text === '') throw invalid('Verify requires a verification type')
  if (!Object.hasOwn(TYPES, text)) throw invalid('Invalid verification type')
  // Checked by the line above.
  return text as VerifyType
}

export interface VerifyInput {
  readonly type: VerifyType
  /** What the link carries, or what was typed together with the address it was sent to. */
  readonly proof: { readonly hash: string } | { readonly address: Address; readonly code: string }
  readonly device: Device
  /** A link that was opened in a browser may end a flow with a code challenge. */
  readonly opened: boolean
}

export type VerifyResult =
  | { readonly kind: 'session'; readonly grant: Grant }
  | { readonly kind: 'code'; readonly code: string }
  /** One of two mailboxes agreed. */
  | { readonly kind: 'half' }

export const verify = async (context: AuthContext, sessions: Sessions, input: VerifyInput): Promise<VerifyResult> => {
  await context.limits.byAddress('tokenVerifications', input.device.ip)
  const { proof, type } = input
  const forgive =
    'address' in proof ? await context.limits.attempt(input.device.ip, `code:${proof.address.value}`) : async () => {}
  const found = await lookUpOneTime(context, context.db, {
    hashes: hashesOf(proof),
    kinds: TYPES[type].kinds,
    expiry: context.settings[TYPES[type].channel].otpExpiry,
  })
  if (found === null || !isForAddress(found, input)) throw refuse('otp_expired')
  await forgive()
  return context.db.transaction(async (tx) => {
    // Two halves of one change at once must see each other.
    await tx.many(lockUser(found.userId))
    const user = await loadUser(tx, found.userId, 'otp_expired')
    if (isBanned(user, context.clock.now())) throw refuse('user_banned')
    if (!(await consumeOneTime(tx, found))) throw refuse('otp_expired')
    if (!(await apply(context, tx, user, found))) return { kind: 'half' }
    if (input.opened && found.hash.startsWith(PKCE_PREFIX)) {
      const code = await finishMailFlow(context, tx, { userId: user.id, method: TYPES[type].method })
      return { kind: 'code', code }
    }
    return { kind: 'session', grant: await sessions.start(tx, user.id, { method: 'otp', device: input.device }) }
  })
}

const hashesOf = (proof: VerifyInput['proof']): readonly string[] => {
  if ('hash' in proof) return [proof.hash]
  const hash = tokenHash(proof.address.value, proof.code)
  return [hash, PKCE_PREFIX + hash]
}

/** A code that came by short message is no proof of a mailbox, and the other way round. */
const isForAddress = (token: OneTimeRow, { type, proof }: VerifyInput): boolean => {
  const byPhone = /^\d+$/.test(token.relatesTo)
  if (byPhone !== (TYPES[type].channel === 'sms')) return false
  return 'hash' in proof || token.relatesTo === proof.address.value
}

/** Does what the token was made for; false when the other mailbox has to agree first. */
const apply = async (context: AuthContext, db: Queryable, user: User, token: OneTimeRow): Promise<boolean> => {
  switch (token.kind) {
    case 'confirmation_token':
      if (token.relatesTo === user.phone) await confirmAddress(context, db, user, 'phone')
      else await confirmEmail(context, db, user)
      return true
    case 'recovery_token':
      if (user.emailConfirmedAt === null) await confirmEmail(context, db, user)
      return true
    case 'phone_change_token':
      await takeAddress(context, db, user, { kind: 'phone', value: token.relatesTo })
      return true
    case 'email_change_token_current':
    case 'email_change_token_new':
      return applyEmailChange(context, db, user)
    case 'reauthentication_token':
      return true
  }
}

const confirmEmail = async (context: AuthContext, db: Queryable, user: User): Promise<void> => {
  await confirmAddress(context, db, user, 'email')
  // Links that were sent earlier prove nothing more.
  await db.run(dropOneTime(user.id, ['confirmation_token']))
}

const applyEmailChange = async (context: AuthContext, db: Queryable, user: User): Promise<boolean> => {
  const wanted = user.emailChange
  if (wanted === null) throw refuse('otp_expired')
  const both = context.settings.email.doubleConfirmChanges && user.email !== null
  if (both && user.emailChangeConfirmStatus === 0) {
    await db.run(updateUser(user.id, { emailChangeConfirmStatus: 1 }, nowOf(context)))
    return false
  }
  await takeAddress(context, db, user, { kind: 'email', value: wanted })
  return true
}
