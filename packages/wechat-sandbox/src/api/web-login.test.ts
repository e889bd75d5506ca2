/** QR code login of a website, from its page to the person's profile. */
import { describe, expect, it } from 'vitest'
import { APPID, MINUTE, SECRET, serve } from '../../test/support.ts'

const WEB = { appid: 'wxweb0001', secret: 'web-secret' }

const setup = async () => {
  const served = await serve({
    apps: [
      { appid: APPID, secret: SECRET, openPlatform: 'ours' },
      { ...WEB, kind: 'website', openPlatform: 'ours', redirectHosts: ['site.example'] },
    ],
  })
  const open = async (changes: Readonly<Record<string, string>> = {}) => {
    const query = {
      appid: WEB.appid,
      redirect_uri: 'https://site.example/back?a=1',
      scope: 'snsapi_login',
      state: 's&1',
      ...changes,
    }
    const response = await fetch(`${served.sandbox.url}/connect/qrconnect?${new URLSearchParams(query)}`)
    const html = await response.text()
    return { status: response.status, html, uuid: /data-uuid="([^"]+)"/.exec(html)?.[1] ?? '' }
  }
  const poll = async (uuid: string) => (await fetch(`${served.sandbox.url}/connect/l/qrconnect?uuid=${uuid}`)).text()
  const exchange = (code: string) =>
    served.get('/sns/oauth2/access_token', { ...WEB, code, grant_type: 'authorization_code' })
  return { ...served, open, poll, exchange }
}

describe('web login', () => {
  it('leads from the page over the scan back to the site, and the code to the person', async () => {
    const { open, poll, exchange, control, get, login } = await setup()
    const { uuid } = await open()
    expect(await poll(uuid)).toBe("window.wx_errcode=408;window.wx_code='';")
    expect(control.scan({ uuid, user: 'alice', action: 'scan' })).toBeNull()
    expect(await poll(uuid)).toContain('wx_errcode=404')
    const location = new URL(control.scan({ uuid, user: 'alice', action: 'confirm' }) ?? '')
    expect(location.origin + location.pathname).toBe('https://site.example/back')
    expect([...location.searchParams.keys()]).toEqual(['a', 'code', 'state'])
    expect(location.searchParams.get('state')).toBe('s&1')
    const code = location.searchParams.get('code') ?? ''
    expect(await poll(uuid)).toBe(`window.wx_errcode=405;window.wx_code='${code}';`)

    const tokens = await exchange(code)
    expect(tokens).toMatchObject({ expires_in: 7200, scope: 'snsapi_login', refresh_token: expect.any(String) })
    expect(await exchange(code)).toMatchObject({ errcode: 40163 })
    const query = { access_token: String(tokens.access_token), openid: String(tokens.openid) }
    const profile = await get('/sns/userinfo', query)
    expect(profile).toMatchObject({ openid: tokens.openid, nickname: 'alice', privilege: [] })
    expect(await get('/sns/auth', query)).toEqual({ errcode: 0, errmsg: 'ok' })
    expect(profile.unionid).toBe((await login('wxcode:alice:1')).unionid)
  })

  it('goes back with a redirect when the page asks', async () => {
    const { open, control, sandbox } = await setup()
    const { uuid } = await open()
    control.scan({ uuid, user: 'alice', action: 'confirm' })
    const response = await fetch(`${sandbox.url}/connect/return?uuid=${uuid}`, { redirect: 'manual' })
    expect(response.status).toBe(302)
    expect(response.headers.get('location')).toMatch(
      /^https:\/\/site\.example\/back\?a=1&code=wxweb%3Aalice%3A\d+&state=s%261$/,
    )
  })

  it('has a page for the phone that scans the picture', async () => {
    const { open, sandbox } = await setup()
    const { uuid } = await open()
    const ask = async (id: string) => fetch(`${sandbox.url}/connect/confirm?uuid=${id}`)
    expect(await (await ask(uuid)).text()).toContain(`data-uuid="${uuid}" data-appid="wxweb0001" data-phone>`)
    expect((await ask('other')).status).toBe(400)
  })

  it('ends with a refusal or with age', async () => {
    const { open, poll, control, clock } = await setup()
    const refused = await open()
    control.scan({ uuid: refused.uuid, user: 'alice', action: 'cancel' })
    expect(await poll(refused.uuid)).toContain('wx_errcode=403')
    const old = await open()
    clock.advance(5 * MINUTE)
    expect(await poll(old.uuid)).toContain('wx_errcode=402')
    expect(() => control.scan({ uuid: old.uuid, user: 'alice', action: 'confirm' })).toThrow('too old')
  })

  it('shows which parameter is wrong', async () => {
    const { open } = await setup()
    expect(await open({ appid: 'x' })).toMatchObject({ status: 400, html: expect.stringContaining('appid 参数错误') })
    for (const redirect_uri of ['https://evil.example/', 'javascript:alert(1)', 'site.example'])
      expect((await open({ redirect_uri })).html).toContain('redirect_uri 参数错误')
    expect((await open({ scope: 'x' })).html).toContain('scope 参数错误')
  })

  it('renews tokens, and tells old from unknown ones', async () => {
    const { exchange, get, clock } = await setup()
    const first = await exchange('wxweb:alice:1')
    const renew = (refresh_token: unknown, appid = WEB.appid) =>
      get('/sns/oauth2/refresh_token', { appid, grant_type: 'refresh_token', refresh_token: String(refresh_token) })
    const second = await renew(first.refresh_token)
    expect(second).toMatchObject({ openid: first.openid, refresh_token: first.refresh_token })
    expect(second.access_token).not.toBe(first.access_token)
    expect(await renew('x')).toMatchObject({ errcode: 40030 })
    expect(await renew(first.refresh_token, APPID)).toMatchObject({ errcode: 40030 })
    clock.advance(120 * MINUTE)
    const openid = String(first.openid)
    expect(await get('/sns/auth', { access_token: String(first.access_token), openid })).toMatchObject({
      errcode: 42001,
    })
    expect(await get('/sns/auth', { access_token: 'x', openid })).toMatchObject({ errcode: 40001 })
    clock.advance(30 * 24 * 60 * MINUTE)
    expect(await renew(first.refresh_token)).toMatchObject({ errcode: 42002 })
  })

  it('gives a website no mini-program API', async () => {
    const { get, login } = await setup()
    expect(await login('wxcode:alice:1', WEB)).toMatchObject({ errcode: 48001 })
    const { access_token } = await get('/cgi-bin/token', { ...WEB, grant_type: 'client_credential' })
    expect(await get('/wxa/checksession', { access_token: String(access_token) })).toMatchObject({ errcode: 48001 })
  })
})
