/** What a login is, as the rest of this service sees it. */
import type { User } from './user.ts'

export type Aal = 'aal1' | 'aal2' | 'aal3'

/** How somebody proved who they are; the words of the `amr` claim. */
export type AuthMethod =
  | 'password'
  | 'otp'
  | 'oauth'
  | 'totp'
  | 'mfa/phone'
  | 'mfa/recovery_code'
  | 'recovery'
  | 'invite'
  | 'magiclink'
  | 'email/signup'
  | 'email_change'
  | 'token_refresh'
  | 'anonymous'
  | 'wechat_mini'

/** Where a request came from. */
export interface Device {
  readonly ip: string
  readonly userAgent: string | null
}

export interface Session {
  readonly id: string
  readonly userId: string
  readonly aal: Aal
  readonly factorId: string | null
  readonly createdAt: string
  readonly notAfter: string | null
  readonly refreshedAt: string | null
  /** Of the refresh tokens; never leaves the server. */
  readonly key: string
  /** Place of the latest refresh token in its family. */
  readonly counter: string
  /** When the latest few refresh tokens were exchanged, newest first. */
  readonly refreshTimes: readonly string[]
  readonly amr: readonly { readonly method: AuthMethod; readonly timestamp: number }[]
}

/** What somebody who logged in receives. */
export interface Grant {
  readonly accessToken: string
  readonly refreshToken: string
  /** Seconds. */
  readonly expiresIn: number
  /** Seconds since 1970. */
  readonly expiresAt: number
  readonly user: User
  readonly provider?: { readonly token: string | null; readonly refreshToken: string | null }
  /** Reasons why the password that was used would be refused today. */
  readonly weakPassword?: { readonly message: string; readonly reasons: readonly string[] }
}
