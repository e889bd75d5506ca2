/** The signature of Standard Webhooks, with which a service of the operator's own knows that a call is ours. */
import { createHmac } from 'node:crypto'

export interface Signed {
  readonly id: string
  /** Seconds since 1970. */
  readonly timestamp: number
  readonly body: string
}

/** The headers of a call. Several secrets, separated by `|`, sign side by side while one replaces another. */
export const webhookHeaders = (secrets: string, { id, timestamp, body }: Signed): Readonly<Record<string, string>> => ({
  'content-type': 'application/json',
  'webhook-id': id,
  'webhook-timestamp': String(timestamp),
  'webhook-signature': secrets
    .split('|')
    .map((secret) => `v1,${signWebhook(secret, `${id}.${timestamp}.${body}`)}`)
    .join(' '),
})

/** HMAC-SHA-256 of Standard Webhooks, base64. A secret is `v1,whsec_<base64>`. */
export const signWebhook = (secret: string, content: string): string =>
  createHmac(
    'sha256',
    Buffer.from(
      secret
        .trim()
        .replace(/^v1,/, '')
        .replace(/^whsec_/, ''),
      'base64',
    ),
  )
    .update(content)
    .digest('base64')
