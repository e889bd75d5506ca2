/** Access tokens of apps: plain ones that push each other out, and stable ones that stay the same until shortly before they end. */
import type { Clock } from '../kernel/clock.ts'
import type { Random } from '../kernel/random.ts'
import type { Limits } from '../settings.ts'

export type TokenCheck =
  | { readonly ok: true; readonly appid: string }
  | { readonly ok: false; readonly errcode: 40001 | 40014 | 41001 | 42001 }

interface AccessToken {
  readonly text: string
  readonly appid: string
  expiresAt: number
  /** From then on it is "not latest". */
  invalidAt: number
}

export interface Granted {
  readonly access_token: string
  readonly expires_in: number
}

const MOST = 10_000

export class Tokens {
  readonly #clock: Clock
  readonly #random: Random
  readonly #limits: Limits
  readonly #tokens = new Map<string, AccessToken>()
  readonly #forcedAt = new Map<string, number>()
  readonly #latest = { plain: new Map<string, AccessToken>(), stable: new Map<string, AccessToken>() }

  constructor(clock: Clock, random: Random, limits: Limits) {
    this.#clock = clock
    this.#random = random
    this.#limits = limits
  }

  /** A new plain token; the one before it stays good for the overlap. Stable tokens are not touched. */
  plain(appid: string): Granted {
    const now = this.#clock.now()
    const before = this.#latest.plain.get(appid)
    if (before !== undefined) before.invalidAt = Math.min(before.invalidAt, now + this.#limits.tokenOverlap)
    return this.#grant(this.#make('plain', appid))
  }

  /** The stable token: the same one until the overlap before its end; then a new one, while the old runs out. */
  stable(appid: string): Granted {
    const now = this.#clock.now()
    const before = this.#latest.stable.get(appid)
    const lasting = before !== undefined && before.invalidAt > now && before.expiresAt - now > this.#limits.tokenOverlap
    return this.#grant(lasting ? before : this.#make('stable', appid))
  }

  /** False while the last forced refresh is too young. */
  mayForce(appid: string): boolean {
    const last = this.#forcedAt.get(appid)
    return last === undefined || this.#clock.now() - last >= this.#limits.forcedRefreshGap
  }

  /** A new stable token by force: the old one is worth nothing at once. */
  forced(appid: string): Granted {
    this.#forcedAt.set(appid, this.#clock.now())
    const before = this.#latest.stable.get(appid)
    if (before !== undefined) before.invalidAt = this.#clock.now()
    return this.#grant(this.#make('stable', appid))
  }

  check(text: string): TokenCheck {
    if (text === '') return { ok: false, errcode: 41001 }
    if (!/^\d+_[\w-]{20,}$/.test(text)) return { ok: false, errcode: 40014 }
    const token = this.#tokens.get(text)
    const now = this.#clock.now()
    if (token === undefined || token.invalidAt <= now) return { ok: false, errcode: 40001 }
    return token.expiresAt <= now ? { ok: false, errcode: 42001 } : { ok: true, appid: token.appid }
  }

  /** Ends every token of an app now, as if it were too old or as if somebody else had fetched a newer one. */
  end(appid: string, how: 'expired' | 'replaced'): number {
    const now = this.#clock.now()
    const ended = [...this.#tokens.values()].filter((token) => token.appid === appid)
    for (const token of ended) {
      if (how === 'expired') token.expiresAt = Math.min(token.expiresAt, now)
      else token.invalidAt = Math.min(token.invalidAt, now)
    }
    this.#latest.plain.delete(appid)
    this.#latest.stable.delete(appid)
    return ended.length
  }

  clear(): void {
    this.#tokens.clear()
    this.#forcedAt.clear()
    this.#latest.plain.clear()
    this.#latest.stable.clear()
  }

  #make(kind: 'plain' | 'stable', appid: string): AccessToken {
    const text = `${kind === 'plain' ? 80 : 81}_${this.#random.bytes(96).toString('base64url')}`
    const expiresAt = this.#clock.now() + this.#limits.tokenLife
    const token: AccessToken = { text, appid, expiresAt, invalidAt: Number.POSITIVE_INFINITY }
    this.#tokens.set(text, token)
    this.#latest[kind].set(appid, token)
    const [oldest] = this.#tokens.keys()
    if (this.#tokens.size > MOST && oldest !== undefined) this.#tokens.delete(oldest)
    return token
  }

  #grant(token: AccessToken): Granted {
    return { access_token: token.text, expires_in: Math.floor((token.expiresAt - this.#clock.now()) / 1000) }
  }
}
