/** The control API: codes, people, faults, the journal, and what it refuses. */
import { describe, expect, it } from 'vitest'
import { APPID, SECRET, serve } from '../../test/support.ts'
import { fingerprint } from '../state/journal.ts'

describe('control API', () => {
  it('issues codes that the API takes', async () => {
    const { post, login } = await serve({ acceptNamedCodes: false })
    const { code } = await post('/sandbox/codes', { user: 'alice' })
    expect(code).toMatch(/^wxcode:alice:\d+$/)
    expect(await login(String(code))).toHaveProperty('openid')
    const phone = await post('/sandbox/codes', { user: 'alice', pool: 'phone', appid: APPID })
    expect(phone.code).toMatch(/^wxphone:alice:\d+$/)
  })

  it('shows and changes people, without their session keys', async () => {
    const { post, get, login } = await serve()
    const { openid, session_key } = await login('wxcode:alice:1')
    const changed = await post('/sandbox/people/alice', { phone: '13900139000', nickname: '小爱' })
    expect(changed).toMatchObject({ name: 'alice', phone: '13900139000', apps: [{ appid: APPID, openid }] })
    expect(JSON.stringify(await get('/sandbox/people'))).not.toContain(String(session_key))
    expect(await post('/sandbox/people/alice', { phone: 5 })).toEqual({ error: 'phone should be a string' })
  })

  it('shows apps without their secrets', async () => {
    const { get, post } = await serve()
    await post(`/sandbox/apps/${APPID}`, { pages: ['pages/a/a'] })
    const text = JSON.stringify(await get('/sandbox'))
    expect(text).toContain('pages/a/a')
    expect(text).not.toContain(SECRET)
  })

  it('answers its own errors with a status and a sentence', async () => {
    const { sandbox } = await serve()
    const send = async (method: string, path: string, body?: string, type = 'application/json') => {
      const init = body === undefined ? { method } : { method, body, headers: { 'content-type': type } }
      const response = await fetch(`${sandbox.url}${path}`, init)
      return [response.status, ((await response.json()) as { error: string }).error]
    }
    expect(await send('GET', '/sandbox/nothing')).toEqual([404, 'there is no GET /sandbox/nothing'])
    expect(await send('POST', '/sandbox/codes', '{')).toEqual([400, 'the body should be a JSON object'])
    expect(await send('POST', '/sandbox/codes', 'user=alice', 'application/x-www-form-urlencoded')).toEqual([
      415,
      'send JSON',
    ])
    expect((await send('POST', '/sandbox/codes', '{"user":"a:b"}'))[0]).toBe(400)
    expect((await send('POST', '/sandbox/codes', '{"user":"a","appid":"x"}'))[0]).toBe(404)
    expect((await send('POST', '/sandbox/people/%zz', '{}'))[0]).toBe(400)
    expect((await send('POST', '/sandbox/faults', '{"kind":"x"}'))[1]).toMatch(/^kind should be one of errcode, /)
  })

  it('makes time pass, and forgets everything but the apps', async () => {
    const { post, login } = await serve()
    const { code } = await post('/sandbox/codes', { user: 'alice' })
    await post('/sandbox/clock', { advance: 300_000 })
    expect(await login(String(code))).toMatchObject({ errcode: 40029 })
    await login('wxcode:alice:1')
    await post('/sandbox/reset', {})
    expect(await login('wxcode:alice:1')).toHaveProperty('openid')
  })
})

describe('people of an earlier sandbox', () => {
  it('are known by their openids, and new ones are told', async () => {
    const names: string[] = []
    const first = await serve({ onNewPerson: (name) => names.push(name) })
    const { openid } = await first.login('wxcode:alice:1')
    await first.login('wxcode:alice:2')
    expect(names).toEqual(['alice'])
    const check = async (served: typeof first) => {
      const query = { access_token: await served.token() }
      return served.post('/wxa/msg_sec_check', { version: 2, scene: 1, openid, content: 'x' }, query)
    }
    expect(await check(await serve())).toMatchObject({ errcode: 40003 })
    expect(await check(await serve({ people: names, onNewPerson: (name) => names.push(name) }))).toMatchObject({
      errcode: 0,
    })
    expect(names).toEqual(['alice'])
  })
})

describe('faults', () => {
  it('answer error codes as often as planned', async () => {
    const { post, login } = await serve()
    await post('/sandbox/faults', { kind: 'errcode', path: '/sns/jscode2session', times: 2 })
    await post('/sandbox/faults', { kind: 'errcode', path: '/sns/jscode2session', errcode: 45011 })
    const errcodes = []
    for (let count = 0; count < 4; count++) errcodes.push((await login('wxcode:alice:1')).errcode)
    expect(errcodes).toEqual([-1, -1, 45011, undefined])
  })

  it('keep silent, tear the connection, answer nonsense or a bad gateway', async () => {
    const { control, login, sandbox } = await serve()
    control.fault({ kind: 'reset' })
    await expect(login('wxcode:alice:1')).rejects.toThrow()
    control.fault({ kind: 'timeout' })
    const url = `${sandbox.url}/sns/jscode2session`
    await expect(fetch(url, { signal: AbortSignal.timeout(50) })).rejects.toThrow()
    control.fault({ kind: 'garbage' })
    expect(await (await fetch(url)).text()).toBe('<html>')
    control.fault({ kind: 'status', status: 503 })
    expect((await fetch(url)).status).toBe(503)
  })

  it('are slow by the clock, and last until cleared', async () => {
    const { control, login, clock } = await serve()
    control.fault({ kind: 'slow', delay: 3000, times: null })
    const slow = login('wxcode:alice:1')
    while (clock.waiting === 0) await new Promise<void>((resolve) => setImmediate(resolve))
    clock.advance(3000)
    expect(await slow).toHaveProperty('openid')
    expect(control.faults()).toHaveLength(1)
    control.clearFaults()
    expect(await login('wxcode:alice:2')).toHaveProperty('openid')
  })
})

describe('journal', () => {
  it('tells what was asked and answered, with fingerprints in the place of secrets', async () => {
    const { login, token, post, get } = await serve()
    await login('wxcode:alice:1')
    const access_token = await token()
    await post('/wxa/business/getuserphonenumber', { code: 'wxphone:alice:1' }, { access_token })
    const text = JSON.stringify(await get('/sandbox/journal'))
    for (const secret of [SECRET, access_token, 'wxcode:alice:1', 'wxphone:alice:1']) expect(text).not.toContain(secret)
    expect((await get('/sandbox/journal', { path: '/sns/jscode2session' })).entries).toEqual([
      {
        id: 1,
        at: expect.any(Number),
        method: 'GET',
        path: '/sns/jscode2session',
        query: {
          appid: APPID,
          secret: fingerprint(SECRET),
          js_code: fingerprint('wxcode:alice:1'),
          grant_type: 'authorization_code',
        },
        body: null,
        status: 200,
        errcode: 0,
      },
    ])
    const { entries } = await get('/sandbox/journal', { after: '2' })
    expect(entries).toMatchObject([
      { id: 3, body: { code: fingerprint('wxphone:alice:1') }, query: { access_token: fingerprint(access_token) } },
    ])
  })

  it('counts how often an app fetched a token', async () => {
    const { token, control } = await serve()
    await Promise.all([token(), token()])
    expect(control.journal({ path: '/cgi-bin/token' })).toHaveLength(2)
    control.clearJournal()
    expect(control.journal()).toHaveLength(0)
  })
})
