/** The URL class. */

import { scalarValues } from '../core/bytes.ts'
import { typeError } from '../core/errors.ts'
import {
  addPath,
  isSpecial,
  parseUrl,
  pathOf,
  serialize,
  setHost,
  setHostAndPort,
  setPort,
  setQuery,
  type UrlRecord,
} from './parse.ts'
import { encode, FRAGMENT, USERINFO } from './percent.ts'
import { URLSearchParams } from './search-params.ts'

function parse(url: unknown, base?: unknown): UrlRecord | null {
  const parsedBase = base === undefined ? null : parseUrl(String(base), null)
  return base !== undefined && !parsedBase ? null : parseUrl(String(url), parsedBase)
}

const clean = (value: unknown): string => scalarValues(value).replace(/[\t\n\r]/g, '')

/** A URL, parsed; setters ignore what would not be one. */
export class URL {
  private _url: UrlRecord
  readonly searchParams: URLSearchParams

  constructor(url: string | URL, base?: string | URL) {
    const parsed = parse(url, base)
    if (!parsed) throw typeError('Invalid URL')
    this._url = parsed
    this.searchParams = new URLSearchParams()
    this.searchParams._replace(parsed.query ?? '')
    this.searchParams._onChange = (query) => {
      this._url.query = query === '' ? null : query
    }
  }

  static canParse(url: string | URL, base?: string | URL): boolean {
    return parse(url, base) !== null
  }

  static parse(url: string | URL, base?: string | URL): URL | null {
    return URL.canParse(url, base) ? new URL(url, base) : null
  }

  get href(): string {
    return serialize(this._url)
  }

  set href(value: string) {
    const parsed = parse(value)
    if (!parsed) throw typeError('Invalid URL')
    this._url = parsed
    this.searchParams._replace(parsed.query ?? '')
  }

  get origin(): string {
    const { scheme, host } = this._url
    return isSpecial(scheme) && scheme !== 'file' && host !== null ? `${scheme}://${this.host}` : 'null'
  }

  get protocol(): string {
    return `${this._url.scheme}:`
  }

  set protocol(value: string) {
    const scheme = /^([a-z][a-z0-9+.-]*)(?=:|$)/i.exec(clean(value))?.[1]?.toLowerCase()
    const url = this._url
    if (scheme === undefined || isSpecial(scheme) !== isSpecial(url.scheme)) return
    const hasAuthority = url.username !== '' || url.password !== '' || url.port !== ''
    if ((scheme === 'file' && hasAuthority) || (url.scheme === 'file' && url.host === '')) return
    url.scheme = scheme
    setPort(url, url.port)
  }

  get username(): string {
    return this._url.username
  }

  set username(value: string) {
    if (this._hasHost()) this._url.username = encode(scalarValues(value), USERINFO)
  }

  get password(): string {
    return this._url.password
  }

  set password(value: string) {
    if (this._hasHost()) this._url.password = encode(scalarValues(value), USERINFO)
  }

  get host(): string {
    const { host, port } = this._url
    return `${host ?? ''}${port === '' ? '' : `:${port}`}`
  }

  set host(value: string) {
    const text = this._authorityPart(value)
    const copy = { ...this._url }
    const match = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?/.exec(text)
    if (!match || typeof copy.path === 'string') return
    const [hostname, port] = [match[1] ?? '', match[2]]
    if (hostname === '' && (port !== undefined || text !== '' || copy.port !== '' || copy.username !== '')) return
    if (port !== undefined && port !== '' && setHostAndPort(copy, `${hostname}:${port}`)) this._url = copy
    else if (setHost(copy, hostname)) this._url = copy
  }

  get hostname(): string {
    return this._url.host ?? ''
  }

  set hostname(value: string) {
    const text = this._authorityPart(value)
    const copy = { ...this._url }
    if (typeof copy.path === 'string' || (text.indexOf(':') >= 0 && text.charAt(0) !== '[')) return
    if (text === '' && (copy.port !== '' || copy.username !== '' || copy.password !== '')) return
    if (setHost(copy, text)) this._url = copy
  }

  get port(): string {
    return this._url.port
  }

  set port(value: string) {
    const text = clean(value)
    const digits = /^\d*/.exec(text)?.[0] ?? ''
    if (this._hasHost() && this._url.scheme !== 'file' && (digits !== '' || text === '')) setPort(this._url, digits)
  }

  get pathname(): string {
    return pathOf(this._url)
  }

  set pathname(value: string) {
    const url = this._url
    if (typeof url.path === 'string') return
    url.path = []
    const text = clean(value)
    // `?` belongs to the path here and is encoded with it.
    addPath(url, text === '' && url.host === null ? '/' : text)
  }

  get search(): string {
    const { query } = this._url
    return query === null || query === '' ? '' : `?${query}`
  }

  set search(value: string) {
    const text = clean(value).replace(/^\?/, '')
    if (value === '') this._url.query = null
    else setQuery(this._url, text)
    this.searchParams._replace(text)
  }

  get hash(): string {
    const { fragment } = this._url
    return fragment === null || fragment === '' ? '' : `#${fragment}`
  }

  set hash(value: string) {
    this._url.fragment = value === '' ? null : encode(clean(value).replace(/^#/, ''), FRAGMENT)
  }

  toString(): string {
    return this.href
  }

  toJSON(): string {
    return this.href
  }

  private _hasHost(): boolean {
    return this._url.host !== null && this._url.host !== ''
  }

  /** A host setter reads up to where the path would begin. */
  private _authorityPart(value: string): string {
    const text = clean(value)
    const end = text.search(isSpecial(this._url.scheme) ? /[/\\?#]/ : /[/?#]/)
    return end < 0 ? text : text.slice(0, end)
  }
}
