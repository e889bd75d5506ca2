/** Attacks on a whole server over its real ports: tables that nobody meant to show, keys in the wrong hands, foreign pages, tokens that choose their own judge. */
import { createHmac } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { type JWK, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { runs } from '../test/arbitraries.ts'
import { createTestDatabase, type TestDatabase } from '../test/database.ts'
import { type App, startApp } from './app.ts'
import { readConfig } from './config/config.ts'
import { generateSigningKey } from './identity/key-ring.ts'
import { systemClock } from './kernel/clock.ts'
import { randomIds } from './kernel/ids.ts'
import { silentLog } from './observe/log.ts'
import { sql } from './sql/sql.ts'

let db: TestDatabase
let folder: string
let app: App
let signing: JWK

beforeAll(async () => {
  db = await createTestDatabase()
  folder = await mkdtemp(join(tmpdir(), 'teahouse-attacks-'))
  await mkdir(join(folder, 'supabase'))
  signing = await generateSigningKey('RS256', 'shown')
  await writeFile(join(folder, 'supabase', 'signing_keys.json'), JSON.stringify([signing]))
  const config = readConfig({
    flags: { 'database-url': db.url, 'data-dir': join(folder, 'data'), port: '0' },
    env: {},
    file: { auth: { signing_keys_path: './signing_keys.json', site_url: 'https://site.example' } },
    cwd: folder,
  })
  app = await startApp(config, { log: silentLog, clock: systemClock, ids: randomIds })
}, 120_000)
afterAll(async () => {
  await app?.stop()
  await db?.drop()
  await rm(folder, { recursive: true, force: true })
})

const ask = (method: string, path: string, headers: Record<string, string> = {}, body?: string) =>
  fetch(app.report.url + path, { method, headers, redirect: 'manual', ...(body === undefined ? {} : { body }) })

const login = async (
  email: string,
): Promise<{ readonly access_token: string; readonly user: { readonly id: string } }> => {
  const body = JSON.stringify({ email, password: 'correct horse' })
  const made = await ask('POST', '/auth/v1/signup', { apikey: app.report.anonKey }, body)
  const answer =
    made.status === 200
      ? made
      : await ask('POST', '/auth/v1/token?grant_type=password', { apikey: app.report.anonKey }, body)
  return answer.json() as Promise<{ access_token: string; user: { id: string } }>
}

describe('a table that nobody wrote a policy for', () => {
  it('is none of the server’s own: each has row-level security, or no privilege for anybody', async () => {
    const open = await db.owner.many<{ name: string }>(sql('t.open')`
      select c.oid::regclass::text as name
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
       cross join unnest('{anon,authenticated}'::text[]) as role
       where c.relkind in ('r', 'p', 'm', 'v', 'f')
         and n.nspname not in ('public', 'information_schema', 'extensions')
         and n.nspname not like 'pg\\_%'
         and has_schema_privilege(role, n.oid, 'usage')
         and has_table_privilege(role, c.oid, 'select,insert,update,delete,truncate')
         and not c.relrowsecurity
         and not coalesce(c.reloptions::text like '%security_invoker=%', false)`)
    expect(open).toEqual([])
  })

  it('is in no schema that clients can ask for unless the operator exposes it', async () => {
    const { anonKey, serviceKey } = app.report
    for (const key of [anonKey, serviceKey])
      for (const schema of ['auth', 'teahouse', 'storage', 'realtime', 'pg_catalog', 'information_schema']) {
        const headers = { apikey: key, authorization: `Bearer ${key}`, 'accept-profile': schema }
        expect([schema, (await ask('GET', '/rest/v1/users', headers)).status]).toEqual([schema, 406])
      }
  })
})

/** Joins with a key; answers the status of the refusal, or `open`. */
const socketWith = (key: string, headers: Record<string, string>): Promise<unknown> =>
  new Promise((resolve) => {
    const url = `${app.report.url.replace('http', 'ws')}/realtime/v1/websocket?vsn=1.0.0&apikey=${key}`
    const socket = new WebSocket(url, { headers })
    socket.on('open', () => {
      resolve('open')
      socket.close()
    })
    socket.on('unexpected-response', (_, response) => resolve(response.statusCode))
    socket.on('error', (error) => resolve(error.message))
  })

describe('a service key in a mini-program', () => {
  const REFERER = { referer: 'https://servicewechat.com/wx0123456789abcdef/12/page-frame.html' }

  it('opens no door at all, whichever of its forms it has', async () => {
    const { serviceKey, secretKey, anonKey } = app.report
    for (const key of [serviceKey, secretKey]) {
      const doors: readonly (readonly [string, string])[] = [
        ['GET', '/rest/v1/'],
        ['GET', '/storage/v1/bucket'],
        ['POST', '/realtime/v1/api/broadcast'],
        ['GET', '/auth/v1/admin/users'],
        ['POST', '/auth/v1/token?grant_type=password'],
        ['POST', '/auth/v1/signup'],
      ]
      for (const [method, path] of doors) {
        const body = method === 'POST' ? '{}' : undefined
        const headers = { apikey: key, authorization: `Bearer ${key}`, 'content-type': 'application/json' }
        const answer = await ask(method, path, { ...headers, ...REFERER }, body)
        const text = await answer.text()
        // Storage tells the status that it means in the body.
        expect([path, answer.status === 403 || text.includes('"403"')]).toEqual([path, true])
        expect(text).toContain('may not be used in a mini-program')
      }
      expect(await socketWith(key, REFERER)).toBe(403)
      expect(await socketWith(key, {})).toBe('open')
    }
    expect(await socketWith(anonKey, REFERER)).toBe('open')
  })

  it('does not join a channel of a socket that was opened with the public key', async () => {
    const { anonKey, serviceKey, url } = app.report
    const socket = new WebSocket(`${url.replace('http', 'ws')}/realtime/v1/websocket?vsn=1.0.0&apikey=${anonKey}`, {
      headers: REFERER,
    })
    onTestFinished(() => socket.close())
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    const reply = new Promise<{ readonly payload: { readonly status: string } }>((resolve) =>
      socket.on('message', (data) => {
        const message = JSON.parse(String(data))
        if (message.event === 'phx_reply') resolve(message)
      }),
    )
    const payload = { config: {}, access_token: serviceKey }
    socket.send(JSON.stringify({ topic: 'realtime:x', event: 'phx_join', ref: '1', payload }))
    expect((await reply).payload.status).toBe('error')
  })
})

describe('a page of another site', () => {
  const FOREIGN = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }

  it('finds no cookie to ride on: none is set, none is read, and browsers are told to send none', async () => {
    const { access_token: token } = await login('rider@example.com')
    const { anonKey } = app.report
    const answers = [
      await ask(
        'POST',
        '/auth/v1/token?grant_type=password',
        { apikey: anonKey, ...FOREIGN },
        JSON.stringify({ email: 'rider@example.com', password: 'correct horse' }),
      ),
      await ask('GET', '/auth/v1/user', { apikey: anonKey, authorization: `Bearer ${token}`, ...FOREIGN }),
      await ask('GET', '/auth/v1/authorize?provider=none', FOREIGN),
      await ask('GET', '/auth/v1/verify?type=signup&token=x', FOREIGN),
      await ask('GET', '/rest/v1/', { apikey: anonKey, ...FOREIGN }),
      await ask('GET', '/storage/v1/bucket', { apikey: anonKey, ...FOREIGN }),
      await ask('GET', '/health', FOREIGN),
    ]
    for (const { headers } of answers) {
      expect(headers.get('set-cookie')).toBeNull()
      // A browser that is told `*` refuses to send credentials along, and with no such header it shows no answer that had them.
      expect(headers.get('access-control-allow-origin')).toBe('*')
      expect(headers.get('access-control-allow-credentials')).toBeNull()
    }
    for (const name of ['sb-access-token', 'sb-127-auth-token', 'access_token', 'supabase-auth-token']) {
      const cookie = `${name}=${token}; ${name}=${encodeURIComponent(JSON.stringify([token]))}`
      expect((await ask('GET', '/auth/v1/user', { apikey: anonKey, cookie })).status).toBe(401)
    }
  })

  it('cannot act as its visitor with a form, whatever the form says', async () => {
    const { access_token: token, user } = await login('visitor@example.com')
    for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data; boundary=x']) {
      const headers = { 'content-type': type, cookie: `sb-access-token=${token}`, ...FOREIGN }
      for (const [path, body] of [
        ['/auth/v1/logout', ''],
        ['/auth/v1/user', '{"password":"of the attacker"}'],
        [`/auth/v1/admin/users/${user.id}`, '{"ban_duration":"24h"}'],
        ['/auth/v1/user?_method=PUT', `access_token=${token}`],
      ] as const) {
        const method = { 'x-http-method-override': 'PUT' }
        const { status } = await ask('POST', path, { ...headers, ...(path.includes('logout') ? {} : method) }, body)
        expect([type, path, status]).toEqual([type, path, expect.toSatisfy((each) => each >= 400 && each < 500)])
      }
    }
    const me = await ask('GET', '/auth/v1/user', { apikey: app.report.anonKey, authorization: `Bearer ${token}` })
    expect(me.status).toBe(200)
  })

  it('frames nothing that speaks for an account', async () => {
    for (const path of [
      '/auth/v1/settings',
      '/auth/v1/verify?type=signup&token=x',
      '/auth/v1/authorize',
      '/auth/v1/nothing',
    ])
      expect([path, (await ask('GET', path)).headers.get('content-security-policy')]).toEqual([
        path,
        "default-src 'none'; frame-ancestors 'none'",
      ])
  })

  it('is nowhere that a login leads to', async () => {
    const places = [
      'https://evil.example',
      '//evil.example',
      'https://site.example@evil.example',
      'javascript:alert(1)',
    ]
    for (const place of places)
      for (const path of [
        `/auth/v1/verify?type=signup&token=x&redirect_to=${encodeURIComponent(place)}`,
        `/auth/v1/verify?type=recovery&token=x`,
      ]) {
        const { headers } = await ask('GET', path, { referer: place, redirect_to: place })
        expect(new URL(headers.get('location') ?? '').origin).toBe('https://site.example')
      }
  })
})

describe('a token that chooses its judge', () => {
  const now = Math.floor(Date.now() / 1000)
  const claims = { sub: randomIds.uuid(), role: 'service_role', aud: 'authenticated', iat: now, exp: now + 600 }
  const statusWith = async (token: string) =>
    (await ask('GET', '/auth/v1/admin/users', { authorization: `Bearer ${token}` })).status

  it('is not judged by a key that it brings or points at', async () => {
    let asked = 0
    const { key_ops: _ops, ...own } = await generateSigningKey('RS256', 'shown')
    const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...open } = own
    const server = createServer((_, response) => {
      asked += 1
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [open] }))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())))
    const there = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`
    for (const header of [{ jku: there }, { x5u: there }, { jwk: open }, { jku: there, kid: there }, {}]) {
      const token = await new SignJWT({ ...claims, iss: there })
        .setProtectedHeader({ alg: 'RS256', kid: 'shown', ...header })
        .sign(own)
      expect(await statusWith(token)).toBe(401)
    }
    expect(asked).toBe(0)
  })

  it('is not judged by a file or a row that its kid names', async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const kids = [
      '../../../../dev/null',
      '/proc/sys/kernel/ostype',
      "' union select '",
      '__proto__',
      'constructor',
      '',
      7,
      null,
      ['shown'],
    ]
    for (const kid of kids)
      for (const secret of ['', '\0', 'Linux\n', 'null', String(kid)]) {
        const body = `${part({ alg: 'HS256', typ: 'JWT', kid })}.${part(claims)}`
        const signature = createHmac('sha256', secret).update(body).digest('base64url')
        expect([kid, await statusWith(`${body}.${signature}`)]).toEqual([kid, 401])
      }
  })

  it('of a signed address or an upload opens nothing else', async () => {
    const { anonKey, serviceKey, jwtSecret } = app.report
    const operator = { apikey: serviceKey, authorization: `Bearer ${serviceKey}`, 'content-type': 'application/json' }
    await ask('POST', '/storage/v1/bucket', operator, JSON.stringify({ name: 'tea' }))
    await ask('POST', '/storage/v1/object/tea/a.txt', { ...operator, 'content-type': 'text/plain' }, 'tea')
    const signed = await ask('POST', '/storage/v1/object/sign/tea/a.txt', operator, '{"expiresIn":60}')
    const { signedURL } = (await signed.json()) as { signedURL: string }
    const token = new URL(signedURL, app.report.url).searchParams.get('token') ?? ''
    expect((await ask('GET', '/rest/v1/', { apikey: anonKey, authorization: `Bearer ${token}` })).status).toBe(401)
    expect(await statusWith(token)).toBe(401)
    // And no token of a person, not even the operator's, is the signature of an address.
    const forged = await new SignJWT({ url: 'tea/a.txt' })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('1h')
      .sign(Buffer.from(jwtSecret))
    for (const other of [serviceKey, forged])
      expect((await ask('GET', `/storage/v1/object/sign/tea/a.txt?token=${other}`)).status).toBeGreaterThanOrEqual(400)
  })
})

describe('SQL in the lists of the operator', () => {
  it('is text', async () => {
    await login('listed@example.com')
    const { serviceKey } = app.report
    const headers = { apikey: serviceKey, authorization: `Bearer ${serviceKey}` }
    const count = async () =>
      (await db.owner.many<{ n: number }>(sql('t.n')`select count(*)::int as n from auth.users`))[0]?.n
    const before = await count()
    for (const text of [
      "'; drop table auth.users; --",
      "' or '1'='1",
      '%',
      '\\',
      'created_at desc; delete from auth.users',
      'id,(select 1)',
      '$1',
    ])
      for (const name of ['filter', 'sort', 'order', 'page', 'per_page']) {
        const answer = await ask('GET', `/auth/v1/admin/users?${name}=${encodeURIComponent(text)}`, headers)
        expect([name, text, [200, 400].includes(answer.status)]).toEqual([name, text, true])
        if (name === 'filter' && answer.status === 200)
          expect([text, ((await answer.json()) as { users: unknown[] }).users]).toEqual([text, []])
      }
    expect(await count()).toBe(before)
  })
})

describe('what only the server writes', () => {
  it('stays as it is, however deep a request hides its name', async () => {
    const { access_token: token, user } = await login('climber@example.com')
    const headers = { apikey: app.report.anonKey, authorization: `Bearer ${token}` }
    const columns = sql('t.row')`
      select to_jsonb(u) - '{raw_user_meta_data,updated_at}'::text[] as row from auth.users u where id = ${user.id}`
    const rows = () => db.owner.many<{ row: object }>(columns)
    const before = await rows()
    const name = fc.constantFrom(
      ...[
        'role',
        'aud',
        'id',
        'is_super_admin',
        'app_metadata',
        'raw_app_meta_data',
        'banned_until',
        'email_confirmed_at',
      ],
      ...[
        'phone_confirmed_at',
        'is_anonymous',
        'identities',
        'factors',
        'deleted_at',
        'encrypted_password',
        'confirmed_at',
      ],
      ...['__proto__', 'constructor', 'prototype', 'user', 'attributes', 'data'],
    )
    const value = fc.constantFrom<unknown>('service_role', true, null, { admin: true }, [], '2000-01-01', {
      role: 'admin',
    })
    const tree = fc.letrec((tie) => ({
      node: fc.oneof({ depthSize: 'medium' }, value, fc.dictionary(name, tie('node'), { maxKeys: 3 })),
    })).node
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, tree, { minKeys: 1, maxKeys: 4 }), async (body) => {
        const { status } = await ask('PUT', '/auth/v1/user', headers, JSON.stringify(body))
        expect([200, 400, 403, 422]).toContain(status)
        expect(await rows()).toEqual(before)
      }),
      runs(60),
    )
    expect(Object.keys(Object.prototype)).toEqual([])
  })
})
