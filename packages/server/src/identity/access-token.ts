/** Builds and signs access tokens. */
import type { JsonObject } from '../kernel/json.ts'
import type { Hooks } from './hooks.ts'
import type { KeyRing } from './key-ring.ts'
import type { AuthMethod, Session } from './session.ts'
import type { AuthSettings } from './settings.ts'
import { type User, wechatIdentity } from './user.ts'

export interface AccessTokenOptions {
  readonly ring: KeyRing
  readonly hooks: Hooks
  readonly settings: Pick<AuthSettings, 'jwtExpiry'>
  /** `iss`; asked each time because a server on a free port learns its address late. */
  readonly issuer: () => string
  /** The mini-program whose openid goes into the token. */
  readonly appid: string | null
}

export interface SignedToken {
  readonly token: string
  readonly expiresIn: number
  readonly expiresAt: number
}

export type AccessTokens = (
  user: User,
  session: Pick<Session, 'id' | 'aal' | 'amr'>,
  event: { readonly method: AuthMethod; readonly now: number },
) => Promise<SignedToken>

export const createAccessTokens =
  ({ ring, hooks, settings, issuer, appid }: AccessTokenOptions): AccessTokens =>
  async (user, session, { method, now }) => {
    const iat = Math.floor(now / 1000)
    const exp = iat + settings.jwtExpiry
    const openid = wechatIdentity(user, appid)?.openid
    const claims: JsonObject = {
      iss: issuer(),
      sub: user.id,
      aud: user.aud,
      exp,
      iat,
      email: user.email ?? '',
      phone: user.phone ?? '',
      app_metadata: user.appMetadata,
      user_metadata: user.userMetadata,
      role: user.role,
      aal: session.aal,
      amr: session.amr.map((each) => ({ ...each })),
      session_id: session.id,
      is_anonymous: user.isAnonymous,
      ...(openid == null ? {} : { openid }),
    }
    const final = await hooks.accessToken({ userId: user.id, claims, method })
    const token = await ring.sign(new TextEncoder().encode(asciiJson(final)))
    const end = typeof final.exp === 'number' ? final.exp : exp
    return { token, expiresIn: end - iat, expiresAt: end }
  }

/**
 * JSON in ASCII, also without `>`, `?` and `~`: decoders in mini-programs read the payload byte by byte and replace only the first `-`
 * and `_` of base64url. Bytes below 128 other than these three never give either character.
 */
const asciiJson = (value: JsonObject): string =>
  JSON.stringify(value).replace(
    /[>?~\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
