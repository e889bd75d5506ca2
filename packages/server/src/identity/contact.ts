/** What happens once an address has been proven: the user has it, and may log in with it. */
import type { Queryable } from '../db/pool.ts'
import { type Address, loadUser, takenError, withProvider } from './accounts.ts'
import { type AuthContext, nowOf } from './context.ts'
import { dropOneTime } from './one-time.sql.ts'
import { mergeMetadata, type User } from './user.ts'
import { insertIdentity, updateIdentityData, updateUser } from './users.sql.ts'

/** Marks the address that the user has as proven. */
export const confirmAddress = async (
  context: AuthContext,
  db: Queryable,
  user: User,
  kind: Address['kind'],
): Promise<void> => {
  const now = nowOf(context)
  const flag = { [`${kind}_verified`]: true }
  await db.run(updateIdentityData(user.id, kind, flag))
  await db.run(
    updateUser(
      user.id,
      {
        ...(kind === 'email' ? { emailConfirmedAt: now } : { phoneConfirmedAt: now }),
        userMetadata: mergeMetadata(user.userMetadata, flag),
      },
      now,
    ),
  )
}

/** Gives the user a proven address in place of the one before; whoever was anonymous is no longer. */
export const takeAddress = async (
  context: AuthContext,
  db: Queryable,
  user: User,
  { kind, value }: Address,
): Promise<User> => {
  const now = nowOf(context)
  const data = { sub: user.id, [kind]: value, [`${kind}_verified`]: true }
  const known = user.identities.some((each) => each.provider === kind)
  try {
    await db.run(
      known
        ? updateIdentityData(user.id, kind, data)
        : insertIdentity({ userId: user.id, provider: kind, providerId: user.id, data }, now),
    )
    await db.run(updateUser(user.id, addressValues(user, { kind, value }, now), now))
  } catch (error) {
    throw takenError(error)
  }
  await db.run(
    dropOneTime(
      user.id,
      kind === 'email' ? ['email_change_token_new', 'email_change_token_current'] : ['phone_change_token'],
    ),
  )
  return loadUser(db, user.id)
}

const addressValues = (user: User, { kind, value }: Address, now: Date) => ({
  isAnonymous: false,
  appMetadata: withProvider(user.appMetadata, kind),
  ...(kind === 'email'
    ? { email: value, emailConfirmedAt: now, emailChange: null, emailChangeConfirmStatus: 0 }
    : { phone: value, phoneConfirmedAt: now, phoneChange: null }),
})
