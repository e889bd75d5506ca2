/** Signs S3 requests by hand, chunk by chunk, as the older AWS clients and MinIO's do; written from AWS's description and sharing no code with the product. */
import { createHash, createHmac } from 'node:crypto'

const sha = (text: string | Buffer) => createHash('sha256').update(text).digest('hex')
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()

export interface SignedUpload {
  readonly url: string
  readonly accessKeyId: string
  readonly secret: string
  readonly chunks: readonly Buffer[]
  /** A checksum behind the body: its name and its value. */
  readonly trailer?: readonly [name: string, value: string]
  readonly headers?: Readonly<Record<string, string>>
  /** A question without a value, for example `tagging`. */
  readonly query?: string
  /** Changes the finished body, to see whether that is noticed. */
  readonly tamper?: (body: Buffer) => Buffer
}

interface ToSign {
  readonly method: string
  readonly path: string
  /** As it is sent: encoded, in the order of its names. */
  readonly query: string
  readonly accessKeyId: string
  readonly secret: string
  readonly headers: Readonly<Record<string, string>>
  /** Milliseconds since 1970. */
  readonly now?: number
}

/** The signature of a request and everything that chunks continue it with. */
const sign = ({ method, path, query, accessKeyId, secret, headers, now = Date.now() }: ToSign) => {
  const date = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '')
  const scope = `${date.slice(0, 8)}/local/s3/aws4_request`
  const key = scope.split('/').reduce<string | Buffer>((last, part) => hmac(last, part), `AWS4${secret}`)
  const all: Record<string, string> = { ...headers, 'x-amz-date': date }
  const names = Object.keys(all).sort()
  const lines = names.map((name) => `${name}:${all[name]}`)
  const canonical = [method, path, query, ...lines, '', names.join(';'), all['x-amz-content-sha256']].join('\n')
  const seed = hmac(key, ['AWS4-HMAC-SHA256', date, scope, sha(canonical)].join('\n')).toString('hex')
  const authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${seed}`
  const { host: _host, ...sent } = all
  return { headers: { ...sent, authorization }, key, date, scope, seed }
}

export interface SignedRequest {
  readonly accessKeyId: string
  readonly secret: string
  readonly method: string
  /** Encoded as it is sent; `a=b` pairs in the order of their names. */
  readonly path: string
  readonly query?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly now?: number
}

/** The headers of any request to `url`, signed; the body is not. */
export const signedHeaders = (url: string, { query = '', headers = {}, ...request }: SignedRequest) =>
  sign({
    ...request,
    query,
    headers: { ...headers, host: new URL(url).host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
  }).headers

/** What `fetch` takes: a PUT whose body continues the signature of its headers. */
export const signedChunks = ({ url, accessKeyId, secret, chunks, trailer, headers, query, tamper }: SignedUpload) => {
  const { host, pathname } = new URL(url)
  const signed = sign({
    method: 'PUT',
    path: pathname,
    query: query === undefined ? '' : `${query}=`,
    accessKeyId,
    secret,
    headers: {
      ...headers,
      host,
      'x-amz-content-sha256': `STREAMING-AWS4-HMAC-SHA256-PAYLOAD${trailer === undefined ? '' : '-TRAILER'}`,
      'x-amz-decoded-content-length': String(chunks.reduce((sum, { length }) => sum + length, 0)),
      ...(trailer === undefined ? {} : { 'x-amz-trailer': trailer[0] }),
    },
  })
  const { key, date, scope } = signed
  let previous = signed.seed
  const parts: Buffer[] = []
  for (const chunk of [...chunks, Buffer.alloc(0)]) {
    const text = ['AWS4-HMAC-SHA256-PAYLOAD', date, scope, previous, sha(''), sha(chunk)].join('\n')
    previous = hmac(key, text).toString('hex')
    parts.push(Buffer.from(`${chunk.length.toString(16)};chunk-signature=${previous}\r\n`), chunk)
    if (chunk.length > 0) parts.push(Buffer.from('\r\n'))
  }
  if (trailer !== undefined) {
    const text = ['AWS4-HMAC-SHA256-TRAILER', date, scope, previous, sha(`${trailer.join(':')}\n`)].join('\n')
    const signature = hmac(key, text).toString('hex')
    parts.push(Buffer.from(`${trailer.join(':')}\r\nx-amz-trailer-signature:${signature}\r\n`))
  }
  const body = Buffer.concat([...parts, Buffer.from('\r\n')])
  return {
    url: query === undefined ? url : `${url}?${query}`,
    init: { method: 'PUT', headers: signed.headers, body: new Uint8Array(tamper?.(body) ?? body) },
  }
}
