/** Tokens of web logins: each stands for one person in one app, and is refreshed without a new scan. */
import type { Clock } from '../kernel/clock.ts'
import type { Random } from '../kernel/random.ts'

export interface WebLogin {
  readonly appid: string
  readonly user: string
  readonly openid: string
  readonly scope: string
}

interface Kept extends WebLogin {
  readonly kind: 'access' | 'refresh'
  readonly expiresAt: number
}

export interface WebTokens {
  readonly access_token: string
  readonly expires_in: number
  readonly refresh_token: string
}

const ACCESS_LIFE = 2 * 60 * 60_000
const REFRESH_LIFE = 30 * 24 * 60 * 60_000
const MOST = 10_000

export class WebSessions {
  readonly #clock: Clock
  readonly #random: Random
  readonly #kept = new Map<string, Kept>()

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  open(login: WebLogin): WebTokens {
    return { ...this.#access(login), refresh_token: this.#make({ ...login, kind: 'refresh' }, REFRESH_LIFE) }
  }

  /** A new access token; the refresh token stays. */
  renew(refreshToken: string, login: WebLogin): WebTokens {
    return { ...this.#access(login), refresh_token: refreshToken }
  }

  find(kind: 'access' | 'refresh', text: string): WebLogin | 'unknown' | 'expired' {
    const kept = this.#kept.get(text)
    if (kept?.kind !== kind) return 'unknown'
    return kept.expiresAt <= this.#clock.now() ? 'expired' : kept
  }

  clear(): void {
    this.#kept.clear()
  }

  #access(login: WebLogin): { access_token: string; expires_in: number } {
    return { access_token: this.#make({ ...login, kind: 'access' }, ACCESS_LIFE), expires_in: ACCESS_LIFE / 1000 }
  }

  #make(login: Omit<Kept, 'expiresAt'>, life: number): string {
    const text = `82_${this.#random.bytes(48).toString('base64url')}`
    this.#kept.set(text, { ...login, expiresAt: this.#clock.now() + life })
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > MOST && oldest !== undefined) this.#kept.delete(oldest)
    return text
  }
}
