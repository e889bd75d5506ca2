/** Sends e-mail through the operator's SMTP server. */
import { createTransport } from 'nodemailer'
import { AppError } from '../kernel/errors.ts'
import type { Log } from '../observe/log.ts'
import { type MailTemplate, plainText } from './templates.ts'

export interface SmtpSettings {
  /** For example `smtps://user:password@smtp.example.com`. */
  readonly url: string
  /** `Teahouse <no-reply@example.com>` */
  readonly from: string
}

export interface Mailer {
  /** Resolves once the server has taken the message. Rejects with AppError `unavailable`. */
  send(to: string, mail: MailTemplate): Promise<void>
  stop(): void
}

/** A mailer for an SMTP server; its connections are kept and bounded. */
export const createSmtpMailer = ({ url, from }: SmtpSettings): Mailer => {
  const transport = createTransport(
    {
      ...smtpOptions(url),
      pool: true,
      maxConnections: 3,
      connectionTimeout: 10_000,
      greetingTimeout: 10_000,
      socketTimeout: 20_000,
      // Templates are the operator's; they name no files and no addresses to fetch.
      disableFileAccess: true,
      disableUrlAccess: true,
    },
    { from },
  )
  return {
    async send(to, { subject, content }) {
      try {
        await transport.sendMail({ to: { name: '', address: to }, subject, html: content, text: plainText(content) })
      } catch (cause) {
        throw new AppError('unavailable', 'The e-mail could not be sent', { cause })
      }
    },
    stop: () => transport.close(),
  }
}

const smtpOptions = (text: string) => {
  const url = new URL(text)
  const secure = url.protocol === 'smtps:'
  const user = decodeURIComponent(url.username)
  return {
    host: url.hostname,
    port: url.port === '' ? (secure ? 465 : 587) : Number(url.port),
    secure,
    ignoreTLS: url.searchParams.get('ignoreTLS') === 'true',
    ...(user === '' ? {} : { auth: { user, pass: decodeURIComponent(url.password) } }),
  }
}

/** For development without SMTP: shows the message in the log. Never used on a public server. */
export const createLogMailer = (log: Log): Mailer => ({
  async send(to, { subject, content }) {
    log.info(
      { to, subject, text: plainText(content) },
      'e-mail (no SMTP server is configured, this is shown in development only)',
    )
  },
  stop: () => {},
})

/** Says that it cannot send. */
export const noMailer = (log: Log): Mailer => ({
  async send() {
    log.warn({}, 'an e-mail was not sent: no SMTP server is configured (TEAHOUSE_SMTP_URL)')
  },
  stop: () => {},
})
