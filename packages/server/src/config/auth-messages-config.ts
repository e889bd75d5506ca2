/** How messages about accounts are sent, from the `[auth]` table: mail server, provider of short messages, templates. */
import { AppError } from '../kernel/errors.ts'
import type { WebhookSettings } from '../notify/sms.ts'
import type { AliyunSettings } from '../notify/sms-aliyun.ts'
import type { TencentSettings } from '../notify/sms-tencent.ts'
import type { MailKind } from '../notify/templates.ts'
import { type Reader, unfit, urlOf } from './auth-table.ts'

export type SmsProvider =
  | { readonly kind: 'none' }
  | { readonly kind: 'tencent'; readonly settings: TencentSettings }
  | { readonly kind: 'aliyun'; readonly settings: AliyunSettings }
  | { readonly kind: 'webhook'; readonly settings: WebhookSettings }

/** The operator's mail server. */
export interface SmtpConfig {
  readonly url: string
  readonly from: string
}

export interface TemplateFile {
  readonly kind: MailKind
  readonly subject: string | null
  /** Below the project folder; null to keep the words that are built in. */
  readonly path: string | null
}

/** The one provider that is switched on; of several the first. */
export const smsProviderOf = (read: Reader): SmsProvider => {
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

const DEFAULT_FROM = 'no-reply@localhost'

/** `given` is the flag or variable, which goes before the file. */
export const smtpOf = (read: Reader, given: string): SmtpConfig | null => {
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

/** The templates that the operator wrote. */
export const templatesOf = (read: Reader): readonly TemplateFile[] =>
  KINDS.map((kind) => ({
    kind,
    subject: read.text(`email.template.${kind}.subject`) || null,
    path: read.text(`email.template.${kind}.content_path`) || null,
  })).filter(({ subject, path }) => subject !== null || path !== null)
