/** Logging in at other providers, and with their id_tokens. */
import { createHash, randomBytes } from 'node:crypto'
import { generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AuthFixture, signUp, startAuth } from '../../../../test/auth.ts'
import { type OidcServer, startOidc } from '../../../../test/oidc.ts'

let provider: OidcServer
let fixture: AuthFixture
beforeAll(async () => {
  provider = await startOidc()
  const external = {
    enabled: true,
    clientId: 'tea-client,tea-app',
    secret: 'tea-secret',
    redirectUri: '',
    url: provider.url,
    skipNonceCheck: false,
  }
  fixture = await startAuth({
    settings: (each) => ({
      ...each,
      enableManualLinking: true,
      enableAnonymousSignIns: true,
      external: {
        keycloak: external,
        off: { ...external, enabled: false },
        inward: { ...external, url: 'http://127.0.0.1:9' },
      },
    }),
  })
})
afterAll(() => Promise.all([fixture.close(), provider.close()]))

/** Leaves for the provider and comes back; answers where the browser ends up. */
const travel = async (query: string, token?: string): Promise<URL> => {
  const path =
    token === undefined ? `/authorize?${query}` : `/user/identities/authorize?${query}&skip_http_redirect=true`
  const left = await fixture.ask('GET', path, token === undefined ? {} : { token })
  const there = left.headers.get('location') ?? left.body.url
  const at = await fetch(there, { redirect: 'manual' })
  const back = await fixture.ask('GET', at.headers.get('location') ?? '')
  return new URL(back.headers.get('location') ?? '')
}
const told = (url: URL) => new URLSearchParams(url.hash.slice(1))

describe('a login at a provider', () => {
  it('makes a user of whom the provider sent', async () => {
    provider.person = { sub: 'new', email: 'New@Example.com', email_verified: true, preferred_username: 'newcomer' }
    const end = told(await travel('provider=keycloak'))
    expect(end.get('provider_token')).toBe('provider-token')
    const { body } = await fixture.ask('GET', '/user', { token: end.get('access_token') ?? '' })
    expect(body).toMatchObject({
      email: 'new@example.com',
      app_metadata: { provider: 'keycloak', providers: ['keycloak'] },
      user_metadata: { full_name: 'Person One', email: 'new@example.com', preferred_username: 'newcomer' },
      identities: [{ provider: 'keycloak', id: 'new' }],
    })
    const again = told(await travel('provider=keycloak'))
    const me = await fixture.ask('GET', '/user', { token: again.get('access_token') ?? '' })
    expect(me.body.id).toBe(body.id)
  })

  it('ends in a code for a page that keeps a secret', async () => {
    const verifier = randomBytes(40).toString('base64url')
    const challenge = createHash('sha256').update(verifier).digest('base64url')
    const target = await travel(`provider=keycloak&code_challenge=${challenge}&code_challenge_method=s256`)
    const { body } = await fixture.ask('POST', '/token?grant_type=pkce', {
      body: { auth_code: target.searchParams.get('code'), code_verifier: verifier },
    })
    expect(body).toMatchObject({ provider_token: 'provider-token', provider_refresh_token: 'provider-refresh' })
    expect(body.user.email).toBe('new@example.com')
  })

  it('links to the account with the same proven address, and to no other', async () => {
    const session = await signUp(fixture, 'same@example.com')
    provider.person = { sub: 'same', email: 'same@example.com', email_verified: true }
    const end = told(await travel('provider=keycloak'))
    const { body } = await fixture.ask('GET', '/user', { token: end.get('access_token') ?? '' })
    expect(body).toMatchObject({ id: session.user.id, app_metadata: { providers: ['email', 'keycloak'] } })
    await signUp(fixture, 'victim@example.com')
    provider.person = { sub: 'liar', email: 'victim@example.com', email_verified: false }
    const liar = told(await travel('provider=keycloak'))
    expect((await fixture.ask('GET', '/user', { token: liar.get('access_token') ?? '' })).body).toMatchObject({
      email: '',
    })
  })

  it('takes an unproven account over from whoever prepared it', async () => {
    const strict = await startAuth({
      settings: (each) => ({
        ...each,
        email: { ...each.email, enableConfirmations: true },
        external: {
          keycloak: {
            enabled: true,
            clientId: 'tea-client',
            secret: 'tea-secret',
            redirectUri: '',
            url: provider.url,
            skipNonceCheck: true,
          },
        },
      }),
    })
    try {
      const { body: trap } = await strict.ask('POST', '/signup', {
        body: { email: 'prey@example.com', password: 'of the attacker', data: { evil: 1 } },
      })
      const id_token = await provider.idToken({ sub: 'prey', email: 'prey@example.com', email_verified: true })
      const { body } = await strict.ask('POST', '/token?grant_type=id_token', {
        body: { provider: 'keycloak', id_token },
      })
      expect(body.user.id).toBe(trap.id)
      expect(body.user.user_metadata.evil).toBeUndefined()
      const password = await strict.ask('POST', '/token?grant_type=password', {
        body: { email: 'prey@example.com', password: 'of the attacker' },
      })
      expect(password.status).toBe(400)
    } finally {
      await strict.close()
    }
  })

  it('comes back once, to the server that sent it', async () => {
    const left = await fixture.ask('GET', '/authorize?provider=keycloak')
    const at = await fetch(left.headers.get('location') ?? '', { redirect: 'manual' })
    const back = at.headers.get('location') ?? ''
    expect((await fixture.ask('GET', back)).status).toBe(302)
    expect((await fixture.ask('GET', back)).body.code).toBe('bad_oauth_state')
    expect((await fixture.ask('GET', '/callback?code=x&state=6b1f1c9e-66ed-4d6f-9f34-b7ad1d2c1111')).status).toBe(400)
    expect((await fixture.ask('GET', '/callback?code=x&state=nonsense')).body.code).toBe('bad_oauth_state')
  })

  it('tells the page what the provider refused', async () => {
    const left = await fixture.ask('GET', '/authorize?provider=keycloak')
    const state = new URL(left.headers.get('location') ?? '').searchParams.get('state')
    const back = await fixture.ask('GET', `/callback?error=access_denied&error_description=no&state=${state}`)
    expect(told(new URL(back.headers.get('location') ?? '')).get('error_description')).toBe('no')
  })

  it('is refused for providers that are unknown, off, or away', async () => {
    for (const name of ['', 'nobody', 'off', '__proto__', 'inward']) {
      expect((await fixture.ask('GET', `/authorize?provider=${name}`)).status).toBe(400)
    }
  })

  it('can be added to an account, once', async () => {
    const { body: anonymous } = await fixture.ask('POST', '/signup', { body: {} })
    provider.person = { sub: 'linked', email: 'linked@example.com', email_verified: true }
    await travel('provider=keycloak', anonymous.access_token)
    const { body } = await fixture.ask('GET', '/user', { token: anonymous.access_token })
    expect(body).toMatchObject({ id: anonymous.user.id, is_anonymous: false, email: 'linked@example.com' })
    const other = await signUp(fixture, 'other@example.com')
    const end = told(await travel('provider=keycloak', other.access_token))
    expect(end.get('error_code')).toBe('identity_already_exists')
  })
})

describe('an id_token', () => {
  const login = (body: object) =>
    fixture.ask('POST', '/token?grant_type=id_token', { body: { provider: 'keycloak', ...body } })

  it('logs in with the nonce that its app made', async () => {
    const nonce = 'a secret of the app'
    const hashed = createHash('sha256').update(nonce).digest('hex')
    const id_token = await provider.idToken(
      { sub: 'app', email: 'app@example.com', email_verified: true, nonce: hashed },
      { audience: 'tea-app' },
    )
    expect((await login({ id_token, nonce })).body.user.email).toBe('app@example.com')
    expect((await login({ id_token })).status).toBe(400)
    expect((await login({ id_token, nonce: 'another' })).status).toBe(400)
  })

  it('must be of this provider, for this app, and in date', async () => {
    const claims = { sub: 'app', email: 'app@example.com', email_verified: true }
    const forged = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
      .setIssuer(provider.url)
      .setAudience('tea-client')
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign((await generateKeyPair('RS256')).privateKey)
    expect((await login({ id_token: await provider.idToken(claims, { audience: 'another-app' }) })).body.code).toBe(
      'unexpected_audience',
    )
    for (const id_token of [
      await provider.idToken(claims, { issuer: 'https://accounts.google.com' }),
      await provider.idToken(claims, { expires: '-1h' }),
      forged,
      'nonsense',
      `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`,
    ]) {
      expect((await login({ id_token })).status).toBe(400)
    }
  })
})

describe('what a discovery document points at', () => {
  it('is never a place in the server’s own network', async () => {
    const bad = await startOidc()
    bad.document = { jwks_uri: 'http://169.254.169.254/latest/meta-data', token_endpoint: 'https://10.0.0.1/token' }
    const lured = await startAuth({
      settings: (each) => ({
        ...each,
        external: {
          keycloak: {
            enabled: true,
            clientId: 'tea-client',
            secret: 'tea-secret',
            redirectUri: '',
            url: bad.url,
            skipNonceCheck: true,
          },
        },
      }),
    })
    try {
      const id_token = await bad.idToken({ sub: 'x' })
      const started = Date.now()
      expect(
        (await lured.ask('POST', '/token?grant_type=id_token', { body: { provider: 'keycloak', id_token } })).status,
      ).toBe(400)
      expect(Date.now() - started).toBeLessThan(5_000)
    } finally {
      await lured.close()
      await bad.close()
    }
  })
})
