/** Mistakes that servers make with WeChat logins, each tried on this one: whom it believes, whom it mixes up, and what it lets go on for ever. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { APPID, type AuthFixture, signUp, startAuth, WECHAT_SECRET } from '../../../../test/auth.ts'
import { systemClock } from '../../../kernel/clock.ts'
import { randomIds } from '../../../kernel/ids.ts'
import { createWechatClient } from '../../../wechat/client.ts'

let fixture: AuthFixture
beforeAll(async () => {
  fixture = await startAuth({
    wechat: true,
    settings: (each) => ({ ...each, sms: { ...each.sms, enableConfirmations: true } }),
  })
})
afterAll(() => fixture.close())

const control = () => {
  if (fixture.sandbox === null) throw new Error('no sandbox')
  return fixture.sandbox.control
}
const login = (code: string, on: AuthFixture = fixture, headers: Record<string, string> = {}) =>
  on.ask('GET', `/wechat_mini/login?code=${encodeURIComponent(code)}`, { headers })
const text = (value: unknown) => JSON.stringify(value)

describe('two apps', () => {
  it('never share a person by an openid: it names somebody in one app only', async () => {
    // A WeChat that gives the same openid to two people of two apps, which the real one may do.
    const twin = createServer((_, response) => {
      response.setHeader('content-type', 'text/plain')
      response.end(text({ openid: 'oSameInBothApps', session_key: 'c2Vzc2lvbiBrZXkgb2YgMTY=' }))
    })
    await new Promise<void>((resolve) => twin.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => new Promise<void>((resolve) => twin.close(() => resolve())))
    const apiBase = `http://127.0.0.1:${(twin.address() as AddressInfo).port}`
    const nodes = await Promise.all(
      ['wx000000000000000a', 'wx000000000000000b'].map((appid) =>
        startAuth({
          node: fixture,
          client: createWechatClient({ appid, secret: 's', apiBase, db: fixture.db.owner, clock: systemClock }),
        }),
      ),
    )
    try {
      const people = await Promise.all(nodes.map((node, index) => login(`code-${index}`, node)))
      const [first, second] = people.map(({ body }) => body)
      expect(first.user.wechat_id).toBe('oSameInBothApps')
      expect(second.user.wechat_id).toBe('oSameInBothApps')
      expect(second.user.id).not.toBe(first.user.id)
      expect((await login('code-again', nodes[0])).body.user.id).toBe(first.user.id)
    } finally {
      for (const node of nodes) await node.close()
    }
  })

  it('do not take each other’s codes', async () => {
    const code = control().loginCode('wanderer', APPID)
    const { sandbox } = fixture
    const query = new URLSearchParams({ appid: 'wx0000000000000009', secret: WECHAT_SECRET, js_code: code })
    const other = await fetch(`${sandbox?.url}/sns/jscode2session?${query}&grant_type=authorization_code`)
    expect(text(await other.json())).toMatch(/40013|40125/)
    expect((await login(code)).status).toBe(200)
  })
})

describe('what a request says about itself', () => {
  it('is no login: neither the Referer of WeChat, nor its user agent, nor headers that a gateway would set', async () => {
    const victim = (await login(control().loginCode('gateway'))).body.user
    const claims = {
      referer: `https://servicewechat.com/${APPID}/release/page-frame.html`,
      'user-agent': 'Mozilla/5.0 MicroMessenger/8.0.50 NetType/WIFI MiniProgramEnv/android',
      'x-wx-openid': victim.wechat_id,
      'x-wx-unionid': victim.wechat_unionid,
      'x-wx-source': 'wx_client',
      'x-user-id': victim.id,
    }
    const { anonKey } = fixture.keys
    for (const path of ['/user', `/wechat_mini/bind_phone?code=x&openid=${victim.wechat_id}`])
      expect((await fixture.ask('GET', path, { headers: claims, token: anonKey })).status).toBeGreaterThanOrEqual(401)
    const { body } = await login(control().loginCode('somebody'), fixture, claims)
    expect(body.user.id).not.toBe(victim.id)
    expect(body.user.wechat_id).not.toBe(victim.wechat_id)
  })

  it('changes nobody’s phone number: only WeChat’s answer about a code does', async () => {
    const { body } = await login(control().loginCode('caller'))
    const path = `/wechat_mini/bind_phone?code=${encodeURIComponent(control().phoneCode('caller'))}&phone=13900000000&phoneNumber=13900000000`
    const bound = await fixture.ask('GET', path, { token: body.access_token })
    expect(bound.body.phone).toMatch(/^138\d{8}$/)
    const named = await fixture.ask('PUT', '/user', { token: body.access_token, body: { phone: '13900000001' } })
    expect(named.body.phone ?? '').not.toBe('13900000001')
  })

  it('opens nothing by the scene of a QR code', async () => {
    const { body } = await login(control().loginCode('shown'))
    const scene = `id=${body.user.id}`.slice(0, 32)
    expect((await fixture.ask('POST', '/wechat_mini/unlimited_qrcode', { body: { scene } })).status).toBe(200)
    for (const path of [`/user?scene=${scene}`, `/wechat_mini/bind_account?scene=${scene}&code=x`])
      expect((await fixture.ask('GET', path)).status).toBeGreaterThanOrEqual(401)
    expect((await fixture.ask('GET', `/wechat_mini/login?scene=${scene}`)).status).toBe(400)
  })
})

describe('a phone number of somebody else', () => {
  it('merges no accounts, not even for whom WeChat vouches', async () => {
    const { body } = await login(control().loginCode('newcomer'))
    const { phone } = control().person('newcomer')
    const owner = (
      await fixture.admin('POST', '/admin/users', { phone, phone_confirm: true, password: 'correct horse' })
    ).body
    const code = encodeURIComponent(control().phoneCode('newcomer'))
    const bound = await fixture.ask('GET', `/wechat_mini/bind_phone?code=${code}`, { token: body.access_token })
    expect(bound).toMatchObject({ status: 422, body: { code: 'phone_exists' } })
    const { body: still } = await fixture.admin('GET', `/admin/users/${owner.id}`)
    expect(still.app_metadata.providers).toEqual(['phone'])
    expect((await fixture.ask('GET', '/user', { token: body.access_token })).body.phone).toBe('')
  })
})

describe('many logins', () => {
  const limited = (name: 'signInSignUps' | 'appLogins') =>
    startAuth({
      wechat: true,
      trustProxy: ['127.0.0.1'],
      settings: (each) => ({ ...each, rates: { ...each.rates, [name]: { points: 4, seconds: 300 } } }),
    })
  /** Twelve people at once; `from` says where each of them is. */
  const crowd = async (few: AuthFixture, from: (index: number) => string) => {
    const people = Array.from({ length: 12 }, (_, index) => few.sandbox?.control.loginCode(`many${index}`) ?? '')
    return Promise.all(people.map((code, index) => login(code, few, { 'x-forwarded-for': from(index) })))
  }

  it.each([
    ['signInSignUps', 'one address, however many people it claims to be', () => '203.0.113.7'],
    ['appLogins', 'the whole app, wherever they come from', (index: number) => `203.0.113.${index}`],
  ] as const)('(%s) are held back for %s, and WeChat is not asked', async (name, _what, from) => {
    const few = await limited(name)
    try {
      const answers = await crowd(few, from)
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(4)
      const refused = answers.filter(({ status }) => status === 429)
      expect(refused).toHaveLength(8)
      expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(few.sandbox?.control.journal({ path: '/sns/jscode2session' })).toHaveLength(4)
    } finally {
      await few.close()
    }
  })
})

describe('what is kept on the phone', () => {
  it('is an access token that ends soon, and a refresh token that changes each time', async () => {
    const { body } = await login(control().loginCode('keeper'))
    const { exp = 0, iat = 0 } = decodeJwt(body.access_token)
    expect(exp - iat).toBeLessThanOrEqual(3600)
    const refresh = (token: string) =>
      fixture.ask('POST', '/token?grant_type=refresh_token', { body: { refresh_token: token } })
    const next = (await refresh(body.refresh_token)).body
    expect(next.refresh_token).not.toBe(body.refresh_token)
    const last = (await refresh(next.refresh_token)).body
    fixture.clock.advance(60)
    // A thief's copy, used later, ends the family; the phone then logs in again by wx.login, silently.
    expect((await refresh(body.refresh_token)).status).toBe(400)
    expect((await refresh(last.refresh_token)).status).toBe(400)
    expect((await login(control().loginCode('keeper'))).body.user.id).toBe(body.user.id)
  })
})

describe('an address that a person gives', () => {
  it('is never visited by the server: pictures of people are the business of those who show them', async () => {
    let asked = 0
    const server = createServer((_, response) => {
      asked += 1
      response.end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/avatar.png`
    const { access_token: token } = await signUp(fixture, `${randomIds.uuid()}@example.com`)
    const data = { avatar_url: url, picture: url, media_url: url, webhook: url }
    expect((await fixture.ask('PUT', '/user', { token, body: { data } })).status).toBe(200)
    await fixture.ask('POST', '/otp', { body: { email: 'seen@example.com', data, create_user: true } })
    await fixture.mailbox.latest('seen@example.com')
    expect(asked).toBe(0)
  })
})
