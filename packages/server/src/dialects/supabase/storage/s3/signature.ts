/** AWS Signature Version 4: whether a request was signed with a secret. Pure; who the secret belongs to is decided elsewhere. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

export interface SignedRequest {
  readonly method: string
  /** As it was sent, still encoded. */
  readonly path: string
  readonly query: string
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

export interface Credentials {
  readonly accessKeyId: string
  readonly date: string
  readonly scope: string
  readonly signedHeaders: readonly string[]
  readonly signature: string
  readonly sessionToken: string | undefined
  /** `YYYYMMDDTHHMMSSZ`, as milliseconds since 1970. */
  readonly signedAt: number
  /** Seconds, for a presigned address. */
  readonly expiresIn: number | null
  readonly payloadHash: string
}

const HEADER = /^AWS4-HMAC-SHA256\s+Credential=([^\s,]+)\s*,\s*SignedHeaders=([^\s,]+)\s*,\s*Signature=([0-9a-f]{64})$/
const MAX_EXPIRY = 604_800
const EMPTY_HASH = createHash('sha256').digest('hex')

/** What the signatures of chunks continue from. */
export interface Signing {
  readonly key: Buffer
  readonly date: string
  readonly scope: string
  /** That of the request itself. */
  readonly signature: string
}

/** One link in the chain of signatures: `hash` is of what it covers, in hex. */
export interface Link {
  readonly previous: string
  readonly hash: string
  readonly signature: string
}

export const signingOf = (secret: string, { date, scope, signature }: Credentials): Signing => ({
  key: keyOf(secret, scope),
  date,
  scope,
  signature,
})

export const isChunkSigned = (signing: Signing, { previous, hash, signature }: Link): boolean =>
  isSignature(signature, hmac(signing.key, chained('PAYLOAD', signing, [previous, EMPTY_HASH, hash])))

export const isTrailerSigned = (signing: Signing, { previous, hash, signature }: Link): boolean =>
  isSignature(signature, hmac(signing.key, chained('TRAILER', signing, [previous, hash])))

const chained = (what: string, { date, scope }: Signing, links: readonly string[]): string =>
  [`AWS4-HMAC-SHA256-${what}`, date, scope, ...links].join('\n')

/** What a request claims to be signed with, in its header or its address; null when it is not signed, or not like this. */
export const credentialsOf = ({ headers, query }: SignedRequest): Credentials | null => {
  const one = (name: string): string | undefined => {
    const value = headers[name]
    return Array.isArray(value) ? value[0] : value
  }
  const match = HEADER.exec(one('authorization')?.trim() ?? '')
  if (match !== null) {
    const [, credential = '', signedHeaders = '', signature = ''] = match
    const token = one('x-amz-security-token')
    const common = { date: one('x-amz-date') ?? '', sessionToken: token, expiresIn: null }
    return complete(credential, signedHeaders, { ...common, signature, payloadHash: one('x-amz-content-sha256') ?? '' })
  }
  const given = new URLSearchParams(query)
  const expiresIn = Number(given.get('X-Amz-Expires'))
  if (given.get('X-Amz-Algorithm') !== 'AWS4-HMAC-SHA256') return null
  if (!Number.isInteger(expiresIn) || expiresIn < 1 || expiresIn > MAX_EXPIRY) return null
  return complete(given.get('X-Amz-Credential') ?? '', given.get('X-Amz-SignedHeaders') ?? '', {
    date: given.get('X-Amz-Date') ?? '',
    sessionToken: given.get('X-Amz-Security-Token') ?? undefined,
    expiresIn,
    signature: given.get('X-Amz-Signature') ?? '',
    payloadHash: one('x-amz-content-sha256') ?? 'UNSIGNED-PAYLOAD',
  })
}

const complete = (
  credential: string,
  headers: string,
  rest: Pick<Credentials, 'date' | 'sessionToken' | 'expiresIn' | 'signature' | 'payloadHash'>,
): Credentials | null => {
  const [, accessKeyId = '', day = '', scope = ''] =
    /^(.+?)\/(\d{8})(\/[\w-]+\/s3\/aws4_request)$/.exec(credential) ?? []
  const time = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(rest.date)
  const signedHeaders = headers.split(';')
  if (accessKeyId === '' || time === null || !rest.date.startsWith(day) || !signedHeaders.includes('host')) return null
  const signedAt = Date.parse(rest.date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  return Number.isFinite(signedAt) ? { ...rest, accessKeyId, scope: `${day}${scope}`, signedHeaders, signedAt } : null
}

/** Whether `secret` made the signature of exactly this request. */
export const isSignedBy = (secret: string, credentials: Credentials, request: SignedRequest): boolean => {
  const { date, scope, signature, signedHeaders } = credentials
  // A header that gives orders but was not signed was added by somebody else: it could make an upload a copy of another file.
  const orders = Object.keys(request.headers).filter((name) => name.startsWith('x-amz-') && name !== 'x-amz-user-agent')
  if (!orders.every((name) => signedHeaders.includes(name))) return false
  const canonical = createHash('sha256').update(canonicalRequest(request, credentials)).digest('hex')
  const text = ['AWS4-HMAC-SHA256', date, scope, canonical].join('\n')
  return isSignature(signature, hmac(keyOf(secret, scope), text))
}

const isSignature = (signature: string, expected: Buffer): boolean => {
  const given = Buffer.from(signature, 'hex')
  return given.length === expected.length && timingSafeEqual(given, expected)
}

const keyOf = (secret: string, scope: string): Buffer =>
  scope.split('/').reduce<Buffer>((last, part) => hmac(last, part), Buffer.from(`AWS4${secret}`))

const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

const canonicalRequest = (request: SignedRequest, { signedHeaders, payloadHash }: Credentials): string =>
  [
    request.method,
    request.path.split('/').map(reencoded).join('/'),
    canonicalQuery(request.query),
    ...signedHeaders.map((name) => `${name}:${headerText(request.headers[name])}`),
    '',
    signedHeaders.join(';'),
    payloadHash,
  ].join('\n')

const headerText = (value: string | string[] | undefined): string =>
  [value ?? '']
    .flat()
    .map((each) => each.trim().replace(/ +/g, ' '))
    .join(',')

const canonicalQuery = (query: string): string =>
  query
    .split('&')
    .filter((pair) => pair !== '' && !pair.startsWith('X-Amz-Signature='))
    .map((pair) => {
      const at = pair.indexOf('=')
      return at < 0 ? `${reencoded(pair)}=` : `${reencoded(pair.slice(0, at))}=${reencoded(pair.slice(at + 1))}`
    })
    .sort((left, right) => (left < right ? -1 : 1))
    .join('&')

/** Clients and proxies differ in what they leave unencoded; signatures are over one form. */
const reencoded = (text: string): string => {
  try {
    return encodeURIComponent(decodeURIComponent(text)).replace(
      /[!'()*]/g,
      (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
    )
  } catch {
    return text
  }
}
