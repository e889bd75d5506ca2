/** Request and response headers as wx shows them: plain objects, a fixed Referer, platform-dependent case. */
import { optionsOf } from './call.ts'
import type { HeaderList } from './host.ts'
import type { Settings } from './settings.ts'

const USER_AGENT =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.50 NetType/WIFI Language/zh_CN'

/** The Referer every request carries; the app cannot change it. */
export const refererOf = (settings: Settings): string =>
  `https://servicewechat.com/${settings.appId}/${settings.version}/page-frame.html`

/** What goes out: the app's headers, a default content type, and the Referer. */
export function requestHeaders(raw: unknown, settings: Settings, contentType: string | null): [string, string][] {
  const list: [string, string][] = []
  for (const [name, value] of Object.entries(optionsOf(raw))) {
    const lower = name.toLowerCase()
    if (lower === 'referer' || lower === 'content-length' || lower === 'host') continue
    if (value === undefined || value === null) continue
    list.push([name, String(value)])
  }
  const has = (wanted: string) => list.some(([name]) => name.toLowerCase() === wanted)
  if (contentType !== null && !has('content-type')) list.push(['content-type', contentType])
  if (!has('user-agent')) list.push(['User-Agent', USER_AGENT])
  list.push(['Referer', refererOf(settings)])
  return list
}

/** The value of a header, whatever its case. */
export const headerOf = (list: HeaderList, wanted: string): string =>
  list.find(([name]) => name.toLowerCase() === wanted)?.[1] ?? ''

const canonical = (name: string) => name.toLowerCase().replace(/(^|-)[a-z]/g, (part) => part.toUpperCase())

/** Response headers as an object; repeated ones are joined, as devices do. */
export function responseHeader(list: HeaderList, style: Settings['headerCase']): Record<string, string> {
  const header: Record<string, string> = {}
  const spelled = new Map<string, string>()
  for (const [name, value] of list) {
    const lower = name.toLowerCase()
    const shown = style === 'lower' ? lower : style === 'canonical' ? canonical(name) : name
    const key = spelled.get(lower) ?? shown
    spelled.set(lower, key)
    header[key] = key in header ? `${header[key]}${lower === 'set-cookie' ? ',' : ', '}${value}` : value
  }
  return header
}

/** The Set-Cookie values one by one. */
export const cookiesOf = (list: HeaderList): string[] =>
  list.filter(([name]) => name.toLowerCase() === 'set-cookie').map(([, value]) => value)
