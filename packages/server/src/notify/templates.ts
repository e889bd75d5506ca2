/** The words of e-mails: what is sent unless the operator wrote own ones, and how placeholders are filled. */

export type MailKind = 'confirmation' | 'invite' | 'magic_link' | 'recovery' | 'email_change' | 'reauthentication'

export interface MailTemplate {
  readonly subject: string
  /** HTML. */
  readonly content: string
}

export type MailTemplates = Readonly<Record<MailKind, MailTemplate>>

/** What a template may name: `{{ .ConfirmationURL }}`, `{{ .Token }}`, `{{ .Data.name }}` and so on. */
export interface MailValues {
  readonly ConfirmationURL: string
  readonly Token: string
  readonly TokenHash: string
  readonly SiteURL: string
  readonly RedirectTo: string
  readonly Email: string
  readonly NewEmail: string
  readonly Data: Readonly<Record<string, unknown>>
}

const page = (chinese: string, english: string, action: string): string =>
  `<p>${chinese}</p>\n<p>${english}</p>\n${action}\n`

const LINK =
  '<p><a href="{{ .ConfirmationURL }}">{{ .ConfirmationURL }}</a></p>\n<p>验证码 / code: <b>{{ .Token }}</b></p>'

export const DEFAULT_TEMPLATES: MailTemplates = {
  confirmation: {
    subject: '确认您的注册 · Confirm your sign-up',
    content: page('请打开下面的链接，确认您的邮箱。', 'Follow this link to confirm your e-mail address.', LINK),
  },
  invite: {
    subject: '您收到一份邀请 · You have been invited',
    content: page('您受邀注册，请打开下面的链接接受邀请。', 'You have been invited. Follow this link to accept.', LINK),
  },
  magic_link: {
    subject: '您的登录链接 · Your login link',
    content: page('打开下面的链接即可登录。', 'Follow this link to log in.', LINK),
  },
  recovery: {
    subject: '重设密码 · Reset your password',
    content: page('打开下面的链接，重设您的密码。', 'Follow this link to reset your password.', LINK),
  },
  email_change: {
    subject: '确认更换邮箱 · Confirm the change of your e-mail address',
    content: page(
      '请确认把邮箱由 {{ .Email }} 更换为 {{ .NewEmail }}。',
      'Confirm the change of your address from {{ .Email }} to {{ .NewEmail }}.',
      LINK,
    ),
  },
  reauthentication: {
    subject: '验证码 · Your code: {{ .Token }}',
    content: page('请输入验证码：', 'Enter the code:', '<p><b>{{ .Token }}</b></p>'),
  },
}

const PLACEHOLDER = /\{\{\s*\.(\w+)(?:\.(\w+))?\s*\}\}/g
const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')

const fill = (values: MailValues, name: string, inner: string | undefined): string => {
  if (name === 'Data') {
    const found = inner !== undefined && Object.hasOwn(values.Data, inner) ? values.Data[inner] : ''
    return typeof found === 'string' || typeof found === 'number' || typeof found === 'boolean' ? String(found) : ''
  }
  const found = Object.hasOwn(values, name) ? values[name as keyof MailValues] : ''
  return typeof found === 'string' ? found : ''
}

/** Fills a template. Values are escaped in the body, and cannot break out of the subject's line. */
export const renderMail = (template: MailTemplate, values: MailValues): MailTemplate => ({
  subject: template.subject
    .replace(PLACEHOLDER, (_, name: string, inner?: string) => fill(values, name, inner))
    .replace(/[\r\n]+/g, ' '),
  content: template.content.replace(PLACEHOLDER, (_, name: string, inner?: string) =>
    escapeHtml(fill(values, name, inner)),
  ),
})

/** The same words for a reader without HTML. */
export const plainText = (html: string): string =>
  html
    .replace(/<br\s*\/?>|<\/p>/gi, '\n')
    .replace(/<[^<>]*>/g, '')
    .replace(
      /&(amp|lt|gt|quot|#39);/g,
      (entity) => Object.entries(ENTITIES).find(([, each]) => each === entity)?.[0] ?? '',
    )
    .trim()
