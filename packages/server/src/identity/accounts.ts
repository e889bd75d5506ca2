/** Making users and finding them: the one place where a row of auth.users begins. */
import { databaseError, type Queryable } from '../db/pool.ts'
import type { JsonObject } from '../kernel/json.ts'
import { parseEmail, parsePhone } from './addresses.ts'
import { type AuthContext, nowOf } from './context.ts'
import { type AuthReason, invalid, refuse } from './errors.ts'
import type { Device } from './session.ts'
import type { User, UserChanges } from './user.ts'
import {
  findUser,
  findUserByEmail,
  findUserByPhone,
  insertIdentity,
  insertUser,
  type NewIdentity,
} from './users.sql.ts'

/** Where a person can be reached. */
export interface Address {
  readonly kind: 'email' | 'phone'
  readonly value: string
}

/** The one address of a request. Throws `validation_failed` unless there is exactly one. */
export const parseAddress = (email: string | undefined, phone: string | undefined, message: string): Address => {
  const given = [email, phone].filter((each) => each !== undefined && each !== '')
  if (given.length !== 1) throw invalid(message)
  if (email !== undefined && email !== '') return { kind: 'email', value: parseEmail(email) }
  return { kind: 'phone', value: parsePhone(phone ?? '') }
}

export const findByAddress = (db: Queryable, { kind, value }: Address): Promise<User | null> =>
  db.maybeOne<User>(kind === 'email' ? findUserByEmail(value) : findUserByPhone(value))

/** A user that must be there. */
export const loadUser = async (db: Queryable, id: string, reason: AuthReason = 'user_not_found'): Promise<User> => {
  const user = await db.maybeOne<User>(findUser(id))
  if (user === null) throw refuse(reason)
  return user
}

export const isConfirmed = (user: User, kind: Address['kind']): boolean =>
  (kind === 'email' ? user.emailConfirmedAt : user.phoneConfirmedAt) !== null

export interface NewUser {
  readonly id?: string
  readonly values: UserChanges
  /** The way to log in that the user begins with; its user id is filled in. */
  readonly identity: Omit<NewIdentity, 'userId'> | null
}

/** The values of a user who begins with an address. */
export const addressUser = (
  id: string,
  address: Address,
  options: { readonly confirmed: boolean; readonly now: Date; readonly data: JsonObject },
): NewUser => {
  const { kind, value } = address
  const data = {
    sub: id,
    ...(kind === 'email' ? { email: value } : { phone: value }),
    email_verified: kind === 'email' && options.confirmed,
    phone_verified: kind === 'phone' && options.confirmed,
  }
  const confirmedAt = options.confirmed ? options.now : null
  return {
    id,
    identity: { provider: kind, providerId: id, data },
    values: {
      ...(kind === 'email'
        ? { email: value, emailConfirmedAt: confirmedAt }
        : { phone: value, phoneConfirmedAt: confirmedAt }),
      appMetadata: { provider: kind, providers: [kind] },
      userMetadata: { ...options.data, ...data },
    },
  }
}

/** Asks the operator's hook whether this user may come to be. Before any transaction: a hook takes its time. */
export const askBeforeCreate = async (context: AuthContext, user: NewUser, device: Device): Promise<void> => {
  const { values } = user
  const described: JsonObject = {
    id: user.id ?? '',
    aud: 'authenticated',
    role: values.role ?? 'authenticated',
    email: values.email ?? '',
    phone: values.phone ?? '',
    app_metadata: values.appMetadata ?? {},
    user_metadata: values.userMetadata ?? {},
    identities: [],
    is_anonymous: values.isAnonymous ?? false,
    created_at: nowOf(context).toISOString(),
    updated_at: nowOf(context).toISOString(),
  }
  await context.hooks.beforeUserCreated(described, {
    uuid: context.ids.uuid(),
    time: nowOf(context).toISOString(),
    ip_address: device.ip,
  })
}

const TAKEN: Readonly<Record<string, AuthReason>> = {
  users_email_key: 'email_exists',
  users_phone_key: 'phone_exists',
}

/** Writes the user and the first way to log in. Throws `email_exists` or `phone_exists` when another request was faster. */
export const createUser = async (context: AuthContext, db: Queryable, user: NewUser): Promise<User> => {
  const now = nowOf(context)
  const id = user.id ?? context.ids.uuid()
  try {
    await db.run(insertUser(id, { role: 'authenticated', userMetadata: {}, appMetadata: {}, ...user.values }, now))
    if (user.identity !== null) await db.run(insertIdentity({ ...user.identity, userId: id }, now))
  } catch (error) {
    throw takenError(error)
  }
  return loadUser(db, id)
}

/** Says in this service's words that an address belongs to somebody already. */
export const takenError = (error: unknown): unknown => {
  const database = databaseError(error)
  if (database?.code !== '23505') return error
  const reason = TAKEN[database.constraint ?? '']
  if (reason !== undefined) return refuse(reason, undefined, { cause: error })
  if (database.constraint === 'users_pkey') return refuse('user_already_exists', undefined, { cause: error })
  return refuse('identity_already_exists', undefined, { cause: error })
}

/** Adds a way to log in to what the token says about the user. */
export const withProvider = (metadata: JsonObject, provider: string): JsonObject => {
  const known = Array.isArray(metadata.providers) ? metadata.providers.filter((each) => typeof each === 'string') : []
  return {
    provider: typeof metadata.provider === 'string' ? metadata.provider : provider,
    ...metadata,
    providers: [...new Set([...known, provider])],
  }
}
