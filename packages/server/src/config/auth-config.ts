/** The `[auth]` table of supabase/config.toml, under the names that Supabase's command line gives its keys. */
import { parseDuration } from '../identity/durations.ts'
import {
  type AuthSettings,
  DEFAULT_AUTH,
  type ExternalProvider,
  type HookFunction,
  type PasswordRequirements,
  type Rate,
} from '../identity/settings.ts'
import { AppError } from '../kernel/errors.ts'
import { isObject, type JsonObject } from '../kernel/json.ts'
import type { WebhookSettings } from '../notify/sms.ts'
import type { AliyunSettings } from '../notify/sms-aliyun.ts'
import type { TencentSettings } from '../notify/sms-tencent.ts'
import type { MailKind } from '../notify/templates.ts'

export type SmsProvider =
  | { readonly kind: 'none' }
  | { readonly kind: 'tencent'; readonly settings: TencentSettings }
  | { readonly kind: 'aliyun'; readonly settings: AliyunSettings }
  | { readonly kind: 'webhook'; readonly settings: WebhookSettings }

export interface TemplateFile {
  readonly kind: MailKind
  readonly subject: string | null
  /** Below the project folder; null to keep the words that are built in. */
  readonly path: string | null
}

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

const unfit = (path: string, wanted: string): AppError =>
  new AppError('bad_request', `auth.${path} in supabase/config.toml should be ${wanted}`)

/** Reads a table by dotted paths; every value has a type and a default. */
const readerOf = (table: JsonObject) => {
  const at = (path: string): unknown => {
    let value: unknown = table
    for (const part of path.split('.')) {
      if (!isObject(value)) throw unfit(path, 'in a table')
      value = Object.hasOwn(value, part) ? value[part] : undefined
      if (value === undefined) return undefined
    }
    return value
  }
  return {
    text: (path: string, fallback = ''): string => {
      const value = at(path) ?? fallback
      if (typeof value !== 'string') throw unfit(path, 'a text')
      return value
    },
    flag: (path: string, fallback: boolean): boolean => {
      const value = at(path) ?? fallback
      if (typeof value !== 'boolean') throw unfit(path, 'true or false')
      return value
    },
    whole: (path: string, fallback: number): number => {
      const value = at(path) ?? fallback
      if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) throw unfit(path, 'a whole number')
      return value
    },
    /** Seconds, from a number or a text such as `1m30s`. */
    duration: (path: string): number | null => {
      const value = at(path)
      if (value === undefined || value === '') return null
      const seconds = typeof value === 'number' ? value : typeof value === 'string' ? parseDuration(value) : null
      if (seconds === null || seconds < 0) throw unfit(path, 'a duration such as "1m30s"')
      return seconds === 0 ? null : seconds
    },
    texts: (path: string, fallback: readonly string[]): readonly string[] => {
      const value = at(path) ?? fallback
      if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value
      throw unfit(path, 'a list of texts')
    },
    table: (path: string): JsonObject => {
      const value = at(path) ?? {}
      if (!isObject(value)) throw unfit(path, 'a table')
      return value
    },
  }
}
type Reader = ReturnType<typeof readerOf>

/** Throws AppError `bad_request` that names the key and what it should be. */
export const authConfigOf = ({ table, smtpUrl, dev }: AuthSources): AuthConfig => {
  const read = readerOf(table)
  const sms = smsProviderOf(read)
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
    rates: ratesOf(read),
  }
  return {
    settings,
    sms,
    smtp: smtpOf(read, smtpUrl),
    templates: templatesOf(read),
    signingKeysPath: read.text('signing_keys_path') || null,
  }
}

const urlOf = (read: Reader, path: string, fallback: string): string => {
  const text = read.text(path, fallback)
  if (!URL.canParse(text)) throw unfit(path, 'an address such as "https://example.com"')
  return text.replace(/\/$/, '')
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

const smsProviderOf = (read: Reader): SmsProvider => {
  const text = (path: string): string => {
    const value = read.text(path)
    if (value === '') throw unfit(path, 'a text')
    return value
  }
  if (read.flag('sms.tencent.enabled', false)) {
    const endpoint = read.text('sms.tencent.endpoint')
    const settings = {
      secretId: text('sms.tencent.secret_id'),
      secretKey: text('sms.tencent.secret_key'),
      sdkAppId: text('sms.tencent.sdk_app_id'),
      signName: text('sms.tencent.sign_name'),
      templateId: text('sms.tencent.template_id'),
      region: read.text('sms.tencent.region', 'ap-guangzhou'),
    }
    return { kind: 'tencent', settings: endpoint === '' ? settings : { ...settings, endpoint } }
  }
  if (read.flag('sms.aliyun.enabled', false)) {
    const endpoint = read.text('sms.aliyun.endpoint')
    const settings = {
      accessKeyId: text('sms.aliyun.access_key_id'),
      accessKeySecret: text('sms.aliyun.access_key_secret'),
      signName: text('sms.aliyun.sign_name'),
      templateCode: text('sms.aliyun.template_code'),
    }
    return { kind: 'aliyun', settings: endpoint === '' ? settings : { ...settings, endpoint } }
  }
  if (!read.flag('hook.send_sms.enabled', false)) return { kind: 'none' }
  const settings = { url: urlOf(read, 'hook.send_sms.uri', ''), secret: text('hook.send_sms.secrets') }
  return { kind: 'webhook', settings }
}

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

const hookOf = (read: Reader, name: string): HookFunction | null => {
  if (!read.flag(`hook.${name}.enabled`, false)) return null
  const [, schema, fn] = HOOK.exec(read.text(`hook.${name}.uri`)) ?? []
  if (schema === undefined || fn === undefined) {
    throw unfit(`hook.${name}.uri`, 'a function such as "pg-functions://postgres/public/my_hook"')
  }
  return { schema, name: fn }
}

const ratesOf = (read: Reader): AuthSettings['rates'] => {
  const { rates } = DEFAULT_AUTH
  const rate = (key: string, fallback: Rate): Rate => ({
    points: read.whole(`rate_limit.${key}`, fallback.points),
    seconds: fallback.seconds,
  })
  return {
    emailSent: rate('email_sent', rates.emailSent),
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

const DEFAULT_FROM = 'no-reply@localhost'

const smtpOf = (read: Reader, given: string): AuthConfig['smtp'] => {
  const admin = read.text('email.smtp.admin_email')
  const name = read.text('email.smtp.sender_name')
  const named = admin !== '' && name !== '' ? `"${name.replaceAll('"', '')}" <${admin}>` : admin
  if (given !== '') {
    if (!/^smtps?:\/\//.test(given) || !URL.canParse(given)) {
      throw new AppError('bad_request', 'TEAHOUSE_SMTP_URL should look like smtps://user:password@host:465')
    }
    return { url: given, from: new URL(given).searchParams.get('from') || named || DEFAULT_FROM }
  }
  const host = read.text('email.smtp.host')
  if (host === '' || !read.flag('email.smtp.enabled', true)) return null
  const port = read.whole('email.smtp.port', 587)
  const user = encodeURIComponent(read.text('email.smtp.user'))
  const login = user === '' ? '' : `${user}:${encodeURIComponent(read.text('email.smtp.pass'))}@`
  return { url: `${port === 465 ? 'smtps' : 'smtp'}://${login}${host}:${port}`, from: named || DEFAULT_FROM }
}

const KINDS: readonly MailKind[] = [
  'confirmation',
  'invite',
  'magic_link',
  'recovery',
  'email_change',
  'reauthentication',
]

const templatesOf = (read: Reader): readonly TemplateFile[] =>
  KINDS.map((kind) => ({
    kind,
    subject: read.text(`email.template.${kind}.subject`) || null,
    path: read.text(`email.template.${kind}.content_path`) || null,
  })).filter(({ subject, path }) => subject !== null || path !== null)
