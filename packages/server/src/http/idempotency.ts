/** The header that makes a write safe to send again: `Idempotency-Key`, as the IETF's draft describes it. What it does is up to the dialect. */
import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { AppError } from '../kernel/errors.ts'

/** Digests of who wrote what: nothing of a key or a request is kept in the clear. */
export interface Idempotency {
  /** Of the caller and their key. */
  readonly key: Buffer
  /** Of the request, as far as its answer depends on it. */
  readonly request: Buffer
}

/** Visible ASCII, with or without the quotes of a structured header. */
const KEY = /^(?:"([\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x7e][\x21-\x7e]{0,254}))$/

/** What besides method, address and body decides over the answer. */
const HEADERS = ['accept', 'content-type', 'content-profile', 'prefer', 'range'] as const

const digest = (...parts: readonly (string | Uint8Array)[]): Buffer => {
  const hash = createHash('sha256')
  // The length keeps apart what a separator could not.
  for (const part of parts) hash.update(`${part.length}:`).update(part)
  return hash.digest()
}

/** Null without the header. Throws `bad_request` for a key that is none. `request.caller` must be known, and `body` is as it was sent. */
export const idempotencyOf = (request: FastifyRequest, body: Uint8Array): Idempotency | null => {
  const header = request.headers['idempotency-key']
  if (header === undefined) return null
  const match = typeof header === 'string' ? KEY.exec(header.trim()) : null
  const key = match?.[1] ?? match?.[2]
  if (key === undefined)
    throw new AppError('bad_request', 'Idempotency-Key must be 1 to 255 visible characters of ASCII')
  const { role, userId } = request.caller
  const facts = HEADERS.map((name) => String(request.headers[name] ?? ''))
  return {
    key: digest(role, userId ?? '', key),
    request: digest(request.method, request.raw.url ?? '', ...facts, body),
  }
}
