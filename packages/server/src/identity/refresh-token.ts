/**
 * Refresh tokens name their session and their place in its family, under the session's own key.
 *
 * A row per token (the usual way) costs two writes per refresh and keeps what a thief of the database could use at once. Here a session
 * counts: only the latest number is good, the one before it shows the answer again to a client that lost it, any older one is a theft.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'

export interface RefreshClaim {
  readonly sessionId: string
  readonly counter: bigint
  readonly proof: Buffer
}

const ID_BYTES = 16
const COUNTER_BYTES = 8
const PROOF_BYTES = 20

/** The token of a session at `counter`. `pepper` lives outside the database. */
export const refreshToken = (sessionId: string, counter: bigint, key: string, pepper: Uint8Array): string => {
  const head = headOf(sessionId, counter)
  return Buffer.concat([head, proofOf(head, key, pepper)]).toString('base64url')
}

/** Takes a token apart; null when it cannot be one of ours. Proves nothing yet. */
export const readRefreshToken = (token: string): RefreshClaim | null => {
  if (!/^[A-Za-z0-9_-]{59}$/.test(token)) return null
  const bytes = Buffer.from(token, 'base64url')
  if (bytes.length !== ID_BYTES + COUNTER_BYTES + PROOF_BYTES) return null
  const hex = bytes.toString('hex', 0, ID_BYTES)
  const sessionId = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  return {
    sessionId,
    counter: bytes.readBigUInt64BE(ID_BYTES),
    proof: bytes.subarray(ID_BYTES + COUNTER_BYTES),
  }
}

/** Whether the session's key made the token. Older peppers count, so that a change of secret logs nobody out. */
export const provesRefresh = (claim: RefreshClaim, key: string, peppers: readonly Uint8Array[]): boolean => {
  const head = headOf(claim.sessionId, claim.counter)
  return peppers.some((pepper) => timingSafeEqual(proofOf(head, key, pepper), claim.proof))
}

const headOf = (sessionId: string, counter: bigint): Buffer => {
  const head = Buffer.alloc(ID_BYTES + COUNTER_BYTES)
  head.write(sessionId.replaceAll('-', ''), 'hex')
  head.writeBigUInt64BE(counter, ID_BYTES)
  return head
}

const proofOf = (head: Buffer, key: string, pepper: Uint8Array): Buffer => {
  const own = createHmac('sha256', pepper).update('refresh token').update(key).digest()
  return createHmac('sha256', own).update(head).digest().subarray(0, PROOF_BYTES)
}
