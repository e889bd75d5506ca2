/** What was asked and answered, for assertions. Secrets are kept as fingerprints: equal ones can be told, none can be read. */
import { createHash } from 'node:crypto'
import { isObject, type Json, type JsonObject } from '../kernel/json.ts'

export interface Entry {
  readonly id: number
  /** Milliseconds since 1970. */
  readonly at: number
  readonly method: string
  readonly path: string
  readonly query: JsonObject
  /** A JSON body, redacted; null for any other. */
  readonly body: Json
  readonly status: number
  /** 0 for success; null for an answer without JSON. */
  readonly errcode: number | null
}

export interface JournalFilter {
  readonly path?: string | undefined
  /** Only entries after this id. */
  readonly after?: number | undefined
}

const SECRET =
  /^(secret|appsecret|access_token|refresh_token|js_code|code|session_key|signature|encodingAesKey|token)$/i

/** A short mark of a secret: the same for the same secret. */
export const fingerprint = (secret: string): string =>
  `#${createHash('sha256').update(secret).digest('hex').slice(0, 8)}`

/** Replaces the values of secret members, however deep. */
export const redact = (value: Json): Json => {
  if (Array.isArray(value)) return value.map(redact)
  if (!isObject(value)) return value
  const hide = ([key, each]: readonly [string, Json | undefined]): readonly [string, Json] =>
    SECRET.test(key) && typeof each === 'string' && each !== '' ? [key, fingerprint(each)] : [key, redact(each ?? null)]
  return Object.fromEntries(Object.entries(value).map(hide))
}

/** The newest entries that are kept. */
const MOST = 1_000

export class Journal {
  #entries: Entry[] = []
  #last = 0

  write(entry: Omit<Entry, 'id'>): void {
    this.#last += 1
    this.#entries.push({ ...entry, id: this.#last })
    if (this.#entries.length > MOST) this.#entries = this.#entries.slice(-MOST)
  }

  read({ path, after = 0 }: JournalFilter = {}): readonly Entry[] {
    return this.#entries.filter((entry) => entry.id > after && (path === undefined || entry.path === path))
  }

  clear(): void {
    this.#entries = []
  }
}
