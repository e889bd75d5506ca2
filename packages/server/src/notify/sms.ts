/** Short messages: what a provider is, and the ones that need no vendor. */
import type { Clock } from '../kernel/clock.ts'
import { AppError } from '../kernel/errors.ts'
import type { Ids } from '../kernel/ids.ts'
import type { Log } from '../observe/log.ts'
import { webhookHeaders } from './webhook.ts'

export interface SmsMessage {
  /** With country code and `+`. */
  readonly to: string
  readonly text: string
  /** The code in the text: vendors in China send templates, and take only this. */
  readonly code: string
}

export interface SmsSender {
  /** Answers the provider's id of the message. Rejects with AppError `unavailable`. */
  send(message: SmsMessage): Promise<string>
}

/** What every provider needs of the world. */
export interface SmsWorld {
  readonly clock: Clock
  readonly ids: Ids
}

export const smsFailed = (vendor: string, detail: string, cause?: unknown): AppError =>
  new AppError('unavailable', 'The message could not be sent', { cause: cause ?? new Error(`${vendor}: ${detail}`) })

const TIMEOUT_MS = 10_000

/** One request to a vendor: no redirects, a deadline, JSON back. */
export const postJson = async (
  vendor: string,
  url: string,
  request: { readonly headers: Readonly<Record<string, string>>; readonly body: string },
): Promise<unknown> => {
  try {
    const response = await fetch(url, {
      method: 'POST',
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...request,
    })
    const text = await response.text()
    return text === '' ? {} : JSON.parse(text)
  } catch (cause) {
    throw smsFailed(vendor, 'no usable answer', cause)
  }
}

export interface WebhookSettings {
  readonly url: string
  /** `v1,whsec_<base64>`: signs every call, in the way of Standard Webhooks. */
  readonly secret: string
}

/** Hands the message to a service of the operator's own, in the words of Supabase's hook for short messages. */
export const createWebhookSms = ({ url, secret }: WebhookSettings, { clock, ids }: SmsWorld): SmsSender => ({
  async send(message) {
    const id = `msg_${ids.uuid()}`
    const timestamp = Math.floor(clock.now() / 1000)
    const body = JSON.stringify({
      user: { phone: message.to },
      sms: { otp: message.code, text: message.text },
    })
    const headers = webhookHeaders(secret, { id, timestamp, body })
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).catch((cause: unknown) => {
      throw smsFailed('webhook', 'no answer', cause)
    })
    await response.body?.cancel()
    if (!response.ok) throw smsFailed('webhook', `HTTP ${response.status}`)
    return id
  },
})

/** For development: shows the message in the log. */
export const createLogSms = (log: Log, { ids }: Pick<SmsWorld, 'ids'>): SmsSender => ({
  async send({ to, text }) {
    log.info({ to, text }, 'short message (no provider is configured, this is shown in development only)')
    return ids.uuid()
  },
})
