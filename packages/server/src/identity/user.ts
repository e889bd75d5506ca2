/** A person, with the ways to log in and the second factors that belong to them. */
import type { JsonObject } from '../kernel/json.ts'

/** When something happened, as Postgres or JSON writes it. */
export type Timestamp = string

export interface Identity {
  /** `auth.identities.id` */
  readonly identityId: string
  /** The person's id at the provider. */
  readonly providerId: string
  readonly userId: string
  readonly provider: string
  readonly data: JsonObject
  readonly email: string | null
  readonly appid: string | null
  readonly openid: string | null
  readonly unionid: string | null
  readonly lastSignInAt: Timestamp | null
  readonly createdAt: Timestamp
  readonly updatedAt: Timestamp
}

export type FactorType = 'totp' | 'phone' | 'webauthn' | 'recovery_code'

export interface Factor {
  readonly id: string
  readonly friendlyName: string | null
  readonly type: FactorType
  readonly status: 'unverified' | 'verified'
  readonly phone: string | null
  readonly createdAt: Timestamp
  readonly updatedAt: Timestamp
}

export interface User {
  readonly id: string
  readonly aud: string
  readonly role: string
  readonly email: string | null
  readonly phone: string | null
  readonly passwordHash: string | null
  readonly emailConfirmedAt: Timestamp | null
  readonly phoneConfirmedAt: Timestamp | null
  readonly confirmedAt: Timestamp | null
  readonly invitedAt: Timestamp | null
  readonly confirmationSentAt: Timestamp | null
  readonly recoverySentAt: Timestamp | null
  readonly emailChange: string | null
  readonly emailChangeSentAt: Timestamp | null
  /** 1 once one of two mailboxes has agreed to a change. */
  readonly emailChangeConfirmStatus: number
  readonly phoneChange: string | null
  readonly phoneChangeSentAt: Timestamp | null
  readonly reauthenticationSentAt: Timestamp | null
  readonly lastSignInAt: Timestamp | null
  readonly appMetadata: JsonObject
  readonly userMetadata: JsonObject
  readonly bannedUntil: Timestamp | null
  readonly deletedAt: Timestamp | null
  readonly isAnonymous: boolean
  readonly isSsoUser: boolean
  readonly createdAt: Timestamp
  readonly updatedAt: Timestamp
  readonly identities: readonly Identity[]
  readonly factors: readonly Factor[]
}

/** What may be written to a user. Dates are written as such, null clears. */
export interface UserChanges {
  readonly role?: string
  readonly email?: string | null
  readonly phone?: string | null
  readonly passwordHash?: string | null
  readonly emailConfirmedAt?: Date | null
  readonly phoneConfirmedAt?: Date | null
  readonly invitedAt?: Date | null
  readonly confirmationSentAt?: Date | null
  readonly recoverySentAt?: Date | null
  readonly emailChange?: string | null
  readonly emailChangeSentAt?: Date | null
  readonly emailChangeConfirmStatus?: number
  readonly phoneChange?: string | null
  readonly phoneChangeSentAt?: Date | null
  readonly reauthenticationSentAt?: Date | null
  readonly lastSignInAt?: Date | null
  readonly appMetadata?: JsonObject
  readonly userMetadata?: JsonObject
  readonly bannedUntil?: Date | null
  readonly deletedAt?: Date | null
  readonly isAnonymous?: boolean
}

export const isBanned = (user: User, now: number): boolean =>
  user.bannedUntil !== null && Date.parse(user.bannedUntil) > now

/** The openid of the app, or of any other app when the person never came through it. */
export const wechatIdentity = (user: User, appid: string | null): Identity | null => {
  const known = user.identities.filter((each) => each.openid !== null)
  return known.find((each) => each.appid === appid) ?? known[0] ?? null
}

/** Merges as a shallow patch: null removes a key. */
export const mergeMetadata = (current: JsonObject, patch: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries({ ...current, ...patch }).filter(([, value]) => value !== null))
