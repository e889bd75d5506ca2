/** The people of the pretended platform, and what each is to each app: openid, unionid, session key, last visit. */
import { createHash } from 'node:crypto'
import type { Clock } from '../kernel/clock.ts'
import type { Random } from '../kernel/random.ts'
import type { AppSettings } from '../settings.ts'

/** A person, whatever the app. A name is all it takes: people exist as soon as they are named. */
export interface Person {
  readonly name: string
  /** Without country code. */
  phone: string
  countryCode: string
  nickname: string
  avatarUrl: string
  /** A risky user: login answers 40226. */
  blocked: boolean
}

/** A person in one app. */
export interface Visitor {
  readonly person: Person
  readonly openid: string
  /** The newest; null before the first login. */
  sessionKey: string | null
  visitedAt: number | null
  /** When the session key was given. */
  keyedAt: number | null
}

export type PersonChanges = Partial<Omit<Person, 'name'>>

/** Names that fit into a code and survive in a URL that its client does not encode. */
export const isName = (text: string): boolean => /^[\p{L}\p{N}._@-]{1,64}$/u.test(text)

const digest = (...parts: readonly string[]): Buffer => createHash('sha256').update(parts.join('\n')).digest()

/** 28 characters beginning with `o`, the same for the same person and app in every sandbox. */
export const openidOf = (appid: string, name: string): string =>
  `o${digest('openid', appid, name).toString('base64url').slice(0, 27)}`

/** 28 characters, the same in all apps of one open platform account. */
export const unionidOf = ({ openPlatform }: AppSettings, name: string): string | null =>
  openPlatform === null ? null : `oU${digest('unionid', openPlatform, name).toString('base64url').slice(0, 26)}`

const newPerson = (name: string): Person => ({
  name,
  phone: `138${String(digest('phone', name).readUInt32BE(0) % 100_000_000).padStart(8, '0')}`,
  countryCode: '86',
  nickname: name,
  avatarUrl: '',
  blocked: false,
})

export interface PeopleOptions {
  readonly clock: Clock
  readonly random: Random
  /** Hears of everybody who is seen for the first time. */
  readonly onNew?: ((name: string) => void) | undefined
  /** Milliseconds that a session key lives. */
  readonly sessionKeyLife: number
}

export class People {
  readonly #clock: Clock
  readonly #random: Random
  readonly #onNew: (name: string) => void
  readonly #sessionKeyLife: number
  readonly #people = new Map<string, Person>()
  /** By `appid openid`. */
  readonly #visitors = new Map<string, Visitor>()

  constructor({ clock, random, onNew, sessionKeyLife }: PeopleOptions) {
    this.#sessionKeyLife = sessionKeyLife
    this.#clock = clock
    this.#random = random
    this.#onNew = onNew ?? (() => {})
  }

  /** Somebody who used the apps before this sandbox started: their openids are known, and they count as visiting now. */
  remember(name: string, appids: readonly string[]): void {
    this.#people.set(name, newPerson(name))
    for (const appid of appids) this.visitor(appid, name).visitedAt = this.#clock.now()
  }

  /** The person of a name, made when new. */
  named(name: string): Person {
    const known = this.#people.get(name)
    if (known !== undefined) return known
    const person = newPerson(name)
    this.#people.set(name, person)
    this.#onNew(name)
    return person
  }

  change(name: string, changes: PersonChanges): Person {
    return Object.assign(this.named(name), changes)
  }

  /** A person in an app, made when new. */
  visitor(appid: string, name: string): Visitor {
    const openid = openidOf(appid, name)
    const known = this.byOpenid(appid, openid)
    if (known !== undefined) return known
    const visitor: Visitor = { person: this.named(name), openid, sessionKey: null, visitedAt: null, keyedAt: null }
    this.#visitors.set(`${appid} ${openid}`, visitor)
    return visitor
  }

  /** Whoever has this openid in this app, if they were ever there. */
  byOpenid(appid: string, openid: string): Visitor | undefined {
    return this.#visitors.get(`${appid} ${openid}`)
  }

  /** True when the openid belongs to another app: a mistake with an answer of its own. */
  knownElsewhere(appid: string, openid: string): boolean {
    return [...this.#visitors].some(([key, visitor]) => visitor.openid === openid && !key.startsWith(`${appid} `))
  }

  /** Opens the app: notes the visit and gives a new session key, as each wx.login may. */
  visit(appid: string, name: string): Visitor & { readonly sessionKey: string } {
    const visitor = this.visitor(appid, name)
    const sessionKey = this.#random.bytes(16).toString('base64')
    const now = this.#clock.now()
    return Object.assign(visitor, { sessionKey, visitedAt: now, keyedAt: now })
  }

  /** The session key while it is good, else null. */
  sessionKey({ sessionKey, keyedAt }: Visitor): string | null {
    return keyedAt !== null && this.#clock.now() - keyedAt < this.#sessionKeyLife ? sessionKey : null
  }

  /** Ends a session key before its time, as the platform may. */
  endSession(appid: string, name: string): void {
    Object.assign(this.visitor(appid, name), { sessionKey: null, keyedAt: null })
  }

  all(): readonly Person[] {
    return [...this.#people.values()]
  }

  clear(): void {
    this.#people.clear()
    this.#visitors.clear()
  }
}
