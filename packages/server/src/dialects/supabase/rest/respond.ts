/** The HTTP answer: status, headers and body of an outcome, with what SQL itself asked for on top. */

import { resultShape } from '../../../data/compile-call.ts'
import type { Outcome } from '../../../data/execute.ts'
import { isObject, parseJson } from '../../../kernel/json.ts'
import type { Action } from './action.ts'
import { notSingular, RestError } from './errors.ts'
import { appliedPreferences, type Preferences } from './prefer.ts'
import type { RestRequest } from './request.ts'

/** A longer Content-Location is left out: Node's clients refuse answers with more than 16 KiB of headers, and requests may be longer. */
const MAX_LOCATION = 8_192

export interface HttpAnswer {
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string | Buffer | null
}

/** Turns the outcome into an answer. Throws for ranges and counts that cannot be satisfied. */
export const respond = (
  rest: RestRequest,
  action: Action,
  outcome: Outcome,
  honoured: Partial<Preferences>,
): HttpAnswer => {
  const headers: [string, string][] = []
  const { status, body } = statusAndBody(rest, action, outcome, headers)
  if (rest.negotiatedProfile) headers.push(['Content-Profile', rest.schema])
  const applied = appliedPreferences(honoured)
  if (applied !== null) headers.push(['Preference-Applied', applied])
  return withSettings({ status, headers, body: rest.method === 'HEAD' ? null : body }, outcome)
}

type Partially = Pick<HttpAnswer, 'status' | 'body'>

const statusAndBody = (rest: RestRequest, action: Action, outcome: Outcome, headers: [string, string][]): Partially => {
  const { request } = action
  const content = bodyOf(action, outcome)
  switch (request.kind) {
    case 'read':
    case 'call':
      return readAnswer(rest, action, outcome, headers)
    case 'insert':
      headers.push(['Content-Range', contentRange(1n, 0n, outcome.total)])
      if (outcome.location !== null) headers.push(['Location', locationOf(rest, outcome.location)])
      return writeAnswer(
        { full: createdStatus(action, outcome), minimal: createdStatus(action, outcome) },
        action,
        content,
        headers,
      )
    case 'replace':
      if (outcome.rows !== 1) {
        throw new RestError(400, {
          code: 'PGRST115',
          message: 'Payload values do not match URL in primary key column(s)',
        })
      }
      return writeAnswer(
        { full: outcome.inserted === 0 ? 200 : 201, minimal: outcome.inserted === 0 ? 204 : 201 },
        action,
        content,
        headers,
      )
    case 'update':
      headers.push(['Content-Range', contentRange(0n, BigInt(outcome.rows) - 1n, outcome.total)])
      return writeAnswer({ full: 200, minimal: 204 }, action, content, headers)
    case 'delete':
      headers.push(['Content-Range', contentRange(1n, 0n, outcome.total)])
      return writeAnswer({ full: 200, minimal: 204 }, action, content, headers)
  }
}

const bodyOf = ({ output, called }: Action, outcome: Outcome): string | Buffer => {
  const binary = (output.shape.kind === 'scalar' || output.shape.kind === 'aggregate') && output.shape.binary
  if (binary) return Buffer.from(outcome.body, 'base64')
  return called !== null && resultShape(called) === 'void' ? '' : outcome.body
}

const createdStatus = ({ request }: Action, { inserted }: Outcome): number =>
  request.kind === 'insert' && request.conflict?.action === 'merge' && inserted === 0 ? 200 : 201

const writeAnswer = (
  statuses: { readonly full: number; readonly minimal: number },
  { output, representation }: Action,
  body: string | Buffer,
  headers: [string, string][],
): Partially => {
  if (output.shape.kind === 'none') return { status: statuses.minimal, body: null }
  headers.push(['Content-Type', representation.contentType])
  return { status: statuses.full, body }
}

const readAnswer = (rest: RestRequest, action: Action, outcome: Outcome, headers: [string, string][]): Partially => {
  const { request, representation, called } = action
  const node = request.kind === 'read' || request.kind === 'call' ? request.node : null
  const from = node?.offset ?? 0n
  const { total } = outcome
  // More rows than asked for or none: a read has nothing to undo, so it is told here.
  if (representation.single && request.kind === 'read' && outcome.rows !== 1) throw notSingular(outcome.rows)
  if (total !== null && from > total && node?.limit !== 0n) throw outOfBounds(from, total)
  const to = from + BigInt(outcome.rows) - 1n
  const voidCall = called !== null && resultShape(called) === 'void'
  headers.push(['Content-Range', contentRange(from, to, total)])
  if (request.kind === 'read' && rest.location.length <= MAX_LOCATION) headers.push(['Content-Location', rest.location])
  if (voidCall) return { status: 204, body: null }
  headers.push(['Content-Type', representation.contentType])
  const status = total !== null && 1n + to - from < total ? 206 : 200
  return { status, body: bodyOf(action, outcome) }
}

const outOfBounds = (from: bigint, total: bigint): RestError =>
  new RestError(416, {
    code: 'PGRST103',
    message: 'Requested range not satisfiable',
    details: `An offset of ${from} was requested, but there are only ${total} rows.`,
  })

export const contentRange = (from: bigint, to: bigint, total: bigint | null): string => {
  const range = total !== 0n && from <= to ? `${from}-${to}` : '*'
  return `${range}/${total ?? '*'}`
}

const locationOf = (rest: RestRequest, key: readonly (string | null)[]): string => {
  const pairs: string[] = []
  for (let at = 0; at + 1 < key.length; at += 2) {
    const value = key[at + 1]
    pairs.push(
      `${encodeURIComponent(key[at] ?? '')}=${value === null || value === undefined ? 'is.null' : `eq.${encodeURIComponent(value)}`}`,
    )
  }
  const name = rest.resource.kind === 'relation' ? rest.resource.name : ''
  return `/${encodeURIComponent(name)}?${pairs.join('&')}`
}

// --- response.headers and response.status

const withSettings = (answer: HttpAnswer, outcome: Outcome): HttpAnswer => {
  if (outcome.headers === null && outcome.status === null) return answer
  const extra = outcome.headers === null ? [] : readHeaders(outcome.headers)
  const status = outcome.status === null ? answer.status : readStatus(outcome.status)
  const overridden = new Set(extra.map(([name]) => name.toLowerCase()))
  const kept = answer.headers.filter(([name]) => !overridden.has(name.toLowerCase()))
  // The HTTP server adds a character set to texts whose type names none; bytes it leaves alone.
  const ownType = overridden.has('content-type') && typeof answer.body === 'string'
  const body = ownType ? Buffer.from(answer.body) : answer.body
  return { status, headers: [...kept, ...extra], body }
}

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
// Visible characters, blanks and bytes above ASCII; no line breaks.
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

const readHeaders = (text: string): readonly (readonly [string, string])[] => {
  const problem = new RestError(500, {
    code: 'PGRST111',
    message: 'response.headers guc must be a JSON array composed of objects with a single key and a string value',
  })
  const list = parseJson(text)
  if (!Array.isArray(list)) throw problem
  return list.map((each: unknown) => {
    const [entry, ...others] = isObject(each) ? Object.entries(each) : []
    const [name, value] = entry ?? []
    const usable =
      others.length === 0 && typeof value === 'string' && HEADER_NAME.test(name ?? '') && HEADER_VALUE.test(value)
    if (!usable || name === undefined) throw problem
    return [name, value] as const
  })
}

const readStatus = (text: string): number => {
  const status = Number(text)
  if (/^\d{3}$/.test(text) && status >= 100 && status <= 599) return status
  throw new RestError(500, { code: 'PGRST112', message: 'response.status guc must be a valid status code' })
}
