/** Accounts in a whole app: keys that change under way, and sockets that end with what they were opened with. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeProtectedHeader, type JWK } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { createTestDatabase, type TestDatabase } from '../test/database.ts'
import { type App, startApp } from './app.ts'
import { readConfig } from './config/config.ts'
import { generateSigningKey } from './identity/key-ring.ts'
import { deriveKeys } from './identity/keys.ts'
import { systemClock } from './kernel/clock.ts'
import { randomIds } from './kernel/ids.ts'
import { silentLog } from './observe/log.ts'

const OLD_SECRET = 'the secret before this one was of some length'

let db: TestDatabase
let folder: string
let app: App
let first: JWK

const writeKeys = (keys: readonly JWK[]) =>
  writeFile(join(folder, 'supabase', 'signing_keys.json'), JSON.stringify(keys))

beforeAll(async () => {
  db = await createTestDatabase()
  folder = await mkdtemp(join(tmpdir(), 'teahouse-auth-'))
  await mkdir(join(folder, 'supabase'))
  first = await generateSigningKey('ES256', 'first')
  await writeKeys([first])
  const config = readConfig({
    flags: { 'database-url': db.url, 'data-dir': join(folder, 'data'), port: '0', 'previous-jwt-secrets': OLD_SECRET },
    env: {},
    file: { auth: { signing_keys_path: './signing_keys.json' } },
    cwd: folder,
  })
  app = await startApp(config, { log: silentLog, clock: systemClock, ids: randomIds })
}, 120_000)
afterAll(async () => {
  await app?.stop()
  await db?.drop()
  await rm(folder, { recursive: true, force: true })
})

const ask = async (method: string, path: string, token = app.report.anonKey, body?: object) => {
  const response = await fetch(app.report.url + path, {
    method,
    headers: {
      apikey: app.report.anonKey,
      authorization: `Bearer ${token}`,
      ...(body && { 'content-type': 'application/json' }),
    },
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? null : JSON.parse(text) }
}
const login = async (email: string) => {
  const body = { email, password: 'correct horse' }
  const made = await ask('POST', '/auth/v1/signup', undefined, body)
  return (made.status === 200 ? made : await ask('POST', '/auth/v1/token?grant_type=password', undefined, body)).body
}

describe('a file of signing keys', () => {
  it('is read anew while the server runs, and nobody is logged out', async () => {
    const session = await login('keys@example.com')
    expect(decodeProtectedHeader(session.access_token).kid).toBe('first')
    await writeKeys([await generateSigningKey('ES256', 'second'), first])
    const published = async () => (await ask('GET', '/auth/v1/.well-known/jwks.json')).body.keys.length
    await expect.poll(published, { timeout: 10_000 }).toBe(2)
    expect(decodeProtectedHeader((await login('keys@example.com')).access_token).kid).toBe('second')
    expect((await ask('GET', '/auth/v1/user', session.access_token)).status).toBe(200)
    expect((await ask('GET', '/rest/v1/', session.access_token)).status).toBe(200)
  }, 30_000)
})

describe('a secret that was replaced', () => {
  it('keeps its keys good in all their forms while it is named', async () => {
    const old = await deriveKeys(OLD_SECRET)
    for (const key of [old.serviceKey, old.secretKey]) {
      const response = await fetch(`${app.report.url}/auth/v1/admin/users`, {
        headers: { apikey: key, authorization: `Bearer ${key}` },
      })
      expect(response.status).toBe(200)
    }
    const stranger = await deriveKeys('a secret that nobody here ever had at all')
    const refused = await fetch(`${app.report.url}/auth/v1/admin/users`, { headers: { apikey: stranger.secretKey } })
    expect(refused.status).toBe(401)
  })
})

/** Joins a channel with a token; resolves once joined with a promise of its end. */
const joinChannel = async (token: string): Promise<{ readonly ended: Promise<number>; close(): void }> => {
  const socket = new WebSocket(
    `${app.report.url.replace('http', 'ws')}/realtime/v1/websocket?vsn=1.0.0&apikey=${app.report.anonKey}`,
  )
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  let end: (at: number) => void = () => {}
  const ended = new Promise<number>((resolve) => {
    end = resolve
  })
  const joined = new Promise<void>((resolve) => {
    socket.on('message', (data) => {
      const { event, payload } = JSON.parse(String(data)) as { event: string; payload: { status?: string } }
      if (event === 'phx_reply' && payload.status === 'ok') resolve()
      if (event === 'phx_close' || event === 'phx_error') end(Date.now())
    })
  })
  socket.send(
    JSON.stringify({
      topic: 'realtime:room',
      event: 'phx_join',
      ref: '1',
      payload: { config: {}, access_token: token },
    }),
  )
  await joined
  return { ended, close: () => socket.close() }
}

describe('a channel', () => {
  for (const how of ['logout', 'ban', 'role', 'removal'] as const) {
    it(`ends within five seconds of a ${how === 'role' ? 'change of role' : how}`, async () => {
      const session = await login(`${how}@example.com`)
      const other = await login('stays@example.com')
      const [channel, bystander] = [await joinChannel(session.access_token), await joinChannel(other.access_token)]
      const started = Date.now()
      const { serviceKey } = app.report
      const path = `/auth/v1/admin/users/${session.user.id}`
      if (how === 'logout') await ask('POST', '/auth/v1/logout', session.access_token)
      else if (how === 'ban') await ask('PUT', path, serviceKey, { ban_duration: '1h' })
      else if (how === 'role') await ask('PUT', path, serviceKey, { role: 'anon' })
      else await ask('DELETE', path, serviceKey)
      expect((await channel.ended) - started).toBeLessThan(5_000)
      const still = await Promise.race([
        bystander.ended,
        new Promise((resolve) => setTimeout(() => resolve('open'), 50)),
      ])
      expect(still).toBe('open')
      channel.close()
      bystander.close()
    }, 15_000)
  }
})
