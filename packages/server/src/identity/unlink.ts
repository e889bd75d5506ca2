/** Taking a way to log in away from a user. */
import { type AuthContext, nowOf } from './context.ts'
import { refuse } from './errors.ts'
import type { User, UserChanges } from './user.ts'
import { deleteIdentity, updateUser } from './users.sql.ts'

/** Removes one of several ways to log in, with the address that belonged to it. */
export const unlinkIdentity = async (context: AuthContext, user: User, identityId: string): Promise<void> => {
  if (!context.settings.enableManualLinking) throw refuse('manual_linking_disabled')
  const identity = user.identities.find((each) => each.identityId === identityId)
  if (identity === undefined) throw refuse('identity_not_found')
  const rest = user.identities.filter((each) => each !== identity)
  if (rest.length === 0) throw refuse('single_identity_not_deletable')
  const providers = [...new Set(rest.map((each) => each.provider))]
  const changes: UserChanges = {
    appMetadata: { ...user.appMetadata, provider: providers[0] ?? '', providers },
    ...(identity.provider === 'phone' ? { phone: null, phoneConfirmedAt: null } : {}),
    ...(identity.provider === 'email' ? { email: rest.find((each) => each.email !== null)?.email ?? null } : {}),
  }
  await context.db.transaction(async (tx) => {
    await tx.run(deleteIdentity(identity.identityId))
    await tx.run(updateUser(user.id, changes, nowOf(context)))
  })
}
