/** Who is let in where: every route of every dialect, asked by every kind of caller. The table is written into the docs; a route that is not in it fails here. */
import { createHmac } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type CryptoKey, exportSPKI, importJWK, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../test/database.ts'
import { type App, startApp } from './app.ts'
import { readConfig } from './config/config.ts'
import { generateSigningKey } from './identity/key-ring.ts'
import { systemClock } from './kernel/clock.ts'
import { randomIds } from './kernel/ids.ts'
import { silentLog } from './observe/log.ts'

const DOCUMENT = fileURLToPath(new URL('../../../docs/capability-matrix.md', import.meta.url))

const CALLERS = [
  'no key',
  'anon',
  'user',
  'other user',
  'before a refresh',
  'logged out',
  'banned user',
  'expired token',
  'wrong audience',
  'alg none',
  'HS/RS confusion',
  'service',
] as const
type CallerName = (typeof CALLERS)[number]
/** Proofs that prove nothing. */
const VOID: readonly CallerName[] = [
  'logged out',
  'banned user',
  'expired token',
  'wrong audience',
  'alg none',
  'HS/RS confusion',
]

let db: TestDatabase
let folder: string
let app: App
let table: readonly Row[]

interface Row {
  readonly route: string
  readonly let: Readonly<Record<CallerName, boolean>>
}

interface Answer {
  readonly status: number
  readonly text: string
}

/** Node's own client: fetch refuses to send TRACE. */
const call = (method: string, path: string, headers: Record<string, string>, body?: object): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const text = body === undefined ? '' : JSON.stringify(body)
    const length = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }
    // As from the public network: what this machine asks of itself passes fewer doors.
    const host = { host: 'tea.example' }
    const sent = request(app.report.url + path, {
      method,
      headers: { ...host, ...headers, ...(text === '' ? {} : length) },
    })
    sent.on('error', reject)
    sent.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }))
      response.on('error', reject)
    })
    sent.end(text)
  })

const session = async (email: string) => {
  const { anonKey } = app.report
  const ask = async (path: string) =>
    // What the product itself answers.
    JSON.parse((await call('POST', path, { apikey: anonKey }, { email, password: 'correct horse' })).text) as {
      access_token: string
      refresh_token: string
      user: { id: string }
    }
  const made = await ask('/auth/v1/signup')
  return made.access_token === undefined ? ask('/auth/v1/token?grant_type=password') : made
}

const makeCallers = async (publicKey: string): Promise<Record<CallerName, Record<string, string>>> => {
  const { anonKey, serviceKey, jwtSecret } = app.report
  const withToken = (token: string) => ({ apikey: anonKey, authorization: `Bearer ${token}` })
  const [user, other, banned, refreshed, gone] = [
    await session('user@example.com'),
    await session('other@example.com'),
    await session('banned@example.com'),
    await session('refreshed@example.com'),
    await session('gone@example.com'),
  ]
  const service = { apikey: serviceKey, authorization: `Bearer ${serviceKey}` }
  await call(
    'POST',
    '/auth/v1/token?grant_type=refresh_token',
    { apikey: anonKey },
    { refresh_token: refreshed.refresh_token },
  )
  await call('POST', '/auth/v1/logout', withToken(gone.access_token))
  await call('PUT', `/auth/v1/admin/users/${banned.user.id}`, service, { ban_duration: '24h' })
  const now = Math.floor(Date.now() / 1000)
  const claims = { sub: user.user.id, role: 'authenticated', aud: 'authenticated', iat: now - 10, exp: now + 3600 }
  const signed = (more: object) =>
    new SignJWT({ ...claims, ...more }).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(jwtSecret))
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const powerful = { ...claims, role: 'service_role' }
  const confused = `${part({ alg: 'HS256', typ: 'JWT', kid: 'matrix' })}.${part(powerful)}`
  return {
    'no key': {},
    anon: withToken(anonKey),
    user: withToken(user.access_token),
    'other user': withToken(other.access_token),
    'before a refresh': withToken(refreshed.access_token),
    'logged out': withToken(gone.access_token),
    'banned user': withToken(banned.access_token),
    'expired token': withToken(await signed({ exp: now - 60 })),
    'wrong audience': withToken(await signed({ aud: 'another-app' })),
    'alg none': withToken(`${part({ alg: 'none', typ: 'JWT' })}.${part(powerful)}.`),
    'HS/RS confusion': withToken(`${confused}.${createHmac('sha256', publicKey).update(confused).digest('base64url')}`),
    service,
  }
}

/** A plausible address for a route. */
const addressOf = (url: string): string =>
  url
    .replace(/:\w*[iI]d\b/g, '0b1f4a6e-0000-4000-8000-000000000000')
    .replace(/:\w+/g, 'matrix')
    .replace('*', 'matrix.txt')

/** Whether somebody was let in; what they find inside is a matter of policies, and of what there is. */
const isLetIn = ({ status, text }: Answer): boolean => {
  if (status === 401 || status === 403) return false
  // Storage tells the status that it means in the body.
  return !(status === 400 && /"statusCode":"40[13]"/.test(text))
}

const ENDS_SESSIONS = /\/auth\/v1\/(logout|revoke)$/

beforeAll(async () => {
  db = await createTestDatabase()
  folder = await mkdtemp(join(tmpdir(), 'teahouse-matrix-'))
  await mkdir(join(folder, 'supabase'))
  const key = await generateSigningKey('RS256', 'matrix')
  await writeFile(join(folder, 'supabase', 'signing_keys.json'), JSON.stringify([key]))
  const config = readConfig({
    flags: { 'database-url': db.url, 'data-dir': join(folder, 'data'), port: '0' },
    env: {},
    file: { auth: { signing_keys_path: './signing_keys.json' } },
    cwd: folder,
  })
  app = await startApp(config, { log: silentLog, clock: systemClock, ids: randomIds })
  const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, key_ops: _ops, ...open } = key
  const pem = await exportSPKI((await importJWK(open, 'RS256', { extractable: true })) as CryptoKey)
  table = await makeTable(await makeCallers(pem))
}, 120_000)
afterAll(async () => {
  await app.stop()
  await db.drop()
  await rm(folder, { recursive: true, force: true })
})

const makeTable = async (callers: Record<CallerName, Record<string, string>>): Promise<readonly Row[]> => {
  const routes = [
    ...new Set(
      app.routes
        .filter(({ method, url }) => method !== 'HEAD' && url !== '*')
        .map(({ method, url }) => `${method} ${url}`),
    ),
  ]
  const ordered = [...routes].sort(
    (a, b) => Number(ENDS_SESSIONS.test(a)) - Number(ENDS_SESSIONS.test(b)) || (a < b ? -1 : 1),
  )
  const rows: Row[] = []
  for (const route of ordered) {
    const [method = '', url = ''] = route.split(' ')
    const answers = {} as Record<CallerName, boolean>
    for (const name of CALLERS) {
      const body = ['POST', 'PUT', 'PATCH'].includes(method) ? {} : undefined
      answers[name] = await isLetIn(await call(method, addressOf(url), callers[name], body))
    }
    rows.push({ route, let: answers })
  }
  return rows.sort((a, b) => (urlOf(a) < urlOf(b) ? -1 : 1))
}
const urlOf = ({ route }: Row): string => route.split(' ').reverse().join(' ')

/** Methods of one address that answer alike share a line. */
const render = (rows: readonly Row[]): string => {
  const lines = new Map<string, string[]>()
  for (const row of rows) {
    const [method = '', url = ''] = row.route.split(' ')
    const cells = CALLERS.map((name) => (row.let[name] ? '✓' : '–')).join(' | ')
    const key = `${url}\t${cells}`
    lines.set(key, [...(lines.get(key) ?? []), method])
  }
  const body = [...lines].map(([key, methods]) => {
    const [url = '', cells = ''] = key.split('\t')
    return `| ${methods.sort().join(' ')} | \`${url}\` | ${cells} |`
  })
  return `${[
    '# Who is let in where',
    '',
    'Every route, asked by every kind of caller. ✓: let in; what they find inside is decided by row-level security, policies and what there',
    'is. –: refused at the door. Routes that let everybody in, whatever token they bring, look at no token: they give out proofs, or check',
    'one of their own (a password, a code, a signature in the address).',
    '',
    'This table is written by a test, `packages/server/src/capability-matrix.pg.test.ts`, from the routes that a running server has. After a',
    'change, `TEAHOUSE_WRITE_DOCS=1 npx vitest run --project pg packages/server/src/capability-matrix.pg.test.ts` writes it anew.',
    '',
    `| Method | Route | ${CALLERS.join(' | ')} |`,
    `|---|---|${CALLERS.map(() => ':-:').join('|')}|`,
    ...body,
  ].join('\n')}\n`
}

/** Routes that look at no token. */
const ignoresTokens = (row: Row): boolean => VOID.every((name) => row.let[name]) && row.let['no key']

describe('the capability matrix', () => {
  it('is the one in the docs', async () => {
    const text = render(table)
    if (process.env.TEAHOUSE_WRITE_DOCS === '1') await writeFile(DOCUMENT, text)
    expect(await readFile(DOCUMENT, 'utf8').catch(() => '')).toBe(text)
  })

  it('treats a void proof alike everywhere: refused, or not looked at', () => {
    const mixed = table.filter((row) => !ignoresTokens(row) && VOID.some((name) => row.let[name]))
    expect(mixed.map(({ route }) => route)).toEqual([])
  })

  it('lets nobody but a service key into the operator’s routes', () => {
    const admin = table.filter(({ route }) => /\/auth\/v1\/(admin|invite)/.test(route))
    expect(admin.length).toBeGreaterThan(8)
    for (const row of admin)
      expect([row.route, CALLERS.filter((name) => row.let[name])]).toEqual([row.route, ['service']])
  })

  it('lets only people into what is about a person', () => {
    const personal = table.filter(({ route }) =>
      / \/auth\/v1\/(user|factors|reauthenticate|logout|wechat_mini\/bind)/.test(route),
    )
    expect(personal.length).toBeGreaterThan(10)
    for (const row of personal) {
      expect([row.route, row.let.anon, row.let['no key'], row.let.service]).toEqual([row.route, false, false, false])
    }
  })

  it('knows one user from another as little as the other from the one', () => {
    const differing = table.filter((row) => row.let.user !== row.let['other user'] && !ENDS_SESSIONS.test(row.route))
    expect(differing.map(({ route }) => route)).toEqual([])
  })
})
