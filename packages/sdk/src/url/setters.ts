/** Sets the parts of a URL; what would not be one is ignored. */
import { scalarValues } from '../core/bytes.ts'
import { addPath, setHost, setHostAndPort, setPort, setQuery } from './parse.ts'
import { encode, FRAGMENT, USERINFO } from './percent.ts'
import { isSpecial, type UrlRecord } from './record.ts'
import type { URL } from './url.ts'

const hasHost = ({ host }: UrlRecord): boolean => host !== null && host !== ''

/** A host setter reads up to where the path would begin. */
function authorityPart(url: UrlRecord, text: string): string {
  const end = text.search(isSpecial(url.scheme) ? /[/\\?#]/ : /[/?#]/)
  return end < 0 ? text : text.slice(0, end)
}

/** `value` is without tabs and line breaks, `raw` as it was given. */
type Setter = (self: URL, url: UrlRecord, value: string, raw: string) => void

const SETTERS: Readonly<Record<string, Setter>> = {
  protocol: (_, url, value) => {
    const scheme = /^([a-z][a-z0-9+.-]*)(?=:|$)/i.exec(value)?.[1]?.toLowerCase()
    if (scheme === undefined || isSpecial(scheme) !== isSpecial(url.scheme)) return
    const hasAuthority = url.username !== '' || url.password !== '' || url.port !== ''
    if ((scheme === 'file' && hasAuthority) || (url.scheme === 'file' && url.host === '')) return
    url.scheme = scheme
    setPort(url, url.port)
  },
  username: (_, url, _value, raw) => {
    if (hasHost(url)) url.username = encode(raw, USERINFO)
  },
  password: (_, url, _value, raw) => {
    if (hasHost(url)) url.password = encode(raw, USERINFO)
  },
  host: (self, url, value) => {
    const text = authorityPart(url, value)
    const copy = { ...url }
    const match = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?/.exec(text)
    if (!match || typeof copy.path === 'string') return
    const [hostname, port] = [match[1] ?? '', match[2]]
    if (hostname === '' && (port !== undefined || text !== '' || copy.port !== '' || copy.username !== '')) return
    if (port !== undefined && port !== '' && setHostAndPort(copy, `${hostname}:${port}`)) self._url = copy
    else if (setHost(copy, hostname)) self._url = copy
  },
  hostname: (self, url, value) => {
    const text = authorityPart(url, value)
    const copy = { ...url }
    if (typeof copy.path === 'string' || (text.indexOf(':') >= 0 && text.charAt(0) !== '[')) return
    if (text === '' && (copy.port !== '' || copy.username !== '' || copy.password !== '')) return
    if (setHost(copy, text)) self._url = copy
  },
  port: (_, url, value) => {
    const digits = /^\d*/.exec(value)?.[0] ?? ''
    if (hasHost(url) && url.scheme !== 'file' && (digits !== '' || value === '')) setPort(url, digits)
  },
  pathname: (_, url, value) => {
    if (typeof url.path === 'string') return
    url.path = []
    // `?` belongs to the path here and is encoded with it.
    addPath(url, value === '' && url.host === null ? '/' : value)
  },
  search: (self, url, value, raw) => {
    const text = value.replace(/^\?/, '')
    if (raw === '') url.query = null
    else setQuery(url, text)
    self.searchParams._replace(text)
  },
  hash: (_, url, value, raw) => {
    url.fragment = raw === '' ? null : encode(value.replace(/^#/, ''), FRAGMENT)
  },
}

/** All but `href` and `origin`. */
export function setPart(self: URL, name: string, value: unknown): void {
  const raw = scalarValues(value)
  SETTERS[name]?.(self, self._url, raw.replace(/[\t\n\r]/g, ''), raw)
}
