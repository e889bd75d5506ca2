/** Where a person may be sent to after a login elsewhere. Anywhere else would hand their session to whoever wrote the link. */

export interface RedirectRules {
  readonly siteUrl: string
  readonly redirectUrls: readonly string[]
}

export interface Redirects {
  /** `wanted` when it is allowed, else the operator's own site. */
  resolve(wanted: string | null | undefined): string
}

export const createRedirects = ({ siteUrl, redirectUrls }: RedirectRules): Redirects => {
  const patterns = redirectUrls.map(globPattern)
  const site = URL.canParse(siteUrl) ? new URL(siteUrl) : null
  return {
    resolve(wanted) {
      if (wanted === null || wanted === undefined || wanted === '' || !URL.canParse(wanted)) return siteUrl
      const url = new URL(wanted)
      if (/^(javascript|data|vbscript|file|blob):$/.test(url.protocol)) return siteUrl
      if (url.username !== '' || url.password !== '') return siteUrl
      if (site !== null && url.origin !== 'null' && sameSite(url, site)) return wanted
      // Compared without query and fragment, and as the browser will read it rather than as it was written.
      const bare = `${url.protocol}//${url.host}${url.pathname}`
      return patterns.some((matches) => matches(bare) || matches(bare.replace(/\/$/, ''))) ? wanted : siteUrl
    },
  }
}

/** The same host, over the same protocol; a loopback site may move between ports while it is developed. */
const sameSite = (url: URL, site: URL): boolean =>
  url.protocol === site.protocol &&
  url.hostname === site.hostname &&
  (url.port === site.port || /^(127\.0\.0\.1|localhost|\[::1\])$/.test(url.hostname))

/**
 * `*` stands for anything but `.` and `/`, `**` for anything, `?` for one character of the former.
 *
 * Naive: a regular expression; it tries every way to split the text among the stars, so a pattern with four `**` takes years for a text of
 * two thousand characters, and the text is a stranger's. Here all places in the pattern that the text so far may have reached move on
 * together: pattern × text steps, whatever they are.
 */
const globPattern = (glob: string): Glob => {
  const parts = glob.split(/(\*\*|\*|\?)/).flatMap((part) => (STARS.has(part) ? [part] : [...part]))
  return (text) => {
    let reached = withStars(parts, new Set([0]))
    for (const character of text) {
      reached = withStars(parts, moved(parts, reached, character))
      if (reached.size === 0) return false
    }
    return reached.has(parts.length)
  }
}

type Glob = (text: string) => boolean

const STARS: ReadonlySet<string> = new Set(['**', '*', '?'])

/** A star may stand for nothing: whoever is before it is behind it too. */
const withStars = (parts: readonly string[], places: Set<number>): Set<number> => {
  // A set is walked in the order of insertion, also over what is added meanwhile.
  for (const place of places) if (parts[place] === '*' || parts[place] === '**') places.add(place + 1)
  return places
}

const moved = (parts: readonly string[], places: ReadonlySet<number>, character: string): Set<number> => {
  const plain = character !== '.' && character !== '/'
  const next = new Set<number>()
  for (const place of places) {
    const part = parts[place]
    if (part === '**' || (part === '*' && plain)) next.add(place)
    else if (part === '?' ? plain : part === character) next.add(place + 1)
  }
  return next
}
