/** TC3-HMAC-SHA256, as CloudBase's SDKs for servers sign their requests: over method, address, some headers, and the parameters of the body. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

export interface Signed {
  readonly secretId: string
  readonly date: string
  readonly service: string
  readonly params: readonly string[]
  readonly headers: readonly string[]
  readonly signature: string
}

export interface SignedRequest {
  readonly method: string
  /** Without scheme and query, for example `//tea.example/admin`. */
  readonly address: string
  /** What follows the question mark, as it was sent. */
  readonly query: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Parameters of the body by their own names: JSON values, or the parts of a form. */
  readonly params: Readonly<Record<string, unknown>>
}

const CREDENTIAL = /^TC3-HMAC-SHA256 Credential=([^/,\s]{1,2000})\/(\d{4}-\d{2}-\d{2})\/([\w-]{1,30})\/tc3_request,/

/** Reads an Authorization header; null when it is none of this kind. */
export const readSignature = (header: string | undefined): Signed | null => {
  const [, secretId, date, service] = CREDENTIAL.exec(header ?? '') ?? []
  const list = (name: string) => new RegExp(`${name}=([^,\\s]*)`).exec(header ?? '')?.[1]?.split(';') ?? []
  const signature = /Signature=([0-9a-f]{64})$/.exec(header ?? '')?.[1]
  if (secretId === undefined || date === undefined || service === undefined || signature === undefined) return null
  return { secretId, date, service, params: list('SignedParams'), headers: list('SignedHeaders'), signature }
}

/** The SDK signs with a clock that it takes a second from; ten minutes is what it says itself. */
const MAX_AGE_MS = 600_000

/** Whether the request was signed with `secretKey`, not long before `now`. */
export const isSignedBy = (signed: Signed, request: SignedRequest, secretKey: string, now: number): boolean => {
  const timestamp = Number(request.headers['x-timestamp'])
  if (!Number.isInteger(timestamp) || Math.abs(now - timestamp * 1000) > MAX_AGE_MS) return false
  if (new Date(timestamp * 1000).toISOString().slice(0, 10) !== signed.date) return false
  if (!signed.headers.includes('host')) return false
  const scope = `${signed.date}/${signed.service}/tc3_request`
  const toSign = `TC3-HMAC-SHA256\n${timestamp}\n${scope}\n${sha256(canonical(signed, request))}`
  const key = [signed.date, signed.service, 'tc3_request'].reduce<Buffer | string>(hmac, `TC3${secretKey}`)
  return timingSafeEqual(hmac(key, toSign), Buffer.from(signed.signature, 'hex'))
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const hmac = (key: Buffer | string, text: string): Buffer => createHmac('sha256', key).update(text).digest()

const canonical = ({ headers, params }: Signed, request: SignedRequest): string => {
  const lines = headers.map((name) => `${name}:${headerOf(request, name)}`).join('\n')
  return `${request.method}\n${request.address}\n${request.query}\n${lines}\n\n${headers.join(';')}\n${hashOf(params, request)}`
}

/** As they are signed: without the boundary of a form, which is made later; the content type is the one value whose letters are kept. */
const headerOf = ({ headers }: SignedRequest, name: string): string => {
  const value = headers[name]
  const text = (Array.isArray(value) ? value.join(', ') : (value ?? '')).trim()
  if (name === 'content-type') return text.startsWith('multipart/form-data') ? 'multipart/form-data' : text
  return text.toLowerCase()
}

/** Names are compared in lower case and URL-encoded, as the SDK writes them. */
const hashOf = (names: readonly string[], { params }: SignedRequest): string => {
  const byName = new Map(Object.entries(params).map(([name, value]) => [encodeName(name), value]))
  const hash = createHash('sha256')
  for (const name of names) {
    const value = byName.get(name)
    hash
      .update(`&${name}=`)
      .update(Buffer.isBuffer(value) ? value : textOf(value))
      .update('\r\n')
  }
  return hash.digest('hex')
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? '')).trim()

const encodeName = (name: string): string =>
  encodeURIComponent(name.toLowerCase().trim()).replace(
    /[!'()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  )

/** Whether what a request relies on was signed: an unsigned parameter could have been added on the way. */
export const covers = ({ params }: Signed, names: readonly string[]): boolean =>
  names.every((name) => params.includes(encodeName(name)))
