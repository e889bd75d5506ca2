/** The `[auth]` table of supabase/config.toml, under the names that Supabase's command line gives its keys. */
import {
  type AuthSettings,
  type CaptchaSettings,
  DEFAULT_AUTH,
  type ExternalProvider,
  type Hook,
  type PasswordRequirements,
  type Rate,
} from '../identity/settings.ts'
import type { JsonObject } from '../kernel/json.ts'
import { type SmsProvider, smsProviderOf, smtpOf, type TemplateFile, templatesOf } from './auth-messages-config.ts'
import { type Reader, readerOf, unfit, urlOf } from './auth-table.ts'

export interface AuthConfig {
  readonly settings: AuthSettings
  readonly smtp: { readonly url: string; readonly from: string } | null
  readonly sms: SmsProvider
  readonly templates: readonly TemplateFile[]
  /** A JSON file with an array of JSON Web Keys; null to sign with the secret. */
  readonly signingKeysPath: string | null
}

export interface AuthSources {
  readonly table: JsonObject
  /** `TEAHOUSE_SMTP_URL`; empty when it was not given. */
  readonly smtpUrl: string
  readonly dev: boolean
}

/** Throws AppError `bad_request` that names the key and what it should be. */
export const authConfigOf = ({ table, smtpUrl, dev }: AuthSources): AuthConfig => {
  const read = readerOf(table)
  const sms = smsProviderOf(read)
  const smtp = smtpOf(read, smtpUrl)
  const testOtp = testOtpOf(read)
  const canSend = sms.kind !== 'none' || Object.keys(testOtp).length > 0 || dev
  const settings: AuthSettings = {
    siteUrl: urlOf(read, 'site_url', DEFAULT_AUTH.siteUrl),
    redirectUrls: read.texts('additional_redirect_urls', []),
    jwtExpiry: Math.max(1, read.whole('jwt_expiry', DEFAULT_AUTH.jwtExpiry)),
    enableSignup: read.flag('enable_signup', true),
    enableAnonymousSignIns: read.flag('enable_anonymous_sign_ins', false),
    enableManualLinking: read.flag('enable_manual_linking', false),
    enableRefreshTokenRotation: read.flag('enable_refresh_token_rotation', true),
    refreshTokenReuseInterval: read.whole('refresh_token_reuse_interval', DEFAULT_AUTH.refreshTokenReuseInterval),
    minimumPasswordLength: read.whole('minimum_password_length', DEFAULT_AUTH.minimumPasswordLength),
    passwordRequirements: requirementsOf(read),
    timebox: read.duration('sessions.timebox'),
    inactivityTimeout: read.duration('sessions.inactivity_timeout'),
    email: emailOf(read),
    sms: { ...smsOf(read), testOtp, enableSignup: read.flag('sms.enable_signup', canSend) },
    external: externalOf(read),
    mfa: mfaOf(read),
    hooks: {
      beforeUserCreated: hookOf(read, 'before_user_created'),
      customAccessToken: hookOf(read, 'custom_access_token'),
    },
    captcha: captchaOf(read),
    rates: ratesOf(read, smtp !== null),
  }
  return {
    settings,
    sms,
    smtp,
    templates: templatesOf(read),
    signingKeysPath: read.text('signing_keys_path') || null,
  }
}

const REQUIREMENTS: readonly PasswordRequirements[] = [
  '',
  'letters_digits',
  'lower_upper_letters_digits',
  'lower_upper_letters_digits_symbols',
]

const requirementsOf = (read: Reader): PasswordRequirements => {
  const text = read.text('password_requirements')
  const found = REQUIREMENTS.find((each) => each === text)
  if (found === undefined) throw unfit('password_requirements', REQUIREMENTS.slice(1).join(', '))
  return found
}

const emailOf = (read: Reader): AuthSettings['email'] => {
  const { email } = DEFAULT_AUTH
  const otpLength = read.whole('email.otp_length', email.otpLength)
  if (otpLength < 6 || otpLength > 10) throw unfit('email.otp_length', 'a number from 6 to 10')
  return {
    enableSignup: read.flag('email.enable_signup', email.enableSignup),
    enableConfirmations: read.flag('email.enable_confirmations', email.enableConfirmations),
    doubleConfirmChanges: read.flag('email.double_confirm_changes', email.doubleConfirmChanges),
    securePasswordChange: read.flag('email.secure_password_change', email.securePasswordChange),
    maxFrequency: read.duration('email.max_frequency') ?? email.maxFrequency,
    otpExpiry: Math.max(1, read.whole('email.otp_expiry', email.otpExpiry)),
    otpLength,
  }
}

const smsOf = (read: Reader): Omit<AuthSettings['sms'], 'testOtp' | 'enableSignup'> => {
  const { sms } = DEFAULT_AUTH
  const otpLength = read.whole('sms.otp_length', sms.otpLength)
  if (otpLength < 6 || otpLength > 10) throw unfit('sms.otp_length', 'a number from 6 to 10')
  return {
    enableConfirmations: read.flag('sms.enable_confirmations', sms.enableConfirmations),
    maxFrequency: read.duration('sms.max_frequency') ?? sms.maxFrequency,
    otpExpiry: Math.max(1, read.whole('sms.otp_expiry', sms.otpExpiry)),
    template: read.text('sms.template', sms.template),
    otpLength,
  }
}

const testOtpOf = (read: Reader): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(read.table('sms.test_otp')).map(([phone, code]) => {
      if (typeof code !== 'string' || !/^\d{1,15}$/.test(phone)) throw unfit('sms.test_otp', 'numbers with their codes')
      return [phone, code]
    }),
  )

const externalOf = (read: Reader): Readonly<Record<string, ExternalProvider>> =>
  Object.fromEntries(
    Object.keys(read.table('external')).map((name) => {
      const path = `external.${name}`
      const provider: ExternalProvider = {
        enabled: read.flag(`${path}.enabled`, false),
        clientId: read.text(`${path}.client_id`),
        secret: read.text(`${path}.secret`),
        redirectUri: read.text(`${path}.redirect_uri`),
        url: read.text(`${path}.url`),
        skipNonceCheck: read.flag(`${path}.skip_nonce_check`, false),
      }
      if (provider.enabled && provider.clientId === '') throw unfit(`${path}.client_id`, 'a text')
      return [name, provider]
    }),
  )

const mfaOf = (read: Reader): AuthSettings['mfa'] => {
  const { mfa } = DEFAULT_AUTH
  return {
    maxEnrolledFactors: read.whole('mfa.max_enrolled_factors', mfa.maxEnrolledFactors),
    totpEnroll: read.flag('mfa.totp.enroll_enabled', mfa.totpEnroll),
    totpVerify: read.flag('mfa.totp.verify_enabled', mfa.totpVerify),
    phoneEnroll: read.flag('mfa.phone.enroll_enabled', mfa.phoneEnroll),
    phoneVerify: read.flag('mfa.phone.verify_enabled', mfa.phoneVerify),
    recoveryCodes: read.flag('mfa.recovery_codes.enabled', mfa.recoveryCodes),
  }
}

const HOOK = /^pg-functions:\/\/[^/]+\/([^/]+)\/([^/]+)$/
const HOOK_SECRET = /^v1,whsec_[A-Za-z0-9+/=]{24,}$/

const hookOf = (read: Reader, name: string): Hook | null => {
  if (!read.flag(`hook.${name}.enabled`, false)) return null
  const uri = read.text(`hook.${name}.uri`)
  if (/^https?:/.test(uri)) return endpointOf(read, name, uri)
  const [, schema, fn] = HOOK.exec(uri) ?? []
  if (schema === undefined || fn === undefined) {
    throw unfit(`hook.${name}.uri`, 'a function such as "pg-functions://postgres/public/my_hook", or an https address')
  }
  return { kind: 'function', schema, name: fn }
}

/** What is sent there says who logs in: without TLS only to this machine. */
const endpointOf = (read: Reader, name: string, uri: string): Hook => {
  const { protocol, hostname } = new URL(urlOf(read, `hook.${name}.uri`, ''))
  if (protocol === 'http:' && !/^(127(\.\d+){3}|localhost|\[::1\]|host\.docker\.internal)$/.test(hostname)) {
    throw unfit(`hook.${name}.uri`, 'an https address: what is sent there says who logs in')
  }
  const secrets = read.text(`hook.${name}.secrets`)
  if (!secrets.split('|').every((each) => HOOK_SECRET.test(each))) {
    throw unfit(`hook.${name}.secrets`, 'secrets such as "v1,whsec_<base64>", separated by |')
  }
  return { kind: 'http', url: uri, secrets }
}

const captchaOf = (read: Reader): CaptchaSettings | null => {
  if (!read.flag('captcha.enabled', false)) return null
  const provider = read.text('captcha.provider')
  if (provider !== 'hcaptcha' && provider !== 'turnstile') throw unfit('captcha.provider', 'hcaptcha or turnstile')
  const secret = read.text('captcha.secret')
  if (secret === '') throw unfit('captcha.secret', 'a text')
  return { provider, secret, url: '' }
}

const ratesOf = (read: Reader, mails: boolean): AuthSettings['rates'] => {
  const { rates } = DEFAULT_AUTH
  const rate = (key: string, fallback: Rate): Rate => ({
    points: read.whole(`rate_limit.${key}`, fallback.points),
    seconds: fallback.seconds,
  })
  return {
    // As in Supabase's own tools, the key counts only once there is a mail server.
    emailSent: mails ? rate('email_sent', rates.emailSent) : rates.emailSent,
    smsSent: rate('sms_sent', rates.smsSent),
    anonymousUsers: rate('anonymous_users', rates.anonymousUsers),
    tokenRefresh: rate('token_refresh', rates.tokenRefresh),
    signInSignUps: rate('sign_in_sign_ups', rates.signInSignUps),
    tokenVerifications: rate('token_verifications', rates.tokenVerifications),
    failuresPerAddress: rate('failures_per_address', rates.failuresPerAddress),
    failuresPerAccount: rate('failures_per_account', rates.failuresPerAccount),
    appLogins: rate('app_logins', rates.appLogins),
  }
}
