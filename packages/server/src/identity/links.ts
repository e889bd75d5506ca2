/** Links that the operator makes for people: invitations, and links to hand over by other means than e-mail. */
import type { JsonObject } from '../kernel/json.ts'
import { addressUser, askBeforeCreate, createUser, findByAddress, isConfirmed } from './accounts.ts'
import { MAIL, type MailPurpose, prepareMail, verifyLink } from './codes.ts'
import { type AuthContext, nowOf } from './context.ts'
import { refuse } from './errors.ts'
import { type Issued, issueOneTime } from './one-time.ts'
import { assertPasswordStrength } from './passwords.ts'
import type { Device } from './session.ts'
import type { User } from './user.ts'
import { updateUser } from './users.sql.ts'

export const LINK_TYPES = [
  'signup',
  'invite',
  'magiclink',
  'recovery',
  'email_change_current',
  'email_change_new',
] as const
export type GeneratedType = (typeof LINK_TYPES)[number]

export interface LinkInput {
  readonly type: GeneratedType
  readonly email: string
  readonly newEmail: string | undefined
  readonly password: string | undefined
  readonly data: JsonObject | undefined
  readonly redirectTo: string | undefined
  readonly device: Device
}

export interface GeneratedLink {
  readonly user: User
  readonly issued: Issued
  readonly actionLink: string
  readonly verificationType: string
  readonly redirectTo: string
}

/** Makes a link and sends nothing. */
export const generateLink = async (context: AuthContext, input: LinkInput): Promise<GeneratedLink> => {
  const existing = await findByAddress(context.db, { kind: 'email', value: input.email })
  if (input.type === 'email_change_current' || input.type === 'email_change_new') {
    if (existing === null) throw refuse('user_not_found', 'User with this email not found')
    return changeLink(context, existing, input)
  }
  const user = await recipientOf(context, existing, input)
  // A person who did not exist signs up by opening the link.
  const purpose = existing === null && input.type === 'magiclink' ? MAIL.signup : MAIL[input.type]
  return linkFor(context, user, { purpose, input })
}

/** Invites a person by e-mail. */
export const invitePerson = async (context: AuthContext, input: LinkInput): Promise<User> => {
  const { user, issued, actionLink, redirectTo } = await generateLink(context, { ...input, type: 'invite' })
  await context.messages.mail({ kind: 'invite', to: input.email, user, ...issued, link: actionLink, redirectTo })
  return user
}

const recipientOf = async (context: AuthContext, existing: User | null, input: LinkInput): Promise<User> => {
  const { type } = input
  if (existing !== null) {
    if ((type === 'invite' || type === 'signup') && isConfirmed(existing, 'email')) throw refuse('email_exists')
    return existing
  }
  if (type === 'recovery') throw refuse('user_not_found', 'User with this email not found')
  if (type === 'signup' && (input.password ?? '') === '') {
    throw refuse('validation_failed', 'Signup requires a valid password')
  }
  const now = nowOf(context)
  const draft = addressUser(
    context.ids.uuid(),
    { kind: 'email', value: input.email },
    { confirmed: false, now, data: input.data ?? {} },
  )
  if (input.password !== undefined && input.password !== '') assertPasswordStrength(input.password, context.settings)
  const values = {
    ...draft.values,
    ...(type === 'invite' ? { invitedAt: now } : {}),
    ...(input.password ? { passwordHash: await context.passwords.hash(input.password) } : {}),
  }
  await askBeforeCreate(context, { ...draft, values }, input.device)
  return context.db.transaction((tx) => createUser(context, tx, { ...draft, values }))
}

const linkFor = async (
  context: AuthContext,
  user: User,
  { purpose, input }: { readonly purpose: MailPurpose; readonly input: LinkInput },
): Promise<GeneratedLink> => {
  const issued = await context.db.transaction((tx) => prepareMail(context, tx, { user, purpose, challenge: null }))
  const { redirectTo } = input
  return {
    user,
    issued,
    actionLink: verifyLink(context, { hash: issued.hash, type: purpose.type, redirectTo }),
    verificationType: purpose.type,
    redirectTo: context.redirects.resolve(redirectTo),
  }
}

const changeLink = async (context: AuthContext, user: User, input: LinkInput): Promise<GeneratedLink> => {
  const { newEmail, redirectTo, type } = input
  if (newEmail === undefined)
    throw refuse('validation_failed', 'The new email address should be different from the current email')
  const other = await findByAddress(context.db, { kind: 'email', value: newEmail })
  if (other !== null) throw refuse('email_exists')
  const fresh = type === 'email_change_new'
  const issued = await context.db.transaction(async (tx) => {
    const made = await issueOneTime(context, tx, {
      userId: user.id,
      kind: fresh ? 'email_change_token_new' : 'email_change_token_current',
      address: fresh ? newEmail : (user.email ?? ''),
      length: context.settings.email.otpLength,
    })
    const now = nowOf(context)
    await tx.run(updateUser(user.id, { emailChange: newEmail, emailChangeSentAt: now }, now))
    return made
  })
  return {
    user,
    issued,
    actionLink: verifyLink(context, { hash: issued.hash, type: 'email_change', redirectTo }),
    verificationType: type,
    redirectTo: context.redirects.resolve(redirectTo),
  }
}
