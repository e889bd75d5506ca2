/** Codes and links by e-mail and short message, over HTTP and a real SMTP server. */
import { createHash, randomBytes } from 'node:crypto'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AuthFixture, codeOf, linkOf, signUp, startAuth, textOf } from '../../../../test/auth.ts'

let fixture: AuthFixture
beforeAll(async () => {
  fixture = await startAuth({
    settings: (each) => ({
      ...each,
      redirectUrls: ['https://app.example.com/*', 'weixin://callback'],
      email: { ...each.email, enableConfirmations: true },
      sms: { ...each.sms, enableConfirmations: true, testOtp: { '13900000000': '654321' } },
    }),
  })
})
afterAll(() => fixture.close())

/** Somebody with a confirmed address and a session. */
const member = async (email: string) => {
  await fixture.ask('POST', '/otp', { body: { email } })
  const token = codeOf(await fixture.mailbox.latest(email))
  const { body } = await fixture.ask('POST', '/verify', { body: { type: 'email', email, token } })
  fixture.clock.advance(3)
  return body
}

const pair = () => {
  const verifier = randomBytes(40).toString('base64url')
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') }
}

describe('a code by e-mail', () => {
  it('makes a user the first time and logs in ever after', async () => {
    const first = await member('otp@example.com')
    expect(first.user).toMatchObject({ email: 'otp@example.com', user_metadata: { email_verified: true } })
    expect(decodeJwt(first.access_token).amr).toMatchObject([{ method: 'otp' }])
    const sent = fixture.mailbox.mails.length
    expect(await fixture.ask('POST', '/otp', { body: { email: 'otp@example.com', create_user: false } })).toMatchObject(
      {
        status: 200,
        body: {},
      },
    )
    const mail = await fixture.mailbox.latest('otp@example.com', sent)
    expect(textOf(mail)).toContain('type=magiclink')
    const { body } = await fixture.ask('POST', '/verify', {
      body: { type: 'email', email: 'otp@example.com', token: codeOf(mail) },
    })
    expect(body.user.id).toBe(first.user.id)
  })

  it('makes nobody when the app asked for that', async () => {
    expect(
      await fixture.ask('POST', '/otp', { body: { email: 'stranger@example.com', create_user: false } }),
    ).toMatchObject({
      status: 422,
      body: { code: 'otp_disabled' },
    })
  })

  it('works once, for its own address, and not for ever', async () => {
    const ask = (body: object) => fixture.ask('POST', '/verify', { body: { type: 'email', ...body } })
    await fixture.ask('POST', '/otp', { body: { email: 'once@example.com' } })
    const token = codeOf(await fixture.mailbox.latest('once@example.com'))
    const refused = { status: 403, body: { code: 'otp_expired' } }
    expect(await ask({ email: 'other@example.com', token })).toMatchObject(refused)
    expect(await ask({ email: 'once@example.com', token: '000000' === token ? '111111' : '000000' })).toMatchObject(
      refused,
    )
    expect((await ask({ email: 'once@example.com', token })).status).toBe(200)
    expect(await ask({ email: 'once@example.com', token })).toMatchObject(refused)
    fixture.clock.advance(5)
    await fixture.ask('POST', '/otp', { body: { email: 'late@example.com' } })
    const late = codeOf(await fixture.mailbox.latest('late@example.com'))
    fixture.clock.advance(3601)
    expect(await ask({ email: 'late@example.com', token: late })).toMatchObject(refused)
  })

  it('cannot be guessed: a few wrong ones and the account waits', async () => {
    await fixture.ask('POST', '/otp', { body: { email: 'guessed@example.com' } })
    const guesses = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        fixture.ask('POST', '/verify', {
          body: { type: 'email', email: 'guessed@example.com', token: String(100_000 + index) },
        }),
      ),
    )
    const statuses = guesses.map(({ status }) => status)
    expect(statuses.filter((status) => status === 403).length).toBeLessThanOrEqual(10)
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(20)
    expect(Number(guesses.find(({ status }) => status === 429)?.headers.get('retry-after'))).toBeGreaterThan(0)
  })

  it('is not sent twice within a moment', async () => {
    await fixture.ask('POST', '/otp', { body: { email: 'eager@example.com' } })
    const again = await fixture.ask('POST', '/otp', { body: { email: 'eager@example.com' } })
    expect(again).toMatchObject({ status: 429, body: { code: 'over_email_send_rate_limit' } })
    expect(again.headers.get('retry-after')).toBe('1')
  })
})

describe('a link with a code challenge', () => {
  it('gives the page a code, which the page alone can redeem, once', async () => {
    await member('pkce@example.com')
    const { verifier, challenge } = pair()
    await fixture.ask('POST', '/otp?redirect_to=https://app.example.com/in', {
      body: { email: 'pkce@example.com', code_challenge: challenge, code_challenge_method: 's256' },
    })
    const link = linkOf(await fixture.mailbox.latest('pkce@example.com', 1))
    expect(link.searchParams.get('token')).toMatch(/^pkce_/)
    const opened = await fixture.ask('GET', link.href)
    const target = new URL(opened.headers.get('location') ?? '')
    expect(target.href).toMatch(/^https:\/\/app\.example\.com\/in\?code=/)
    const code = target.searchParams.get('code')
    const redeem = (auth_code: string | null, code_verifier: string) =>
      fixture.ask('POST', '/token?grant_type=pkce', { body: { auth_code, code_verifier } })
    expect((await redeem(code, verifier)).body.user.email).toBe('pkce@example.com')
    expect(await redeem(code, verifier)).toMatchObject({ status: 404, body: { code: 'flow_state_not_found' } })
  })

  it('is worth nothing with another verifier', async () => {
    await member('thief@example.com')
    const { verifier, challenge } = pair()
    const sent = fixture.mailbox.mails.length
    await fixture.ask('POST', '/recover', {
      body: { email: 'thief@example.com', code_challenge: challenge, code_challenge_method: 's256' },
    })
    const link = linkOf(await fixture.mailbox.latest('thief@example.com', sent))
    const opened = await fixture.ask('GET', link.href)
    const code = new URL(opened.headers.get('location') ?? '').searchParams.get('code')
    const redeem = (code_verifier: string) =>
      fixture.ask('POST', '/token?grant_type=pkce', { body: { auth_code: code, code_verifier } })
    expect(await redeem(pair().verifier)).toMatchObject({ status: 400, body: { code: 'bad_code_verifier' } })
    expect((await redeem(verifier)).status).toBe(404)
  })

  it('needs both halves of the pair', async () => {
    for (const body of [
      { code_challenge: 'x'.repeat(43) },
      { code_challenge_method: 's256' },
      { code_challenge: 'short', code_challenge_method: 'plain' },
    ]) {
      expect((await fixture.ask('POST', '/otp', { body: { email: 'half@example.com', ...body } })).status).toBe(400)
    }
  })
})

describe('a way back in', () => {
  it('is mailed to whoever exists, and promised to whoever does not', async () => {
    await member('forgot@example.com')
    const sent = fixture.mailbox.mails.length
    const known = await fixture.ask('POST', '/recover', { body: { email: 'forgot@example.com' } })
    const unknown = await fixture.ask('POST', '/recover', { body: { email: 'nobody@example.com' } })
    expect([known.status, known.body]).toEqual([unknown.status, unknown.body])
    const mail = await fixture.mailbox.latest('forgot@example.com', sent)
    const { body } = await fixture.ask('POST', '/verify', {
      body: { type: 'recovery', token_hash: linkOf(mail).searchParams.get('token') },
    })
    const changed = await fixture.ask('PUT', '/user', {
      token: body.access_token,
      body: { password: 'a new password' },
    })
    expect(changed.status).toBe(200)
    expect(
      (
        await fixture.ask('POST', '/token?grant_type=password', {
          body: { email: 'forgot@example.com', password: 'a new password' },
        })
      ).status,
    ).toBe(200)
    expect(fixture.mailbox.mails.some(({ to }) => to === 'nobody@example.com')).toBe(false)
  })

  it('is promised no more often to a stranger than to anybody', async () => {
    const ask = (email: string) => fixture.ask('POST', '/recover', { body: { email } })
    await member('paused@example.com')
    await ask('paused@example.com')
    await ask('unpaused@example.com')
    const [known, unknown] = [await ask('paused@example.com'), await ask('unpaused@example.com')]
    expect([known.status, known.body]).toEqual([429, unknown.body])
    expect(unknown.status).toBe(429)
  })
})

describe('sent again', () => {
  it('goes to an address that waits, and nowhere else', async () => {
    await fixture.ask('POST', '/signup', { body: { email: 'again@example.com', password: 'correct horse' } })
    const sent = fixture.mailbox.mails.length
    expect(
      (await fixture.ask('POST', '/resend', { body: { type: 'signup', email: 'again@example.com' } })).status,
    ).toBe(200)
    const code = codeOf(await fixture.mailbox.latest('again@example.com', sent))
    expect(
      (await fixture.ask('POST', '/verify', { body: { type: 'signup', email: 'again@example.com', token: code } }))
        .status,
    ).toBe(200)
    expect(
      (await fixture.ask('POST', '/resend', { body: { type: 'signup', email: 'nobody2@example.com' } })).body,
    ).toEqual({})
    expect((await fixture.ask('POST', '/resend', { body: { type: 'sms', email: 'again@example.com' } })).status).toBe(
      400,
    )
  })
})

describe('a link', () => {
  it('leads nowhere but to the operator and the places the operator named', async () => {
    const { redirects } = fixture.auth.context
    const site = fixture.auth.context.settings.siteUrl
    const allowed = [
      'https://app.example.com/in',
      'weixin://callback',
      `${site}/anywhere?x=1`,
      'http://127.0.0.1:9999/',
    ]
    for (const url of allowed) expect(redirects.resolve(url)).toBe(url)
    const refused = [
      'https://evil.com/',
      'https://app.example.com.evil.com/in',
      'https://app.example.com@evil.com/in',
      'https://evil.com/https://app.example.com/in',
      'https://app.example.com/a/b',
      'http://app.example.com/in',
      'https://user:pass@app.example.com/in',
      'javascript:alert(1)',
      'data:text/html,x',
      '//evil.com',
      'https://app.example.com\\@evil.com/',
      '',
    ]
    for (const url of refused) expect(redirects.resolve(url)).toBe(site)
  })

  it('tells what went wrong in the address of the page', async () => {
    const { headers, status } = await fixture.ask('GET', '/verify?token=0000&type=signup&redirect_to=https://evil.com/')
    expect(status).toBe(303)
    const target = new URL(headers.get('location') ?? '')
    expect(target.origin).toBe(fixture.auth.context.settings.siteUrl)
    expect(Object.fromEntries(new URLSearchParams(target.hash.slice(1)))).toEqual({
      error: 'access_denied',
      error_code: 'otp_expired',
      error_description: 'Email link is invalid or has expired',
    })
  })
})

describe('another address', () => {
  it('is taken once both mailboxes agree', async () => {
    const session = await member('before@example.com')
    const sent = fixture.mailbox.mails.length
    const { body: waiting } = await fixture.ask('PUT', '/user', {
      token: session.access_token,
      body: { email: 'after@example.com' },
    })
    expect(waiting).toMatchObject({ email: 'before@example.com', new_email: 'after@example.com' })
    const [there, here] = [
      linkOf(await fixture.mailbox.latest('after@example.com', sent)),
      linkOf(await fixture.mailbox.latest('before@example.com', sent)),
    ]
    const half = await fixture.ask('GET', there.href)
    expect(half.headers.get('location')).toContain('message=Confirmation+link+accepted')
    expect((await fixture.ask('GET', '/user', { token: session.access_token })).body.email).toBe('before@example.com')
    expect((await fixture.ask('GET', there.href)).headers.get('location')).toContain('otp_expired')
    await fixture.ask('GET', here.href)
    const { body } = await fixture.ask('GET', '/user', { token: session.access_token })
    expect(body).toMatchObject({
      email: 'after@example.com',
      identities: [{ identity_data: { email: 'after@example.com' } }],
    })
    expect(body.new_email).toBeUndefined()
  })

  it('cannot be somebody else’s', async () => {
    await member('mine@example.com')
    const session = await member('yours@example.com')
    expect(
      await fixture.ask('PUT', '/user', { token: session.access_token, body: { email: 'mine@example.com' } }),
    ).toMatchObject({
      status: 422,
      body: { code: 'email_exists' },
    })
  })
})

describe('a code by short message', () => {
  it('logs in with a number as people write it', async () => {
    const before = fixture.texts.length
    const sent = await fixture.ask('POST', '/otp', { body: { phone: '13800138000', channel: 'sms' } })
    expect(sent.body.message_id).toMatch(/^sms-/)
    const text = fixture.texts[before]
    expect(text).toMatchObject({ to: '+8613800138000', text: `Your code is ${text?.code}` })
    const verify = (token: string) =>
      fixture.ask('POST', '/verify', { body: { type: 'sms', phone: '13800138000', token } })
    expect((await verify('1')).status).toBe(403)
    const { status, body } = await verify(text?.code ?? '')
    expect(status).toBe(200)
    expect(body.user).toMatchObject({ phone: '13800138000', app_metadata: { provider: 'phone' } })
    expect(body.user.phone_confirmed_at).toBeTruthy()
  })

  it('is fixed for the operator’s test numbers, and not sent', async () => {
    const before = fixture.texts.length
    await fixture.ask('POST', '/otp', { body: { phone: '13900000000' } })
    expect(fixture.texts.length).toBe(before)
    expect(
      (await fixture.ask('POST', '/verify', { body: { type: 'sms', phone: '13900000000', token: '654321' } })).status,
    ).toBe(200)
  })

  it('proves a new number of somebody who is logged in', async () => {
    const session = await member('phoned@example.com')
    const before = fixture.texts.length
    const { body } = await fixture.ask('PUT', '/user', { token: session.access_token, body: { phone: '13700137000' } })
    expect(body).toMatchObject({ phone: '', new_phone: '13700137000' })
    const { status } = await fixture.ask('POST', '/verify', {
      body: { type: 'phone_change', phone: '13700137000', token: fixture.texts[before]?.code },
    })
    expect(status).toBe(200)
    expect((await fixture.ask('GET', '/user', { token: session.access_token })).body.phone).toBe('13700137000')
  })
})

describe('a change of password', () => {
  it('asks for a nonce after a day, where the operator wants that, and ends the other sessions', async () => {
    const strict = await startAuth({
      settings: (each) => ({ ...each, email: { ...each.email, securePasswordChange: true }, jwtExpiry: 7 * 86_400 }),
    })
    try {
      const session = await signUp(strict, 'careful@example.com')
      const other = await strict.ask('POST', '/token?grant_type=password', {
        body: { email: 'careful@example.com', password: 'correct horse' },
      })
      const token = session.access_token
      const change = (body: object) => strict.ask('PUT', '/user', { token, body })
      expect((await change({ password: 'correct horse' })).body.code).toBe('same_password')
      strict.clock.advance(86_401)
      expect((await change({ password: 'another horse' })).body.code).toBe('reauthentication_needed')
      expect((await strict.ask('GET', '/reauthenticate', { token })).status).toBe(200)
      const nonce = codeOf(await strict.mailbox.latest('careful@example.com'))
      expect((await change({ password: 'another horse', nonce: 'wrong' })).body.code).toBe('reauthentication_not_valid')
      expect((await change({ password: 'another horse', nonce })).status).toBe(200)
      expect((await strict.ask('GET', '/user', { token })).status).toBe(200)
      expect((await strict.ask('GET', '/user', { token: other.body.access_token })).status).toBe(403)
    } finally {
      await strict.close()
    }
  })
})
