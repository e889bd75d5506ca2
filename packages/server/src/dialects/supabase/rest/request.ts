/** What a request is about, before the schema is looked at: resource, profile, preferences, accepted types. */
import type { FastifyRequest } from 'fastify'
import type { RestConfig } from './config.ts'
import { RestError } from './errors.ts'
import { type MediaType, parseAccept } from './media.ts'
import { looksLikeFilter } from './parse/filter.ts'
import { type Pairs, parseParameters } from './parse/params.ts'
import { mentionsTimeZone, type Preferences, parsePrefer, refuseInvalid } from './prefer.ts'

export type Resource =
  | { readonly kind: 'root' }
  | { readonly kind: 'relation'; readonly name: string }
  | { readonly kind: 'function'; readonly name: string }

export interface RestRequest {
  readonly method: string
  readonly resource: Resource
  /** The path below the dialect's prefix. */
  readonly path: string
  readonly schema: string
  /** Several schemas are exposed, so the answer says which one it was. */
  readonly negotiatedProfile: boolean
  readonly pairs: Pairs
  /** The same resource and parameters in a canonical form, for Content-Location. */
  readonly location: string
  readonly preferences: Preferences
  readonly accepted: readonly MediaType[]
  readonly contentType: string | undefined
  readonly body: Buffer
  readonly headers: Readonly<Record<string, string>>
  /** From a Range header: rows from, to (null: to the end). */
  readonly range: { readonly from: bigint; readonly to: bigint | null } | null
}

const EMPTY = Buffer.alloc(0)

export const readRequest = async (
  request: FastifyRequest,
  prefix: string,
  config: RestConfig,
  timeZones: () => Promise<ReadonlySet<string>>,
): Promise<RestRequest> => {
  const [rawPath = '', query = ''] = splitOnce(request.raw.url ?? '', '?')
  const path = rawPath.slice(prefix.length) || '/'
  const headers = plainHeaders(request)
  const method = methodOf(request.method, headers)
  const resource = resourceOf(path)
  const schema = schemaOf(method, headers, config)
  const prefer = headers.prefer
  const zones = mentionsTimeZone(prefer) ? await timeZones() : new Set<string>()
  const pairs = withoutKey(parseParameters(query))
  const preferences = parsePrefer(prefer, (name) => zones.has(name))
  refuseInvalid(preferences)
  return {
    method,
    resource,
    path,
    schema,
    negotiatedProfile: config.schemas.length > 1,
    pairs,
    location: locationOf(resource, pairs),
    preferences,
    accepted: parseAccept(headers.accept),
    contentType: headers['content-type'],
    body: Buffer.isBuffer(request.body) ? request.body : EMPTY,
    headers,
    // RFC 9110 §14.2: other methods do not know ranges.
    range: method === 'GET' ? rangeOf(headers.range) : null,
  }
}

/** `?apikey=…` is how a browser's address bar brings a key: it was looked at before, and asks for nothing. */
const withoutKey = (pairs: Pairs): Pairs =>
  pairs.some(([name]) => name === 'apikey')
    ? pairs.filter(([name, value]) => name !== 'apikey' || looksLikeFilter(value))
    : pairs

/** Parameters sorted by name. */
const locationOf = (resource: Resource, pairs: Pairs): string => {
  const name = resource.kind === 'relation' ? resource.name : ''
  const sorted = [...pairs].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  const query = sorted.map(([key, value]) => `${escaped(key)}=${escaped(value)}`).join('&')
  return `/${encodeURIComponent(name)}${query === '' ? '' : `?${query}`}`
}

/** All but letters, digits and `-_.~` (RFC 3986, unreserved). */
const escaped = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)

const splitOnce = (text: string, separator: string): readonly [string, string] => {
  const at = text.indexOf(separator)
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

/** Headers by lower-case name, repeated ones joined. */
export const plainHeaders = (request: FastifyRequest): Readonly<Record<string, string>> => {
  // Node joins all others itself; without this one there is nothing to copy.
  if (request.headers['set-cookie'] === undefined) return request.headers as Record<string, string>
  const headers: Record<string, string> = Object.create(null)
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value
  }
  return headers
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
const OVERRIDES = new Set(['PUT', 'PATCH', 'DELETE'])

/** A mini-program cannot send PATCH: POST with an override is taken for it. */
const methodOf = (method: string, headers: Readonly<Record<string, string>>): string => {
  const wanted = headers['x-http-method-override']?.trim().toUpperCase()
  if (method === 'POST' && wanted !== undefined && OVERRIDES.has(wanted)) return wanted
  if (!METHODS.has(method)) {
    throw new RestError(405, { code: 'PGRST117', message: `Unsupported HTTP method: ${method}` })
  }
  return method
}

const invalidPath = (): RestError =>
  new RestError(404, { code: 'PGRST125', message: 'Invalid path specified in request URL' })

const resourceOf = (path: string): Resource => {
  const segments = path.split('/').slice(1).map(decodeSegment)
  const [first = '', second, ...more] = segments
  if (more.length > 0 || segments.some((segment) => segment.includes('\0'))) throw invalidPath()
  if (first === '' && second === undefined) return { kind: 'root' }
  if (first === 'rpc' && second !== undefined && second !== '') return { kind: 'function', name: second }
  if (first === '' || (second !== undefined && second !== '')) throw invalidPath()
  return { kind: 'relation', name: first }
}

const decodeSegment = (segment: string): string => {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw invalidPath()
  }
}

const schemaOf = (method: string, headers: Readonly<Record<string, string>>, config: RestConfig): string => {
  const reading = method === 'GET' || method === 'HEAD'
  const wanted = (reading ? headers['accept-profile'] : headers['content-profile'])?.trim()
  const [first = 'public'] = config.schemas
  if (wanted === undefined || wanted === '') return first
  if (config.schemas.includes(wanted)) return wanted
  throw new RestError(406, {
    code: 'PGRST106',
    message: `Invalid schema: ${wanted}`,
    hint: `Only the following schemas are exposed: ${config.schemas.join(', ')}`,
  })
}

const RANGE = /^(?:items=)?(\d{1,19})-(\d{0,19})$/

/** Anything else than a range of rows is ignored, as HTTP asks for unknown units. */
const rangeOf = (header: string | undefined): RestRequest['range'] => {
  const match = RANGE.exec(header?.trim() ?? '')
  if (match === null) return null
  const [, from = '0', to = ''] = match
  const range = { from: BigInt(from), to: to === '' ? null : BigInt(to) }
  if (range.to !== null && range.from > range.to) {
    throw new RestError(416, {
      code: 'PGRST103',
      message: 'Requested range not satisfiable',
      details: 'The lower boundary must be lower than or equal to the upper boundary in the Range header.',
    })
  }
  return range
}
