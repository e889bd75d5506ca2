/**
 * The access token of one app, fetched once and used by every node.
 *
 * Every fetch may void the token that another node holds, so nodes that fetch on their own keep voiding each other's. Here the token lies in
 * Postgres: whoever finds it missing or too old takes a lock, looks again, and only then asks WeChat. A refusal of the token is answered by
 * compare-and-swap: it is replaced only if it still is the one that failed.
 */
import type { Pool, Transaction } from '../db/pool.ts'
import type { Clock } from '../kernel/clock.ts'
import { AppError } from '../kernel/errors.ts'
import { singleFlight } from '../kernel/single-flight.ts'
import { lockToken, readToken, type TokenRow, writeToken } from './access-token.sql.ts'
import type { Transport } from './transport.ts'

export interface AccessTokenOptions {
  readonly appid: string
  readonly secret: string
  readonly db: Pool
  readonly clock: Clock
  readonly transport: Transport
}

export interface AccessToken {
  /** A token that is good for another minute at least. */
  get(): Promise<string>
  /** A token other than the one that WeChat just refused. */
  replace(failed: string): Promise<string>
}

const MARGIN_MS = 60_000

interface Held {
  readonly token: string
  readonly expiresAt: number
}

export const createAccessToken = (options: AccessTokenOptions): AccessToken => {
  const { appid, db, clock } = options
  let held: Held | null = null
  const isFresh = (token: Held | null): token is Held => token !== null && token.expiresAt - MARGIN_MS > clock.now()

  const locked = (isGood: (token: Held) => boolean, failed: string | null): Promise<Held> =>
    db.transaction(async (tx) => {
      await tx.many(lockToken(appid))
      const row = await tx.maybeOne<TokenRow>(readToken(appid))
      const known = row === null ? null : { token: row.token, expiresAt: Date.parse(row.expiresAt) }
      if (isFresh(known) && isGood(known)) return known
      return fetchToken(options, tx, failed)
    })

  const renew = singleFlight(async () => {
    held = await locked(() => true, null)
    return held.token
  })
  // One replacement at a time per token that failed.
  const replacing = new Map<string, Promise<string>>()

  return {
    get: async () => (isFresh(held) ? held.token : renew()),
    replace(failed) {
      if (isFresh(held) && held.token !== failed) return Promise.resolve(held.token)
      const running =
        replacing.get(failed) ??
        locked((known) => known.token !== failed, failed)
          .then((fresh) => {
            held = fresh
            return fresh.token
          })
          .finally(() => replacing.delete(failed))
      replacing.set(failed, running)
      return running
    },
  }
}

/** Asks WeChat, by force when it hands out again what it refused. */
const fetchToken = async (
  { appid, secret, clock, transport }: AccessTokenOptions,
  tx: Transaction,
  failed: string | null,
): Promise<Held> => {
  const ask = async (force: boolean): Promise<Held> => {
    const answer = await transport.ask({
      path: '/cgi-bin/stable_token',
      body: { grant_type: 'client_credential', appid, secret, force_refresh: force },
    })
    const { access_token: token, expires_in: seconds } = answer.kind === 'json' ? answer.json : {}
    if (typeof token !== 'string' || typeof seconds !== 'number') {
      throw new AppError('unavailable', 'WeChat gave no access token', { retryAfter: 2 })
    }
    return { token, expiresAt: clock.now() + seconds * 1000 }
  }
  let fresh = await ask(false)
  if (fresh.token === failed) fresh = await ask(true)
  const { token, expiresAt } = fresh
  await tx.run(writeToken(appid, { token, expiresAt: new Date(expiresAt), now: new Date(clock.now()) }))
  return fresh
}
