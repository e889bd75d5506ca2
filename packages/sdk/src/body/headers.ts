/** Headers. */
import { typeError } from '../core/errors.ts'
import { iterate } from '../core/iterate.ts'

export type HeadersInit = Headers | Iterable<Iterable<string>> | Readonly<Record<string, string>>

const TOKEN = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/

function nameOf(value: unknown): string {
  const name = String(value)
  if (!TOKEN.test(name)) throw typeError(`Headers: "${name}" is not a header name`)
  return name.toLowerCase()
}

function cleanValue(raw: unknown): string {
  const value = String(raw).replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, '')
  if (/[\0\r\n]|[^\0-\xff]/.test(value)) throw typeError('Headers: not a header value')
  return value
}

const SET_COOKIE = 'set-cookie'

/** Header fields; names in lower case, values of one name joined. */
export class Headers {
  private _map = new Map<string, string[]>()

  constructor(init?: HeadersInit | null) {
    if (init === undefined) return
    if (typeof init !== 'object' || init === null) throw typeError('Headers: not a list of headers')
    // Headers of another make (Node's, a page's) are iterable as well.
    if (Symbol.iterator in init)
      for (const item of Array.from(init)) {
        const pair = Array.from(item)
        if (pair.length !== 2) throw typeError('Headers: each pair must have two items')
        this.append(pair[0] ?? '', pair[1] ?? '')
      }
    else for (const name of Object.keys(init)) this.append(name, init[name] ?? String(init[name]))
  }

  append(name: string, value: string): void {
    const key = nameOf(name)
    const text = cleanValue(value)
    const values = this._map.get(key)
    if (values) values.push(text)
    else this._map.set(key, [text])
  }

  delete(name: string): void {
    this._map.delete(nameOf(name))
  }

  get(name: string): string | null {
    return this._map.get(nameOf(name))?.join(', ') ?? null
  }

  getSetCookie(): string[] {
    return (this._map.get(SET_COOKIE) ?? []).slice()
  }

  has(name: string): boolean {
    return this._map.has(nameOf(name))
  }

  set(name: string, value: string): void {
    this._map.set(nameOf(name), [cleanValue(value)])
  }

  forEach(callback: (value: string, name: string, headers: Headers) => void, self?: unknown): void {
    for (const pair of this._sorted()) callback.call(self, pair[1], pair[0], this)
  }

  entries(): IterableIterator<[string, string]> {
    return iterate((at) => this._sorted()[at])
  }

  keys(): IterableIterator<string> {
    return iterate((at) => this._sorted()[at]?.[0])
  }

  values(): IterableIterator<string> {
    return iterate((at) => this._sorted()[at]?.[1])
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.entries()
  }

  /** By name; only cookies are several entries of one name. */
  private _sorted(): [string, string][] {
    const pairs: [string, string][] = []
    for (const name of Array.from(this._map.keys()).sort()) {
      const values = this._map.get(name) ?? []
      if (name === SET_COOKIE) for (const value of values) pairs.push([name, value])
      else pairs.push([name, values.join(', ')])
    }
    return pairs
  }
}

/** As `wx` takes them. */
export function plainHeaders(headers: Headers): Record<string, string> {
  const plain: Record<string, string> = {}
  headers.forEach((value, name) => {
    plain[name] = value
  })
  return plain
}

/** From what `wx` answers: any case, values that are lists on some platforms. What is no header is left out. */
export function headersFromWx(header: Readonly<Record<string, unknown>> | undefined): Headers {
  const headers = new Headers()
  for (const name of Object.keys(header ?? {})) {
    const value = header?.[name]
    for (const item of Array.isArray(value) ? value : [value]) {
      try {
        headers.append(name, String(item).replace(/[\r\n]+/g, ', '))
      } catch {
        // A value outside Latin-1 (a file name, say): the standard has no place for it.
      }
    }
  }
  return headers
}
