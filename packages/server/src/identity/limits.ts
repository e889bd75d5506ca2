/** How often something may be done: counters that all nodes share in Postgres. What is over answers with the time to wait. */
import { createHash } from 'node:crypto'
import { type RateLimiterAbstract, RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible'
import type { Pool } from '../db/pool.ts'
import type { SqlValue } from '../sql/sql.ts'
import { refuse } from './errors.ts'
import { isLoopbackAddress, networkKey } from './network.ts'
import type { Rate, RateSettings } from './settings.ts'

export type LimitKind = keyof RateSettings

export interface Limits {
  /** Counts one against the network address. Throws a `rate_limited` AppError when that was too many. */
  byAddress(kind: LimitKind, ip: string): Promise<void>
  /** Counts one against the whole app. */
  byApp(kind: LimitKind): Promise<void>
  /** Counts an attempt to prove something for an account (an address, an id); answers how to take it back after a success. */
  attempt(ip: string, account: string): Promise<() => Promise<void>>
  /** One message to an address in a while, whether or not it is anybody's. */
  pause(channel: 'email' | 'sms', address: string): Promise<void>
  /** Marks something as used for ten minutes. Null when it was used before, else how to take the mark back. */
  once(what: string): Promise<(() => Promise<void>) | null>
}

/** Names of people are not kept in the counters. */
const digest = (text: string): string => createHash('sha256').update(text).digest('base64url')

/** The store speaks to something with pg's `query`; this is as much of it as it needs. */
const storeOn = (db: Pool) => ({
  query: async (query: { readonly name?: string; readonly text: string; readonly values: readonly SqlValue[] }) => ({
    rows: await db.many({ name: query.name ?? 'auth.limit', text: query.text, values: query.values }),
  }),
})

/** Least time between two messages, seconds. */
export interface Pauses {
  readonly email: number
  readonly sms: number
}

export interface LimitOptions {
  readonly db: Pool
  readonly rates: RateSettings
  readonly pauses: Pauses
  /** In development, what this machine asks of itself is not counted by its address; guesses still are. */
  readonly freeLoopback: boolean
}

export const createLimits = ({ db, rates, pauses, freeLoopback }: LimitOptions): Limits => {
  const storeClient = storeOn(db)
  let first = true
  const limiterOf = (kind: string, { points, seconds }: Rate, block = false): RateLimiterAbstract => {
    const limiter = new RateLimiterPostgres({
      storeClient,
      storeType: 'client',
      schemaName: 'teahouse',
      tableName: 'rate_limit',
      tableCreated: true,
      keyPrefix: kind,
      points,
      duration: seconds,
      // Who is over is answered from memory until the window ends.
      ...(block ? { inMemoryBlockOnConsumed: points + 1 } : {}),
      // One of them sweeps for all.
      clearExpiredByTimeout: first,
    })
    first = false
    return limiter
  }
  const limiters = new Map(Object.entries(rates).map(([kind, rate]) => [kind, limiterOf(kind, rate, true)]))
  const limiter = (kind: LimitKind): RateLimiterAbstract => {
    const found = limiters.get(kind)
    if (found === undefined) throw refuse('unexpected_failure')
    return found
  }
  const spend = async (kind: LimitKind, key: string): Promise<void> => {
    try {
      await limiter(kind).consume(key)
    } catch (rejection) {
      throw rejection instanceof RateLimiterRes ? tooMany(kind, rejection.msBeforeNext) : rejection
    }
  }
  const pausing = {
    email: limiterOf('pauseEmail', { points: 1, seconds: Math.max(1, pauses.email) }),
    sms: limiterOf('pauseSms', { points: 1, seconds: Math.max(1, pauses.sms) }),
  }
  const used = limiterOf('once', { points: 1, seconds: 600 })
  return {
    async once(what) {
      const key = digest(what)
      try {
        await used.consume(key)
      } catch (rejection) {
        if (rejection instanceof RateLimiterRes) return null
        throw rejection
      }
      return async () => {
        await used.delete(key)
      }
    },
    async pause(channel, address) {
      if (pauses[channel] <= 0) return
      try {
        await pausing[channel].consume(digest(address))
      } catch (rejection) {
        if (!(rejection instanceof RateLimiterRes)) throw rejection
        const seconds = Math.max(1, Math.ceil(rejection.msBeforeNext / 1000))
        throw refuse(
          channel === 'email' ? 'over_email_send_rate_limit' : 'over_sms_send_rate_limit',
          `For security purposes, you can only request this after ${seconds} seconds.`,
          { retryAfter: seconds },
        )
      }
    },
    async byAddress(kind, ip) {
      if (!(freeLoopback && isLoopbackAddress(ip))) await spend(kind, networkKey(ip))
    },
    byApp: (kind) => spend(kind, 'app'),
    async attempt(ip, account) {
      const network = networkKey(ip)
      const who = digest(account)
      // Counted before the proof is looked at: two hundred guesses at once are two hundred guesses.
      await Promise.all([spend('failuresPerAddress', network), spend('failuresPerAccount', who)])
      return async () => {
        await Promise.all([limiter('failuresPerAddress').reward(network), limiter('failuresPerAccount').delete(who)])
      }
    },
  }
}

const tooMany = (kind: LimitKind, milliseconds: number) => {
  const reason =
    kind === 'emailSent'
      ? 'over_email_send_rate_limit'
      : kind === 'smsSent'
        ? 'over_sms_send_rate_limit'
        : 'over_request_rate_limit'
  return refuse(reason, undefined, { retryAfter: Math.max(1, Math.ceil(milliseconds / 1000)) })
}
