/** What the operator does with people through a service key. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AuthFixture, codeOf, linkOf, signUp, startAuth } from '../../../../test/auth.ts'

let fixture: AuthFixture
beforeAll(async () => {
  fixture = await startAuth({
    settings: (each) => ({ ...each, email: { ...each.email, enableConfirmations: true } }),
  })
})
afterAll(() => fixture.close())

const create = async (body: object) => (await fixture.admin('POST', '/admin/users', body)).body
const login = (email: string, password: string) =>
  fixture.ask('POST', '/token?grant_type=password', { body: { email, password } })

describe('the admin routes', () => {
  it('are for service keys only', async () => {
    const user = await create({ email: 'plain@example.com', password: 'correct horse', email_confirm: true })
    const { body } = await login('plain@example.com', 'correct horse')
    const routes = [
      ['GET', '/admin/users'],
      ['POST', '/admin/users'],
      ['GET', `/admin/users/${user.id}`],
      ['PUT', `/admin/users/${user.id}`],
      ['DELETE', `/admin/users/${user.id}`],
      ['POST', '/admin/generate_link'],
      ['POST', '/invite'],
    ] as const
    for (const [method, path] of routes) {
      expect(await fixture.ask(method, path)).toMatchObject({ status: 403, body: { code: 'not_admin' } })
      expect((await fixture.ask(method, path, { token: body.access_token })).status).toBe(403)
      expect((await fixture.ask(method, path, { headers: { apikey: '', authorization: '' } })).status).toBe(401)
    }
  })

  it('take the secret key as they take the service key', async () => {
    const headers = { apikey: fixture.keys.secretKey }
    expect((await fixture.ask('GET', '/admin/users', { headers, token: fixture.keys.secretKey })).status).toBe(200)
    const open = { apikey: fixture.keys.publishableKey }
    expect(
      (await fixture.ask('GET', '/admin/users', { headers: open, token: fixture.keys.publishableKey })).status,
    ).toBe(403)
  })
})

describe('a person', () => {
  it('is made, changed and removed', async () => {
    const user = await create({
      email: 'made@example.com',
      phone: '+8613800138111',
      password: 'correct horse',
      email_confirm: true,
      user_metadata: { name: 'Made', gone: 1 },
      app_metadata: { plan: 'free' },
      role: 'authenticated',
    })
    expect(user).toMatchObject({
      email: 'made@example.com',
      phone: '8613800138111',
      user_metadata: { name: 'Made' },
      app_metadata: { provider: 'email', providers: ['email', 'phone'], plan: 'free' },
    })
    expect(user.identities).toHaveLength(2)
    const { body } = await fixture.admin('PUT', `/admin/users/${user.id}`, {
      email: 'changed@example.com',
      user_metadata: { gone: null, more: true },
      app_metadata: { plan: 'paid' },
    })
    expect(body).toMatchObject({
      email: 'changed@example.com',
      user_metadata: { name: 'Made', more: true },
      app_metadata: { plan: 'paid' },
    })
    expect(body.user_metadata.gone).toBeUndefined()
    expect((await login('changed@example.com', 'correct horse')).status).toBe(200)
    expect((await fixture.admin('DELETE', `/admin/users/${user.id}`)).body).toEqual({})
    expect((await fixture.admin('GET', `/admin/users/${user.id}`)).status).toBe(404)
  })

  it('can be made with an id of the operator’s choice, once', async () => {
    const id = 'b2d7e3c2-9c3b-4f1e-8a55-8d0b2a1f7c10'
    expect((await create({ id, email: 'id@example.com' })).id).toBe(id)
    expect((await fixture.admin('POST', '/admin/users', { id, email: 'id2@example.com' })).status).toBe(422)
    expect((await fixture.admin('POST', '/admin/users', { id: 'x', email: 'id3@example.com' })).status).toBe(400)
  })

  it('keeps their address to themselves', async () => {
    await create({ email: 'unique@example.com' })
    expect(await fixture.admin('POST', '/admin/users', { email: 'UNIQUE@example.com' })).toMatchObject({
      status: 422,
      body: { code: 'email_exists' },
    })
    expect(await fixture.admin('POST', '/admin/users', {})).toMatchObject({ status: 400 })
  })

  it('leaves an empty shell when rows still point at them', async () => {
    const user = await create({
      email: 'soft@example.com',
      password: 'correct horse',
      email_confirm: true,
      user_metadata: { name: 'x' },
    })
    const { body: session } = await login('soft@example.com', 'correct horse')
    await fixture.admin('DELETE', `/admin/users/${user.id}`, { should_soft_delete: true })
    const { body } = await fixture.admin('GET', `/admin/users/${user.id}`)
    expect(body.deleted_at).toBeTruthy()
    expect(JSON.stringify(body)).not.toContain('soft@example.com')
    expect(body.user_metadata).toEqual({})
    expect((await login('soft@example.com', 'correct horse')).status).toBe(400)
    expect((await fixture.ask('GET', '/user', { token: session.access_token })).status).toBe(403)
    expect((await create({ email: 'soft@example.com' })).email).toBe('soft@example.com')
  })

  it('is banned for a while, and let in again', async () => {
    const user = await create({ email: 'ban@example.com', password: 'correct horse', email_confirm: true })
    const { body: session } = await login('ban@example.com', 'correct horse')
    const ban = (ban_duration: string) => fixture.admin('PUT', `/admin/users/${user.id}`, { ban_duration })
    expect((await ban('soon')).status).toBe(400)
    expect((await ban('1h30m')).body.banned_until).toBeTruthy()
    await expect(fixture.identity.authenticateToken(session.access_token)).rejects.toMatchObject({
      reason: 'token_revoked',
    })
    expect(await login('ban@example.com', 'correct horse')).toMatchObject({
      status: 403,
      body: { code: 'user_banned' },
    })
    expect(await login('ban@example.com', 'wrong horse')).toMatchObject({
      status: 400,
      body: { code: 'invalid_credentials' },
    })
    const refresh = await fixture.ask('POST', '/token?grant_type=refresh_token', {
      body: { refresh_token: session.refresh_token },
    })
    expect(refresh.body.code).toBe('user_banned')
    expect((await ban('none')).body.banned_until).toBeUndefined()
    await expect(fixture.identity.authenticateToken(session.access_token)).resolves.toBeTruthy()
    expect((await login('ban@example.com', 'correct horse')).status).toBe(200)
  })
})

describe('the list', () => {
  it('comes in pages and says how many there are', async () => {
    const { headers, body } = await fixture.admin('GET', '/admin/users?page=1&per_page=2')
    const total = Number(headers.get('x-total-count'))
    expect(body).toMatchObject({ aud: 'authenticated' })
    expect(body.users).toHaveLength(2)
    expect(headers.get('link')).toContain('page=2')
    expect(headers.get('link')).toContain('rel="last"')
    const all = await fixture.admin('GET', '/admin/users?per_page=1000')
    expect(all.body.users).toHaveLength(total)
    expect((await fixture.admin('GET', '/admin/users?page=x')).status).toBe(400)
    expect((await fixture.admin('GET', `/admin/users?page=${total}&per_page=1000`)).body.users).toEqual([])
  })

  it('can be ordered by who was here last', async () => {
    const first = await create({ email: 'seen1@example.com', password: 'correct horse', email_confirm: true })
    await create({ email: 'seen2@example.com', password: 'correct horse', email_confirm: true })
    const one = await login('seen1@example.com', 'correct horse')
    await login('seen2@example.com', 'correct horse')
    fixture.clock.advance(120)
    await fixture.ask('GET', '/user', { token: one.body.access_token })
    await fixture.auth.seen.flush()
    const { body } = await fixture.admin('GET', '/admin/users?sort=seen&filter=seen')
    expect(body.users.map(({ email }: { email: string }) => email)).toEqual(['seen1@example.com', 'seen2@example.com'])
    expect(body.users[0].id).toBe(first.id)
  })
})

describe('links', () => {
  it('are made for every purpose, and work', async () => {
    const generate = (body: object) => fixture.admin('POST', '/admin/generate_link', body)
    const made = await generate({ type: 'signup', email: 'gen@example.com', password: 'correct horse', data: { a: 1 } })
    expect(made.body).toMatchObject({ verification_type: 'signup', email: 'gen@example.com', user_metadata: { a: 1 } })
    const opened = await fixture.ask('GET', made.body.action_link)
    expect(opened.headers.get('location')).toContain('access_token=')
    expect((await generate({ type: 'signup', email: 'gen@example.com', password: 'x'.repeat(10) })).body.code).toBe(
      'email_exists',
    )
    for (const type of ['magiclink', 'recovery']) {
      const { body } = await generate({ type, email: 'gen@example.com' })
      const { status } = await fixture.ask('POST', '/verify', { body: { type, token_hash: body.hashed_token } })
      expect(status).toBe(200)
      const { body: again } = await generate({ type, email: 'gen@example.com' })
      const byCode = await fixture.ask('POST', '/verify', {
        body: { type, email: 'gen@example.com', token: again.email_otp },
      })
      expect(byCode.status).toBe(200)
    }
    expect((await generate({ type: 'recovery', email: 'no-one@example.com' })).status).toBe(404)
    expect((await generate({ type: 'whatever', email: 'gen@example.com' })).status).toBe(400)
    const there = await generate({ type: 'email_change_new', email: 'gen@example.com', new_email: 'gen2@example.com' })
    const here = await generate({
      type: 'email_change_current',
      email: 'gen@example.com',
      new_email: 'gen2@example.com',
    })
    await fixture.ask('GET', there.body.action_link)
    await fixture.ask('GET', here.body.action_link)
    expect((await login('gen2@example.com', 'correct horse')).status).toBe(200)
  })

  it('invite people, who then choose a password', async () => {
    const { status, body } = await fixture.admin('POST', '/invite', { email: 'guest@example.com', data: { team: 'a' } })
    expect(status).toBe(200)
    expect(body.invited_at).toBeTruthy()
    const mail = await fixture.mailbox.latest('guest@example.com')
    const opened = await fixture.ask('POST', '/verify', {
      body: { type: 'invite', token_hash: linkOf(mail).searchParams.get('token') },
    })
    expect(codeOf(mail)).toMatch(/^\d{6}$/)
    await fixture.ask('PUT', '/user', { token: opened.body.access_token, body: { password: 'correct horse' } })
    expect((await login('guest@example.com', 'correct horse')).status).toBe(200)
    expect((await fixture.admin('POST', '/invite', { email: 'guest@example.com' })).body.code).toBe('email_exists')
  })
})

describe('ways to log in', () => {
  it('can be taken away, but not the last one', async () => {
    const linking = await startAuth({ settings: (each) => ({ ...each, enableManualLinking: true }) })
    try {
      const { user, access_token: token } = await signUp(linking, 'two@example.com')
      const remove = (id: string) => linking.ask('DELETE', `/user/identities/${id}`, { token })
      const [only] = user.identities
      expect((await remove(only.identity_id)).body.code).toBe('single_identity_not_deletable')
      const { body } = await linking.admin('PUT', `/admin/users/${user.id}`, {
        phone: '13800138222',
        phone_confirm: true,
      })
      expect(body.identities).toHaveLength(2)
      const phone = body.identities.find(({ provider }: { provider: string }) => provider === 'phone')
      expect((await remove(phone.identity_id)).status).toBe(200)
      expect((await linking.ask('GET', '/user', { token })).body).toMatchObject({
        phone: '',
        app_metadata: { providers: ['email'] },
      })
      expect((await remove('5f7fb8a4-7b1c-4c19-9f7f-2ec2a1d1a000')).body.code).toBe('identity_not_found')
    } finally {
      await linking.close()
    }
  })

  it('stay as they are where the operator does not allow it', async () => {
    const { body } = await fixture.admin('POST', '/admin/generate_link', {
      type: 'magiclink',
      email: 'fixed@example.com',
    })
    const session = await fixture.ask('POST', '/verify', { body: { type: 'signup', token_hash: body.hashed_token } })
    const token = session.body.access_token
    expect((await fixture.ask('DELETE', `/user/identities/${session.body.user.id}`, { token })).body.code).toBe(
      'manual_linking_disabled',
    )
  })
})
