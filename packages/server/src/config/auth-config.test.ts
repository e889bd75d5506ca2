/** The `[auth]` table as Supabase's command line writes it. */
import { parse } from 'smol-toml'
import { describe, expect, it } from 'vitest'
import { DEFAULT_AUTH } from '../identity/settings.ts'
import type { JsonObject } from '../kernel/json.ts'
import { authConfigOf } from './auth-config.ts'

const read = (toml = '', { smtpUrl = '', dev = false } = {}) =>
  // TOML without dates is JSON.
  authConfigOf({ table: ((parse(toml) as JsonObject).auth ?? {}) as JsonObject, smtpUrl, dev })

/** What `supabase init` puts into a new project, as far as it speaks of accounts. */
const INIT = `
[auth]
enabled = true
site_url = "http://127.0.0.1:3000"
additional_redirect_urls = ["https://127.0.0.1:3000"]
jwt_expiry = 3600
enable_refresh_token_rotation = true
refresh_token_reuse_interval = 10
enable_signup = true
enable_anonymous_sign_ins = false
enable_manual_linking = false
minimum_password_length = 6
password_requirements = ""
[auth.rate_limit]
email_sent = 2
sms_sent = 30
anonymous_users = 30
token_refresh = 150
sign_in_sign_ups = 30
token_verifications = 30
[auth.email]
enable_signup = true
double_confirm_changes = true
enable_confirmations = false
secure_password_change = false
max_frequency = "1s"
otp_length = 6
otp_expiry = 3600
[auth.sms]
enable_signup = false
enable_confirmations = false
template = "Your code is {{ .Code }}"
max_frequency = "5s"
[auth.mfa]
max_enrolled_factors = 10
[auth.mfa.totp]
enroll_enabled = false
verify_enabled = false
[auth.external.apple]
enabled = false
client_id = ""
secret = ""
redirect_uri = ""
url = ""
skip_nonce_check = false
[auth.third_party.firebase]
enabled = false
`

describe('the [auth] table', () => {
  it('may be missing', () => {
    const { settings, smtp, sms, signingKeysPath } = read()
    expect(settings).toMatchObject({ ...DEFAULT_AUTH, sms: { ...DEFAULT_AUTH.sms, enableSignup: false } })
    expect([smtp, sms, signingKeysPath]).toEqual([null, { kind: 'none' }, null])
  })

  it('is read as a new project has it', () => {
    const { settings } = read(INIT)
    expect(settings).toMatchObject({
      refreshTokenReuseInterval: 10,
      redirectUrls: ['https://127.0.0.1:3000'],
      email: { enableConfirmations: false, maxFrequency: 1, otpLength: 6 },
      sms: { enableSignup: false, maxFrequency: 5 },
      mfa: { totpEnroll: false, maxEnrolledFactors: 10 },
      rates: {
        signInSignUps: { points: 30, seconds: 300 },
        tokenRefresh: { points: 150, seconds: 300 },
        smsSent: { points: 30, seconds: 3600 },
      },
    })
    // Counted only once there is a mail server.
    expect(settings.rates.emailSent).toEqual(DEFAULT_AUTH.rates.emailSent)
    expect(read(INIT, { smtpUrl: 'smtp://a' }).settings.rates.emailSent.points).toBe(2)
  })

  it('says how long sessions live, what hooks run, and which numbers have fixed codes', () => {
    const { settings } = read(`
      [auth.sessions]
      timebox = "24h"
      inactivity_timeout = "8h"
      [auth.hook.custom_access_token]
      enabled = true
      uri = "pg-functions://postgres/public/claims"
      [auth.sms.test_otp]
      13800138000 = "123456"
    `)
    expect(settings).toMatchObject({
      timebox: 86_400,
      inactivityTimeout: 28_800,
      hooks: { beforeUserCreated: null, customAccessToken: { kind: 'function', schema: 'public', name: 'claims' } },
      sms: { enableSignup: true, testOtp: { '13800138000': '123456' } },
    })
  })

  it('names services that are asked: hooks over HTTP, and who tells people from programs', () => {
    const secrets = 'v1,whsec_dGhlIHNlY3JldCBvZiBhIGhvb2ssIGxvbmc='
    const { settings } = read(`
      [auth.hook.before_user_created]
      enabled = true
      uri = "https://hooks.example.com/new"
      secrets = "${secrets}|${secrets}"
      [auth.captcha]
      enabled = true
      provider = "turnstile"
      secret = "0x1"
    `)
    expect(settings.hooks.beforeUserCreated).toEqual({
      kind: 'http',
      url: 'https://hooks.example.com/new',
      secrets: `${secrets}|${secrets}`,
    })
    expect(settings.captcha).toEqual({ provider: 'turnstile', secret: '0x1', url: '' })
    const hook = (more: string) => () => read(`[auth.hook.before_user_created]\nenabled = true\n${more}`)
    expect(hook('uri = "http://hooks.example.com/new"')).toThrow('auth.hook.before_user_created.uri')
    expect(hook('uri = "https://hooks.example.com/new"')).toThrow('auth.hook.before_user_created.secrets')
    expect(hook('uri = "nonsense"')).toThrow('auth.hook.before_user_created.uri')
    expect(() => read('[auth.captcha]\nenabled = true\nprovider = "riddle"')).toThrow('auth.captcha.provider')
    expect(() => read('[auth.captcha]\nenabled = true\nprovider = "hcaptcha"')).toThrow('auth.captcha.secret')
  })

  it('names the mail server and the provider of short messages', () => {
    const { smtp, sms, templates } = read(`
      [auth.email.smtp]
      host = "smtp.example.com"
      port = 465
      user = "a@b"
      pass = "p/w"
      admin_email = "tea@example.com"
      sender_name = "茶馆"
      [auth.email.template.invite]
      subject = "Come in"
      content_path = "./templates/invite.html"
      [auth.sms.aliyun]
      enabled = true
      access_key_id = "id"
      access_key_secret = "secret"
      sign_name = "茶馆"
      template_code = "SMS_1"
    `)
    expect(smtp).toEqual({ url: 'smtps://a%40b:p%2Fw@smtp.example.com:465', from: '"茶馆" <tea@example.com>' })
    expect(sms).toMatchObject({ kind: 'aliyun', settings: { templateCode: 'SMS_1' } })
    expect(templates).toEqual([{ kind: 'invite', subject: 'Come in', path: './templates/invite.html' }])
    expect(
      read('[auth.hook.send_sms]\nenabled = true\nuri = "https://sms.example.com/x"\nsecrets = "v1,whsec_c2VjcmV0"').sms
        .kind,
    ).toBe('webhook')
    expect(
      read(
        '[auth.sms.tencent]\nenabled = true\nsecret_id = "i"\nsecret_key = "k"\nsdk_app_id = "1"\nsign_name = "s"\ntemplate_id = "2"',
      ).sms.kind,
    ).toBe('tencent')
  })

  it('that is wrong names the key', () => {
    const wrong: readonly (readonly [string, string])[] = [
      ['[auth]\njwt_expiry = "long"', 'auth.jwt_expiry'],
      ['[auth]\nenable_signup = 1', 'auth.enable_signup'],
      ['[auth]\nsite_url = "nowhere"', 'auth.site_url'],
      ['[auth]\nadditional_redirect_urls = "x"', 'auth.additional_redirect_urls'],
      ['[auth]\npassword_requirements = "long"', 'auth.password_requirements'],
      ['[auth]\nemail = 3', 'auth.email'],
      ['[auth.email]\nmax_frequency = "often"', 'auth.email.max_frequency'],
      ['[auth.email]\notp_length = 3', 'auth.email.otp_length'],
      ['[auth.hook.custom_access_token]\nenabled = true\nuri = "ftp://x"', 'auth.hook.custom_access_token.uri'],
      ['[auth.external.google]\nenabled = true', 'auth.external.google.client_id'],
      ['[auth.sms.tencent]\nenabled = true', 'auth.sms.tencent.secret_id'],
      ['[auth.sms.test_otp]\nabc = "1"', 'auth.sms.test_otp'],
      ['[auth.rate_limit]\nsms_sent = -1', 'auth.rate_limit.sms_sent'],
    ]
    for (const [toml, key] of wrong) expect(() => read(toml)).toThrow(key)
    expect(() => read('', { smtpUrl: 'http://x' })).toThrow('TEAHOUSE_SMTP_URL')
  })
})
