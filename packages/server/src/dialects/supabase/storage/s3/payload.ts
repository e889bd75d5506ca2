/** A body as S3 clients send it: plain or in chunks of their own framing, with checksums that are compared before anything is kept. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { refusal } from '../../../../files/errors.ts'
import { CHECKSUM_NAMES, CHECKSUMS, type Checksum, type ChecksumName } from './checksums.ts'
import { unframed } from './chunks.ts'
import type { Signing } from './signature.ts'

export interface Payload {
  readonly body: Readable
  /** Bytes of the file; null when the client did not say. */
  readonly announced: number | null
}

export interface PayloadOptions {
  /** What signed the request, for chunks that continue its signature. */
  readonly signing: Signing | null
  /** Whether checksums in the headers are those of the body; where a command's body only describes an object, they are the object's. */
  readonly checksums?: boolean
}

/** How the body is framed, by the value of `x-amz-content-sha256`. */
const STREAMS: Readonly<Record<string, { readonly signed: boolean }>> = {
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER': { signed: false },
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD': { signed: true },
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER': { signed: true },
}

/** The file's bytes. The stream fails, at its end, when they are not what the client said. */
export const payloadOf = (request: IncomingMessage, options: PayloadOptions): Payload => {
  const { headers } = request
  const hash = headerOf(headers['x-amz-content-sha256']) ?? 'UNSIGNED-PAYLOAD'
  const framing = framingOf(hash)
  const length = headerOf(framing === null ? headers['content-length'] : headers['x-amz-decoded-content-length'])
  const announced = length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : null
  const trailers = new Map<string, string>()
  const plain: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false })
  const bytes =
    framing === null ? plain : unframed(plain, { signing: framing.signed ? requireSigning(options) : null, trailers })
  const expected = [...digestsOf(request, hash), ...(options.checksums === false ? [] : checksumsOf(request, trailers))]
  return { body: Readable.from(verified(bytes, expected, framing === null ? null : announced)), announced }
}

/** A whole small body, as text. */
export const textBody = async (request: IncomingMessage, limit: number, options: PayloadOptions): Promise<string> => {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of payloadOf(request, options).body) {
    size += chunk.length
    if (size > limit) throw refusal('file_too_large', 'The body is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

const headerOf = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value)

const framingOf = (hash: string): { readonly signed: boolean } | null => {
  if (hash === 'UNSIGNED-PAYLOAD' || /^[0-9a-f]{64}$/.test(hash)) return null
  const framing = Object.hasOwn(STREAMS, hash) ? STREAMS[hash] : undefined
  if (framing !== undefined) return framing
  if (hash.startsWith('STREAMING-')) throw refusal('not_supported', `${hash.slice(0, 100)} is not supported`)
  throw refusal('invalid_parameter', 'x-amz-content-sha256 must be a SHA-256 in hex or a known word')
}

const requireSigning = ({ signing }: PayloadOptions): Signing => {
  if (signing === null) throw refusal('invalid_parameter', 'Signed chunks need a signature in the Authorization header')
  return signing
}

interface Expected {
  readonly checksum: Checksum
  readonly encoding: 'hex' | 'base64'
  /** Asked at the end: it may stand in a trailer. */
  readonly wanted: () => string | undefined
}

const digestsOf = ({ headers }: IncomingMessage, hash: string): readonly Expected[] => {
  const md5 = headerOf(headers['content-md5'])
  return [
    ...(/^[0-9a-f]{64}$/.test(hash)
      ? [{ checksum: CHECKSUMS.sha256(), encoding: 'hex', wanted: () => hash } as const]
      : []),
    ...(md5 === undefined ? [] : [{ checksum: md5Sum(), encoding: 'base64', wanted: () => md5 } as const]),
  ]
}

const md5Sum = (): Checksum => {
  const inner = createHash('md5')
  return { update: (bytes) => void inner.update(bytes), digest: () => inner.digest() }
}

/** The checksums that the client sends beside the body, or promises to send behind it. */
const checksumsOf = ({ headers }: IncomingMessage, trailers: ReadonlyMap<string, string>): readonly Expected[] => {
  const promised = (headerOf(headers['x-amz-trailer']) ?? '').split(',').map((name) => name.trim().toLowerCase())
  return CHECKSUM_NAMES.flatMap((name: ChecksumName) => {
    const header = `x-amz-checksum-${name}`
    const given = headerOf(headers[header])
    if (given === undefined && !promised.includes(header)) return []
    return [{ checksum: CHECKSUMS[name](), encoding: 'base64', wanted: () => given ?? trailers.get(header) } as const]
  })
}

async function* verified(
  source: AsyncIterable<Buffer>,
  expected: readonly Expected[],
  announced: number | null,
): AsyncGenerator<Buffer> {
  let size = 0
  for await (const chunk of source) {
    size += chunk.length
    for (const { checksum } of expected) checksum.update(chunk)
    yield chunk
  }
  const same = expected.every(({ checksum, encoding, wanted }) => equal(checksum.digest(), wanted(), encoding))
  if (!same || (announced !== null && announced !== size)) {
    throw refusal('invalid_digest', 'The bytes that arrived are not those that were announced')
  }
}

const equal = (actual: Buffer, wanted: string | undefined, encoding: 'hex' | 'base64'): boolean => {
  const bytes = Buffer.from(wanted ?? '', encoding)
  return bytes.length === actual.length && timingSafeEqual(bytes, actual)
}
