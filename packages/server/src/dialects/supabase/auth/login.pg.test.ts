/** Signing up, logging in, staying in and logging out, over HTTP. */
import bcrypt from 'bcryptjs'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AuthFixture, codeOf, linkOf, signUp, startAuth } from '../../../../test/auth.ts'

let open: AuthFixture
let confirming: AuthFixture
beforeAll(async () => {
  open = await startAuth({
    settings: (each) => ({ ...each, enableAnonymousSignIns: true, minimumPasswordLength: 8 }),
  })
  confirming = await startAuth({
    settings: (each) => ({
      ...each,
      redirectUrls: ['https://app.example.com/**'],
      email: { ...each.email, enableConfirmations: true, maxFrequency: 1 },
    }),
  })
})
afterAll(() => Promise.all([open.close(), confirming.close()]))

describe('sign-up with a password', () => {
  it('gives a session where addresses need no confirmation', async () => {
    const { status, body } = await open.ask('POST', '/signup', {
      body: { email: 'Ada@Example.com', password: 'correct horse', data: { name: '阿达' } },
    })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      token_type: 'bearer',
      expires_in: 3600,
      user: {
        aud: 'authenticated',
        role: 'authenticated',
        email: 'ada@example.com',
        phone: '',
        app_metadata: { provider: 'email', providers: ['email'] },
        user_metadata: { name: '阿达', email: 'ada@example.com', email_verified: true },
        is_anonymous: false,
      },
    })
    expect(body.user.identities).toMatchObject([{ provider: 'email', identity_data: { email: 'ada@example.com' } }])
    expect(body.expires_at).toBeCloseTo(Date.now() / 1000 + 3600, -1)
  })

  it('puts what row-level security needs into the token, in ASCII that any decoder reads', async () => {
    const { access_token: token, user } = await signUp(open, 'claims@example.com')
    await open.ask('PUT', '/user', { token, body: { data: { name: '茶馆 ~?>' } } })
    const { body } = await open.ask('POST', '/token?grant_type=password', {
      body: { email: 'claims@example.com', password: 'correct horse' },
    })
    const claims = decodeJwt(body.access_token)
    expect(claims).toMatchObject({
      iss: `${open.url}/auth/v1`,
      sub: user.id,
      aud: 'authenticated',
      role: 'authenticated',
      aal: 'aal1',
      amr: [{ method: 'password' }],
      email: 'claims@example.com',
      is_anonymous: false,
      user_metadata: { name: '茶馆 ~?>' },
    })
    expect(claims.session_id).toMatch(/^[0-9a-f-]{36}$/)
    expect(body.access_token.split('.')[1]).not.toMatch(/[-_]/)
  })

  it('refuses what is no address, no password, or both addresses at once', async () => {
    const tried = [
      [{ email: 'nobody', password: 'long enough' }, 400, 'validation_failed'],
      [{ email: 'a@b.com' }, 400, 'validation_failed'],
      [{ email: 'a@b.com', phone: '13800138000', password: 'long enough' }, 400, 'validation_failed'],
      [{ email: 'a@b.com', password: 'short' }, 422, 'weak_password'],
      [{ email: 7, password: 'long enough' }, 400, 'validation_failed'],
      [{ email: 'a@b.com', password: 'x'.repeat(100) }, 400, 'validation_failed'],
      [{ email: 'a@b.com', password: 'long enough', data: [] }, 400, 'validation_failed'],
    ] as const
    for (const [body, status, code] of tried) {
      expect(await open.ask('POST', '/signup', { body })).toMatchObject({ status, body: { code } })
    }
  })

  it('says in both versions of the API why a password is weak', async () => {
    const body = { email: 'weak@example.com', password: 'short' }
    expect((await open.ask('POST', '/signup', { body })).body).toMatchObject({
      code: 'weak_password',
      weak_password: { reasons: ['length'] },
    })
    const old = await open.ask('POST', '/signup', { body, old: true })
    expect(old.body).toMatchObject({ code: 422, error_code: 'weak_password', weak_password: { reasons: ['length'] } })
    expect(old.headers.get('x-supabase-api-version')).toBeNull()
  })

  it('says that somebody exists only where signing up shows it anyway', async () => {
    await signUp(open, 'twice@example.com')
    const again = await open.ask('POST', '/signup', { body: { email: 'twice@example.com', password: 'another one' } })
    expect(again).toMatchObject({ status: 422, body: { code: 'user_already_exists' } })
  })
})

describe('an address that must be confirmed', () => {
  it('is confirmed by the link in the mail, which leads on with a session', async () => {
    const { body: user } = await confirming.ask('POST', '/signup?redirect_to=https://app.example.com/welcome', {
      body: { email: 'new@example.com', password: 'correct horse' },
    })
    expect(user).toMatchObject({ email: 'new@example.com', user_metadata: { email_verified: false } })
    expect(user.access_token).toBeUndefined()
    const early = { email: 'new@example.com', password: 'correct horse' }
    expect(await confirming.ask('POST', '/token?grant_type=password', { body: early })).toMatchObject({
      status: 400,
      body: { code: 'email_not_confirmed' },
    })
    const link = linkOf(await confirming.mailbox.latest('new@example.com'))
    const opened = await confirming.ask('GET', link.href)
    expect(opened.status).toBe(303)
    const target = new URL(opened.headers.get('location') ?? '')
    expect(target.origin + target.pathname).toBe('https://app.example.com/welcome')
    const told = new URLSearchParams(target.hash.slice(1))
    expect(told.get('type')).toBe('signup')
    const me = await confirming.ask('GET', '/user', { token: told.get('access_token') ?? '' })
    expect(me.body).toMatchObject({ email: 'new@example.com', user_metadata: { email_verified: true } })
    expect(me.body.email_confirmed_at).toBeTruthy()
    const twice = await confirming.ask('GET', link.href)
    expect(twice.headers.get('location')).toContain('error_code=otp_expired')
  })

  it('shows a stranger who signs up with it a user who does not exist', async () => {
    const ask = (email: string) => confirming.ask('POST', '/signup', { body: { email, password: 'correct horse' } })
    await ask('taken@example.com')
    const code = codeOf(await confirming.mailbox.latest('taken@example.com'))
    await confirming.ask('POST', '/verify', { body: { type: 'signup', email: 'taken@example.com', token: code } })
    const mails = confirming.mailbox.mails.length
    const decoy = await ask('taken@example.com')
    const real = await ask('fresh@example.com')
    expect(decoy.status).toBe(200)
    expect(decoy.body.identities).toEqual([])
    const shape = (body: object) =>
      Object.keys(body)
        .filter((key) => key !== 'role')
        .sort()
    expect(shape(decoy.body)).toEqual(shape(real.body))
    expect(confirming.mailbox.mails.slice(mails).map(({ to }) => to)).toEqual(['fresh@example.com'])
  })

  it('never changes the password that waits for confirmation', async () => {
    const ask = (password: string) =>
      confirming.ask('POST', '/signup', { body: { email: 'waiting@example.com', password } })
    await ask('of the owner')
    confirming.clock.advance(5)
    await ask('of a stranger')
    const code = codeOf(await confirming.mailbox.latest('waiting@example.com', 1))
    await confirming.ask('POST', '/verify', { body: { type: 'email', email: 'waiting@example.com', token: code } })
    const login = (password: string) =>
      confirming.ask('POST', '/token?grant_type=password', { body: { email: 'waiting@example.com', password } })
    expect((await login('of a stranger')).status).toBe(400)
    expect((await login('of the owner')).status).toBe(200)
  })
})

describe('a login with a password', () => {
  it('tells no more than that it failed, whatever was wrong', async () => {
    await signUp(open, 'known@example.com')
    const wrong = await open.ask('POST', '/token?grant_type=password', {
      body: { email: 'known@example.com', password: 'a wrong one' },
    })
    const unknown = await open.ask('POST', '/token?grant_type=password', {
      body: { email: 'unknown@example.com', password: 'a wrong one' },
    })
    expect(wrong).toMatchObject({
      status: 400,
      body: { code: 'invalid_credentials', message: 'Invalid login credentials' },
    })
    expect(unknown.body).toEqual(wrong.body)
  })

  it('works by phone number too', async () => {
    const { status } = await open.ask('POST', '/signup', {
      body: { phone: '+8613800138001', password: 'correct horse' },
    })
    expect(status).toBe(200)
    const { body } = await open.ask('POST', '/token?grant_type=password', {
      body: { phone: '86 13800138001', password: 'correct horse' },
    })
    expect(body.user).toMatchObject({ phone: '8613800138001', app_metadata: { provider: 'phone' } })
  })

  it('takes a bcrypt hash that was imported, and keeps an argon2id one from then on', async () => {
    const made = await open.admin('POST', '/admin/users', {
      email: 'moved@example.com',
      email_confirm: true,
      password_hash: await bcrypt.hash('from elsewhere', 6),
    })
    expect(made.status).toBe(200)
    const login = () =>
      open.ask('POST', '/token?grant_type=password', {
        body: { email: 'moved@example.com', password: 'from elsewhere' },
      })
    expect((await login()).status).toBe(200)
    const rows = await open.db.owner.many<{ hash: string }>({
      name: 'test',
      text: 'select encrypted_password as hash from auth.users where email = $1',
      values: ['moved@example.com'],
    })
    expect(rows[0]?.hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
    expect((await login()).status).toBe(200)
  })

  it('tells somebody whose password is weaker than today asks for, and lets them in', async () => {
    await open.admin('POST', '/admin/users', {
      email: 'old@example.com',
      email_confirm: true,
      password_hash: await bcrypt.hash('short', 4),
    })
    const { body } = await open.ask('POST', '/token?grant_type=password', {
      body: { email: 'old@example.com', password: 'short' },
    })
    expect(body.weak_password).toMatchObject({ reasons: ['length'] })
  })

  it('refuses grant types that it does not know', async () => {
    for (const type of ['', 'client_credentials', '__proto__']) {
      expect((await open.ask('POST', `/token?grant_type=${type}`, { body: {} })).status).toBe(400)
    }
  })
})

describe('somebody anonymous', () => {
  it('has a session and no way back, until they give an address', async () => {
    const { body } = await open.ask('POST', '/signup', { body: { data: { colour: 'green' } } })
    expect(body.user).toMatchObject({
      is_anonymous: true,
      email: '',
      identities: [],
      user_metadata: { colour: 'green' },
    })
    expect(decodeJwt(body.access_token)).toMatchObject({ is_anonymous: true, amr: [{ method: 'anonymous' }] })
    const token = body.access_token
    const refused = await open.ask('PUT', '/user', { token, body: { password: 'correct horse' } })
    expect(refused.status).toBe(400)
    const { body: user } = await open.ask('PUT', '/user', {
      token,
      body: { email: 'anonymous@example.com', password: 'correct horse' },
    })
    expect(user).toMatchObject({
      id: body.user.id,
      is_anonymous: false,
      email: 'anonymous@example.com',
      app_metadata: { provider: 'email', providers: ['email'] },
    })
    const again = await open.ask('POST', '/token?grant_type=password', {
      body: { email: 'anonymous@example.com', password: 'correct horse' },
    })
    expect(again.body.user.id).toBe(body.user.id)
  })

  it('is refused where the operator wants no such people', async () => {
    expect(await confirming.ask('POST', '/signup', { body: {} })).toMatchObject({
      status: 422,
      body: { code: 'anonymous_provider_disabled' },
    })
  })
})

describe('a refresh', () => {
  const refresh = (token: string) =>
    open.ask('POST', '/token?grant_type=refresh_token', { body: { refresh_token: token } })

  it('gives another token of the same session', async () => {
    const session = await signUp(open, 'refresh@example.com')
    const { status, body } = await refresh(session.refresh_token)
    expect(status).toBe(200)
    expect(body.refresh_token).not.toBe(session.refresh_token)
    expect(decodeJwt(body.access_token).session_id).toBe(decodeJwt(session.access_token).session_id)
  })

  it('shows the latest token again to a client that never got it', async () => {
    const session = await signUp(open, 'lost@example.com')
    const { body: once } = await refresh(session.refresh_token)
    open.clock.advance(60)
    const { body: again } = await refresh(session.refresh_token)
    expect(again.refresh_token).toBe(once.refresh_token)
  })

  it('ends the whole family when an older token comes back after the reuse interval', async () => {
    const session = await signUp(open, 'stolen@example.com')
    const { body: second } = await refresh(session.refresh_token)
    const { body: third } = await refresh(second.refresh_token)
    open.clock.advance(5)
    expect((await refresh(session.refresh_token)).status).toBe(200)
    open.clock.advance(11)
    expect(await refresh(session.refresh_token)).toMatchObject({
      status: 400,
      body: { code: 'refresh_token_already_used' },
    })
    expect(await refresh(third.refresh_token)).toMatchObject({ status: 400, body: { code: 'refresh_token_not_found' } })
    expect(await open.ask('GET', '/user', { token: third.access_token })).toMatchObject({
      status: 403,
      body: { code: 'session_not_found' },
    })
  })

  it('refuses tokens that it did not make', async () => {
    const { refresh_token: token } = await signUp(open, 'forged@example.com')
    const flipped = token.slice(0, -1) + (token.endsWith('A') ? 'B' : 'A')
    for (const forged of ['', 'x', token.slice(1), `${token}A`, flipped, token.toUpperCase()]) {
      const { status } = await refresh(forged)
      expect(status).toBe(400)
    }
    expect((await refresh(token)).status).toBe(200)
  })
})

describe('a session', () => {
  it('ends at its longest life and when it was left alone', async () => {
    const strict = await startAuth({
      settings: (each) => ({ ...each, timebox: 3600, inactivityTimeout: 600 }),
    })
    try {
      const first = await signUp(strict, 'a@example.com')
      const refresh = (token: string) =>
        strict.ask('POST', '/token?grant_type=refresh_token', { body: { refresh_token: token } })
      strict.clock.advance(500)
      const second = await refresh(first.refresh_token)
      expect(second.status).toBe(200)
      strict.clock.advance(601)
      expect(await refresh(second.body.refresh_token)).toMatchObject({ status: 400, body: { code: 'session_expired' } })
      const { body: third } = await strict.ask('POST', '/token?grant_type=password', {
        body: { email: 'a@example.com', password: 'correct horse' },
      })
      let token = third.refresh_token
      for (let minute = 0; minute < 60; minute += 5) {
        strict.clock.advance(301)
        const next = await refresh(token)
        if (minute < 55) token = next.body.refresh_token
        else expect(next.body.code).toBe('session_expired')
      }
    } finally {
      await strict.close()
    }
  })

  it('ends alone, with all others, or without this one', async () => {
    await signUp(open, 'many@example.com')
    const login = async () =>
      (
        await open.ask('POST', '/token?grant_type=password', {
          body: { email: 'many@example.com', password: 'correct horse' },
        })
      ).body
    const alive = async (session: { access_token: string }) =>
      (await open.ask('GET', '/user', { token: session.access_token })).status === 200
    const [one, two, three] = [await login(), await login(), await login()]
    expect((await open.ask('POST', '/logout?scope=local', { token: one.access_token })).status).toBe(204)
    expect([await alive(one), await alive(two), await alive(three)]).toEqual([false, true, true])
    expect((await open.ask('POST', '/logout?scope=others', { token: two.access_token })).status).toBe(204)
    expect([await alive(two), await alive(three)]).toEqual([true, false])
    expect((await open.ask('POST', '/logout', { token: two.access_token })).status).toBe(204)
    expect(await alive(two)).toBe(false)
    expect((await open.ask('POST', '/logout?scope=nobody', { token: (await login()).access_token })).status).toBe(400)
  })

  it('takes its access token with it, everywhere', async () => {
    const session = await signUp(open, 'out@example.com')
    await expect(open.identity.authenticateToken(session.access_token)).resolves.toMatchObject({
      role: 'authenticated',
    })
    await open.ask('POST', '/logout?scope=local', { token: session.access_token })
    await expect(open.identity.authenticateToken(session.access_token)).rejects.toMatchObject({
      reason: 'token_revoked',
    })
  })
})

describe('who is asking', () => {
  it('must be shown by a token that stands for a person', async () => {
    expect(await open.ask('GET', '/user')).toMatchObject({ status: 403, body: { code: 'bad_jwt' } })
    expect(await open.ask('GET', '/user', { headers: { authorization: '' } })).toMatchObject({
      status: 401,
      body: { code: 'no_authorization' },
    })
    expect(await open.ask('GET', '/user', { token: 'nonsense' })).toMatchObject({
      status: 403,
      body: { code: 'bad_jwt' },
    })
    expect(await open.ask('GET', '/user', { headers: { apikey: 'wrong' } })).toMatchObject({ status: 401 })
  })

  it('is told in the words of the version that was asked for', async () => {
    const now = await open.ask('GET', '/user', { token: 'nonsense' })
    expect(now.headers.get('x-supabase-api-version')).toBe('2024-01-01')
    expect(now.body).toMatchObject({ code: 'bad_jwt' })
    expect(now.body.message).toContain('invalid JWT')
    const before = await open.ask('GET', '/user', { token: 'nonsense', old: true })
    expect(before.body).toMatchObject({ code: 403, error_code: 'bad_jwt' })
    expect(before.body.msg).toContain('invalid JWT')
  })
})
