/** Keys that sign, keys that verify, and changing them while people stay logged in; hooks that see every token. */
import { createHmac } from 'node:crypto'
import { type CryptoKey, createLocalJWKSet, decodeProtectedHeader, exportSPKI, importJWK, jwtVerify } from 'jose'
import { afterAll, describe, expect, it } from 'vitest'
import { type AuthFixture, signUp, startAuth } from '../../../../test/auth.ts'
import { generateSigningKey } from '../../../identity/key-ring.ts'

const opened: AuthFixture[] = []
const open = async (options: Parameters<typeof startAuth>[0]) => {
  const fixture = await startAuth(options)
  opened.push(fixture)
  return fixture
}
afterAll(() => Promise.all(opened.map((each) => each.close())))

describe('asymmetric keys', () => {
  for (const alg of ['ES256', 'RS256', 'EdDSA'] as const) {
    it(`sign with ${alg}, and everybody can verify`, async () => {
      const fixture = await open({ keys: { jwks: [await generateSigningKey(alg, 'key-1')] } })
      const { access_token: token } = await signUp(fixture, 'a@example.com')
      expect(decodeProtectedHeader(token)).toMatchObject({ alg, kid: 'key-1' })
      const { body: jwks, headers } = await fixture.ask('GET', '/.well-known/jwks.json')
      expect(headers.get('cache-control')).toContain('max-age')
      expect(jwks.keys).toHaveLength(1)
      for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) expect(jwks.keys[0]).not.toHaveProperty(secret)
      await expect(jwtVerify(token, createLocalJWKSet(jwks))).resolves.toBeTruthy()
      expect((await fixture.ask('GET', '/user', { token })).status).toBe(200)
    })
  }

  it('are no secret for HMAC: a token signed with the public key as text is refused', async () => {
    const jwk = await generateSigningKey('RS256', 'key-1')
    const fixture = await open({ keys: { jwks: [jwk] } })
    const { user } = await signUp(fixture, 'a@example.com')
    const { body: jwks } = await fixture.ask('GET', '/.well-known/jwks.json')
    const pem = await exportSPKI((await importJWK(jwks.keys[0], 'RS256', { extractable: true })) as CryptoKey)
    const now = Math.floor(Date.now() / 1000)
    for (const secret of [pem, pem.trim(), JSON.stringify(jwks.keys[0]), jwks.keys[0].n]) {
      for (const kid of ['key-1', '../../dev/null', "' or 1=1", undefined]) {
        const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
        const head = part({ alg: 'HS256', typ: 'JWT', kid })
        const body = `${head}.${part({ sub: user.id, role: 'service_role', aud: 'authenticated', exp: now + 600, iat: now })}`
        const token = `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`
        await expect(fixture.identity.authenticateToken(token)).rejects.toMatchObject({ code: 'unauthorized' })
      }
    }
  })

  it('change while people stay logged in, and end when they are taken away', async () => {
    const [first, second] = [await generateSigningKey('ES256', 'first'), await generateSigningKey('ES256', 'second')]
    const fixture = await open({ keys: { jwks: [first] } })
    const { ring } = fixture.auth.context
    const before = await signUp(fixture, 'a@example.com')
    await ring.replace([first, second])
    expect((await fixture.ask('GET', '/.well-known/jwks.json')).body.keys).toHaveLength(2)
    await ring.replace([second, first])
    const refreshed = await fixture.ask('POST', '/token?grant_type=refresh_token', {
      body: { refresh_token: before.refresh_token },
    })
    expect(decodeProtectedHeader(refreshed.body.access_token).kid).toBe('second')
    expect((await fixture.ask('GET', '/user', { token: before.access_token })).status).toBe(200)
    await ring.replace([second])
    expect((await fixture.ask('GET', '/user', { token: before.access_token })).status).toBe(403)
    expect((await fixture.ask('GET', '/user', { token: refreshed.body.access_token })).status).toBe(200)
    await expect(ring.replace([{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y', kid: 'bad' }])).rejects.toMatchObject({
      code: 'bad_request',
    })
    expect((await fixture.ask('GET', '/user', { token: refreshed.body.access_token })).status).toBe(200)
  })
})

describe('a secret', () => {
  it('is changed without logging anybody out, as long as the older one is named', async () => {
    const [old, fresh] = ['an older secret of thirty-two bytes!', 'a newer secret of thirty-two bytes!!']
    const before = await open({ keys: { jwtSecret: old } })
    const session = await signUp(before, 'a@example.com')
    const after = await open({ node: before, keys: { jwtSecret: fresh, previousSecrets: [old] } })
    expect((await after.ask('GET', '/user', { token: session.access_token })).status).toBe(200)
    const refreshed = await after.ask('POST', '/token?grant_type=refresh_token', {
      body: { refresh_token: session.refresh_token },
    })
    expect(refreshed.status).toBe(200)
    const without = await open({ node: before, keys: { jwtSecret: fresh } })
    expect((await without.ask('GET', '/user', { token: session.access_token })).status).toBe(403)
    expect((await without.ask('GET', '/user', { token: refreshed.body.access_token })).status).toBe(200)
  })

  it('is in nobody’s key set', async () => {
    const fixture = await open({})
    expect((await fixture.ask('GET', '/.well-known/jwks.json')).body).toEqual({ keys: [] })
  })
})

describe('hooks', () => {
  const hooked = async (functions: string, names: { before?: string; token?: string }) => {
    const fixture = await open({
      settings: (each) => ({
        ...each,
        hooks: {
          beforeUserCreated:
            names.before === undefined ? null : { kind: 'function', schema: 'public', name: names.before },
          customAccessToken:
            names.token === undefined ? null : { kind: 'function', schema: 'public', name: names.token },
        },
      }),
    })
    await fixture.db.sql(functions)
    return fixture
  }
  const trySignUp = (fixture: AuthFixture, email: string) =>
    fixture.ask('POST', '/signup', { body: { email, password: 'correct horse' } })

  it('may refuse a new user in their own words', async () => {
    const fixture = await hooked(
      `create function public.no_strangers(event jsonb) returns jsonb language sql as $$
         select case when event->'user'->>'email' like '%@example.com' then '{}'::jsonb
                else jsonb_build_object('error', jsonb_build_object('http_code', 403, 'message', 'Members only')) end $$`,
      { before: 'no_strangers' },
    )
    expect((await trySignUp(fixture, 'a@example.com')).status).toBe(200)
    expect(await trySignUp(fixture, 'a@elsewhere.com')).toMatchObject({
      status: 403,
      body: { message: 'Members only' },
    })
    expect((await fixture.admin('GET', '/admin/users')).body.users).toHaveLength(1)
  })

  it('may change the claims of a token, but not take away what it needs', async () => {
    const fixture = await hooked(
      `create function public.claims(event jsonb) returns jsonb language sql as $$
         select jsonb_build_object('claims', case when event->'claims'->>'email' like 'broken%' then (event->'claims') - 'role'
                else (event->'claims') || jsonb_build_object('team', 'green', 'method', event->>'authentication_method') end) $$`,
      { token: 'claims' },
    )
    const { body } = await trySignUp(fixture, 'a@example.com')
    const caller = await fixture.identity.authenticateToken(body.access_token)
    expect(caller.claims).toMatchObject({ team: 'green', method: 'password', role: 'authenticated' })
    expect((await trySignUp(fixture, 'broken@example.com')).status).toBe(500)
  })

  it('that fail or hang fail the login, and only it', async () => {
    const fixture = await hooked(
      `create function public.slow(event jsonb) returns jsonb language plpgsql as $$
       begin if event->'user'->>'email' like 'slow%' then perform pg_sleep(30); end if; raise exception 'not today'; end $$`,
      { before: 'slow' },
    )
    const started = Date.now()
    expect((await trySignUp(fixture, 'slow@example.com')).status).toBe(500)
    expect(Date.now() - started).toBeLessThan(6_000)
    expect(await trySignUp(fixture, 'a@example.com')).toMatchObject({ status: 403, body: { message: 'not today' } })
  })
})
