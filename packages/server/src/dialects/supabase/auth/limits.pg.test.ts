/** How often, from where, and with what: limits, forged addresses, bad input, and logs. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, type AuthFixture, signUp, startAuth } from '../../../../test/auth.ts'

const opened: AuthFixture[] = []
const open = async (options: Parameters<typeof startAuth>[0]) => {
  const fixture = await startAuth(options)
  opened.push(fixture)
  return fixture
}
afterAll(() => Promise.all(opened.reverse().map((each) => each.close())))

const login = (on: AuthFixture, email: string, headers: Record<string, string> = {}) =>
  on.ask('POST', '/token?grant_type=password', { body: { email, password: 'a wrong one' }, headers })
const statuses = (answers: readonly Answer[]) => answers.map(({ status }) => status)

describe('guessing a password', () => {
  it('is over after a few tries, on all nodes together, and begins anew after a success', async () => {
    const fixture = await open({})
    const second = await open({ node: fixture })
    await signUp(fixture, 'target@example.com')
    const tries = await Promise.all(
      Array.from({ length: 40 }, (_, index) => login(index % 2 ? fixture : second, 'target@example.com')),
    )
    expect(statuses(tries).filter((status) => status === 400)).toHaveLength(10)
    const refused = tries.find(({ status }) => status === 429)
    expect(refused?.body.code).toBe('over_request_rate_limit')
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(200)
    expect((await login(fixture, 'somebody-else@example.com')).status).toBe(400)
    await signUp(fixture, 'forgiven@example.com')
    for (let round = 0; round < 3; round += 1) {
      for (let index = 0; index < 6; index += 1) await login(fixture, 'forgiven@example.com')
      const { status } = await fixture.ask('POST', '/token?grant_type=password', {
        body: { email: 'forgiven@example.com', password: 'correct horse' },
      })
      expect(status).toBe(200)
    }
  })
})

describe('the address that is counted', () => {
  const strict = (each: Parameters<NonNullable<NonNullable<Parameters<typeof startAuth>[0]>['settings']>>[0]) => ({
    ...each,
    rates: { ...each.rates, failuresPerAddress: { points: 5, seconds: 300 } },
  })
  const spread = async (on: AuthFixture, header: (index: number) => Record<string, string>) =>
    statuses(
      await Promise.all(Array.from({ length: 12 }, (_, index) => login(on, `user${index}@example.com`, header(index)))),
    ).filter((status) => status === 429).length

  it('is the socket’s: a header that anybody can write changes nothing', async () => {
    const fixture = await open({ settings: strict })
    expect(await spread(fixture, (index) => ({ 'x-forwarded-for': `198.51.100.${index}` }))).toBe(7)
  })

  it('is the one that a trusted proxy saw', async () => {
    const fixture = await open({ settings: strict, trustProxy: ['127.0.0.1'] })
    expect(await spread(fixture, (index) => ({ 'x-forwarded-for': `198.51.100.${index}` }))).toBe(0)
    expect(await spread(fixture, (index) => ({ 'x-forwarded-for': `6.6.6.${index}, 203.0.113.9` }))).toBe(7)
  })

  it('is a whole /64 of IPv6', async () => {
    const fixture = await open({ settings: strict, trustProxy: ['127.0.0.1'] })
    expect(await spread(fixture, (index) => ({ 'x-forwarded-for': `2001:db8:7:7::${index}` }))).toBe(7)
    expect(await spread(fixture, (index) => ({ 'x-forwarded-for': `2001:db8:7:${index + 10}::1` }))).toBe(0)
  })
})

describe('limits of the operator', () => {
  it('hold for logins, refreshes, anonymous users, checks, mails and the whole app', async () => {
    const few = { points: 3, seconds: 300 }
    const limited = (name: string) =>
      open({
        settings: (each) => ({
          ...each,
          enableAnonymousSignIns: true,
          rates: { ...each.rates, [name]: few },
        }),
      })
    const count = async (name: string, ask: (on: AuthFixture, index: number) => Promise<Answer>) => {
      const fixture = await limited(name)
      const answers: Answer[] = []
      for (let index = 0; index < 5; index += 1) answers.push(await ask(fixture, index))
      return statuses(answers).map((status) => status === 429)
    }
    const over = [false, false, false, true, true]
    expect(await count('signInSignUps', (on, index) => login(on, `${index}@example.com`))).toEqual(over)
    expect(await count('appLogins', (on, index) => login(on, `${index}@example.com`))).toEqual(over)
    expect(
      await count('tokenRefresh', (on) =>
        on.ask('POST', '/token?grant_type=refresh_token', { body: { refresh_token: 'x' } }),
      ),
    ).toEqual(over)
    expect(await count('anonymousUsers', (on) => on.ask('POST', '/signup', { body: {} }))).toEqual(over)
    expect(
      await count('tokenVerifications', (on) =>
        on.ask('POST', '/verify', { body: { type: 'signup', token_hash: 'x' } }),
      ),
    ).toEqual(over)
    expect(
      await count('emailSent', (on, index) => on.ask('POST', '/otp', { body: { email: `${index}@example.com` } })),
    ).toEqual(over)
    expect(
      await count('smsSent', (on, index) => on.ask('POST', '/otp', { body: { phone: `1380013800${index}` } })),
    ).toEqual(over)
  })
})

describe('bad input', () => {
  let fixture: AuthFixture
  let token = ''
  const lines: string[] = []
  beforeAll(async () => {
    fixture = await open({
      logTo: (line) => lines.push(line),
      settings: (each) => ({
        ...each,
        rates: { ...each.rates, failuresPerAddress: { points: 100_000, seconds: 300 } },
      }),
    })
    token = (await signUp(fixture, 'bad@example.com')).access_token
  })

  const deep = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
  const BODIES: readonly string[] = [
    '',
    '{',
    'null',
    '[]',
    '"text"',
    '7',
    '{"email":',
    '{"email":null,"password":null}',
    '{"email":{"$ne":""},"password":{"$ne":""}}',
    '{"email":["a@b.c"],"password":"x"}',
    '{"email":"a@b.c","password":true}',
    `{"email":"a@b.c\\u0000","password":"x"}`,
    `{"email":"a@b.c","password":"long enough","data":{"x":"\\ud800"}}`,
    `{"email":"a@b.c","password":"long enough","data":${deep(10_000)}}`,
    `{"email":"a@b.c","password":"long enough","data":{"n":1e400}}`,
    '{"__proto__":{"role":"service_role"},"email":"proto@b.c","password":"long enough"}',
    '{"constructor":{"prototype":{"x":1}}}',
    `{"email":"${'a'.repeat(100_000)}@b.c","password":"x"}`,
    `{"phone":"${'1'.repeat(1000)}","password":"x"}`,
    '{"email":"ａ＠ｂ．ｃ","password":"x"}',
    '{"email":"a@b.c\' or \'1\'=\'1","password":"x"}',
    `{"refresh_token":"${'A'.repeat(200_000)}"}`,
    '{"refresh_token":"\\u0000"}',
    '{"type":"signup","token":"\\u0000","email":"a@b.c"}',
    '{"auth_code":"\\ud800","code_verifier":"x"}',
  ]

  it('gets a 4xx in this dialect’s words from every route, never a 500 and never a hang', async () => {
    const routes = [
      ['POST', '/signup'],
      ['POST', '/token?grant_type=password'],
      ['POST', '/token?grant_type=refresh_token'],
      ['POST', '/token?grant_type=pkce'],
      ['POST', '/token?grant_type=id_token'],
      ['POST', '/otp'],
      ['POST', '/verify'],
      ['POST', '/recover'],
      ['POST', '/resend'],
      ['POST', '/magiclink'],
      ['PUT', '/user'],
      ['POST', '/factors'],
      ['POST', '/factors/recovery-codes/verify'],
    ] as const
    const strange: string[] = []
    for (const [method, path] of routes) {
      const answers = await Promise.all(BODIES.map((body) => fixture.ask(method, path, { body, token })))
      answers.forEach(({ status, body }, index) => {
        const fine = status === 200 || (status >= 400 && status < 500 && typeof body.code === 'string')
        if (!fine) strange.push(`${method} ${path} ${BODIES[index]?.slice(0, 60)}: ${status} ${JSON.stringify(body)}`)
      })
    }
    expect(strange).toEqual([])
  }, 60_000)

  it('in addresses gets a 4xx too', async () => {
    const paths = [
      '/verify?type=signup&token=%00',
      '/verify?type=__proto__&token=x',
      '/verify?type=signup&type=recovery&token=x&token=y',
      `/verify?type=signup&token=${'x'.repeat(5_000)}`,
      '/authorize?provider=%00',
      '/authorize?provider=google&code_challenge=x',
      '/callback?state=%ff&code=x',
      '/callback',
      '/user/identities/authorize?provider=../../x',
      '/admin/users/not-a-uuid',
      '/admin/users?page=-1',
      '/admin/users?per_page=99999999999999',
      '/wechat_mini/login?code=%00',
      '/nothing/here',
      `/user?${Array.from({ length: 2_000 }, (_, index) => `a${index}=1`).join('&')}`,
    ]
    for (const path of paths) {
      const { status } = await fixture.ask('GET', path, path.startsWith('/user') ? { token } : {})
      expect([path.slice(0, 50), status < 500 || status === 501]).toEqual([path.slice(0, 50), true])
    }
    for (const id of ['x', '%00', "'--", '0b1f4a6e-0000-4000-8000-00000000000g']) {
      expect((await fixture.admin('GET', `/admin/users/${id}`)).status).toBe(400)
      expect((await fixture.ask('DELETE', `/factors/${id}`, { token })).status).toBe(404)
    }
  })

  it('cannot write what only the server writes', async () => {
    const system = {
      id: '0b1f4a6e-0000-4000-8000-000000000001',
      role: 'service_role',
      aud: 'admin',
      is_super_admin: true,
      email_confirmed_at: '2000-01-01',
      banned_until: '2000-01-01',
      raw_app_meta_data: { admin: true },
      identities: [],
    }
    const { body } = await fixture.ask('POST', '/signup', {
      body: { email: 'mass@example.com', password: 'correct horse', ...system, app_metadata: { admin: true } },
    })
    expect(body.user).toMatchObject({
      role: 'authenticated',
      aud: 'authenticated',
      app_metadata: { provider: 'email', providers: ['email'] },
    })
    expect(body.user.id).not.toBe(system.id)
    const changed = await fixture.ask('PUT', '/user', {
      token: body.access_token,
      body: { ...system, data: { app_metadata: 1, role: 'x' } },
    })
    expect(changed.body).toMatchObject({ id: body.user.id, role: 'authenticated', app_metadata: { provider: 'email' } })
    expect(
      (await fixture.ask('PUT', '/user', { token: body.access_token, body: { app_metadata: { admin: true } } })).status,
    ).toBe(403)
  })

  it('too large is refused before it is read', async () => {
    const { status } = await fixture.ask('POST', '/signup', { body: `{"data":"${'x'.repeat(10_000_000)}"}` })
    expect(status).toBe(413)
  })

  it('leaves no secret in the log', async () => {
    await fixture.ask('POST', '/signup', { body: { email: 'logged@example.com', password: 'a very secret password' } })
    await fixture.ask('POST', '/otp', { body: { phone: '13812345678' } })
    await fixture.ask('POST', '/recover', { body: { email: 'logged@example.com' } })
    await fixture.mailbox.latest('logged@example.com')
    const text = lines.join('\n')
    for (const secret of [
      'a very secret password',
      token,
      '13812345678',
      fixture.texts.at(-1)?.code ?? '',
      fixture.keys.serviceKey,
    ]) {
      expect(text).not.toContain(secret)
    }
  })
})
