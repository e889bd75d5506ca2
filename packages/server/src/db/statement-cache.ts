/** Which statements one connection has prepared. Bounded: the least recently used one is closed on the server too. */
import { LRUCache } from 'lru-cache'

export interface Plan {
  /** Name on the server; empty for the unnamed statement. */
  readonly name: string
  /** Whether the server has yet to be told the text. */
  readonly parse: boolean
}

/** One per connection. A text is prepared when it comes for the second time: most ad-hoc texts never do, and preparing them all would only push out the useful ones. */
export class StatementCache {
  readonly #prepared: LRUCache<string, string>
  readonly #seen: LRUCache<string, true>
  readonly #enabled: boolean
  #evicted: string[] = []
  #count = 0

  constructor(options: { readonly size?: number; readonly enabled?: boolean } = {}) {
    const size = options.size ?? 256
    this.#enabled = options.enabled ?? true
    this.#seen = new LRUCache({ max: size * 4 })
    this.#prepared = new LRUCache({ max: size, dispose: (name) => this.#evicted.push(name) })
  }

  /** How to run this text now. `planKey` keeps apart plans of one text that must not be shared. */
  plan(planKey: string, text: string): Plan {
    if (!this.#enabled) return { name: '', parse: true }
    const key = keyOf(planKey, text)
    const known = this.#prepared.get(key)
    if (known !== undefined) return { name: known, parse: false }
    if (!this.#seen.get(key)) {
      this.#seen.set(key, true)
      return { name: '', parse: true }
    }
    this.#count += 1
    const name = `t${this.#count}`
    this.#prepared.set(key, name)
    return { name, parse: true }
  }

  /** Names that are no longer wanted and must be closed on the server. Closing an unknown name is no error there. */
  takeEvicted(): readonly string[] {
    const evicted = this.#evicted
    this.#evicted = []
    return evicted
  }

  /** After a batch that failed: nobody knows whether the server holds this plan. */
  forget(planKey: string, text: string): void {
    this.#prepared.delete(keyOf(planKey, text))
  }

  /** When Postgres says that a plan is gone or stale: everything is prepared afresh when needed. */
  forgetAll(): void {
    this.#prepared.clear()
  }
}

// The length keeps apart what a separator could not: keys and texts may hold any character.
const keyOf = (planKey: string, text: string): string => `${planKey.length}:${planKey}${text}`
