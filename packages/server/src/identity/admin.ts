/** What the operator may do with people, through a service key. */
import { createHash } from 'node:crypto'
import type { Queryable } from '../db/pool.ts'
import type { JsonObject } from '../kernel/json.ts'
import { type Address, createUser, findByAddress, loadUser, takenError, withProvider } from './accounts.ts'
import { type AuthContext, nowOf } from './context.ts'
import { parseDuration } from './durations.ts'
import { invalid, refuse } from './errors.ts'
import { assertPasswordStrength, isPasswordHash } from './passwords.ts'
import type { Sessions } from './sessions.ts'
import { mergeMetadata, type User, type UserChanges } from './user.ts'
import {
  countUsers,
  deleteIdentitiesOf,
  deleteUser,
  insertIdentity,
  listUsers,
  type UserPage,
  updateIdentityData,
  updateUser,
} from './users.sql.ts'

export interface AdminInput {
  readonly id: string | undefined
  readonly email: string | undefined
  readonly phone: string | undefined
  readonly password: string | undefined
  readonly passwordHash: string | undefined
  readonly emailConfirm: boolean | undefined
  readonly phoneConfirm: boolean | undefined
  readonly userMetadata: JsonObject | undefined
  readonly appMetadata: JsonObject | undefined
  readonly role: string | undefined
  /** `none`, or a duration. */
  readonly banDuration: string | undefined
}

export interface UserList {
  readonly users: readonly User[]
  readonly total: number
}

export const listPeople = async (db: Queryable, page: UserPage): Promise<UserList> => {
  const [users, count] = await Promise.all([
    db.many<User>(listUsers(page)),
    db.maybeOne<{ total: number }>(countUsers(page.filter)),
  ])
  return { users, total: count?.total ?? 0 }
}

/** When a ban ends; null to lift it, undefined when nothing was said. */
const bannedUntil = (context: AuthContext, text: string | undefined): Date | null | undefined => {
  if (text === undefined || text === '') return undefined
  if (text === 'none') return null
  const seconds = parseDuration(text)
  if (seconds === null) throw invalid(`invalid format for ban duration: ${text.slice(0, 40)}`)
  return new Date(Math.min(context.clock.now() + seconds * 1000, Date.UTC(9999, 0, 1)))
}

const hashOf = async (context: AuthContext, input: AdminInput): Promise<string | undefined> => {
  const { password, passwordHash } = input
  if (passwordHash !== undefined && passwordHash !== '') {
    if (password !== undefined && password !== '')
      throw invalid('Only a password or a password hash should be provided')
    if (!isPasswordHash(passwordHash)) throw invalid('The password hash is of no kind that can be verified here')
    return passwordHash
  }
  if (password === undefined || password === '') return undefined
  assertPasswordStrength(password, context.settings)
  return context.passwords.hash(password)
}

const assertRole = (role: string | undefined): void => {
  if (role !== undefined && !/^[A-Za-z_][\w$]{0,62}$/.test(role)) throw invalid('role is not the name of a role')
}

export const createPerson = async (context: AuthContext, input: AdminInput): Promise<User> => {
  const { email, phone } = input
  if (email === undefined && phone === undefined) throw invalid('Cannot create a user without either an email or phone')
  assertRole(input.role)
  await assertFree(context.db, null, input)
  const now = nowOf(context)
  const id = input.id ?? context.ids.uuid()
  const passwordHash = await hashOf(context, input)
  const ban = bannedUntil(context, input.banDuration)
  const providers = [...(email === undefined ? [] : ['email']), ...(phone === undefined ? [] : ['phone'])]
  const values: UserChanges = {
    role: input.role ?? 'authenticated',
    email: email ?? null,
    phone: phone ?? null,
    ...(passwordHash === undefined ? {} : { passwordHash }),
    ...(ban === undefined ? {} : { bannedUntil: ban }),
    emailConfirmedAt: input.emailConfirm && email !== undefined ? now : null,
    phoneConfirmedAt: input.phoneConfirm && phone !== undefined ? now : null,
    appMetadata: mergeMetadata({ provider: providers[0], providers }, input.appMetadata ?? {}),
    userMetadata: mergeMetadata(
      {
        ...(input.emailConfirm && email !== undefined ? { email_verified: true } : {}),
        ...(input.phoneConfirm && phone !== undefined ? { phone_verified: true } : {}),
      },
      input.userMetadata ?? {},
    ),
  }
  return context.db.transaction(async (tx) => {
    await createUser(context, tx, { id, values, identity: null })
    if (email !== undefined) await addIdentity(context, tx, id, { kind: 'email', value: email }, input.emailConfirm)
    if (phone !== undefined) await addIdentity(context, tx, id, { kind: 'phone', value: phone }, input.phoneConfirm)
    return loadUser(tx, id)
  })
}

const addIdentity = async (
  context: AuthContext,
  db: Queryable,
  userId: string,
  { kind, value }: Address,
  confirmed = false,
): Promise<void> => {
  const data = {
    sub: userId,
    [kind]: value,
    email_verified: kind === 'email' && confirmed,
    phone_verified: kind === 'phone' && confirmed,
  }
  await db.run(insertIdentity({ userId, provider: kind, providerId: userId, data }, nowOf(context)))
}

const assertFree = async (db: Queryable, ownId: string | null, { email, phone }: AdminInput): Promise<void> => {
  if (email !== undefined) {
    const other = await findByAddress(db, { kind: 'email', value: email })
    if (other !== null && other.id !== ownId) throw refuse('email_exists')
  }
  if (phone !== undefined) {
    const other = await findByAddress(db, { kind: 'phone', value: phone })
    if (other !== null && other.id !== ownId) throw refuse('phone_exists')
  }
}

export const updatePerson = async (
  context: AuthContext,
  sessions: Sessions,
  id: string,
  input: AdminInput,
): Promise<User> => {
  assertRole(input.role)
  const user = await loadUser(context.db, id)
  await assertFree(context.db, id, input)
  const passwordHash = await hashOf(context, input)
  const ban = bannedUntil(context, input.banDuration)
  // The role is in every token: what was given out for the old one ends, as it does for an old password.
  const ends = passwordHash !== undefined || (input.role !== undefined && input.role !== user.role)
  await context.db.transaction(async (tx) => {
    await tx
      .run(updateUser(id, changesOf(context, user, input, { passwordHash, ban }), nowOf(context)))
      .catch(rethrowTaken)
    await replaceAddresses(context, tx, user, input)
    if (ends) await sessions.endOthers(tx, id, null)
    if (ban === null) await context.revocations.lift(tx, id)
    else if (ban !== undefined) await context.revocations.revoke(tx, [id])
  })
  if (ban !== undefined || ends) await context.revocations.applied()
  return loadUser(context.db, id)
}

const rethrowTaken = (error: unknown): never => {
  throw takenError(error)
}

const changesOf = (
  context: AuthContext,
  user: User,
  input: AdminInput,
  { passwordHash, ban }: { readonly passwordHash: string | undefined; readonly ban: Date | null | undefined },
): UserChanges => {
  const now = nowOf(context)
  const { email, phone, userMetadata, appMetadata, role } = input
  let app = user.appMetadata
  if (email !== undefined) app = withProvider(app, 'email')
  if (phone !== undefined) app = withProvider(app, 'phone')
  return {
    ...(role === undefined ? {} : { role }),
    ...(email === undefined ? {} : { email, isAnonymous: false }),
    ...(phone === undefined ? {} : { phone, isAnonymous: false }),
    ...(passwordHash === undefined ? {} : { passwordHash }),
    ...(ban === undefined ? {} : { bannedUntil: ban }),
    ...(input.emailConfirm ? { emailConfirmedAt: now } : {}),
    ...(input.phoneConfirm ? { phoneConfirmedAt: now } : {}),
    ...(userMetadata === undefined ? {} : { userMetadata: mergeMetadata(user.userMetadata, userMetadata) }),
    appMetadata: mergeMetadata(app, appMetadata ?? {}),
  }
}

const replaceAddresses = async (context: AuthContext, db: Queryable, user: User, input: AdminInput): Promise<void> => {
  for (const kind of ['email', 'phone'] as const) {
    const value = input[kind]
    const confirmed = kind === 'email' ? input.emailConfirm : input.phoneConfirm
    const known = user.identities.some((each) => each.provider === kind)
    if (value !== undefined && !known) await addIdentity(context, db, user.id, { kind, value }, confirmed)
    else if (value !== undefined) await db.run(updateIdentityData(user.id, kind, { [kind]: value }))
    if (confirmed) await db.run(updateIdentityData(user.id, kind, { [`${kind}_verified`]: true }))
  }
}

/** Removes a person, or keeps an empty shell that rows may go on pointing at. */
export const removePerson = async (
  context: AuthContext,
  sessions: Sessions,
  id: string,
  { soft }: { readonly soft: boolean },
): Promise<void> => {
  const user = await loadUser(context.db, id)
  await context.db.transaction(async (tx) => {
    await sessions.endOthers(tx, id, null)
    await context.revocations.revoke(tx, [id])
    if (!soft) {
      await tx.run(deleteUser(id))
      return
    }
    const now = nowOf(context)
    await tx.run(deleteIdentitiesOf(id))
    await tx.run(updateUser(id, { ...shellOf(user), deletedAt: now }, now))
  })
  await context.revocations.applied()
}

/** The address stays taken by a hash of itself; nothing else of the person is kept. */
const shellOf = (user: User): UserChanges => {
  const digest = (text: string) => createHash('sha256').update(`${user.id}${text}`).digest('base64url')
  return {
    email: user.email === null ? null : `${digest(user.email).toLowerCase()}@deleted.invalid`,
    phone: user.phone === null ? null : digest(user.phone).slice(0, 15),
    passwordHash: null,
    emailConfirmedAt: null,
    phoneConfirmedAt: null,
    emailChange: null,
    phoneChange: null,
    userMetadata: {},
    appMetadata: {},
  }
}
