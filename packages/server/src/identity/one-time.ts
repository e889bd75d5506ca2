/** Codes and links that work once. What is kept is a hash of the address and the code together. */
import { createHash, randomInt } from 'node:crypto'
import type { Queryable } from '../db/pool.ts'
import { type AuthContext, nowOf } from './context.ts'
import { findOneTime, type OneTimeKind, type OneTimeRow, putOneTime, takeOneTime } from './one-time.sql.ts'

/** A hash that starts so belongs to a flow with a code challenge: its link gives a code instead of a session. */
export const PKCE_PREFIX = 'pkce_'

export const tokenHash = (address: string, code: string): string =>
  createHash('sha224')
    .update(address + code)
    .digest('hex')

/** Decimal digits; every code is as likely as any other. */
export const newCode = (length: number): string => Array.from({ length }, () => randomInt(10)).join('')

export interface IssueOptions {
  readonly userId: string
  readonly kind: OneTimeKind
  readonly address: string
  readonly length: number
  readonly pkce?: boolean
  /** A code that is fixed instead of random. */
  readonly code?: string | undefined
}

export interface Issued {
  readonly code: string
  readonly hash: string
}

/** Makes a code and remembers its hash. */
export const issueOneTime = async (context: AuthContext, db: Queryable, options: IssueOptions): Promise<Issued> => {
  const code = options.code ?? newCode(options.length)
  const plain = tokenHash(options.address, code)
  const hash = options.pkce ? PKCE_PREFIX + plain : plain
  const { userId, kind, address } = options
  await db.run(putOneTime({ userId, kind, hash, relatesTo: address }, nowOf(context)))
  return { code, hash }
}

/** The live token with one of these hashes; null when there is none or its time is over. */
export const lookUpOneTime = async (
  context: AuthContext,
  db: Queryable,
  query: { readonly hashes: readonly string[]; readonly kinds: readonly OneTimeKind[]; readonly expiry: number },
): Promise<OneTimeRow | null> => {
  const row = await db.maybeOne<OneTimeRow>(findOneTime(query.hashes, query.kinds))
  if (row === null) return null
  return Date.parse(row.createdAt) + query.expiry * 1000 < context.clock.now() ? null : row
}

/** Whether it was this request that used the token up. */
export const consumeOneTime = async (db: Queryable, token: OneTimeRow): Promise<boolean> =>
  (await db.run(takeOneTime(token.id))) === 1
