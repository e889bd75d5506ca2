/** The life of access tokens: overlap, stability, force, limits. */
import { describe, expect, it } from 'vitest'
import { APPID, MINUTE, SECRET, serve } from '../../test/support.ts'

const HOUR = 60 * MINUTE
const credentials = { appid: APPID, secret: SECRET, grant_type: 'client_credential' }

const setup = async (options: Parameters<typeof serve>[0] = {}) => {
  const served = await serve(options)
  const plain = () => served.get('/cgi-bin/token', credentials)
  const stable = (changes: object = {}) => served.post('/cgi-bin/stable_token', { ...credentials, ...changes })
  /** 0 for a token that works. */
  const state = async (token: unknown) => {
    const query = { access_token: String(token), openid: 'nobody', sig_method: 'hmac_sha256' }
    const { errcode } = await served.get('/wxa/checksession', query)
    return errcode === 40003 ? 0 : errcode
  }
  return { ...served, plain, stable, state }
}

describe('plain token', () => {
  it('lives two hours', async () => {
    const { plain, state, clock } = await setup()
    const first = await plain()
    expect(first).toEqual({ access_token: expect.stringMatching(/^\d+_[\w-]{100,}$/), expires_in: 7200 })
    clock.advance(2 * HOUR - 1)
    expect(await state(first.access_token)).toBe(0)
    clock.advance(1)
    expect(await state(first.access_token)).toBe(42001)
  })

  it('stays good for five minutes after the next one was fetched', async () => {
    const { plain, state, clock } = await setup()
    const first = await plain()
    const second = await plain()
    expect(second.access_token).not.toBe(first.access_token)
    clock.advance(5 * MINUTE - 1)
    expect(await state(first.access_token)).toBe(0)
    clock.advance(1)
    expect(await state(first.access_token)).toBe(40001)
    expect(await state(second.access_token)).toBe(0)
  })

  it('is not touched by stable tokens, and does not touch them', async () => {
    const { plain, stable, state, clock } = await setup()
    const [one, two] = [await plain(), await stable()]
    await stable({ force_refresh: true })
    const kept = await stable()
    await plain()
    clock.advance(5 * MINUTE)
    expect(await state(one.access_token)).toBe(40001)
    expect(await state(two.access_token)).toBe(40001)
    expect(await state(kept.access_token)).toBe(0)
  })

  it('is refused with the reason', async () => {
    const { get, plain, control } = await setup({ limits: { tokensPerDay: 1 } })
    const ask = (changes: object) => get('/cgi-bin/token', { ...credentials, ...changes })
    expect(await ask({ grant_type: 'x' })).toMatchObject({ errcode: 40002 })
    expect(await ask({ appid: '' })).toMatchObject({ errcode: 41002 })
    expect(await ask({ secret: '' })).toMatchObject({ errcode: 41004 })
    expect(await ask({ appid: 'x' })).toMatchObject({ errcode: 40013 })
    expect(await ask({ secret: 'x' })).toMatchObject({ errcode: 40125 })
    await plain()
    expect(await plain()).toMatchObject({ errcode: 45009 })
    await control.changeApp(APPID, { ipWhitelist: ['10.0.0.1'] })
    expect(await plain()).toMatchObject({ errcode: 40164, errmsg: expect.stringMatching(/^invalid ip 127\.0\.0\.1 /) })
  })
})

describe('stable token', () => {
  it('is the same until five minutes before its end, and its rest is told', async () => {
    const { stable, clock } = await setup()
    const first = await stable()
    clock.advance(HOUR)
    expect(await stable()).toEqual({ access_token: first.access_token, expires_in: 3600 })
    clock.advance(HOUR - 5 * MINUTE - 1)
    expect((await stable()).access_token).toBe(first.access_token)
    clock.advance(1)
    expect(await stable()).toEqual({
      access_token: expect.not.stringMatching(String(first.access_token)),
      expires_in: 7200,
    })
  })

  it('overlaps with the next one until its own end', async () => {
    const { stable, state, clock } = await setup()
    const first = await stable()
    clock.advance(2 * HOUR - 5 * MINUTE)
    await stable()
    clock.advance(5 * MINUTE - 1)
    expect(await state(first.access_token)).toBe(0)
    clock.advance(1)
    expect(await state(first.access_token)).toBe(42001)
  })

  it('is replaced at once by force, every half minute and twenty times a day', async () => {
    const { stable, state, clock } = await setup()
    const first = await stable()
    const forced = await stable({ force_refresh: true })
    expect(await state(first.access_token)).toBe(40001)
    expect(await state(forced.access_token)).toBe(0)
    expect(await stable({ force_refresh: true })).toMatchObject({ errcode: 45011 })
    for (let count = 1; count < 20; count++) {
      clock.advance(30_000)
      expect(await stable({ force_refresh: true })).toHaveProperty('access_token')
    }
    clock.advance(30_000)
    expect(await stable({ force_refresh: true })).toMatchObject({ errcode: 45009 })
    clock.advance(24 * HOUR)
    expect(await stable({ force_refresh: true })).toHaveProperty('access_token')
  })

  it('has a limit a minute', async () => {
    const { stable, get } = await setup({ limits: { stableTokensPerMinute: 1 } })
    await stable()
    expect(await stable()).toMatchObject({ errcode: 45011 })
    expect(await get('/cgi-bin/stable_token', credentials)).toMatchObject({ errcode: 43002 })
  })

  it('can be ended by the test as too old or as replaced', async () => {
    const { stable, state, control } = await setup()
    const first = await stable()
    control.endTokens(APPID, 'expired')
    expect(await state(first.access_token)).toBe(42001)
    const second = await stable()
    control.endTokens(APPID, 'replaced')
    expect(await state(second.access_token)).toBe(40001)
  })
})
