/** Every endpoint of accounts with every bad input: refused in its own words, or answered as if the input were not there; never a 5xx, never slow. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AuthServer, startAuthServer } from '../auth/server.ts'
import { type Answer, ask, closeSockets } from './ask.ts'
import { AUTH_ENDPOINTS, AUTH_PLACES, AUTH_TEXTS, type AuthEndpoint } from './auth-endpoints.ts'
import { errorLines, listenToErrors, signToken } from './fixture.ts'
import { wrongWith } from './shapes.ts'
import { BODIES, CONTENT_TYPES, HEADERS, QUERIES, SEGMENTS, TEXTS } from './values.ts'

/** What is refused for being too much would hide what else is wrong. */
const RATES = `
[auth.rate_limit]
${[
  'anonymous_users',
  'token_refresh',
  'sign_in_sign_ups',
  'token_verifications',
  'failures_per_address',
  'failures_per_account',
  'email_sent',
  'sms_sent',
  'app_logins',
]
  .map((name) => `${name} = 100000000`)
  .join('\n')}
`

let world: AuthServer
let member: string
beforeAll(async () => {
  world = await startAuthServer(RATES)
  const { url, secretKey, jwtSecret } = world.server.report
  const made = await fetch(`${url}/auth/v1/admin/users`, {
    method: 'POST',
    headers: { apikey: secretKey, authorization: `Bearer ${secretKey}` },
    body: JSON.stringify({ email: 'feeder@example.com', password: 'correct horse', email_confirm: true }),
  })
  const { id } = (await made.json()) as { id: string }
  const now = Math.floor(Date.now() / 1000)
  // Of no session, so that no endpoint can end it.
  member = signToken(jwtSecret, { sub: id, role: 'authenticated', aud: 'authenticated', iat: now, exp: now + 3600 })
  listenToErrors(world.server)
}, 120_000)
afterAll(async () => {
  closeSockets()
  await world?.stop()
})

interface Sent {
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer | undefined
}

const send = (endpoint: AuthEndpoint, sent: Sent = {}): Promise<Answer> => {
  const { url, anonKey, secretKey } = world.server.report
  const operator = /\/auth\/v1\/(admin|invite)/.test(endpoint.path)
  const body = 'body' in sent ? sent.body : endpoint.body && JSON.stringify(endpoint.body)
  return ask(url, {
    method: endpoint.method,
    path: sent.path ?? endpoint.path,
    headers: {
      apikey: operator ? secretKey : anonKey,
      authorization: `Bearer ${operator ? secretKey : member}`,
      'x-supabase-api-version': '2024-01-01',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...sent.headers,
    },
    body,
  })
}

/** Methods whose features are switched off say so with a 501; that is no failure. */
const problemOf = ({ status, ...rest }: Answer): string | null => {
  if (status < 400) return null
  if (status === 501 && rest.body.includes('"code":"feature_disabled"')) return null
  // Why a password is weak is told beside it.
  const body = rest.body.replace(/,"weak_password":\{"reasons":\["[\w",]+"\]\}/, '')
  return wrongWith({ status, ...rest, body }, 'auth')
}

const problems = async (inputs: Readonly<Record<string, () => Promise<Answer>>>): Promise<readonly string[]> => {
  const found = await Promise.all(
    Object.entries(inputs).map(async ([name, asked]) => {
      const problem = await asked().then(problemOf, String)
      return problem === null ? [] : [`${name}: ${problem}`]
    }),
  )
  return found.flat()
}

const nameOf = ({ method, path, body }: AuthEndpoint): string =>
  `${method} ${path.replace('/auth/v1', '')}${body === undefined ? '' : ` ${JSON.stringify(body)}`}`
const named = (endpoints: readonly AuthEndpoint[]) => endpoints.map((each) => [nameOf(each), each] as const)

const SOAK = process.env.TEAHOUSE_SOAK === '1'
/** One handler answers all methods of what is switched off, and one parser reads every body: some of each stand for all. */
const fed = AUTH_ENDPOINTS.filter(
  ({ method, path }) =>
    SOAK || !/sso|passkeys|oauth|custom-providers/.test(path) || (method === 'POST' && !path.endsWith('/x')),
)
const bodiesFor = ({ path }: AuthEndpoint) =>
  Object.entries(BODIES).filter(([name]) => SOAK || name !== 'a body beyond 10 MB' || /signup|token|\/user$/.test(path))

const NO_JSON = [
  'lists that never close',
  'NaN',
  'Infinity',
  'half an object',
  'a number',
  'a string',
  'a list of nothing',
]
/** Answers of these do not depend on the body. */
const BODILESS =
  /\/(callback|sso|oauth|passkeys|logout|admin\/(sso|oauth|custom-providers)|user\/oauth|factors\/recovery-codes|verify)|\/challenge/

describe('every endpoint', () => {
  it('is in the list', () => {
    expect(AUTH_ENDPOINTS.length).toBeGreaterThan(60)
    const known = new Set(AUTH_ENDPOINTS.map(({ path }) => path.split('?')[0]))
    for (const path of ['/auth/v1/token', '/auth/v1/user', '/auth/v1/wechat_mini/login', '/auth/v1/admin/users'])
      expect([...known]).toContain(path)
  })

  it.each(named(fed))('%s', async (_name, endpoint) => {
    const separator = endpoint.path.includes('?') ? '&' : '?'
    const query = Object.entries(QUERIES).map(([name, text]) => [
      `query: ${name}`,
      () => send(endpoint, { path: `${endpoint.path}${separator}${text}` }),
    ])
    const header = Object.entries(HEADERS).map(([name, headers]) => [
      `header: ${name}`,
      () => send(endpoint, { headers }),
    ])
    const withBody = endpoint.body !== undefined
    const body = withBody
      ? bodiesFor(endpoint).map(([name, text]) => [`body: ${name}`, () => send(endpoint, { body: text })])
      : []
    const type = withBody
      ? CONTENT_TYPES.map((each) => [`type: ${each}`, () => send(endpoint, { headers: { 'content-type': each } })])
      : []
    expect(await problems(Object.fromEntries([...query, ...header, ...body, ...type]))).toEqual([])
  })

  it.each(named(fed.filter(({ body, path }) => body !== undefined && !BODILESS.test(path))))(
    'refuses what is no JSON object: %s',
    async (_name, endpoint) => {
      const statuses = await Promise.all(
        NO_JSON.map(async (name) => (await send(endpoint, { body: BODIES[name] })).status),
      )
      expect(statuses.filter((status) => status < 400 || (status >= 500 && status !== 501))).toEqual([])
    },
  )
})

describe('a bad segment or value of an address', () => {
  it.each(named(AUTH_PLACES))('%s', async (_name, endpoint) => {
    const inputs = Object.entries(SEGMENTS).map(([name, text]) => [
      name,
      () => send(endpoint, { path: endpoint.path.replaceAll('*', text) }),
    ])
    expect(await problems(Object.fromEntries(inputs))).toEqual([])
  })
})

describe('a bad value in a body', () => {
  it.each(named(AUTH_TEXTS))('%s', async (_name, endpoint) => {
    const inputs = Object.entries(TEXTS).map(([name, text]) => [
      name,
      () => send(endpoint, { body: JSON.stringify(endpoint.body).replaceAll('"*"', () => text) }),
    ])
    expect(await problems(Object.fromEntries(inputs))).toEqual([])
  })
})

describe('afterwards', () => {
  it('the person is who they were, the server serves, and nothing of ours failed', async () => {
    const { url } = world.server.report
    const me = await send({ method: 'GET', path: '/auth/v1/user' })
    expect(JSON.parse(me.body)).toMatchObject({ email: 'feeder@example.com', role: 'authenticated' })
    expect((await fetch(`${url}/auth/v1/health`)).status).toBe(200)
    expect(errorLines(world.server)).toEqual([])
  })
})
