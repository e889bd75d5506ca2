/** The URL class. Usual addresses are read here; whatever is not usual is read by the parser of the standard, which is loaded then. */
import { typeError } from '../core/errors.ts'
import { lazy } from '../core/lazy.ts'
import { hostOf, isSpecial, PORTS, pathOf, serialize, type UrlRecord } from './record.ts'
import { URLSearchParams } from './search-params.ts'

/** Path, query and fragment of which no character is encoded, for URLs of the web. */
const REST = '((?:[!$-;=@-[\\]_a-z|~]*))(\\?[!$-&(-;=?-~]*)?(#[!#-;=?-_a-~]*)?$'
const ABSOLUTE = new RegExp(`^(https?|wss?)://([a-z\\d](?:[a-z\\d.-]*[a-z\\d])?)(?::(\\d{1,5}))?(?![^/?#])${REST}`)
const RELATIVE = new RegExp(`^(?!//|[a-z][a-z\\d+.-]*:)${REST}`, 'i')
const ADDRESS = /^(?:(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])(?:\.(?!$)|$)){4}$/
const DOTS = /(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i

const after = (text: string | undefined): string | null => (text === undefined ? null : text.slice(1))

/** Undefined: not as usual. */
function quickly(text: string, base: UrlRecord | null): UrlRecord | undefined {
  const whole = ABSOLUTE.exec(text)
  const found = whole ? whole.slice(4) : base?.host && isSpecial(base.scheme) && RELATIVE.exec(text)?.slice(1)
  const [path = '', query, fragment] = found || []
  if (!found || DOTS.test(path)) return undefined
  const record = (from: UrlRecord, segments: string, ownQuery: string | null): UrlRecord =>
    Object.assign({}, from, { path: segments.split('/'), query: ownQuery, fragment: after(fragment) })
  if (whole) {
    const [, scheme = '', host = '', digits = ''] = whole
    const port = digits && String(Number(digits))
    // What ends in a number is an IPv4 address, or none.
    if (Number(port) > 65535 || (/(?:^|\.)\d[^.]*$/.test(host) && !ADDRESS.test(host))) return undefined
    const url = { scheme, username: '', password: '', host, port: port === PORTS[scheme] ? '' : port }
    return record(url as UrlRecord, path.slice(1), after(query))
  }
  // Checked with `found`; special URLs have a list.
  const from = base as UrlRecord
  const list = from.path as string[]
  if (path === '') return record(from, list.join('/'), query === undefined ? from.query : after(query))
  return record(from, path.charAt(0) === '/' ? path.slice(1) : list.slice(0, -1).concat(path).join('/'), after(query))
}

const parseText = (value: unknown, base: UrlRecord | null): UrlRecord | null => {
  const text = String(value)
  return quickly(text, base) ?? lazy._extras()._parseUrl(text, base)
}

function parse(url: unknown, base?: unknown): UrlRecord | null {
  const parsedBase = base === undefined ? null : parseText(base, null)
  return base !== undefined && !parsedBase ? null : parseText(url, parsedBase)
}

const marked = (mark: string, text: string | null): string => (text === null || text === '' ? '' : mark + text)

/** The parts that can be read. */
const PARTS: Readonly<Record<string, (url: UrlRecord) => string>> = {
  href: serialize,
  origin: (url) =>
    isSpecial(url.scheme) && url.scheme !== 'file' && url.host !== null ? `${url.scheme}://${hostOf(url)}` : 'null',
  protocol: ({ scheme }) => `${scheme}:`,
  username: ({ username }) => username,
  password: ({ password }) => password,
  host: hostOf,
  hostname: ({ host }) => host ?? '',
  port: ({ port }) => port,
  pathname: pathOf,
  search: ({ query }) => marked('?', query),
  hash: ({ fragment }) => marked('#', fragment),
}

/** A URL, parsed; setters ignore what would not be one. */
export class URL {
  // Defined below, all alike.
  declare href: string
  declare readonly origin: string
  declare protocol: string
  declare username: string
  declare password: string
  declare host: string
  declare hostname: string
  declare port: string
  declare pathname: string
  declare search: string
  declare hash: string
  declare _url: UrlRecord
  readonly searchParams: URLSearchParams

  constructor(url: string | URL, base?: string | URL) {
    this.searchParams = new URLSearchParams()
    this._read(parse(url, base))
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

  toString(): string {
    return this.href
  }

  toJSON(): string {
    return this.href
  }

  _set(name: string, value: unknown): void {
    const quick = quickly(this._with(name, String(value)), null)
    if (name === 'href') this._read(parse(value))
    else if (quick) this._url = quick
    else lazy._extras()._setPart(this, name, value)
  }

  /** The whole address with another scheme or path, as clients make that of their sockets; empty for what the parser of the standard does. */
  private _with(name: string, value: string): string {
    const { origin, pathname, href } = this
    const rest = href.slice(origin.length + pathname.length)
    // The origin does not show them.
    if (this.username || this.password) return ''
    if (name === 'protocol') return origin.replace(/.*?:/, () => `${value}:`.replace('::', ':')) + pathname + rest
    return name === 'pathname' && /^\/[^?#]*$/.test(value) ? origin + value + rest : ''
  }

  private _read(parsed: UrlRecord | null): void {
    if (!parsed) throw typeError('Invalid URL')
    this._url = parsed
    this.searchParams._replace(parsed.query ?? '')
  }
}

Object.keys(PARTS).forEach((name) => {
  const accessors: PropertyDescriptor & ThisType<URL> = {
    configurable: true,
    enumerable: true,
    get() {
      return PARTS[name]?.(this._url)
    },
  }
  if (name !== 'origin')
    accessors.set = function (this: URL, value: unknown) {
      this._set(name, value)
    }
  Object.defineProperty(URL.prototype, name, accessors)
})
