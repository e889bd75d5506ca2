/** Logging in through WeChat, against the sandbox, and every mistake that others made with it. */
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { APPID, type AuthFixture, signUp, startAuth, WEBSITE, WECHAT_SECRET } from '../../../../test/auth.ts'

let fixture: AuthFixture
const lines: string[] = []
beforeAll(async () => {
  fixture = await startAuth({
    wechat: true,
    logTo: (line) => lines.push(line),
    settings: (each) => ({ ...each, enableAnonymousSignIns: true }),
  })
})
afterAll(() => fixture.close())

const control = () => {
  if (fixture.sandbox === null) throw new Error('no sandbox')
  return fixture.sandbox.control
}
const login = (code: string, on: AuthFixture = fixture) =>
  on.ask('GET', `/wechat_mini/login?code=${encodeURIComponent(code)}`)
const count = async (table: string, where = 'true') => {
  const text = `select count(*)::int as n from ${table} where ${where}`
  return (await fixture.db.owner.many<{ n: number }>({ name: 'test', text, values: [] }))[0]?.n
}

describe('a login by code', () => {
  it('makes a user in exactly the shape that MemFire’s clients compare', async () => {
    const { status, body } = await login(control().loginCode('alice'))
    expect(status).toBe(200)
    expect(body).toMatchObject({
      token_type: 'bearer',
      expires_in: 3600,
      user: {
        aud: 'authenticated',
        role: 'authenticated',
        email: '',
        phone: '',
        app_metadata: { provider: 'wechat_mini', providers: ['wechat_mini'] },
        is_anonymous: false,
      },
    })
    expect(JSON.stringify(body.user.user_metadata)).toBe('{}')
    expect(body.user.identities).toEqual([])
    expect(body.user.wechat_id).toMatch(/^o/)
    expect(typeof body.user.wechat_unionid).toBe('string')
    expect(decodeJwt(body.access_token)).toMatchObject({
      openid: body.user.wechat_id,
      amr: [{ method: 'wechat_mini' }],
    })
  })

  it('is the same user the next time, and another one for another person', async () => {
    const first = await login(control().loginCode('bob'))
    const second = await login(control().loginCode('bob'))
    const other = await login(control().loginCode('carol'))
    expect(second.body.user.id).toBe(first.body.user.id)
    expect(other.body.user.id).not.toBe(first.body.user.id)
    expect(second.body.user.user_metadata).toEqual({})
  })

  it('lets auth.openid() see the openid in policies', async () => {
    const { body } = await login(control().loginCode('policy'))
    const caller = await fixture.identity.authenticateToken(body.access_token)
    const rows = await fixture.db.owner.many<{ openid: string }>({
      name: 'test',
      text: `select auth.openid() as openid from set_config('request.jwt.claims', $1, false)`,
      values: [caller.claimsText],
    })
    expect(rows[0]?.openid).toBe(body.user.wechat_id)
  })

  it('refuses a code that is used, invented, old, or of the other kind', async () => {
    const used = control().loginCode('dave')
    await login(used)
    const old = control().loginCode('dave')
    fixture.clock.advance(301)
    for (const code of [used, 'made-up', old, control().phoneCode('dave')]) {
      expect(await login(code)).toMatchObject({ status: 400, body: { code: 'wechat_code_invalid' } })
    }
    for (const code of ['', 'x'.repeat(600), 'a b']) expect((await login(code)).status).toBe(400)
  })

  it('takes one code once, also when WeChat would take it twice', async () => {
    const code = control().loginCode('replayed')
    const answers = await Promise.all(Array.from({ length: 10 }, () => login(code)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  })

  it('believes nothing that a client says about itself', async () => {
    const code = encodeURIComponent(control().loginCode('eve'))
    const victim = (await login(control().loginCode('victim'))).body.user
    const { body } = await fixture.ask(
      'GET',
      `/wechat_mini/login?code=${code}&openid=${victim.wechat_id}&unionid=x&phone=13800000000`,
    )
    expect(body.user).toMatchObject({ phone: '' })
    expect(body.user.id).not.toBe(victim.id)
    for (const token of [victim.wechat_id, Buffer.from(victim.wechat_id).toString('base64')]) {
      expect((await fixture.ask('GET', '/user', { token })).status).toBe(403)
    }
    const password = await fixture.ask('POST', '/token?grant_type=password', {
      body: { email: `${victim.wechat_id}@wx`, password: victim.wechat_id },
    })
    expect(password.status).toBe(400)
  })

  it('is refused to who is banned', async () => {
    const { body } = await login(control().loginCode('banned'))
    await fixture.admin('PUT', `/admin/users/${body.user.id}`, { ban_duration: '24h' })
    expect(await login(control().loginCode('banned'))).toMatchObject({ status: 403, body: { code: 'user_banned' } })
    expect((await fixture.ask('GET', '/user', { token: body.access_token })).body.code).toBe('user_banned')
    await fixture.admin('PUT', `/admin/users/${body.user.id}`, { ban_duration: 'none' })
    expect((await login(control().loginCode('banned'))).status).toBe(200)
    expect((await fixture.ask('GET', '/user', { token: body.access_token })).status).toBe(200)
  })
})

describe('WeChat out of order', () => {
  const fault = (what: object) => control().fault(what as Parameters<ReturnType<typeof control>['fault']>[0])

  it('is busy now and then: asked again, nobody notices', async () => {
    fault({ kind: 'errcode', errcode: -1, path: '/sns/jscode2session', times: 2 })
    expect((await login(control().loginCode('patient'))).status).toBe(200)
  })

  it('is away: the answer says so, and the same code is good once it is back', async () => {
    const code = control().loginCode('faithful')
    fault({ kind: 'status', status: 502, path: '/sns/jscode2session', times: 1 })
    const away = await login(code)
    expect(away.status).toBe(503)
    expect(away.headers.get('retry-after')).toBeTruthy()
    expect((await login(code)).status).toBe(200)
  })

  it('answers garbage or hangs up: never more than a 503', async () => {
    for (const kind of ['garbage', 'reset']) {
      fault({ kind, path: '/sns/jscode2session', times: 1 })
      expect((await login(control().loginCode('garbled'))).status).toBe(503)
    }
  })

  it('has had enough of this app: a 429 that says when', async () => {
    fault({ kind: 'errcode', errcode: 45011, path: '/sns/jscode2session', times: 1 })
    expect((await login(control().loginCode('busy'))).status).toBe(429)
  })

  it('blocks a risky person', async () => {
    fault({ kind: 'errcode', errcode: 40226, path: '/sns/jscode2session', times: 1 })
    expect(await login(control().loginCode('risky'))).toMatchObject({ status: 400, body: { code: 'wechat_rejected' } })
  })

  it('no longer takes the access token: it is replaced once and the call repeated', async () => {
    const { body } = await login(control().loginCode('stale'))
    const bind = () =>
      fixture.ask('GET', `/wechat_mini/bind_phone?code=${encodeURIComponent(control().phoneCode('stale'))}`, {
        token: body.access_token,
      })
    expect((await bind()).status).toBe(200)
    fault({ kind: 'errcode', errcode: 40001, path: '/wxa/business/getuserphonenumber', times: 1 })
    expect((await bind()).status).toBe(200)
  })
})

describe('a phone number', () => {
  it('comes from WeChat for a code, and the body is the bare user', async () => {
    const { body } = await login(control().loginCode('phone'))
    const bound = await fixture.ask(
      'GET',
      `/wechat_mini/bind_phone?code=${encodeURIComponent(control().phoneCode('phone'))}`,
      {
        token: body.access_token,
      },
    )
    expect(bound.status).toBe(200)
    expect(bound.body).toMatchObject({ id: body.user.id, wechat_id: body.user.wechat_id })
    expect(bound.body.phone).toMatch(/^1\d{10}$/)
    expect(bound.body.phone_confirmed_at).toBeTruthy()
  })

  it('needs a login, a fresh phone code, and nobody else who has it', async () => {
    const code = () => encodeURIComponent(control().phoneCode('phone'))
    expect((await fixture.ask('GET', `/wechat_mini/bind_phone?code=${code()}`)).status).toBe(403)
    const { body } = await login(control().loginCode('other'))
    const bind = (text: string) =>
      fixture.ask('GET', `/wechat_mini/bind_phone?code=${text}`, { token: body.access_token })
    expect(await bind(encodeURIComponent(control().loginCode('other')))).toMatchObject({
      status: 400,
      body: { code: 'wechat_code_invalid' },
    })
    expect(await bind(code())).toMatchObject({ status: 422, body: { code: 'phone_exists' } })
  })
})

describe('an account that exists already', () => {
  it('can log in through WeChat once it was bound', async () => {
    const session = await signUp(fixture, 'binder@example.com')
    const code = encodeURIComponent(control().loginCode('binder'))
    const bound = await fixture.ask('GET', `/wechat_mini/bind_account?code=${code}`, { token: session.access_token })
    expect(bound.body).toMatchObject({ id: session.user.id, email: 'binder@example.com' })
    expect(bound.body.wechat_id).toBeTruthy()
    expect((await login(control().loginCode('binder'))).body.user.id).toBe(session.user.id)
  })

  it('cannot take somebody else’s WeChat account', async () => {
    await login(control().loginCode('owner'))
    const session = await signUp(fixture, 'taker@example.com')
    const code = encodeURIComponent(control().loginCode('owner'))
    expect(
      await fixture.ask('GET', `/wechat_mini/bind_account?code=${code}`, { token: session.access_token }),
    ).toMatchObject({
      status: 422,
      body: { code: 'wechat_account_exists' },
    })
  })

  it('stops being anonymous', async () => {
    const { body } = await fixture.ask('POST', '/signup', { body: {} })
    const code = encodeURIComponent(control().loginCode('nameless'))
    const bound = await fixture.ask('GET', `/wechat_mini/bind_account?code=${code}`, { token: body.access_token })
    expect(bound.body).toMatchObject({ id: body.user.id, is_anonymous: false })
  })
})

describe('a QR code', () => {
  it('is a picture at the top level of the answer, without a login', async () => {
    const { status, body } = await fixture.ask('POST', '/wechat_mini/unlimited_qrcode', {
      body: { scene: 'room=7', page: 'pages/index/index', width: 300, check_path: false },
    })
    expect(status).toBe(200)
    expect(Object.keys(body)).toEqual(['imgBase64'])
    expect(Buffer.from(body.imgBase64, 'base64').length).toBeGreaterThan(100)
  })

  it('is refused for what WeChat would refuse, before WeChat is asked', async () => {
    for (const body of [
      {},
      { scene: 'x'.repeat(33) },
      { scene: 'a', page: '/pages/a' },
      { scene: 'a', width: 10 },
      { scene: 'a', env_version: 'x' },
    ]) {
      expect((await fixture.ask('POST', '/wechat_mini/unlimited_qrcode', { body })).status).toBe(400)
    }
  })
})

describe('WeChat on the web', () => {
  it('knows by its unionid whoever came from the mini-program', async () => {
    const url = fixture.sandbox?.url ?? ''
    const web = await startAuth({
      node: fixture,
      settings: (each) => ({
        ...each,
        external: {
          wechat_qr: {
            enabled: true,
            clientId: WEBSITE,
            secret: WECHAT_SECRET,
            redirectUri: '',
            url,
            skipNonceCheck: false,
          },
        },
      }),
    })
    try {
      const mini = await login(control().loginCode('walker'))
      expect(mini.body.user.wechat_unionid).not.toBe('')
      const left = await web.ask('GET', '/authorize?provider=wechat_qr')
      const page = new URL(left.headers.get('location') ?? '')
      expect(page.pathname).toBe('/connect/qrconnect')
      const state = page.searchParams.get('state')
      const back = await web.ask('GET', `/callback?code=wxweb:walker:1&state=${state}`)
      const told = new URLSearchParams(new URL(back.headers.get('location') ?? '').hash.slice(1))
      expect(told.get('error_description')).toBeNull()
      const me = await web.ask('GET', '/user', { token: told.get('access_token') ?? '' })
      expect(me.body.id).toBe(mini.body.user.id)
      expect((await web.ask('GET', `/callback?code=wxweb:walker:2&state=${state}`)).body.code).toBe('bad_oauth_state')
    } finally {
      await web.close()
    }
  })
})

describe('secrets of WeChat', () => {
  it('are in no answer, no token, no log line and no table that requests may read', async () => {
    const { body } = await login(control().loginCode('secretive'))
    const journal = JSON.stringify(control().journal({}))
    const everything =
      JSON.stringify(body) + Buffer.from(body.access_token.split('.')[1], 'base64url').toString() + lines.join('')
    expect(everything).not.toMatch(/session_key/)
    expect(everything).not.toContain(WECHAT_SECRET)
    expect(lines.join('')).not.toMatch(/wxcode:|wxphone:|13\d{9}/)
    expect(journal).not.toContain(WECHAT_SECRET)
    const sessions = await fixture.db.owner.many<{ text: string }>({
      name: 'test',
      text: `select to_jsonb(s)::text as text from auth.sessions s union all select to_jsonb(i)::text from auth.identities i`,
      values: [],
    })
    expect(sessions.map(({ text }) => text).join('')).not.toMatch(/session_key/)
    const readable = await fixture.db.owner.many<{ readable: boolean }>({
      name: 'test',
      text: `select has_table_privilege(role, 'teahouse.wechat_token', 'select') as readable from unnest('{anon,authenticated,service_role}'::text[]) role`,
      values: [],
    })
    expect(readable.some((row) => row.readable)).toBe(false)
  })
})

describe('two nodes on one database', () => {
  it('make one user of two hundred first logins', async () => {
    const second = await startAuth({ node: fixture })
    try {
      const before = await count('auth.users')
      const codes = Array.from({ length: 200 }, () => control().loginCode('crowd'))
      const answers = await Promise.all(codes.map((code, index) => login(code, index % 2 === 0 ? fixture : second)))
      expect([...new Set(answers.map(({ status }) => status))]).toEqual([200])
      expect(new Set(answers.map(({ body }) => body.user.id)).size).toBe(1)
      expect(await count('auth.users')).toBe((before ?? 0) + 1)
      expect(await count('auth.sessions', `user_id = '${answers[0]?.body.user.id}'`)).toBe(200)
    } finally {
      await second.close()
    }
  })

  it('fetch the access token once, and replace it once', async () => {
    const fresh = await startAuth({ wechat: true })
    const second = await startAuth({ node: fresh })
    const { sandbox } = fresh
    try {
      const fetched = () => sandbox?.control.journal({ path: '/cgi-bin/stable_token' }).length
      const qr = (on: AuthFixture) => on.ask('POST', '/wechat_mini/unlimited_qrcode', { body: { scene: 'a' } })
      const many = async () =>
        (await Promise.all(Array.from({ length: 40 }, (_, n) => qr(n % 2 ? fresh : second)))).map(
          ({ status }) => status,
        )
      expect([...new Set(await many())]).toEqual([200])
      expect(fetched()).toBe(1)
      sandbox?.control.endTokens(APPID, 'expired')
      expect([...new Set(await many())]).toEqual([200])
      expect(fetched()).toBeLessThanOrEqual(3)
    } finally {
      await second.close()
      await fresh.close()
    }
  })

  it('give two hundred refreshes of one token one family', async () => {
    const second = await startAuth({ node: fixture })
    try {
      const { body } = await login(control().loginCode('refresher'))
      const refresh = (on: AuthFixture) =>
        on.ask('POST', '/token?grant_type=refresh_token', { body: { refresh_token: body.refresh_token } })
      const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => refresh(n % 2 ? fixture : second)))
      expect([...new Set(answers.map(({ status }) => status))]).toEqual([200])
      expect(new Set(answers.map((answer) => answer.body.refresh_token)).size).toBe(1)
      expect(await count('auth.sessions', `user_id = '${body.user.id}'`)).toBe(1)
      const next = await second.ask('POST', '/token?grant_type=refresh_token', {
        body: { refresh_token: answers[0]?.body.refresh_token },
      })
      expect(next.status).toBe(200)
    } finally {
      await second.close()
    }
  })

  it('hear of a logout on the other within a moment', async () => {
    const second = await startAuth({ node: fixture })
    try {
      const { body } = await login(control().loginCode('leaver'))
      await expect(second.identity.authenticateToken(body.access_token)).resolves.toBeTruthy()
      await fixture.ask('POST', '/logout', { token: body.access_token })
      await expect
        .poll(
          () =>
            second.identity.authenticateToken(body.access_token).then(
              () => 'good',
              () => 'void',
            ),
          { timeout: 5_000 },
        )
        .toBe('void')
    } finally {
      await second.close()
    }
  })
})
