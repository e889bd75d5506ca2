/** The framing that S3 clients put around a streamed body: chunks with a size each, perhaps signed, and headers at the end. */
import { createHash, type Hash } from 'node:crypto'
import { refusal } from '../../../../files/errors.ts'
import { isChunkSigned, isTrailerSigned, type Signing } from './signature.ts'

const MAX_LINE = 8192
const MAX_TRAILERS = 20
/** S3 takes no smaller chunk but the last: each costs two hashes of a kilobyte. */
const LEAST_SIGNED = 8192
const SIZE_LINE = /^([\da-f]{1,12})(?:;chunk-signature=([\da-f]{64}))?(?:;.*)?$/i

export interface Framing {
  /** What signed the request, where the chunks continue its signature; null where they have none. */
  readonly signing: Signing | null
  /** Where the headers at the end go. */
  readonly trailers: Map<string, string>
}

/**
 * The bytes between `<size in hex>[;chunk-signature=…]\r\n` and `\r\n`. A chunk of no bytes is the last, then come trailers as header lines.
 * A chunk's bytes are passed on before its signature is known: whoever stores them must keep nothing when this fails.
 */
export async function* unframed(source: AsyncIterable<Buffer>, { signing, trailers }: Framing): AsyncGenerator<Buffer> {
  const seal = signing === null ? null : new Seal(signing)
  let rest: Buffer = Buffer.alloc(0)
  let remaining = 0
  let state: 'size' | 'bytes' | 'after' | 'trailer' = 'size'
  for await (const chunk of source) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (rest.length > 0) {
      if (state === 'bytes') {
        const part = rest.subarray(0, remaining)
        rest = rest.subarray(part.length)
        remaining -= part.length
        seal?.update(part)
        yield part
        if (remaining === 0) state = 'after'
        continue
      }
      const end = rest.indexOf('\r\n')
      if (end > MAX_LINE || (end < 0 && rest.length > MAX_LINE)) throw broken()
      if (end < 0) break
      const line = rest.subarray(0, end).toString('latin1')
      rest = rest.subarray(end + 2)
      if (state === 'after') {
        if (line !== '') throw broken()
        seal?.close()
        state = 'size'
      } else if (state === 'size') {
        remaining = sizeOf(line, seal)
        state = remaining === 0 ? 'trailer' : 'bytes'
      } else if (line !== '') note(line, trailers)
    }
  }
  if (state !== 'trailer') throw broken()
  seal?.finish(trailers)
}

const broken = () => refusal('invalid_parameter', 'The chunks of the body are malformed')

const sizeOf = (line: string, seal: Seal | null): number => {
  const [, digits, signature] = SIZE_LINE.exec(line) ?? []
  if (digits === undefined) throw broken()
  const size = Number.parseInt(digits, 16)
  seal?.open(signature ?? '', size)
  return size
}

const note = (line: string, trailers: Map<string, string>): void => {
  const at = line.indexOf(':')
  if (at < 1 || trailers.size >= MAX_TRAILERS) throw broken()
  trailers.set(line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim())
}

/** Follows the chain of signatures: each one covers the one before it. */
class Seal {
  readonly #signing: Signing
  #previous: string
  #signature = ''
  #last = Number.POSITIVE_INFINITY
  #hash: Hash = createHash('sha256')

  constructor(signing: Signing) {
    this.#signing = signing
    this.#previous = signing.signature
  }

  open(signature: string, size: number): void {
    if (size > 0 && this.#last < LEAST_SIGNED)
      throw refusal('invalid_parameter', 'Only the last chunk may be this small')
    this.#signature = signature.toLowerCase()
    this.#last = size
    this.#hash = createHash('sha256')
    if (size === 0) this.close()
  }

  update(bytes: Buffer): void {
    this.#hash.update(bytes)
  }

  close(): void {
    const chunk = { previous: this.#previous, hash: this.#hash.digest('hex'), signature: this.#signature }
    if (!isChunkSigned(this.#signing, chunk)) throw wrongSignature()
    this.#previous = this.#signature
  }

  /** Trailers are signed together, by the last of them. */
  finish(trailers: Map<string, string>): void {
    const signature = trailers.get('x-amz-trailer-signature')
    trailers.delete('x-amz-trailer-signature')
    if (signature === undefined && trailers.size === 0) return
    const text = [...trailers].map(([name, value]) => `${name}:${value}\n`).join('')
    const hash = createHash('sha256').update(text).digest('hex')
    const sealed = { previous: this.#previous, hash, signature: signature?.toLowerCase() ?? '' }
    if (!isTrailerSigned(this.#signing, sealed)) throw wrongSignature()
  }
}

const wrongSignature = () => refusal('invalid_signature', 'The signature of a chunk does not match')
