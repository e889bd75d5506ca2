/** The URL parser and serialiser, by the URL standard. Windows drive letters of file URLs are not treated specially: a mini-program has no such files. */
import { scalarValues } from '../core/bytes.ts'
import { parseHost } from './host.ts'
import { encode, FRAGMENT, PATH, QUERY, SPECIAL_QUERY, USERINFO } from './percent.ts'
import { isSpecial, PORTS, type UrlRecord } from './record.ts'

/** Null when the text is not a URL. */
export function parseUrl(input: string, base: UrlRecord | null): UrlRecord | null {
  const text = scalarValues(input)
    .replace(/^[\0-\x20]+|[\0-\x20]+$/g, '')
    .replace(/[\t\n\r]/g, '')
  const hash = text.indexOf('#')
  const url = parseWithoutFragment(hash < 0 ? text : text.slice(0, hash), base, hash >= 0)
  if (url) url.fragment = hash < 0 ? null : encode(text.slice(hash + 1), FRAGMENT)
  return url
}

function parseWithoutFragment(text: string, base: UrlRecord | null, hasFragment: boolean): UrlRecord | null {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]
  if (scheme === undefined) {
    if (!base || (typeof base.path === 'string' && !(text === '' && hasFragment))) return null
    return parseRelative(text, base)
  }
  const url = emptyUrl(scheme.toLowerCase())
  const rest = text.slice(scheme.length + 1)
  if (!isSpecial(url.scheme)) {
    if (rest.slice(0, 2) === '//') return parseAuthority(url, rest.slice(2))
    if (rest.charAt(0) === '/') return parsePathAndQuery(url, rest)
    return parseOpaque(url, rest)
  }
  // `https:path` against an https base is a relative reference, whatever it looks like.
  const isRelative = base?.scheme === url.scheme && !/^[/\\]{2}/.test(rest)
  if (base && (isRelative || (url.scheme === 'file' && base.scheme === 'file'))) return parseRelative(rest, base)
  if (url.scheme !== 'file') return parseAuthority(url, rest.replace(/^[/\\]*/, ''))
  url.host = ''
  return /^[/\\]{2}/.test(rest) ? parseAuthority(url, rest.slice(2)) : parsePathAndQuery(url, rest)
}

export function emptyUrl(scheme: string): UrlRecord {
  return { scheme, username: '', password: '', host: null, port: '', path: [], query: null, fragment: null }
}

function parseRelative(text: string, base: UrlRecord): UrlRecord | null {
  const url = { ...base, path: typeof base.path === 'string' ? base.path : base.path.slice() }
  const special = isSpecial(url.scheme)
  const start = special ? text.replace(/^[/\\]+/, (slashes) => slashes.replace(/\\/g, '/')) : text
  if (start.slice(0, 2) === '//')
    return parseAuthority(
      emptyUrl(url.scheme),
      url.scheme === 'file' || !special ? start.slice(2) : start.replace(/^\/+/, ''),
    )
  if (start === '') return url
  url.query = null
  if (start.charAt(0) === '/') url.path = []
  else if (start.charAt(0) !== '?' && typeof url.path !== 'string') url.path.pop()
  if (start.charAt(0) === '?') return setQuery(url, start.slice(1))
  return parsePathAndQuery(url, start)
}

/** What follows `//`: user, host and port, then the path. */
function parseAuthority(url: UrlRecord, text: string): UrlRecord | null {
  const end = text.search(isSpecial(url.scheme) ? /[/\\?]/ : /[/?]/)
  const authority = end < 0 ? text : text.slice(0, end)
  const at = authority.lastIndexOf('@')
  if (at >= 0) {
    const credentials = authority.slice(0, at)
    const colon = credentials.indexOf(':')
    url.username = encode(colon < 0 ? credentials : credentials.slice(0, colon), USERINFO)
    url.password = colon < 0 ? '' : encode(credentials.slice(colon + 1), USERINFO)
  }
  const place = authority.slice(at + 1)
  if ((at >= 0 && place === '') || !setHostAndPort(url, place)) return null
  return parsePathAndQuery(url, end < 0 ? '' : text.slice(end))
}

/** False when host or port are wrong; then the record may be half changed. */
export function setHostAndPort(url: UrlRecord, text: string): boolean {
  const match = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(text)
  const isFile = url.scheme === 'file'
  if (!match || (isFile && match[2] !== undefined)) return false
  if (!setHost(url, match[1] ?? '')) return false
  if (match[1] === '' && match[2] !== undefined) return false
  return match[2] === undefined || setPort(url, match[2])
}

/** Sets the host alone; false when it is none. */
export function setHost(url: UrlRecord, text: string): boolean {
  const special = isSpecial(url.scheme)
  if (text === '' && special && url.scheme !== 'file') return false
  const host = text === '' ? '' : parseHost(text, special)
  if (host === null) return false
  url.host = url.scheme === 'file' && host === 'localhost' ? '' : host
  return true
}

/** Sets the port from digits; the scheme's own port is left out. */
export function setPort(url: UrlRecord, text: string): boolean {
  if (!/^\d*$/.test(text) || Number(text) > 65535) return false
  const port = text === '' ? '' : String(Number(text))
  url.port = port === PORTS[url.scheme] ? '' : port
  return true
}

function parsePathAndQuery(url: UrlRecord, text: string): UrlRecord {
  const mark = text.indexOf('?')
  addPath(url, mark < 0 ? text : text.slice(0, mark))
  return mark < 0 ? url : setQuery(url, text.slice(mark + 1))
}

function parseOpaque(url: UrlRecord, text: string): UrlRecord {
  const mark = text.indexOf('?')
  url.path = encode(mark < 0 ? text : text.slice(0, mark), '')
  return mark < 0 ? url : setQuery(url, text.slice(mark + 1))
}

export function setQuery(url: UrlRecord, text: string): UrlRecord {
  url.query = encode(text, isSpecial(url.scheme) ? SPECIAL_QUERY : QUERY)
  return url
}

const isDot = (segment: string): boolean => /^(\.|%2e)$/i.test(segment)
const isDoubleDot = (segment: string): boolean => /^(\.|%2e){2}$/i.test(segment)

/** Appends the segments of a path, resolving dots. */
export function addPath(url: UrlRecord, text: string): void {
  const { path } = url
  if (typeof path === 'string') return
  const special = isSpecial(url.scheme)
  // Without an authority an empty path stays empty; special URLs always have at least the root.
  if (text === '' && !special) return
  const segments = text.replace(special ? /^[/\\]/ : /^\//, '').split(special ? /[/\\]/ : '/')
  segments.forEach((segment, at) => {
    const isLast = at === segments.length - 1
    if (isDoubleDot(segment)) path.pop()
    if (!isDoubleDot(segment) && !isDot(segment)) path.push(encode(segment, PATH))
    else if (isLast) path.push('')
  })
}
