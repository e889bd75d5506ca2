/**
 * Reads that were parsed and compiled before. The same URL with the same preferences means the same statement for as long as the schema
 * does not change: finding it again costs a map lookup instead of a third of the request's time. Bounded, and per server.
 */
import { LRUCache } from 'lru-cache'
import type { CompiledRequest } from '../../../data/compile.ts'
import type { Catalog } from '../../../db/catalog/catalog.ts'
import type { Action } from './action.ts'
import type { RestConfig } from './config.ts'
import type { Preferences } from './prefer.ts'
import type { RestRequest } from './request.ts'

export interface Prepared {
  readonly rest: RestRequest
  readonly action: Action
  readonly honoured: Partial<Preferences>
  readonly compiled: CompiledRequest
}

const MAX_ENTRIES = 1_000
const MAX_KEY = 4_096

export class PreparedReads {
  readonly #entries = new LRUCache<string, Prepared>({ max: MAX_ENTRIES })
  #catalog: Catalog | null = null
  #config: RestConfig | null = null

  /** Forgets everything when schema or configuration have changed. */
  find(key: string | null, catalog: Catalog, config: RestConfig): Prepared | undefined {
    if (this.#catalog !== catalog || this.#config !== config) {
      this.#entries.clear()
      this.#catalog = catalog
      this.#config = config
    }
    return key === null ? undefined : this.#entries.get(key)
  }

  remember(key: string | null, prepared: Prepared): void {
    if (key !== null && prepared.compiled.main.values.length < MAX_ENTRIES) this.#entries.set(key, prepared)
  }
}

/** Everything that decides what a read means, the caller apart. Null for what is not remembered. */
export const preparedKey = (
  method: string,
  url: string,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): string | null => {
  if (method !== 'GET' && method !== 'HEAD') return null
  const key = [method, url, headers.accept, headers['accept-profile'], headers.prefer, headers.range].join('\n')
  return key.length > MAX_KEY ? null : key
}
