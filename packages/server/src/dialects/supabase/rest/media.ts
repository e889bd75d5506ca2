/** Media types: what a client accepts, what a body is, and what the answer will be. */
import type { OutputShape } from '../../../data/query.ts'
import { RestError } from './errors.ts'

export interface MediaType {
  /** Lower case, without parameters: `text/csv`. */
  readonly name: string
  readonly parameters: ReadonlyMap<string, string>
}

const MAX_TYPES = 50

/** Accept, best first. Equal weights keep their order. */
export const parseAccept = (header: string | undefined): readonly MediaType[] => {
  if (header === undefined || header.trim() === '') return [{ name: '*/*', parameters: new Map() }]
  return splitOutsideQuotes(header, ',')
    .slice(0, MAX_TYPES)
    .map(parseMediaType)
    .filter((type) => type.name !== '')
    .map((type) => ({ type, weight: Number(type.parameters.get('q') ?? '1') }))
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight)
    .map(({ type }) => type)
}

export const parseMediaType = (text: string): MediaType => {
  const [name = '', ...parameters] = splitOutsideQuotes(text, ';')
  const pairs = parameters.map((parameter) => {
    const at = parameter.indexOf('=')
    const value = at === -1 ? '' : parameter.slice(at + 1).trim()
    return [
      parameter
        .slice(0, at === -1 ? undefined : at)
        .trim()
        .toLowerCase(),
      value.replace(/^"(.*)"$/, '$1'),
    ] as const
  })
  return { name: name.trim().toLowerCase(), parameters: new Map(pairs) }
}

const splitOutsideQuotes = (text: string, separator: string): string[] => {
  const parts: string[] = []
  let start = 0
  let quoted = false
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at)
    if (char === '"') quoted = !quoted
    else if (char === separator && !quoted) {
      parts.push(text.slice(start, at))
      start = at + 1
    }
  }
  return [...parts, text.slice(start)]
}

/** How an answer is made and labelled. */
export interface Representation {
  readonly shape: OutputShape
  readonly contentType: string
  /** The plan instead of the rows. */
  readonly plan: PlanRequest | null
  readonly single: boolean
}

export interface PlanRequest {
  readonly format: 'json' | 'text'
  readonly flags: readonly string[]
}

/** A media type that the database itself makes, see `handlers.ts`. */
export type FindHandler = (mediaType: string) => { readonly shape: OutputShape; readonly contentType: string } | null

const CHARSET = '; charset=utf-8'
const STRIPPED = ';nulls=stripped'

const builtin = (shape: OutputShape, type: string): Representation => ({
  shape,
  contentType: `${type}${CHARSET}`,
  plan: null,
  single: shape.kind === 'object',
})

const JSON_ARRAY = builtin({ kind: 'array', stripNulls: false }, 'application/json')

/** The first acceptable type that can be made. */
export const negotiate = (
  accepted: readonly MediaType[],
  options: { readonly plans: boolean; readonly handler: FindHandler },
): Representation => {
  for (const type of accepted) {
    const found = representationOf(type, options)
    if (found !== null) return found
  }
  throw notAcceptable(accepted)
}

export const notAcceptable = (accepted: readonly MediaType[]): RestError =>
  new RestError(406, {
    code: 'PGRST107',
    message: `None of these media types are available: ${accepted.map(spelled).join(', ')}`,
  })

/** A plan says what it is the plan of. */
const spelled = ({ name, parameters }: MediaType): string => {
  if (!name.startsWith('application/vnd.pgrst.plan')) return name
  const options = parameters.get('options')
  const full = name.includes('+') ? name : `${name}+text`
  return `${full}; for="${parameters.get('for') ?? 'application/json'}"${options ? `; options=${options}` : ''}`
}

const representationOf = (
  type: MediaType,
  options: { readonly plans: boolean; readonly handler: FindHandler },
): Representation | null => {
  const stripNulls = type.parameters.get('nulls') === 'stripped'
  switch (type.name) {
    case 'application/vnd.pgrst.object':
    case 'application/vnd.pgrst.object+json':
      return builtin({ kind: 'object', stripNulls }, `application/vnd.pgrst.object+json${stripNulls ? STRIPPED : ''}`)
    case 'application/vnd.pgrst.array':
    case 'application/vnd.pgrst.array+json':
      return stripNulls
        ? builtin({ kind: 'array', stripNulls }, `application/vnd.pgrst.array+json${STRIPPED}`)
        : JSON_ARRAY
    case 'application/vnd.pgrst.plan':
    case 'application/vnd.pgrst.plan+text':
    case 'application/vnd.pgrst.plan+json':
      return options.plans ? planRepresentation(type, options) : null
  }
  const custom = options.handler(type.name)
  if (custom !== null) return { ...custom, plan: null, single: false }
  switch (type.name) {
    case '*/*':
    case 'application/json':
      return JSON_ARRAY
    case 'text/csv':
      return builtin({ kind: 'csv' }, 'text/csv')
    case 'application/geo+json':
      return builtin({ kind: 'geojson' }, 'application/geo+json')
    default:
      return null
  }
}

const PLAN_FLAGS = ['analyze', 'verbose', 'settings', 'buffers', 'wal']

const planRepresentation = (
  type: MediaType,
  options: { readonly plans: boolean; readonly handler: FindHandler },
): Representation | null => {
  const planned = parseMediaType(type.parameters.get('for') ?? 'application/json')
  const inner = representationOf(planned, { ...options, plans: false })
  if (inner === null) return null
  const wanted = (type.parameters.get('options') ?? '').split('|')
  const flags = PLAN_FLAGS.filter((flag) => wanted.includes(flag))
  const format = type.name.endsWith('+json') ? 'json' : 'text'
  const label = flags.length === 0 ? '' : `; options=${flags.join('|')}`
  const forType = inner.contentType.replace(CHARSET, '')
  return {
    ...inner,
    single: false,
    contentType: `application/vnd.pgrst.plan+${format}; for="${forType}"${label}${CHARSET}`,
    plan: { format, flags },
  }
}
