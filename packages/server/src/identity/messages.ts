/** What is sent to people about their accounts, by e-mail and by short message. */
import type { Mailer } from '../notify/mailer.ts'
import type { SmsSender } from '../notify/sms.ts'
import { type MailKind, type MailTemplates, renderMail } from '../notify/templates.ts'
import { dialable } from './addresses.ts'
import { refuse } from './errors.ts'
import type { Limits } from './limits.ts'
import type { AuthSettings } from './settings.ts'
import type { User } from './user.ts'

export interface MailOrder {
  readonly kind: MailKind
  readonly to: string
  readonly user: Pick<User, 'email' | 'userMetadata'>
  readonly code: string
  readonly hash: string
  readonly link: string
  readonly redirectTo: string
  readonly newEmail?: string
}

export interface Messages {
  mail(order: MailOrder): Promise<void>
  /** Answers the provider's id of the message; the fixed code of a test number is never sent. */
  sms(phone: string, code: string): Promise<string>
}

export interface MessageOptions {
  readonly mailer: Mailer
  readonly sms: SmsSender | null
  readonly templates: MailTemplates
  readonly settings: AuthSettings
  readonly limits: Limits
}

export const createMessages = ({ mailer, sms, templates, settings, limits }: MessageOptions): Messages => ({
  async mail(order) {
    await limits.byApp('emailSent')
    const mail = renderMail(templates[order.kind], {
      ConfirmationURL: order.link,
      Token: order.code,
      TokenHash: order.hash,
      SiteURL: settings.siteUrl,
      RedirectTo: order.redirectTo,
      Email: order.user.email ?? '',
      NewEmail: order.newEmail ?? '',
      Data: order.user.userMetadata,
    })
    await mailer.send(order.to, mail)
  },
  async sms(phone, code) {
    if (Object.hasOwn(settings.sms.testOtp, phone)) return 'test-otp'
    if (sms === null) throw refuse('sms_send_failed', 'No SMS provider is configured on this server')
    await limits.byApp('smsSent')
    const text = settings.sms.template.replace(/\{\{\s*\.Code\s*\}\}/g, code)
    return sms.send({ to: dialable(phone), text, code }).catch((cause: unknown) => {
      throw refuse('sms_send_failed', 'Error sending sms OTP to provider', { cause })
    })
  },
})
