/** Request bodies: JSON, CSV, forms and plain ones, each checked before anything reaches Postgres. */
import { isObject, type Json } from '../../../kernel/json.ts'
import { RestError } from './errors.ts'
import { parseMediaType } from './media.ts'
import { parsePairs } from './parse/params.ts'

export interface TabularBody {
  readonly json: string
  readonly columns: readonly string[]
}

const invalid = (message: string): RestError => new RestError(400, { code: 'PGRST102', message })

/** Deeper JSON than this is refused: Postgres would run out of stack on it. */
const MAX_JSON_DEPTH = 500

const utf8 = new TextDecoder('utf-8', { fatal: true })

export const bodyText = (body: Buffer): string => {
  try {
    return utf8.decode(body)
  } catch {
    throw invalid('Empty or invalid json')
  }
}

const parseBody = (text: string): Json => {
  if (jsonDepth(text) > MAX_JSON_DEPTH) throw invalid(`The JSON is nested more than ${MAX_JSON_DEPTH} levels deep`)
  try {
    // What JSON.parse returns is by definition Json.
    return JSON.parse(text) as Json
  } catch {
    throw invalid('Empty or invalid json')
  }
}

/** The deepest nesting, brackets inside strings apart. */
const jsonDepth = (text: string): number => {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (inString) {
      if (code === 0x5c) at += 1
      else if (code === 0x22) inString = false
    } else if (code === 0x22) inString = true
    else if (code === 0x5b || code === 0x7b) deepest = Math.max(deepest, ++depth)
    else if (code === 0x5d || code === 0x7d) depth -= 1
  }
  return deepest
}

/** Rows to write. With `columns` the keys of the body do not matter and need not agree. */
export const readRows = (
  body: Buffer,
  contentType: string | undefined,
  columns: readonly string[] | null,
): TabularBody => {
  const type = parseMediaType(contentType ?? 'application/json').name
  switch (type) {
    case 'application/json':
    case '':
      return jsonRows(bodyText(body), columns)
    case 'text/csv':
      return jsonRows(JSON.stringify(csvRows(bodyText(body))), columns, 'All lines must have same number of fields')
    case 'application/x-www-form-urlencoded': {
      const pairs = parsePairs(bodyText(body))
      return jsonRows(JSON.stringify(Object.fromEntries(pairs)), columns)
    }
    default:
      throw invalid(`Content-Type not acceptable: ${type}`)
  }
}

const jsonRows = (
  text: string,
  columns: readonly string[] | null,
  uneven = 'All object keys must match',
): TabularBody => {
  const parsed = parseBody(text)
  if (columns !== null) return { json: text, columns }
  if (isObject(parsed)) return { json: text, columns: Object.keys(parsed) }
  // Anything else writes nothing, as an empty array does.
  if (!Array.isArray(parsed)) return { json: '[]', columns: [] }
  const [first, ...others] = parsed as readonly Json[]
  if (first === undefined) return { json: '[]', columns: [] }
  if (!isObject(first)) throw invalid(uneven)
  const keys = Object.keys(first)
  const wanted = new Set(keys)
  for (const other of others) {
    const same =
      isObject(other) && Object.keys(other).length === keys.length && Object.keys(other).every((key) => wanted.has(key))
    if (!same) throw invalid(uneven)
  }
  return { json: text, columns: keys }
}

/** RFC 4180. `NULL` is null; every other field is text. */
const csvRows = (text: string): readonly Record<string, string | null>[] => {
  const [header, ...lines] = csvLines(text)
  if (header === undefined) throw invalid('not enough input')
  return lines.map((line) => {
    if (line.length !== header.length) throw invalid('All lines must have same number of fields')
    // Without a prototype a column may be called anything.
    const row: Record<string, string | null> = Object.create(null)
    header.forEach((name, index) => {
      const value = line[index] ?? ''
      row[name] = value === 'NULL' ? null : value
    })
    return row
  })
}

const csvLines = (text: string): string[][] => {
  const lines: string[][] = []
  let line: string[] = []
  let at = 0
  while (at < text.length) {
    const field = csvField(text, at)
    line.push(field.value)
    at = field.end
    if (text.charAt(at) === ',') {
      at += 1
      if (at === text.length) line.push('')
      continue
    }
    if (at < text.length && !'\r\n'.includes(text.charAt(at)))
      throw invalid('Failed reading: characters after a quoted field')
    at += text.startsWith('\r\n', at) ? 2 : 1
    lines.push(line)
    line = []
  }
  if (line.length > 0) lines.push(line)
  return lines
}

const csvField = (text: string, start: number): { readonly value: string; readonly end: number } => {
  if (text.charAt(start) !== '"') {
    let end = start
    while (end < text.length && !',\n\r'.includes(text.charAt(end))) end += 1
    return { value: text.slice(start, end), end }
  }
  const parts: string[] = []
  let at = start + 1
  for (;;) {
    const quote = text.indexOf('"', at)
    if (quote === -1) throw invalid('Failed reading: unterminated quoted field')
    parts.push(text.slice(at, quote))
    if (text.charAt(quote + 1) !== '"') return { value: parts.join(''), end: quote + 1 }
    parts.push('"')
    at = quote + 2
  }
}

/** Arguments of a function call. */
export type CallBody =
  | { readonly kind: 'json'; readonly json: string; readonly keys: readonly string[] }
  | { readonly kind: 'named'; readonly values: readonly (readonly [string, string])[] }
  | { readonly kind: 'body'; readonly body: string | Uint8Array; readonly types: readonly string[] }

export const readArguments = (
  body: Buffer,
  contentType: string | undefined,
  columns: readonly string[] | null,
): CallBody => {
  const type = parseMediaType(contentType ?? 'application/json').name
  switch (type) {
    case 'application/json':
    case '':
      return jsonArguments(body.length === 0 ? '{}' : bodyText(body), columns)
    case 'application/x-www-form-urlencoded':
      return { kind: 'named', values: parsePairs(bodyText(body)) }
    case 'text/csv':
      return jsonArguments(JSON.stringify(csvRows(bodyText(body))), columns)
    case 'text/plain':
      return { kind: 'body', body: bodyText(body), types: ['text'] }
    case 'text/xml':
    case 'application/xml':
      return { kind: 'body', body: bodyText(body), types: ['xml'] }
    case 'application/octet-stream':
      return { kind: 'body', body, types: ['bytea'] }
    default:
      throw invalid(`Content-Type not acceptable: ${type}`)
  }
}

const jsonArguments = (text: string, columns: readonly string[] | null): CallBody => {
  const parsed = parseBody(text)
  if (columns !== null) return { kind: 'json', json: text, keys: columns }
  return { kind: 'json', json: text, keys: isObject(parsed) ? Object.keys(parsed) : [] }
}
