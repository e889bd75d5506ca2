/** One pushed event as bytes: JSON or XML, in clear or in the encrypted envelope, with the query that proves its sender. */
import { encryptPush, signPush } from '../crypto/push-crypt.ts'
import { isObject, type Json, type JsonObject } from '../kernel/json.ts'
import type { Random } from '../kernel/random.ts'
import type { PushSettings } from '../settings.ts'

export interface PushRequest {
  readonly url: string
  readonly contentType: string
  readonly body: string
}

export interface Event {
  readonly appid: string
  readonly event: JsonObject
  /** Seconds since 1970. */
  readonly at: number
}

/** The request that carries an event. */
export const pushRequest = (settings: PushSettings, { appid, event, at }: Event, random: Random): PushRequest => {
  const render = settings.format === 'json' ? JSON.stringify : toXml
  const timestamp = String(at)
  const nonce = String(random.bytes(4).readUInt32BE(0))
  const query = new URLSearchParams({ signature: signPush(settings.token, timestamp, nonce), timestamp, nonce })
  const contentType = settings.format === 'json' ? 'application/json' : 'text/xml'
  if (settings.mode === 'plain') return { url: withQuery(settings.url, query), contentType, body: render(event) }
  const salt = random.bytes(16)
  const encrypted = encryptPush(render(event), appid, { aesKey: settings.encodingAesKey, salt })
  query.set('encrypt_type', 'aes')
  query.set('msg_signature', signPush(settings.token, timestamp, nonce, encrypted))
  const envelope = { ToUserName: event.ToUserName ?? '', Encrypt: encrypted }
  const body = settings.mode === 'compatible' ? { ...event, Encrypt: encrypted } : envelope
  return { url: withQuery(settings.url, query), contentType, body: render(body) }
}

/** The request that proves a push address when it is configured; the answer must be `echostr`. */
export const verifyUrl = (settings: PushSettings, at: number, random: Random): { url: string; echo: string } => {
  const timestamp = String(at)
  const nonce = String(random.bytes(4).readUInt32BE(0))
  const echo = String(random.bytes(6).readUIntBE(0, 6))
  const signature = signPush(settings.token, timestamp, nonce)
  return { url: withQuery(settings.url, new URLSearchParams({ signature, echostr: echo, timestamp, nonce })), echo }
}

const withQuery = (url: string, query: URLSearchParams): string => `${url}${url.includes('?') ? '&' : '?'}${query}`

const toXml = (event: JsonObject): string => `<xml>${members(event)}</xml>`

const members = (object: JsonObject): string =>
  Object.entries(object)
    .flatMap(([name, value]) =>
      Array.isArray(value) ? value.map((each) => element(name, each)) : element(name, value),
    )
    .join('')

const element = (name: string, value: Json | undefined): string => {
  if (isObject(value)) return `<${name}>${members(value)}</${name}>`
  if (typeof value === 'string') return `<${name}><![CDATA[${value.replaceAll(']]>', ']]]]><![CDATA[>')}]]></${name}>`
  return `<${name}>${String(value ?? '')}</${name}>`
}
