/** URLSearchParams. */
import { scalarValues } from '../core/bytes.ts'
import { typeError } from '../core/errors.ts'
import { iterate } from '../core/iterate.ts'
import { decodeForm, encodeForm } from './percent.ts'

type Pair = [name: string, value: string]

export type SearchParamsInit =
  | string
  | URLSearchParams
  | Iterable<readonly [string, string]>
  | Readonly<Record<string, string>>

/** The pairs of a query string. */
export function parsePairs(query: string): Pair[] {
  const pairs: Pair[] = []
  for (const part of scalarValues(query).split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = equals < 0 ? part : part.slice(0, equals)
    pairs.push([decodeForm(name), equals < 0 ? '' : decodeForm(part.slice(equals + 1))])
  }
  return pairs
}

const isIterable = (value: object): value is Iterable<unknown> => Symbol.iterator in value

function pairsOf(init: SearchParamsInit): Pair[] {
  if (typeof init !== 'object' && typeof init !== 'function') return parsePairs(String(init).replace(/^\?/, ''))
  if (!isIterable(init)) return Object.keys(init).map((name) => [scalarValues(name), scalarValues(init[name])])
  return Array.from(init).map((item: unknown) => {
    const pair = typeof item === 'object' && item !== null && isIterable(item) ? Array.from(item) : []
    if (pair.length !== 2) throw typeError('URLSearchParams: each pair must have two items')
    return [scalarValues(pair[0]), scalarValues(pair[1])]
  })
}

/** The query of a URL as a list of pairs. */
export class URLSearchParams {
  private _pairs: Pair[]
  /** Set by the URL that owns these. */
  _onChange: ((query: string) => void) | null = null

  constructor(init: SearchParamsInit = '') {
    this._pairs = init === null ? parsePairs('null') : pairsOf(init)
  }

  get size(): number {
    return this._pairs.length
  }

  append(name: string, value: string): void {
    this._pairs.push([scalarValues(name), scalarValues(value)])
    this._changed()
  }

  delete(name: string, value?: string): void {
    const [key, wanted] = [scalarValues(name), value === undefined ? null : scalarValues(value)]
    this._pairs = this._pairs.filter((pair) => pair[0] !== key || (wanted !== null && pair[1] !== wanted))
    this._changed()
  }

  get(name: string): string | null {
    return this.getAll(name)[0] ?? null
  }

  getAll(name: string): string[] {
    const key = scalarValues(name)
    return this._pairs.filter((pair) => pair[0] === key).map((pair) => pair[1])
  }

  has(name: string, value?: string): boolean {
    const values = this.getAll(name)
    return value === undefined ? values.length > 0 : values.indexOf(scalarValues(value)) >= 0
  }

  set(name: string, value: string): void {
    const [key, text] = [scalarValues(name), scalarValues(value)]
    const at = this._pairs.findIndex((pair) => pair[0] === key)
    if (at < 0) this._pairs.push([key, text])
    else this._pairs = this._pairs.filter((pair, place) => pair[0] !== key || place === at)
    const first = this._pairs[at]
    if (first) first[1] = text
    this._changed()
  }

  /** By name, in code units; pairs of one name keep their order. */
  sort(): void {
    this._pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0))
    this._changed()
  }

  forEach(callback: (value: string, name: string, params: URLSearchParams) => void, self?: unknown): void {
    for (let at = 0; at < this._pairs.length; at++) {
      const pair = this._pairs[at]
      if (pair) callback.call(self, pair[1], pair[0], this)
    }
  }

  entries(): IterableIterator<[string, string]> {
    // A copy of a pair is a pair.
    return iterate((at) => this._pairs[at]?.slice() as Pair | undefined)
  }

  keys(): IterableIterator<string> {
    return iterate((at) => this._pairs[at]?.[0])
  }

  values(): IterableIterator<string> {
    return iterate((at) => this._pairs[at]?.[1])
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.entries()
  }

  toString(): string {
    return this._pairs.map((pair) => `${encodeForm(pair[0])}=${encodeForm(pair[1])}`).join('&')
  }

  /** The owner's query changed. */
  _replace(query: string): void {
    this._pairs = parsePairs(query)
  }

  private _changed(): void {
    this._onChange?.(this.toString())
  }
}
