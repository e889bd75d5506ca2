/** Codes that apps exchange for a person: three pools that never mix, each code good once and for a while. */
import type { Clock } from '../kernel/clock.ts'
import { isName } from './people.ts'

/** wx.login, getPhoneNumber, and the QR code login of web pages. */
export type Pool = 'login' | 'phone' | 'web'

export const PREFIXES: Readonly<Record<Pool, string>> = { login: 'wxcode', phone: 'wxphone', web: 'wxweb' }

export interface Code {
  readonly text: string
  readonly pool: Pool
  /** The person's name. */
  readonly user: string
  /** Null for a code that nobody issued: any app may exchange it. */
  readonly appid: string | null
  readonly issuedAt: number
  /** The session key of the moment of issue; null for pools without one and for codes that nobody issued. */
  readonly sessionKey: string | null
  /** OAuth scope, in the web pool. */
  readonly scope: string
}

export type Redeemed =
  | { readonly ok: true; readonly code: Code }
  | { readonly ok: false; readonly why: 'unknown' | 'used' | 'expired' | 'other_app' }

export interface Issue {
  readonly pool: Pool
  readonly user: string
  readonly appid: string
  readonly sessionKey?: string
  readonly scope?: string
}

export interface CodesOptions {
  readonly clock: Clock
  /** Milliseconds. */
  readonly life: number
  /**
   * True: a well-formed code that nobody issued (`wxcode:alice:1`) counts as issued the moment it is first seen, so
   * that a test needs no call to get one. False: only issued codes are good, as with WeChat.
   */
  readonly acceptNamed: boolean
}

/** Remembered codes; beyond this the oldest are forgotten, long after they ended. */
const MOST = 100_000

export class Codes {
  readonly #options: CodesOptions
  readonly #codes = new Map<string, Code>()
  readonly #used = new Set<string>()
  #last = 0

  constructor(options: CodesOptions) {
    this.#options = options
  }

  /** A new code. Its number starts at the clock: it is never given out twice, not even by a restarted sandbox. */
  issue({ pool, user, appid, sessionKey, scope }: Issue): Code {
    const now = this.#options.clock.now()
    this.#last = Math.max(this.#last + 1, now)
    const text = `${PREFIXES[pool]}:${user}:${this.#last}`
    return this.#keep({ text, pool, user, appid, issuedAt: now, sessionKey: sessionKey ?? null, scope: scope ?? '' })
  }

  /** Looks at a code without using it up. */
  peek(pool: Pool, text: string): Code | undefined {
    const known = this.#codes.get(text)
    if (known !== undefined) return known.pool === pool ? known : undefined
    const named = this.#options.acceptNamed ? parse(text) : null
    if (named?.pool !== pool) return undefined
    const { clock } = this.#options
    return { text, ...named, appid: null, issuedAt: clock.now(), sessionKey: null, scope: '' }
  }

  /** Exchanges a code. A refused one stays as it was. */
  redeem(pool: Pool, text: string, appid: string): Redeemed {
    const code = this.peek(pool, text)
    if (code === undefined) return { ok: false, why: 'unknown' }
    if (code.appid !== null && code.appid !== appid) return { ok: false, why: 'other_app' }
    if (this.#used.has(text)) return { ok: false, why: 'used' }
    if (this.#options.clock.now() - code.issuedAt >= this.#options.life) return { ok: false, why: 'expired' }
    this.#keep(code)
    this.#used.add(text)
    return { ok: true, code }
  }

  clear(): void {
    this.#codes.clear()
    this.#used.clear()
  }

  #keep(code: Code): Code {
    this.#codes.set(code.text, code)
    if (this.#codes.size > MOST) {
      const [oldest] = this.#codes.keys()
      if (oldest !== undefined) {
        this.#codes.delete(oldest)
        this.#used.delete(oldest)
      }
    }
    return code
  }
}

const parse = (text: string): { pool: Pool; user: string } | null => {
  const [prefix, user = '', number = '', ...rest] = text.split(':')
  const pool = (['login', 'phone', 'web'] as const).find((each) => PREFIXES[each] === prefix)
  if (pool === undefined || rest.length > 0 || !isName(user) || !/^\d{1,16}$/.test(number)) return null
  return { pool, user }
}
