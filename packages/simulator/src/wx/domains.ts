/** URLs and the domain check, without the URL class, which mini-programs lack. */
import type { DomainLists, Settings } from './settings.ts'

export interface ParsedUrl {
  readonly scheme: string
  readonly host: string
  readonly port: string
}

/** Scheme, host and port of an absolute URL, or null. */
export function parseUrl(url: string): ParsedUrl | null {
  const match = /^([a-z][a-z0-9+.-]*):\/\/(?:[^/?#@]*@)?(\[[^\]]*\]|[^/?#:]+)(?::(\d*))?(?=[/?#]|$)/i.exec(url)
  if (!match) return null
  return { scheme: (match[1] ?? '').toLowerCase(), host: (match[2] ?? '').toLowerCase(), port: match[3] ?? '' }
}

const isAddress = (host: string) => /^[\d.]+$/.test(host) || host.startsWith('[') || host === 'localhost'

/** True when a listed domain admits the URL: a listed port must match exactly, a domain without port admits no port. */
function admits(entry: string, url: ParsedUrl): boolean {
  const listed = parseUrl(entry) ?? parseUrl(`${url.scheme}://${entry}`)
  return listed !== null && listed.scheme === url.scheme && listed.host === url.host && listed.port === url.port
}

/** Why this URL may not be called, or null. Everything is allowed while the check is off, except what is no URL. */
export function urlRefusal(
  url: string,
  purpose: keyof DomainLists,
  settings: Settings,
): { reason: string; errno: number } | null {
  const parsed = parseUrl(url)
  const schemes = purpose === 'socket' ? ['ws', 'wss'] : ['http', 'https']
  if (!parsed || !schemes.includes(parsed.scheme)) return { reason: `invalid url "${url}"`, errno: 600009 }
  if (!settings.checkDomains) return null
  const secure = parsed.scheme === 'https' || parsed.scheme === 'wss'
  const listed = settings.domains[purpose].some((entry) => admits(entry, parsed))
  if (secure && !isAddress(parsed.host) && parsed.host !== 'api.weixin.qq.com' && listed) return null
  return { reason: 'url not in domain list', errno: 600002 }
}

/** `a=1&b=2` of an object's own values. */
export function queryString(data: object): string {
  return Object.entries(data)
    .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(queryValue(value))}`)
    .join('&')
}

const queryValue = (value: unknown): string =>
  typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value)

/** The URL with more query parameters, before any fragment. */
export function withQuery(url: string, query: string): string {
  if (query === '') return url
  const hash = url.indexOf('#')
  const base = hash < 0 ? url : url.slice(0, hash)
  return `${base}${base.includes('?') ? '&' : '?'}${query}${hash < 0 ? '' : url.slice(hash)}`
}
