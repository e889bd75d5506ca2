/** Which statements one connection has prepared. Bounded: the least recently used one is closed on the server too. */
import { LRUCache } from 'lru-cache'

export interface Plan {
  /** Name on the server; empty for the unnamed statement. */
  readonly name: string
  /** Whether the server has yet to be told the text. */
  readonly parse: boolean
}

/** Plans of one text that are kept at once: a text is seldom run by more roles. */
const PLANS_PER_TEXT = 4

/**
 * One per connection. A text is prepared when it comes for the second time: most ad-hoc texts never do, and preparing them all would only push
 * out the useful ones. Plans are found by text first: a text that is the same string object as last time has its hash at hand, while text and
 * key joined were hashed anew, twice in each request (10 of 270 µs).
 */
export class StatementCache {
  readonly #prepared: LRUCache<string, Map<string, string>>
  readonly #seen: LRUCache<string, true>
  readonly #enabled: boolean
  #evicted: string[] = []
  #count = 0

  constructor(options: { readonly size?: number; readonly enabled?: boolean } = {}) {
    const size = options.size ?? 256
    this.#enabled = options.enabled ?? true
    this.#seen = new LRUCache({ max: size * 4 })
    this.#prepared = new LRUCache({ max: size, dispose: (names) => this.#evicted.push(...names.values()) })
  }

  /** How to run this text now. `planKey` keeps apart plans of one text that must not be shared. */
  plan(planKey: string, text: string): Plan {
    if (!this.#enabled) return { name: '', parse: true }
    const names = this.#prepared.get(text)
    const known = names?.get(planKey)
    if (known !== undefined) return { name: known, parse: false }
    const key = keyOf(planKey, text)
    if (!this.#seen.get(key)) {
      this.#seen.set(key, true)
      return { name: '', parse: true }
    }
    this.#count += 1
    const name = `t${this.#count}`
    if (names === undefined) this.#prepared.set(text, new Map([[planKey, name]]))
    else this.#add(names, planKey, name)
    return { name, parse: true }
  }

  #add(names: Map<string, string>, planKey: string, name: string): void {
    const [oldest] = names
    if (oldest !== undefined && names.size >= PLANS_PER_TEXT) {
      names.delete(oldest[0])
      this.#evicted.push(oldest[1])
    }
    names.set(planKey, name)
  }

  /** Names that are no longer wanted and must be closed on the server. Closing an unknown name is no error there. */
  takeEvicted(): readonly string[] {
    if (this.#evicted.length === 0) return NONE
    const evicted = this.#evicted
    this.#evicted = []
    return evicted
  }

  /** After a batch that failed: nobody knows whether the server holds this plan. */
  forget(planKey: string, text: string): void {
    const names = this.#prepared.get(text)
    const name = names?.get(planKey)
    if (names === undefined || name === undefined) return
    names.delete(planKey)
    this.#evicted.push(name)
  }

  /** When Postgres says that a plan is gone or stale: everything is prepared afresh when needed. */
  forgetAll(): void {
    this.#prepared.clear()
  }
}

const NONE: readonly string[] = []

// The length keeps apart what a separator could not: keys and texts may hold any character.
const keyOf = (planKey: string, text: string): string => `${planKey.length}:${planKey}${text}`
