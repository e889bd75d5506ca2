/** Tokens of others on the instant API of a whole app: configured in the database, reloaded while it runs, and good nowhere else. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../test/database.ts'
import { eventually } from '../test/realtime.ts'
import { type App, startApp } from './app.ts'
import { readConfig } from './config/config.ts'
import { systemClock } from './kernel/clock.ts'
import { randomIds } from './kernel/ids.ts'
import { silentLog } from './observe/log.ts'

const SECRET = 'reallyreallyreallyreallyverysafe'

let db: TestDatabase
let folder: string
let app: App

beforeAll(async () => {
  db = await createTestDatabase()
  folder = await mkdtemp(join(tmpdir(), 'teahouse-identity-'))
  await db.sql(`
    create function who() returns json stable language sql as
      $$ select json_build_object('role', current_user, 'claim', current_setting('request.jwt.claims')::json ->> 'role') $$;
    grant execute on function who() to public;
    do $$ begin create role identity_author; exception when duplicate_object then null; end $$;
    grant identity_author to authenticator;
    grant usage on schema public to identity_author;`)
  const config = readConfig({
    flags: { 'database-url': db.url, 'data-dir': join(folder, 'data'), port: '0' },
    env: {},
    file: {},
    cwd: folder,
  })
  app = await startApp(config, { log: silentLog, clock: systemClock, ids: randomIds })
}, 120_000)
afterAll(async () => {
  await app?.stop()
  await db?.drop()
  await rm(folder, { recursive: true, force: true })
})

interface Reply {
  readonly status: number
  readonly body: Record<string, unknown>
  readonly challenge: string | null
}

const ask = async (token: string | null, path = '/rest/v1/rpc/who'): Promise<Reply> => {
  const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` }
  const response = await fetch(app.report.url + path, { headers })
  const body = (await response.json()) as Record<string, unknown>
  return { status: response.status, body, challenge: response.headers.get('www-authenticate') }
}

const configure = async (settings: Readonly<Record<string, string | null>>): Promise<void> => {
  const name = new URL(db.url).pathname.slice(1)
  for (const [key, value] of Object.entries(settings)) {
    const change = value === null ? `reset pgrst.${key}` : `set pgrst.${key} = '${value.replaceAll("'", "''")}'`
    await db.sql(`alter role authenticator in database ${name} ${change}`)
  }
  await db.sql("notify pgrst, 'reload config'")
}

const sign = (claims: Record<string, unknown>, alg = 'HS256', key: Parameters<SignJWT['sign']>[0] = secretKey) =>
  new SignJWT(claims).setProtectedHeader({ alg }).sign(key)
const secretKey = new TextEncoder().encode(SECRET)

/** The role that a token gives, once the configuration has arrived. */
const becomes = (token: string, role: string) =>
  eventually(async () => {
    const { body } = await ask(token)
    return body.role === role ? body : undefined
  }, `the role ${role}`)

it('are refused until the database names their key, and again when it is taken away', async () => {
  const token = await sign({ role: 'identity_author' })
  const unknown = {
    status: 401,
    body: {
      code: 'PGRST301',
      message: 'No suitable key or wrong key type',
      details: 'None of the keys was able to decode the JWT',
      hint: null,
    },
    challenge: 'Bearer error="invalid_token", error_description="No suitable key or wrong key type"',
  }
  expect(await ask(token)).toEqual(unknown)
  await configure({ jwt_secret: SECRET })
  expect(await becomes(token, 'identity_author')).toMatchObject({ claim: 'identity_author' })
  expect((await ask(app.report.serviceKey)).body).toMatchObject({ role: 'service_role' })
  // The key is good for the instant API only.
  expect((await ask(token, '/auth/v1/user')).status).toBe(403)
  expect((await ask(token, '/storage/v1/bucket')).status).not.toBe(200)
  await configure({ jwt_secret: null })
  await eventually(async () => ((await ask(token)).status === 401 ? true : undefined), 'a refusal')
})

it('may be signed by a key pair, and name their role anywhere', async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  await configure({
    jwt_secret: JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k' }] }),
    jwt_role_claim_key: '."https://app/roles"[?(@ ^== "identity")]',
    jwt_aud: 'the app',
  })
  const claims = { 'https://app/roles': ['x', 'identity_author'], aud: 'the app' }
  await becomes(await sign(claims, 'ES256', privateKey), 'identity_author')
  await becomes(await sign({ role: 'service_role', aud: 'the app' }, 'ES256', privateKey), 'anon')
  expect(await ask(await sign({ ...claims, aud: 'another' }, 'ES256', privateKey))).toMatchObject({
    status: 401,
    body: { code: 'PGRST303', message: 'JWT not in audience' },
  })
  expect(await ask(await sign({ ...claims, exp: 1 }, 'ES256', privateKey))).toMatchObject({
    body: { code: 'PGRST303', message: 'JWT expired' },
    challenge: 'Bearer error="invalid_token", error_description="JWT expired"',
  })
  await configure({ jwt_secret: null, jwt_role_claim_key: null, jwt_aud: null })
})

it('say what is wrong with them', async () => {
  expect(await ask('')).toMatchObject({
    status: 401,
    body: { code: 'PGRST301', message: 'Empty JWT is sent in Authorization header' },
  })
  expect((await ask('one.two')).body).toMatchObject({ code: 'PGRST301', message: 'Expected 3 parts in JWT; got 2' })
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  expect((await ask(`${part({ alg: 'none' })}.${part({ role: 'anon' })}.`)).body).toMatchObject({
    code: 'PGRST301',
    message: 'Wrong or unsupported encoding algorithm',
  })
})

it('are not needed by nobody in particular, whose role the database may choose or refuse', async () => {
  expect((await ask(null)).body).toMatchObject({ role: 'anon' })
  await configure({ db_anon_role: 'identity_author' })
  await eventually(async () => ((await ask(null)).body.role === 'identity_author' ? true : undefined), 'another role')
  await configure({ db_anon_role: '' })
  const refused = await eventually(async () => {
    const reply = await ask(null)
    return reply.status === 401 ? reply : undefined
  }, 'a refusal')
  expect(refused).toMatchObject({
    body: { code: 'PGRST302', message: 'Anonymous access is disabled' },
    challenge: 'Bearer',
  })
  expect((await ask(app.report.anonKey)).status).toBe(200)
  await configure({ db_anon_role: null })
})
