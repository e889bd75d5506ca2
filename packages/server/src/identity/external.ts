/** Which user a person is whom a provider sent: the one they were before, one with the same proven address, or a new one. */
import type { Queryable } from '../db/pool.ts'
import { askBeforeCreate, createUser, loadUser, type NewUser, takenError, withProvider } from './accounts.ts'
import { type AuthContext, nowOf } from './context.ts'
import { refuse } from './errors.ts'
import type { ExternalPerson } from './oidc.ts'
import type { Device } from './session.ts'
import type { Sessions } from './sessions.ts'
import { isBanned, mergeMetadata, type User } from './user.ts'
import {
  deleteIdentity,
  findUserByIdentity,
  findUsersByEmails,
  insertIdentity,
  touchIdentity,
  updateUser,
} from './users.sql.ts'

export interface ExternalLogin {
  readonly person: ExternalPerson
  readonly device: Device
  /** The user who asked for one more way to log in. */
  readonly linkingUserId: string | null
}

/** Finds or makes the user. Throws `user_banned`, `signup_disabled` or `identity_already_exists`. */
export const externalUser = async (
  context: AuthContext,
  sessions: Sessions,
  { person, device, linkingUserId }: ExternalLogin,
): Promise<User> => {
  const known = await context.db.maybeOne<User>(findUserByIdentity(person.provider, person.id))
  if (linkingUserId !== null) {
    if (known !== null) {
      const message =
        known.id === linkingUserId ? 'Identity is already linked' : 'Identity is already linked to another user'
      throw refuse('identity_already_exists', message)
    }
    return context.db.transaction(async (tx) => addIdentity(context, tx, await loadUser(tx, linkingUserId), person))
  }
  if (known !== null) return returning(context, known, person)
  const owner = await ownerOfAddress(context.db, person)
  if (owner !== null) return adopt(context, sessions, owner, person)
  return newcomer(context, person, device)
}

const returning = async (context: AuthContext, user: User, person: ExternalPerson): Promise<User> => {
  if (isBanned(user, context.clock.now())) throw refuse('user_banned')
  const now = nowOf(context)
  await context.db.run(touchIdentity({ provider: person.provider, providerId: person.id, data: person.claims }, now))
  const userMetadata = mergeMetadata(user.userMetadata, person.claims)
  await context.db.run(updateUser(user.id, { userMetadata }, now))
  return loadUser(context.db, user.id)
}

/** Only an address that the provider vouches for can say that two accounts are one person. */
const ownerOfAddress = async (db: Queryable, { email, emailVerified }: ExternalPerson): Promise<User | null> => {
  if (email === null || !emailVerified) return null
  const [first, second] = await db.many<User>(findUsersByEmails([email]))
  return first === undefined || second !== undefined ? null : first
}

const addIdentity = async (context: AuthContext, db: Queryable, user: User, person: ExternalPerson): Promise<User> => {
  const now = nowOf(context)
  const { provider, id: providerId, claims: data } = person
  await db.run(insertIdentity({ userId: user.id, provider, providerId, data }, now)).catch((error: unknown) => {
    throw takenError(error)
  })
  const proven = user.email === null && person.emailVerified ? { email: person.email, emailConfirmedAt: now } : {}
  const changes = {
    ...proven,
    isAnonymous: false,
    appMetadata: withProvider(user.appMetadata, provider),
    userMetadata: mergeMetadata(user.userMetadata, data),
  }
  await db.run(updateUser(user.id, changes, now)).catch((error: unknown) => {
    throw takenError(error)
  })
  return loadUser(db, user.id)
}

/** Links the person to the account with their address. What a stranger may have prepared there while it was unproven goes. */
const adopt = async (context: AuthContext, sessions: Sessions, owner: User, person: ExternalPerson): Promise<User> => {
  if (isBanned(owner, context.clock.now())) throw refuse('user_banned')
  const user = await context.db.transaction(async (tx) => {
    if (owner.emailConfirmedAt !== null) return addIdentity(context, tx, owner, person)
    for (const identity of owner.identities.filter((each) => each.provider === 'email')) {
      await tx.run(deleteIdentity(identity.identityId))
    }
    const now = nowOf(context)
    const clean = { passwordHash: null, emailConfirmedAt: now, userMetadata: {}, appMetadata: {} }
    await tx.run(updateUser(owner.id, clean, now))
    await sessions.endOthers(tx, owner.id, null)
    return addIdentity(context, tx, await loadUser(tx, owner.id), person)
  })
  await context.revocations.applied()
  return user
}

const newcomer = async (context: AuthContext, person: ExternalPerson, device: Device): Promise<User> => {
  if (!context.settings.enableSignup) throw refuse('signup_disabled')
  const { provider, id: providerId, claims } = person
  const draft: NewUser = {
    id: context.ids.uuid(),
    identity: { provider, providerId, data: claims },
    values: {
      // An address that nobody vouches for stays with the identity: it names nobody here.
      ...(person.emailVerified ? { email: person.email, emailConfirmedAt: nowOf(context) } : {}),
      appMetadata: { provider, providers: [provider] },
      userMetadata: claims,
    },
  }
  await askBeforeCreate(context, draft, device)
  return context.db.transaction((tx) => createUser(context, tx, draft))
}
