/** Services of the operator's own that are asked on the way: hooks over HTTP, and who tells people from programs. */
import { createHmac } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { type AuthFixture, startAuth } from '../../../../test/auth.ts'

interface Asked {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}
interface Answer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: object | string
}

const open: (Server | AuthFixture)[] = []
afterEach(async () => {
  for (const each of open.splice(0).reverse()) {
    if ('db' in each) await each.close()
    else await new Promise<void>((resolve) => each.close(() => resolve()))
  }
})

const listen = async (answer: (asked: Asked) => Answer | null) => {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const question = { headers: request.headers, body }
      asked.push(question)
      const { status = 200, headers = {}, body: said = {} } = answer(question) ?? {}
      // Null: the service hangs until its caller is gone.
      if (answer(question) === null) return
      response.writeHead(status, { 'content-type': 'application/json', ...headers })
      response.end(typeof said === 'string' ? said : JSON.stringify(said))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  server.unref()
  open.push(server)
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, asked }
}

const start = async (options: Parameters<typeof startAuth>[0]): Promise<AuthFixture> => {
  const fixture = await startAuth(options)
  open.push(fixture)
  return fixture
}

const signUp = (fixture: AuthFixture, email: string, more: object = {}) =>
  fixture.ask('POST', '/signup', { body: { email, password: 'correct horse', ...more } })

describe('a hook over HTTP', () => {
  const KEYS = ['b25lIHNlY3JldCBvZiB0aGlydHktdHdvIGJ5dGVz', 'YW5vdGhlciBzZWNyZXQgb2YgdGhpcnR5LXR3bw==']
  const secrets = KEYS.map((key) => `v1,whsec_${key}`).join('|')
  const hooked = (name: 'beforeUserCreated' | 'customAccessToken', url: string) =>
    start({
      settings: (each) => ({ ...each, hooks: { ...each.hooks, [name]: { kind: 'http', url, secrets } } }),
    })

  it('is told who is about to be made, with a signature for each secret, and may refuse in its own words', async () => {
    const { url, asked } = await listen(({ body }) =>
      body.includes('@elsewhere') ? { status: 400, body: { error: { http_code: 403, message: 'Members only' } } } : {},
    )
    const fixture = await hooked('beforeUserCreated', url)
    expect((await signUp(fixture, 'a@example.com')).status).toBe(200)
    const { headers, body } = asked[0] ?? { headers: {}, body: '' }
    expect(JSON.parse(body)).toMatchObject({
      metadata: { name: 'before-user-created' },
      user: { email: 'a@example.com' },
    })
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
    const signatures = KEYS.map(
      (key) => `v1,${createHmac('sha256', Buffer.from(key, 'base64')).update(signed).digest('base64')}`,
    )
    expect(String(headers['webhook-signature']).split(' ')).toEqual(signatures)
    expect(body).not.toContain('correct horse')
    expect(await signUp(fixture, 'a@elsewhere.com')).toMatchObject({ status: 403, body: { message: 'Members only' } })
    expect((await fixture.admin('GET', '/admin/users')).body.users).toHaveLength(1)
  })

  it('may change the claims of a token', async () => {
    const { url } = await listen(({ body }) => ({ body: { claims: { ...JSON.parse(body).claims, team: 'green' } } }))
    const fixture = await hooked('customAccessToken', url)
    const { body } = await signUp(fixture, 'a@example.com')
    expect((await fixture.identity.authenticateToken(body.access_token)).claims).toMatchObject({ team: 'green' })
  })

  it('is asked again when it says so, and fails the login when it answers badly, too much, or not at all', async () => {
    let busy = 2
    const { url, asked } = await listen(({ body }) => {
      if (body.includes('busy') && busy-- > 0) return { status: 503, headers: { 'retry-after': 'true' } }
      if (body.includes('broken')) return { status: 500, body: 'oops' }
      if (body.includes('chatty')) return { body: 'x'.repeat(300_000) }
      if (body.includes('moved')) return { status: 302, headers: { location: 'http://127.0.0.1:1/' } }
      return {}
    })
    const fixture = await hooked('beforeUserCreated', url)
    expect((await signUp(fixture, 'busy@example.com')).status).toBe(200)
    expect(asked.length).toBeGreaterThanOrEqual(2)
    for (const name of ['broken', 'chatty', 'moved'])
      expect([name, (await signUp(fixture, `${name}@example.com`)).status]).toEqual([name, 500])
    const away = await hooked('beforeUserCreated', 'http://127.0.0.1:1/')
    expect((await signUp(away, 'a@example.com')).status).toBe(500)
  })
})

describe('a captcha', () => {
  const guarded = async () => {
    const provider = await listen(({ body }) => {
      const form = new URLSearchParams(body)
      if (form.get('response') === 'away') return { status: 502, body: 'bad gateway' }
      const right = form.get('secret') === 'riddle' && form.get('response') === 'solved'
      return { body: right ? { success: true } : { success: false, 'error-codes': ['invalid-input-response'] } }
    })
    const captcha = { provider: 'hcaptcha', secret: 'riddle', url: provider.url } as const
    return { provider, fixture: await start({ settings: (each) => ({ ...each, captcha }) }) }
  }
  const solved = { gotrue_meta_security: { captcha_token: 'solved' } }

  it('is asked for wherever a program would come often, and not where a person already proved themselves', async () => {
    const { fixture, provider } = await guarded()
    const email = 'a@example.com'
    for (const [path, body] of [
      ['/signup', { email, password: 'correct horse' }],
      ['/signup', {}],
      ['/token?grant_type=password', { email, password: 'correct horse' }],
      ['/otp', { email }],
      ['/magiclink', { email }],
      ['/recover', { email }],
      ['/resend', { type: 'signup', email }],
    ] as const) {
      const answer = await fixture.ask('POST', path, { body })
      expect([path, answer.status, answer.body.code]).toEqual([path, 400, 'captcha_failed'])
    }
    expect(provider.asked).toHaveLength(0)
    const { body } = await signUp(fixture, email, solved)
    expect(body.user.email).toBe(email)
    expect(provider.asked[0]?.body).toContain('remoteip=127.0.0.1')
    const refreshed = await fixture.ask('POST', '/token?grant_type=refresh_token', {
      body: { refresh_token: body.refresh_token },
    })
    expect(refreshed.status).toBe(200)
    expect((await fixture.ask('POST', '/logout', { token: refreshed.body.access_token })).status).toBe(204)
    const password = { email, password: 'correct horse' }
    const login = await fixture.ask('POST', '/token?grant_type=password', { body: { ...password, ...solved } })
    expect(login.status).toBe(200)
  })

  it('that is wrong, cannot be checked or is no text lets nobody in, and the operator needs none', async () => {
    const { fixture } = await guarded()
    const withToken = (captcha_token: unknown) =>
      signUp(fixture, 'a@example.com', { gotrue_meta_security: { captcha_token } })
    expect(await withToken('guessed')).toMatchObject({
      status: 400,
      body: { code: 'captcha_failed', message: expect.stringContaining('invalid-input-response') },
    })
    expect((await withToken('away')).status).toBe(500)
    for (const odd of [7, {}, ['solved'], 'x'.repeat(10_000), '']) expect((await withToken(odd)).status).toBe(400)
    const { secretKey } = fixture.keys
    const operator = await fixture.ask('POST', '/signup', {
      body: { email: 'b@example.com', password: 'correct horse' },
      headers: { apikey: secretKey },
    })
    expect(operator.status).toBe(200)
  })
})
