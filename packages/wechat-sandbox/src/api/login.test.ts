/** jscode2session, phone numbers and session keys, over HTTP. */
import { describe, expect, it } from 'vitest'
import { APPID, MINUTE, SECRET, serve } from '../../test/support.ts'
import { decryptOpenData, signRawData, signSession } from '../crypto/open-data.ts'
import { openidOf } from '../state/people.ts'

describe('jscode2session', () => {
  it('gives openid, unionid and a session key of 16 bytes for a code', async () => {
    const { login, control } = await serve()
    const answer = await login(control.loginCode('alice'))
    expect(answer).toEqual({
      openid: openidOf(APPID, 'alice'),
      unionid: expect.stringMatching(/^oU[\w-]{26}$/),
      session_key: expect.any(String),
    })
    expect(Buffer.from(String(answer.session_key), 'base64')).toHaveLength(16)
  })

  it('answers JSON as text/plain, as WeChat does', async () => {
    const { sandbox } = await serve()
    const response = await fetch(
      `${sandbox.url}/sns/jscode2session?appid=${APPID}&secret=${SECRET}&js_code=wxcode:a:1&grant_type=authorization_code`,
    )
    expect(response.headers.get('content-type')).toBe('text/plain')
  })

  it('knows a person by the same openid in one app, and by another in the next, with one unionid', async () => {
    const second = { appid: 'wx2', secret: 's2', openPlatform: 'ours' }
    const third = { appid: 'wx3', secret: 's3' }
    const { login } = await serve({ apps: [{ appid: APPID, secret: SECRET, openPlatform: 'ours' }, second, third] })
    const first = await login('wxcode:alice:1')
    const again = await login('wxcode:alice:2')
    const elsewhere = await login('wxcode:alice:3', second)
    expect(again.openid).toBe(first.openid)
    expect(elsewhere.openid).not.toBe(first.openid)
    expect(elsewhere.unionid).toBe(first.unionid)
    expect(await login('wxcode:alice:4', third)).not.toHaveProperty('unionid')
  })

  it('takes a code once', async () => {
    const { login, control } = await serve()
    const code = control.loginCode('alice')
    await login(code)
    expect(await login(code)).toMatchObject({ errcode: 40163, errmsg: expect.stringMatching(/^code been used, rid: /) })
  })

  it('takes a code for five minutes', async () => {
    const { login, control, clock } = await serve()
    const [early, late] = [control.loginCode('alice'), control.loginCode('alice')]
    clock.advance(5 * MINUTE - 1)
    expect(await login(early)).toHaveProperty('openid')
    clock.advance(1)
    expect(await login(late)).toMatchObject({ errcode: 40029 })
  })

  it('takes no code of another app, no phone code and no invented one', async () => {
    const apps = [
      { appid: APPID, secret: SECRET },
      { appid: 'wx2', secret: 's2' },
    ]
    const { login, control } = await serve({ apps, acceptNamedCodes: false })
    for (const code of [control.loginCode('alice', 'wx2'), control.phoneCode('alice'), 'wxcode:alice:1', 'nonsense'])
      expect(await login(code)).toMatchObject({ errcode: 40029 })
  })

  it('takes a well-formed code that nobody issued, once, unless told not to', async () => {
    const { login } = await serve()
    expect(await login('wxcode:张三:7')).toHaveProperty('openid', openidOf(APPID, '张三'))
    expect(await login('wxcode:张三:7')).toMatchObject({ errcode: 40163 })
    expect(await login('wxcode:a b:7')).toMatchObject({ errcode: 40029 })
  })

  it.each([
    [{ appid: '' }, 41002],
    [{ secret: '' }, 41004],
    [{ js_code: '' }, 41008],
    [{ grant_type: 'client_credential' }, 40002],
    [{ appid: 'wx-unknown' }, 40013],
    [{ secret: 'wrong' }, 40125],
  ])('refuses %o with %i, under status 200 and with a request id', async (changes, errcode) => {
    const { login } = await serve()
    const answer = await login('wxcode:alice:1', changes)
    expect(answer).toEqual({ errcode, errmsg: expect.stringMatching(/, rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$/) })
    expect(await login('wxcode:alice:1')).toHaveProperty('openid')
  })

  it('blocks a risky user, and lets them in again', async () => {
    const { login, control } = await serve()
    control.changePerson('mallory', { blocked: true })
    expect(await login('wxcode:mallory:1')).toMatchObject({ errcode: 40226 })
    control.changePerson('mallory', { blocked: false })
    expect(await login('wxcode:mallory:1')).toHaveProperty('openid')
  })

  it('lets a person log in as often in a minute as the limit says', async () => {
    const { login, clock } = await serve({ limits: { loginsPerUserMinute: 2 } })
    await login('wxcode:alice:1')
    await login('wxcode:alice:2')
    expect(await login('wxcode:alice:3')).toMatchObject({ errcode: 45011 })
    expect(await login('wxcode:bob:1')).toHaveProperty('openid')
    clock.advance(MINUTE)
    expect(await login('wxcode:alice:3')).toHaveProperty('openid')
  })
})

describe('session keys', () => {
  it('decrypt the data of the same session, and not after another wx.login', async () => {
    const { login, control } = await serve()
    const { session_key } = await login(control.loginCode('alice'))
    const key = String(session_key)
    const data = control.openData({ appid: APPID, user: 'alice', data: { nickName: '爱丽丝' } })
    expect(signRawData(data.rawData, key)).toBe(data.signature)
    expect(JSON.parse(decryptOpenData(data.encryptedData, key, data.iv))).toMatchObject({
      nickName: '爱丽丝',
      watermark: { appid: APPID },
    })
    control.loginCode('alice')
    const later = control.openData({ appid: APPID, user: 'alice', data: {} })
    expect(signRawData(later.rawData, key)).not.toBe(later.signature)
  })

  it('are checked and reset by their signature', async () => {
    const { login, get, control, token } = await serve()
    const { session_key, openid } = await login(control.loginCode('alice'))
    const signed = (key: string) => ({ openid: String(openid), signature: signSession(key), sig_method: 'hmac_sha256' })
    const access_token = await token()
    const ask = (path: string, key: string) => get(path, { access_token, ...signed(key) })
    expect(await ask('/wxa/checksession', String(session_key))).toEqual({ errcode: 0, errmsg: 'ok' })
    const reset = await ask('/wxa/resetusersessionkey', String(session_key))
    expect(reset).toMatchObject({ errcode: 0, openid, session_key: expect.any(String) })
    expect(await ask('/wxa/checksession', String(session_key))).toMatchObject({ errcode: 87009 })
    expect(await ask('/wxa/checksession', String(reset.session_key))).toMatchObject({ errcode: 0 })
    expect(await get('/wxa/checksession', { access_token })).toMatchObject({ errcode: 41009 })
    expect(control.sessionValid('alice')).toBe(true)
    control.endSession('alice')
    expect(control.sessionValid('alice')).toBe(false)
    expect(await ask('/wxa/checksession', String(reset.session_key))).toMatchObject({ errcode: 87009 })
  })
})

describe('getuserphonenumber', () => {
  const ask = async (served: Awaited<ReturnType<typeof serve>>, code: string) =>
    served.post('/wxa/business/getuserphonenumber', { code }, { access_token: await served.token() })

  it('gives the number with a watermark', async () => {
    const served = await serve()
    served.control.changePerson('alice', { phone: '13800138000' })
    const at = Math.floor(served.clock.now() / 1000)
    expect(await ask(served, served.control.phoneCode('alice'))).toEqual({
      errcode: 0,
      errmsg: 'ok',
      phone_info: {
        phoneNumber: '13800138000',
        purePhoneNumber: '13800138000',
        countryCode: '86',
        watermark: { timestamp: at, appid: APPID },
      },
    })
  })

  it('takes a phone code once and for five minutes, and never a login code', async () => {
    const served = await serve()
    const code = served.control.phoneCode('alice')
    await ask(served, code)
    expect(await ask(served, code)).toMatchObject({ errcode: 40029 })
    const late = served.control.phoneCode('alice')
    served.clock.advance(5 * MINUTE)
    expect(await ask(served, late)).toMatchObject({ errcode: 40029 })
    expect(await ask(served, served.control.loginCode('alice'))).toMatchObject({ errcode: 40029 })
    expect(await ask(served, 'wxphone:alice:1')).toMatchObject({ errcode: 0 })
  })

  it('refuses the code of another app, a personal account, and what is no JSON by POST', async () => {
    const apps = [
      { appid: APPID, secret: SECRET },
      { appid: 'wx2', secret: 's2' },
    ]
    const served = await serve({ apps })
    expect(await ask(served, served.control.phoneCode('alice', 'wx2'))).toMatchObject({ errcode: 40013 })
    const access_token = await served.token()
    const path = '/wxa/business/getuserphonenumber'
    expect(await served.get(path, { access_token })).toMatchObject({ errcode: 43002 })
    expect(await served.post(path, '', { access_token })).toMatchObject({ errcode: 44002 })
    expect(await served.post(path, 'code=1', { access_token })).toMatchObject({ errcode: 47001 })
    expect(await served.post(path, { code: 'x' }, { access_token: 'x' })).toMatchObject({ errcode: 40014 })
    expect(await served.post(path, { code: 'x' })).toMatchObject({ errcode: 41001 })
    await served.control.changeApp(APPID, { individual: true })
    expect(await ask(served, served.control.phoneCode('alice'))).toMatchObject({ errcode: 48001 })
  })
})
