/**
 * What to answer when somebody asks for an object's bytes: status, headers and which bytes. Pure, and the same for every dialect.
 *
 * Users upload what they like, and it is served from the origin of the API: nothing that a browser would run may run here.
 */
import type { ByteRange } from './blob-store.ts'
import { isDocument, isMediaType, isPassive, isScript, UNKNOWN_TYPE } from './media-types.ts'
import { parseRange } from './ranges.ts'
import type { StoredObject } from './types.ts'

/** Request headers by lower-case name, as Node gives them. */
export type RequestHeaders = Readonly<Record<string, string | string[] | undefined>>

export interface ServeRequest {
  readonly headers: RequestHeaders
  /** To be saved instead of shown: a file name, or '' for the object's own. */
  readonly download?: string | undefined
}

export interface ServePlan {
  readonly status: 200 | 206 | 304 | 412 | 416
  readonly headers: Readonly<Record<string, string>>
  /** The bytes to send: all of them (null), some, or none. */
  readonly range: ByteRange | null
  /** Whether there is a body at all, for a GET. */
  readonly body: boolean
}

/** `size` is what the blob store has, which wins over what the row says. */
export const planServe = (object: StoredObject, size: number, request: ServeRequest): ServePlan => {
  const validators = validatorsOf(object)
  const common = { ...validators.headers, 'cache-control': cacheControlOf(object), 'accept-ranges': 'bytes' }
  const precondition = preconditionOf(request.headers, validators)
  if (precondition !== null) return { status: precondition, headers: common, range: null, body: false }
  const headers = { ...common, ...contentHeaders(object, request.download) }
  const range = rangeOf(request.headers, validators, size)
  if (range === 'unsatisfiable') {
    return { status: 416, headers: { 'content-range': `bytes */${size}` }, range: null, body: false }
  }
  if (range === null)
    return { status: 200, headers: { ...headers, 'content-length': `${size}` }, range: null, body: true }
  const length = range.end - range.start + 1
  return {
    status: 206,
    headers: {
      ...headers,
      'content-length': `${length}`,
      'content-range': `bytes ${range.start}-${range.end}/${size}`,
    },
    range,
    body: true,
  }
}

/** Whether conditions in these headers (If-Match and the like, as a GET would send them) hold for the object. */
export const meetsConditions = (object: StoredObject, headers: RequestHeaders): boolean =>
  preconditionOf(headers, validatorsOf(object)) === null

interface Validators {
  readonly etag: string | null
  /** Whole seconds, as HTTP dates are. */
  readonly modified: number | null
  readonly headers: Readonly<Record<string, string>>
}

const ETAG = /^(?:W\/)?"[\x21\x23-\x7e]*"$/

const validatorsOf = ({ metadata, updatedAt }: StoredObject): Validators => {
  const etag = typeof metadata?.eTag === 'string' && ETAG.test(metadata.eTag) ? metadata.eTag : null
  const time = Date.parse(typeof metadata?.lastModified === 'string' ? metadata.lastModified : updatedAt)
  const modified = Number.isFinite(time) ? Math.floor(time / 1000) : null
  return {
    etag,
    modified,
    headers: {
      ...(etag === null ? {} : { etag }),
      ...(modified === null ? {} : { 'last-modified': new Date(modified * 1000).toUTCString() }),
    },
  }
}

const CACHE_CONTROL = /^[\w\-=," ]{1,200}$/

/** Whether `value` can be sent back as Cache-Control. */
export const isCacheControl = (value: string): boolean => CACHE_CONTROL.test(value)

const cacheControlOf = ({ metadata }: StoredObject): string => {
  const value = metadata?.cacheControl
  return typeof value === 'string' && isCacheControl(value) ? value : 'no-cache'
}

/** The conditional headers in the order of RFC 9110, 13.2.2. Null when the request goes on. */
const preconditionOf = (headers: RequestHeaders, { etag, modified }: Validators): 304 | 412 | null => {
  const ifMatch = text(headers['if-match'])
  const unmodifiedSince = secondsOf(text(headers['if-unmodified-since']))
  if (ifMatch !== undefined) {
    if (!listHas(ifMatch, etag, 'strong')) return 412
  } else if (unmodifiedSince !== null && modified !== null && modified > unmodifiedSince) return 412
  const ifNoneMatch = text(headers['if-none-match'])
  if (ifNoneMatch !== undefined) return listHas(ifNoneMatch, etag, 'weak') ? 304 : null
  const modifiedSince = secondsOf(text(headers['if-modified-since']))
  return modifiedSince !== null && modified !== null && modified <= modifiedSince ? 304 : null
}

const listHas = (list: string, etag: string | null, comparison: 'strong' | 'weak'): boolean => {
  if (list.trim() === '*') return true
  if (etag === null) return false
  if (comparison === 'strong' && etag.startsWith('W/')) return false
  const opaque = (tag: string) => tag.replace(/^W\//, '')
  return list
    .split(',', 100)
    .map((tag) => tag.trim())
    .some((tag) => (comparison === 'strong' ? tag === etag : opaque(tag) === opaque(etag)))
}

const rangeOf = (headers: RequestHeaders, { etag, modified }: Validators, size: number) => {
  const ifRange = text(headers['if-range'])?.trim()
  if (ifRange !== undefined) {
    const same = ifRange.includes('"')
      ? ifRange === etag && !ifRange.startsWith('W/')
      : modified !== null && secondsOf(ifRange) === modified
    if (!same) return null
  }
  return parseRange(text(headers.range), size)
}

const contentHeaders = (object: StoredObject, download: string | undefined): Record<string, string> => {
  const declared = object.metadata?.mimetype
  const type = typeof declared === 'string' && isMediaType(declared) ? declared : UNKNOWN_TYPE
  const name = download === undefined || download === '' ? (object.name.split('/').at(-1) ?? '') : download
  const save = download !== undefined || isDocument(type)
  return {
    // As plain text, `<script src>`, `import` and a service worker all refuse it.
    'content-type': isScript(type) ? 'text/plain; charset=utf-8' : type,
    'x-content-type-options': 'nosniff',
    // The address of a picture is meant for other sites' pages, whatever the defaults of this server.
    'cross-origin-resource-policy': 'cross-origin',
    ...(isPassive(type) ? {} : { 'content-security-policy': LOCKED_UP }),
    ...(save ? { 'content-disposition': attachment(name) } : {}),
  }
}

/** No scripts, no forms, no frames, no requests, an origin of its own; a drawing keeps its inline styles. */
const LOCKED_UP = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'; base-uri 'none'"

/** Content-Disposition with a name of any script: RFC 5987 for those who know it, the nearest ASCII for the others. */
export const attachment = (name: string): string => {
  const clean = name.replace(/[\p{Cc}/\\\u202a-\u202e\u2066-\u2069]|\p{Surrogate}/gu, '_').slice(0, 255)
  if (clean === '') return 'attachment'
  // The cut may have split a pair.
  const whole = clean.replace(/\p{Surrogate}/gu, '')
  const ascii = whole.replace(/[^\x20-\x7e]|["%]/gu, '_')
  return `attachment; filename="${ascii}"; filename*=UTF-8''${extendedValue(whole)}`
}

const extendedValue = (value: string): string =>
  encodeURIComponent(value).replace(/['()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)

const text = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value.join(', ') : value

const secondsOf = (date: string | undefined): number | null => {
  const time = date === undefined ? Number.NaN : Date.parse(date)
  return Number.isFinite(time) ? Math.floor(time / 1000) : null
}
