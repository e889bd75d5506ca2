/** Every HTTP endpoint with every bad input: refused in the words of its dialect, or answered because it is legitimate; never a 5xx, never slow. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestServer } from '../support/server.ts'
import { type Answer, ask, closeSockets, type Question } from './ask.ts'
import { ENDPOINTS, type Endpoint, SEGMENT_PATHS, TEXT_BODIES } from './endpoints.ts'
import { expectHealthy, signToken, startFixture } from './fixture.ts'
import { PROBES } from './probes.ts'
import { wrongWith } from './shapes.ts'
import { BODIES, CONTENT_TYPES, HEADERS, QUERIES, SEGMENTS, TEXTS } from './values.ts'
import { isLegitimate, nameOf, type Place } from './verdicts.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

let server: TestServer
let key: Readonly<Record<string, string>>
beforeAll(async () => {
  server = await startFixture()
  const { anonKey } = server.report
  key = { apikey: anonKey, authorization: `Bearer ${anonKey}` }
  const there = { method: 'POST', path: '/storage/v1/object/open/there.txt', headers: key, body: 'tea' }
  expect(await send(there)).toMatchObject({ status: 200 })
})
afterAll(async () => {
  closeSockets()
  await server.stop()
})

const send = (question: Question): Promise<Answer> => ask(server.report.url, question)

/** The request without bad input. Uploads replace, so that the second one is as right as the first. */
const right = (endpoint: Endpoint): Question => ({
  method: endpoint.method,
  path: endpoint.path,
  headers: { ...key, ...(endpoint.file ? { 'x-upsert': 'true' } : JSON_TYPE) },
  body: endpoint.body ?? (endpoint.file ? 'x' : undefined),
})

/** Asks with each input in one place of a request; answers what is wrong with the answers. */
const problems = async (
  endpoint: Endpoint,
  place: Place,
  inputs: Readonly<Record<string, (question: Question) => Question>>,
): Promise<readonly string[]> => {
  const expected = place === 'segment' || place === 'text' ? null : (await send(right(endpoint))).status
  const found: string[] = []
  for (const [input, change] of Object.entries(inputs)) {
    const answer = await send(change(right(endpoint)))
    const legitimate = isLegitimate(endpoint, place, input)
    const refusal = wrongWith(answer, endpoint.voice, endpoint.method)
    const good = legitimate
      ? answer.status === expected || (expected === null && answer.status < 300)
      : refusal === null
    if (!good)
      found.push(`${input}: ${legitimate ? `answered ${answer.status} ${answer.body.slice(0, 200)}` : refusal}`)
  }
  return found
}

/** A change of a request for each of some inputs. */
const each = <T>(inputs: Readonly<Record<string, T>>, change: (question: Question, input: T) => Question) =>
  Object.fromEntries(
    Object.entries(inputs).map(([name, input]) => [name, (question: Question) => change(question, input)]),
  )

const named = (endpoints: readonly Endpoint[]) => endpoints.map((endpoint) => [nameOf(endpoint), endpoint] as const)
const withBody = ENDPOINTS.filter(({ body, file, method }) => (body !== undefined || file) && method !== 'GET')

describe('a bad body', () => {
  it.each(named(withBody))('%s', async (_name, endpoint) => {
    const inputs = each(BODIES, (question, body) => ({
      ...question,
      headers: { ...question.headers, ...JSON_TYPE },
      body,
    }))
    expect(await problems(endpoint, 'body', inputs)).toEqual([])
  })
})

describe('a bad query', () => {
  it.each(named(ENDPOINTS))('%s', async (_name, endpoint) => {
    const inputs = each(QUERIES, (question, query) => ({
      ...question,
      path: `${question.path}${question.path.includes('?') ? '&' : '?'}${query}`,
    }))
    expect(await problems(endpoint, 'query', inputs)).toEqual([])
  })
})

describe('a bad header', () => {
  it.each(named(ENDPOINTS))('%s', async (_name, endpoint) => {
    const inputs = each(HEADERS, (question, headers) => ({ ...question, headers: { ...question.headers, ...headers } }))
    expect(await problems(endpoint, 'header', inputs)).toEqual([])
  })
})

describe('a content type that does not fit', () => {
  it.each(named(withBody))('%s', async (_name, endpoint) => {
    const types = Object.fromEntries(CONTENT_TYPES.map((type) => [type, type]))
    const inputs = each(types, (question, type) => ({
      ...question,
      headers: { ...question.headers, 'content-type': type },
    }))
    expect(await problems(endpoint, 'type', inputs)).toEqual([])
  })
})

describe('a bad segment of the path', () => {
  it.each(named(SEGMENT_PATHS))('%s', async (_name, endpoint) => {
    const inputs = each(SEGMENTS, (question, segment) => ({ ...question, path: question.path.replace('*', segment) }))
    expect(await problems(endpoint, 'segment', inputs)).toEqual([])
  })
})

describe('a bad text in a body', () => {
  it.each(named(TEXT_BODIES))('%s', async (_name, endpoint) => {
    const inputs = each(TEXTS, (question, text) => ({
      ...question,
      body: String(question.body).replaceAll('"*"', () => text),
    }))
    expect(await problems(endpoint, 'text', inputs)).toEqual([])
  })
})

describe('a bad input of its own kind', () => {
  it.each(PROBES.map((probe) => [`${probe.voice}: ${probe.what}`, probe] as const))('%s', async (_name, probe) => {
    const answer = await send({ ...probe, headers: { ...key, ...probe.headers } })
    if (probe.fine === undefined) expect(wrongWith(answer, probe.voice, probe.method)).toBeNull()
    else expect({ status: answer.status, body: answer.body.slice(0, 200) }).toMatchObject({ status: probe.fine })
  })
})

describe('a bad token', () => {
  const DAY = 86_400
  const SIGNED_BY_US = new Set(['a role that does not exist', 'the role of the owner'])
  const PLACES = [
    ['rest', '/rest/v1/item'],
    ['storage', '/storage/v1/bucket'],
    ['realtime', '/realtime/v1/api/broadcast'],
  ] as const
  const tokens = (): Readonly<Record<string, string>> => {
    const { anonKey, jwtSecret } = server.report
    const now = Math.floor(Date.now() / 1000)
    const claims = { role: 'anon', iss: 'teahouse' }
    const middle = Math.floor(anonKey.length / 2)
    return {
      'one byte changed': `${anonKey.slice(0, middle)}${anonKey[middle] === 'A' ? 'B' : 'A'}${anonKey.slice(middle + 1)}`,
      'the last byte changed': `${anonKey.slice(0, -2)}${anonKey.at(-2) === 'A' ? 'B' : 'A'}${anonKey.at(-1)}`,
      'expired yesterday': signToken(jwtSecret, { ...claims, exp: now - DAY }),
      'valid from tomorrow': signToken(jwtSecret, { ...claims, nbf: now + DAY, exp: now + 2 * DAY }),
      'no algorithm': `${signToken(jwtSecret, claims, { alg: 'none' }).split('.').slice(0, 2).join('.')}.`,
      'another algorithm': signToken(jwtSecret, claims, { alg: 'RS256' }),
      'another secret': signToken('another secret', claims),
      'a role that does not exist': signToken(jwtSecret, { role: 'nobody-at-all' }),
      'the role of the owner': signToken(jwtSecret, { role: 'postgres' }),
      'a role that is no text': signToken(jwtSecret, { role: { a: 1 } }),
      'a NUL in a claim': signToken(jwtSecret, { ...claims, sub: 'a\0b' }),
      'an expiry that is no number': signToken(jwtSecret, { ...claims, exp: 'soon' }),
      '20 kB': 'x'.repeat(20_000),
      'three dots': '...',
      'a secret key that is none': 'sb_secret_nothing',
    }
  }

  it.each(PLACES)('%s refuses it', async (voice, path) => {
    const found: string[] = []
    for (const [what, token] of Object.entries(tokens())) {
      const body = voice === 'realtime' ? '{"messages":[{"topic":"t","event":"e","payload":{}}]}' : undefined
      const method = body === undefined ? 'GET' : 'POST'
      const headers = { apikey: token, authorization: `Bearer ${token}`, ...(body && JSON_TYPE) }
      const answer = await send({ method, path, headers, body })
      // We did sign it, and a public topic asks no role.
      const legitimate = voice === 'realtime' && SIGNED_BY_US.has(what)
      const wrong = legitimate ? (answer.status === 202 ? null : `answered ${answer.status}`) : wrongWith(answer, voice)
      if (wrong !== null) found.push(`${what}: ${wrong}`)
    }
    expect(found).toEqual([])
  })
})

describe('afterwards', () => {
  it('nothing was changed by what was refused, the server serves, and nothing of ours failed', async () => {
    const items = await send({ method: 'GET', path: '/rest/v1/item?id=in.(1,2)&select=id', headers: key })
    expect(JSON.parse(items.body)).toHaveLength(2)
    await expectHealthy(server)
  })
})
