/** A URL in its parts, and as text again. */

/** A parsed URL. */
export interface UrlRecord {
  scheme: string
  username: string
  password: string
  /** Null: there is no authority. */
  host: string | null
  port: string
  /** A string when the path is opaque (`mailto:`). */
  path: string[] | string
  query: string | null
  fragment: string | null
}

export const PORTS: Readonly<Record<string, string>> = {
  http: '80',
  https: '443',
  ws: '80',
  wss: '443',
  ftp: '21',
  file: '',
}

export const isSpecial = (scheme: string): boolean =>
  PORTS[scheme] !== undefined && PORTS[scheme] === String(PORTS[scheme])

/** The path as text. */
export const pathOf = ({ path }: UrlRecord): string =>
  typeof path === 'string' ? path : path.map((segment) => `/${segment}`).join('')

/** Host and port. */
export const hostOf = ({ host, port }: UrlRecord): string => (host ?? '') + (port && `:${port}`)

/** The URL as text. */
export function serialize(url: UrlRecord): string {
  const { username, password, path, query, fragment } = url
  let text = `${url.scheme}:`
  if (url.host !== null)
    text += `//${username}${password && `:${password}`}${username || password ? '@' : ''}${hostOf(url)}`
  // A path that begins with an empty segment would read as an authority.
  else if (typeof path !== 'string' && path.length > 1 && path[0] === '') text += '/.'
  return text + pathOf(url) + (query === null ? '' : `?${query}`) + (fragment === null ? '' : `#${fragment}`)
}
