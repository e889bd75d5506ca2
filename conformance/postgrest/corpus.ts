/** The cases as data: reading them, and comparing an answer with what a case expects. */
import { readdirSync, readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import type { RestConfig } from '../../packages/server/src/dialects/supabase/rest/config.ts'

export interface Case {
  /** Method, blank, path with query. Only what a URL cannot hold needs escaping. */
  readonly request: string
  /** Whether the request is answered or refused. */
  readonly side: 'happy' | 'refused'
  readonly headers?: Readonly<Record<string, string>>
  /** An object or array is sent as JSON, text as it is. */
  readonly body?: unknown
  /** Database role; `anon` by default. */
  readonly role?: string
  /** Claim `sub` of the caller. */
  readonly sub?: string
  /** The schema that it asks about; the first one by default. A feature may say it for all of its cases. */
  readonly schema?: string
  /** Settings that differ from the corpus's own. */
  readonly config?: Partial<RestConfig>
  /** Really commit; every other case is undone. */
  readonly commit?: boolean
  /** Why the case is not run. */
  readonly skip?: string
  readonly expect: Expectation
}

export interface Expectation {
  readonly status: number
  /** Exactly this JSON. */
  readonly body?: unknown
  /** Exactly this text. */
  readonly text?: string
  /** At least these members. */
  readonly contains?: Readonly<Record<string, unknown>>
  /** Values inside the JSON body by their pointers (RFC 6901); null: nothing is there. */
  readonly at?: Readonly<Record<string, unknown>>
  /** The `id` of each row, in order. */
  readonly ids?: readonly unknown[]
  /** Number of rows. */
  readonly count?: number
  /** Text that occurs in the body. */
  readonly includes?: string
  /** Null: the header must be absent. */
  readonly headers?: Readonly<Record<string, string | null>>
  /** Patterns that headers fit. */
  readonly like?: Readonly<Record<string, string>>
}

export interface Feature {
  readonly feature: string
  readonly cases: readonly Case[]
}

const folder = new URL('./cases/', import.meta.url)

export const readCorpus = (): readonly Feature[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .flatMap((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as (Feature & Pick<Case, 'schema'>)[])
    .map(({ feature, schema, cases }) => ({
      feature,
      cases: schema === undefined ? cases : cases.map((each) => ({ schema, ...each })),
    }))

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
}

/** What is wrong with an answer, one line each; empty when all is as expected. */
export const differences = (answer: Answer, expected: Expectation): readonly string[] => {
  const problems: string[] = []
  const check = (what: string, actual: unknown, wanted: unknown): void => {
    if (!isDeepStrictEqual(actual, wanted))
      problems.push(`${what}: got ${JSON.stringify(actual)}, expected ${JSON.stringify(wanted)}`)
  }
  check('status', answer.status, expected.status)
  const json = (): unknown => parse(answer.text)
  if (expected.text !== undefined) check('text', answer.text, expected.text)
  if (expected.body !== undefined) check('body', json(), expected.body)
  if (expected.ids !== undefined)
    check(
      'ids',
      rows(json()).map((row) => row.id),
      expected.ids,
    )
  if (expected.count !== undefined) check('rows', rows(json()).length, expected.count)
  for (const [key, wanted] of Object.entries(expected.contains ?? {})) check(key, member(json(), key), wanted)
  for (const [pointer, wanted] of Object.entries(expected.at ?? {})) check(pointer, valueAt(json(), pointer), wanted)
  if (expected.includes !== undefined && !answer.text.includes(expected.includes))
    problems.push(`body lacks ${JSON.stringify(expected.includes)}`)
  for (const [name, wanted] of Object.entries(expected.headers ?? {})) check(name, answer.headers[name] ?? null, wanted)
  for (const [name, pattern] of Object.entries(expected.like ?? {}))
    if (!new RegExp(`^${pattern}$`).test(String(answer.headers[name])))
      problems.push(`${name}: ${JSON.stringify(answer.headers[name])} is not like ${pattern}`)
  if (problems.length > 0) problems.push(`answer: ${answer.text.slice(0, 400)}`)
  return problems
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const rows = (json: unknown): readonly Record<string, unknown>[] =>
  Array.isArray(json) ? json.filter((each) => typeof each === 'object' && each !== null) : []

const valueAt = (json: unknown, pointer: string): unknown =>
  pointer
    .split('/')
    .slice(1)
    .reduce((value, part) => member(value, part.replaceAll('~1', '/').replaceAll('~0', '~')), json) ?? null

const member = (json: unknown, key: string): unknown =>
  typeof json === 'object' && json !== null ? Reflect.get(json, key) : undefined
