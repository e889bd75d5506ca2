/** A body as S3 clients send it: plain or in chunks of their own framing, with hashes that are compared before anything is kept. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import { refusal } from '../../../../files/errors.ts'

export interface Payload {
  readonly body: Readable
  /** Bytes of the file; null when the client did not say. */
  readonly announced: number | null
}

const MAX_LINE = 8192

/** The file's bytes. The stream fails, at its end, when they are not what the client said. */
export const payloadOf = (request: IncomingMessage): Payload => {
  const { headers } = request
  const hash = headerOf(headers['x-amz-content-sha256']) ?? 'UNSIGNED-PAYLOAD'
  if (hash.startsWith('STREAMING-') && hash !== 'STREAMING-UNSIGNED-PAYLOAD-TRAILER') {
    throw refusal('not_supported', 'Chunks with signatures of their own are not supported')
  }
  const framed = hash.startsWith('STREAMING-')
  const length = headerOf(framed ? headers['x-amz-decoded-content-length'] : headers['content-length'])
  const trailers = new Map<string, string>()
  const bytes = framed ? unframed(request, trailers) : request.iterator({ destroyOnReturn: false })
  const checked = verified(bytes, {
    sha256: /^[0-9a-f]{64}$/.test(hash) ? hash : undefined,
    md5: headerOf(headers['content-md5']),
    crc32: () => headerOf(headers['x-amz-checksum-crc32']) ?? trailers.get('x-amz-checksum-crc32'),
  })
  return {
    body: Readable.from(checked),
    announced: length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : null,
  }
}

/** A whole small body, as text. */
export const textBody = async (request: IncomingMessage, limit: number): Promise<string> => {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of payloadOf(request).body) {
    size += chunk.length
    if (size > limit) throw refusal('file_too_large', 'The body is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

const headerOf = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value)

interface Expected {
  readonly sha256: string | undefined
  readonly md5: string | undefined
  /** Asked at the end: it may stand in a trailer. */
  readonly crc32: () => string | undefined
}

async function* verified(source: AsyncIterable<Buffer>, expected: Expected): AsyncGenerator<Buffer> {
  const sha256 = expected.sha256 === undefined ? null : createHash('sha256')
  const md5 = expected.md5 === undefined ? null : createHash('md5')
  let crc = 0
  for await (const chunk of source) {
    sha256?.update(chunk)
    md5?.update(chunk)
    crc = crc32(chunk, crc)
    yield chunk
  }
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc)
  const wanted = expected.crc32()
  const same =
    equal(sha256?.digest(), expected.sha256, 'hex') &&
    equal(md5?.digest(), expected.md5, 'base64') &&
    equal(sum, wanted, 'base64')
  if (!same) throw refusal('invalid_digest', 'The bytes that arrived are not those that were announced')
}

const equal = (actual: Buffer | undefined, expected: string | undefined, encoding: 'hex' | 'base64'): boolean => {
  if (expected === undefined || actual === undefined) return true
  const bytes = Buffer.from(expected, encoding)
  return bytes.length === actual.length && timingSafeEqual(bytes, actual)
}

const broken = () => refusal('invalid_body', 'The chunks of the body are malformed')

/** `<size in hex>\r\n<bytes>\r\n`, a chunk of no bytes at the end, then trailers as header lines. */
async function* unframed(request: IncomingMessage, trailers: Map<string, string>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  let remaining = 0
  let state: 'size' | 'bytes' | 'after' | 'trailer' = 'size'
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (rest.length > 0) {
      if (state === 'bytes') {
        const part = rest.subarray(0, remaining)
        rest = rest.subarray(part.length)
        remaining -= part.length
        yield part
        if (remaining === 0) state = 'after'
        continue
      }
      const end = rest.indexOf('\r\n')
      if (end < 0 && rest.length > MAX_LINE) throw broken()
      if (end < 0) break
      const line = rest.subarray(0, end).toString('latin1')
      rest = rest.subarray(end + 2)
      if (state === 'after') {
        if (line !== '') throw broken()
        state = 'size'
      } else if (state === 'size') {
        if (!/^[\da-f]{1,12}(?:;|$)/i.test(line)) throw broken()
        remaining = Number.parseInt(line, 16)
        state = remaining === 0 ? 'trailer' : 'bytes'
      } else if (line !== '' && trailers.size < 20) {
        const at = line.indexOf(':')
        trailers.set(line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim())
      }
    }
  }
  if (state !== 'trailer') throw broken()
}
