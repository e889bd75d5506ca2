/** URLSearchParams. */
import { scalarValues } from '../core/bytes.ts'
import { byName, Pairs, pairsIn } from '../core/pairs.ts'
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

function pairsOf(init: SearchParamsInit): Pair[] {
  if (typeof init !== 'object' && typeof init !== 'function') return parsePairs(String(init).replace(/^\?/, ''))
  return pairsIn(init).map((pair) => [scalarValues(pair[0]), scalarValues(pair[1])])
}

/** The query of a URL as a list of pairs. */
export class URLSearchParams extends Pairs<string> {
  /** Set by the URL that owns these. */
  _onChange: ((query: string) => void) | null = null

  constructor(init: SearchParamsInit = '') {
    super()
    this._pairs = init === null ? parsePairs('null') : pairsOf(init)
  }

  _name(name: unknown): string {
    return scalarValues(name)
  }

  _value(value: unknown): string {
    return scalarValues(value)
  }

  override _changed(): void {
    this._onChange?.(this.toString())
  }

  get size(): number {
    return this._pairs.length
  }

  override delete(name: string, value?: string): void {
    const key = scalarValues(name)
    const wanted = value === undefined ? null : scalarValues(value)
    this._keep((pair) => pair[0] !== key || (wanted !== null && pair[1] !== wanted))
  }

  override has(name: string, value?: string): boolean {
    const values = this.getAll(name)
    return value === undefined ? values.length > 0 : values.indexOf(scalarValues(value)) >= 0
  }

  /** By name, in code units; pairs of one name keep their order. */
  sort(): void {
    this._pairs.sort(byName)
    this._changed()
  }

  override toString(): string {
    return this._pairs.map((pair) => `${encodeForm(pair[0])}=${encodeForm(pair[1])}`).join('&')
  }

  /** The owner's query changed. */
  _replace(query: string): void {
    this._pairs = parsePairs(query)
  }
}
