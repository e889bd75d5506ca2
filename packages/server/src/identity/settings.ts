/** What an operator decides about accounts, in the order of the `[auth]` table of supabase/config.toml. Durations are seconds. */

/** How much is allowed in one window. */
export interface Rate {
  readonly points: number
  readonly seconds: number
}

export interface EmailSettings {
  readonly enableSignup: boolean
  /** Whether an address must be confirmed before its owner may log in. */
  readonly enableConfirmations: boolean
  /** Whether a change of address needs the consent of both mailboxes. */
  readonly doubleConfirmChanges: boolean
  /** Whether a change of password needs a recent login or a nonce. */
  readonly securePasswordChange: boolean
  /** Least time between two messages to one address. */
  readonly maxFrequency: number
  readonly otpLength: number
  readonly otpExpiry: number
}

export interface SmsSettings {
  readonly enableSignup: boolean
  readonly enableConfirmations: boolean
  readonly maxFrequency: number
  readonly otpLength: number
  readonly otpExpiry: number
  /** `{{ .Code }}` is the code. */
  readonly template: string
  /** Numbers whose code is fixed and never sent. */
  readonly testOtp: Readonly<Record<string, string>>
}

export interface ExternalProvider {
  readonly enabled: boolean
  /** Several are separated by commas: the first is used for OAuth, all are accepted as audience of an id_token. */
  readonly clientId: string
  readonly secret: string
  /** Where the provider sends people back to; by default `/auth/v1/callback` of this server. */
  readonly redirectUri: string
  /** The issuer, for providers that have no fixed one. */
  readonly url: string
  readonly skipNonceCheck: boolean
}

export interface MfaSettings {
  readonly maxEnrolledFactors: number
  readonly totpEnroll: boolean
  readonly totpVerify: boolean
  readonly phoneEnroll: boolean
  readonly phoneVerify: boolean
  readonly recoveryCodes: boolean
}

/** A function in the database, for example `public.custom_access_token`. */
export interface HookFunction {
  readonly kind: 'function'
  readonly schema: string
  readonly name: string
}

/** A service of the operator's own. */
export interface HookEndpoint {
  readonly kind: 'http'
  readonly url: string
  /** `v1,whsec_<base64>`, several separated by `|`. */
  readonly secrets: string
}

export type Hook = HookFunction | HookEndpoint

/** Who tells people from programs; the client brings what its widget gave it. */
export interface CaptchaSettings {
  readonly provider: 'hcaptcha' | 'turnstile'
  readonly secret: string
  /** Where answers are verified, when not at the provider's own address. */
  readonly url: string
}

export interface RateSettings {
  /** Messages of the whole app. */
  readonly emailSent: Rate
  readonly smsSent: Rate
  /** Per address of the network (IPv6: per /64). */
  readonly anonymousUsers: Rate
  readonly tokenRefresh: Rate
  readonly signInSignUps: Rate
  readonly tokenVerifications: Rate
  /** Wrong passwords and codes: per network address and per account. */
  readonly failuresPerAddress: Rate
  readonly failuresPerAccount: Rate
  /** Logins of the whole app, all ways together. */
  readonly appLogins: Rate
}

export type PasswordRequirements =
  | ''
  | 'letters_digits'
  | 'lower_upper_letters_digits'
  | 'lower_upper_letters_digits_symbols'

export interface AuthSettings {
  readonly siteUrl: string
  /** Further places that a person may be sent to, with `*` and `**`. */
  readonly redirectUrls: readonly string[]
  readonly jwtExpiry: number
  readonly enableSignup: boolean
  readonly enableAnonymousSignIns: boolean
  readonly enableManualLinking: boolean
  readonly enableRefreshTokenRotation: boolean
  readonly refreshTokenReuseInterval: number
  readonly minimumPasswordLength: number
  readonly passwordRequirements: PasswordRequirements
  /** Longest life of a session; null for no end. */
  readonly timebox: number | null
  /** A session that was not refreshed for so long has ended. */
  readonly inactivityTimeout: number | null
  readonly email: EmailSettings
  readonly sms: SmsSettings
  readonly external: Readonly<Record<string, ExternalProvider>>
  readonly mfa: MfaSettings
  readonly hooks: { readonly beforeUserCreated: Hook | null; readonly customAccessToken: Hook | null }
  /** Null when nobody is asked. */
  readonly captcha: CaptchaSettings | null
  readonly rates: RateSettings
}

const FIVE_MINUTES = 300

export const DEFAULT_AUTH: AuthSettings = {
  siteUrl: 'http://127.0.0.1:3000',
  redirectUrls: [],
  jwtExpiry: 3600,
  enableSignup: true,
  enableAnonymousSignIns: false,
  enableManualLinking: false,
  enableRefreshTokenRotation: true,
  refreshTokenReuseInterval: 10,
  minimumPasswordLength: 6,
  passwordRequirements: '',
  timebox: null,
  inactivityTimeout: null,
  email: {
    enableSignup: true,
    enableConfirmations: false,
    doubleConfirmChanges: true,
    securePasswordChange: false,
    maxFrequency: 1,
    otpLength: 6,
    otpExpiry: 3600,
  },
  sms: {
    enableSignup: true,
    enableConfirmations: false,
    maxFrequency: 5,
    otpLength: 6,
    otpExpiry: 300,
    template: 'Your code is {{ .Code }}',
    testOtp: {},
  },
  external: {},
  mfa: {
    maxEnrolledFactors: 10,
    totpEnroll: true,
    totpVerify: true,
    phoneEnroll: false,
    phoneVerify: false,
    recoveryCodes: true,
  },
  hooks: { beforeUserCreated: null, customAccessToken: null },
  captcha: null,
  // Wide enough for an office or a mobile carrier behind one address; guessing is held back by the limits on failures.
  rates: {
    emailSent: { points: 1000, seconds: 3600 },
    smsSent: { points: 1000, seconds: 3600 },
    anonymousUsers: { points: 1000, seconds: 3600 },
    tokenRefresh: { points: 3000, seconds: FIVE_MINUTES },
    signInSignUps: { points: 3000, seconds: FIVE_MINUTES },
    tokenVerifications: { points: 1000, seconds: FIVE_MINUTES },
    failuresPerAddress: { points: 100, seconds: FIVE_MINUTES },
    failuresPerAccount: { points: 10, seconds: FIVE_MINUTES },
    appLogins: { points: 100_000, seconds: 60 },
  },
}
