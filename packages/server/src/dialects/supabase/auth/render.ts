/** Users and sessions as GoTrue writes them, with what MemFire's clients know of WeChat. */
import type { Grant } from '../../../identity/session.ts'
import { type Factor, type Identity, type User, wechatIdentity } from '../../../identity/user.ts'

const iso = (text: string | null): string | undefined => (text === null ? undefined : new Date(text).toISOString())

/** The login of a mini-program is shown by `wechat_id`; clients compare the list of identities with an empty one. */
export const HIDDEN_PROVIDER = 'wechat_mini'

const renderIdentity = (identity: Identity): object => ({
  identity_id: identity.identityId,
  id: identity.providerId,
  user_id: identity.userId,
  identity_data: identity.data,
  provider: identity.provider,
  last_sign_in_at: iso(identity.lastSignInAt),
  created_at: iso(identity.createdAt),
  updated_at: iso(identity.updatedAt),
  ...(identity.email === null ? {} : { email: identity.email }),
})

export const renderFactor = (factor: Factor): object => ({
  id: factor.id,
  created_at: iso(factor.createdAt),
  updated_at: iso(factor.updatedAt),
  status: factor.status,
  friendly_name: factor.friendlyName ?? undefined,
  factor_type: factor.type,
  phone: factor.phone ?? undefined,
})

export const renderUser = (user: User): object => {
  const wechat = wechatIdentity(user, null)
  return {
    id: user.id,
    aud: user.aud,
    role: user.role,
    email: user.email ?? '',
    email_confirmed_at: iso(user.emailConfirmedAt),
    invited_at: iso(user.invitedAt),
    phone: user.phone ?? '',
    phone_confirmed_at: iso(user.phoneConfirmedAt),
    confirmation_sent_at: iso(user.confirmationSentAt),
    confirmed_at: iso(user.confirmedAt),
    recovery_sent_at: iso(user.recoverySentAt),
    new_email: user.emailChange ?? undefined,
    email_change_sent_at: user.emailChange === null ? undefined : iso(user.emailChangeSentAt),
    new_phone: user.phoneChange ?? undefined,
    phone_change_sent_at: user.phoneChange === null ? undefined : iso(user.phoneChangeSentAt),
    reauthentication_sent_at: iso(user.reauthenticationSentAt),
    last_sign_in_at: iso(user.lastSignInAt),
    app_metadata: user.appMetadata,
    user_metadata: user.userMetadata,
    ...(user.factors.length === 0 ? {} : { factors: user.factors.map(renderFactor) }),
    identities: user.identities.filter((each) => each.provider !== HIDDEN_PROVIDER).map(renderIdentity),
    created_at: iso(user.createdAt),
    updated_at: iso(user.updatedAt),
    banned_until: iso(user.bannedUntil),
    deleted_at: iso(user.deletedAt),
    is_anonymous: user.isAnonymous,
    ...(wechat === null ? {} : { wechat_id: wechat.openid, wechat_unionid: wechat.unionid ?? '' }),
  }
}

export const renderGrant = (grant: Grant): object => ({
  access_token: grant.accessToken,
  token_type: 'bearer',
  expires_in: grant.expiresIn,
  expires_at: grant.expiresAt,
  refresh_token: grant.refreshToken,
  user: renderUser(grant.user),
  ...(grant.provider === undefined
    ? {}
    : { provider_token: grant.provider.token, provider_refresh_token: grant.provider.refreshToken }),
  ...(grant.weakPassword === undefined ? {} : { weak_password: grant.weakPassword }),
})
