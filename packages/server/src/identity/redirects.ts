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
      return patterns.some((pattern) => pattern.test(bare) || pattern.test(bare.replace(/\/$/, ''))) ? wanted : siteUrl
    },
  }
}

/** The same host, over the same protocol; a loopback site may move between ports while it is developed. */
const sameSite = (url: URL, site: URL): boolean =>
  url.protocol === site.protocol &&
  url.hostname === site.hostname &&
  (url.port === site.port || /^(127\.0\.0\.1|localhost|\[::1\])$/.test(url.hostname))

/** `*` stands for anything but `.` and `/`, `**` for anything, `?` for one character of the former. */
const globPattern = (glob: string): RegExp => {
  const body = glob
    .split(/(\*\*|\*|\?)/)
    .map((part) => {
      if (part === '**') return '.*'
      if (part === '*') return '[^./]*'
      if (part === '?') return '[^./]'
      return part.replace(/[\\^$.|+()[\]{}]/g, '\\$&')
    })
    .join('')
  return new RegExp(`^${body}$`)
}
