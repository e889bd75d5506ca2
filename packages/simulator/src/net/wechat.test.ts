/** A phone whose WeChat is a sandbox: the real sandbox, a realm, and what the app hears when it is away. */
import { startSandbox } from '@teahouse/wechat-sandbox'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createRealm } from '../realm/realm.ts'

const APP = { appid: 'wx1', secret: 's' }

const setup = async () => {
  const sandbox = await startSandbox({ apps: [APP, { appid: 'wx2', secret: 's2' }], acceptNamedCodes: false })
  onTestFinished(() => sandbox.stop())
  const realm = await createRealm({ user: 'alice', wechat: { url: sandbox.url } })
  onTestFinished(() => realm.close())
  /** What an app's server hears about a code. */
  const exchange = async (code: string, appid = APP.appid, secret = APP.secret) => {
    const query = new URLSearchParams({ appid, secret, js_code: code, grant_type: 'authorization_code' })
    const answer = await fetch(`${sandbox.url}/sns/jscode2session?${query}`)
    return (await answer.json()) as { openid?: string; errcode?: number }
  }
  return { sandbox, realm, exchange }
}

describe('a phone with a WeChat sandbox', () => {
  test('logs in with codes that a server can exchange, a new one each time', async () => {
    const { realm, exchange } = await setup()
    const first = (await realm.evaluate('wx.login()')) as { code: string }
    const second = (await realm.evaluate('wx.login()')) as { code: string }
    expect(first.code).not.toBe(second.code)
    const person = await exchange(first.code)
    expect(person.openid).toMatch(/^o/)
    expect((await exchange(second.code)).openid).toBe(person.openid)
  })

  test('is of the app that is named', async () => {
    const { sandbox, exchange } = await setup()
    const realm = await createRealm({ user: 'bob', wechat: { url: sandbox.url, appId: 'wx2' } })
    onTestFinished(() => realm.close())
    const { code } = (await realm.evaluate('wx.login()')) as { code: string }
    expect(await exchange(code)).toMatchObject({ errcode: 40029 })
    expect(await exchange(code, 'wx2', 's2')).toHaveProperty('openid')
  })

  test('has a session as long as WeChat says so, whoever asks after a restart', async () => {
    const { realm, sandbox } = await setup()
    const check = (on: typeof realm) =>
      on.evaluate(`wx.checkSession().then(() => 'good', (error) => error.errMsg)`) as Promise<string>
    expect(await check(realm)).toBe('checkSession:fail session is invalid')
    await realm.evaluate('wx.login()')
    expect(await check(realm)).toBe('good')
    const restarted = await createRealm({ user: 'alice', wechat: { url: sandbox.url } })
    onTestFinished(() => restarted.close())
    expect(await check(restarted)).toBe('good')
    sandbox.control.endSession('alice')
    expect(await check(realm)).toBe('checkSession:fail session is invalid')
    await realm.evaluate('wx.login()')
    expect(await check(realm)).toBe('good')
    sandbox.control.advance(3 * 24 * 3_600_000)
    expect(await check(realm)).toBe('checkSession:fail session is invalid')
  })

  test('accepts subscriptions there, so that a message may be sent', async () => {
    const { realm, sandbox } = await setup()
    const answers = await realm.evaluate(`wx.requestSubscribeMessage({ tmplIds: ['T1'] })`)
    expect(answers).toMatchObject({ T1: 'accept' })
    expect(sandbox.control.permit({ appid: 'wx1', user: 'alice', template: 'T1', answer: 'reject' })).toBe(1)
  })

  test('fails to log in when the sandbox is away', async () => {
    const { realm, sandbox } = await setup()
    await sandbox.stop()
    const login = realm.evaluate(`wx.login().catch((error) => error.errMsg)`) as Promise<string>
    expect(await login).toMatch(/^login:fail WeChat sandbox cannot be reached/)
  })
})
