/** Second factors and recovery codes. */
import { decodeJwt } from 'jose'
import { generateSync } from 'otplib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AuthFixture, signUp, startAuth } from '../../../../test/auth.ts'

let fixture: AuthFixture
beforeAll(async () => {
  fixture = await startAuth({
    settings: (each) => ({
      ...each,
      mfa: { ...each.mfa, phoneEnroll: true, phoneVerify: true, maxEnrolledFactors: 4 },
    }),
  })
})
afterAll(() => fixture.close())

const codeAt = (secret: string) => generateSync({ secret, epoch: Math.floor(fixture.clock.now() / 1000) })

const enrol = async (token: string, body: object = { factor_type: 'totp', friendly_name: 'phone' }) =>
  (await fixture.ask('POST', '/factors', { token, body })).body

const prove = async (token: string, id: string, code: string) => {
  const { body: challenge } = await fixture.ask('POST', `/factors/${id}/challenge`, { token, body: {} })
  return fixture.ask('POST', `/factors/${id}/verify`, { token, body: { challenge_id: challenge.id, code } })
}

/** Somebody with an authenticator app. */
const withApp = async (email: string) => {
  const session = await signUp(fixture, email)
  const factor = await enrol(session.access_token)
  const { body } = await prove(session.access_token, factor.id, codeAt(factor.totp.secret))
  fixture.clock.advance(31)
  return { session: body, factor, secret: factor.totp.secret as string }
}

describe('an authenticator app', () => {
  it('is enrolled by a picture, and raises the session', async () => {
    const session = await signUp(fixture, 'totp@example.com')
    const other = await fixture.ask('POST', '/token?grant_type=password', {
      body: { email: 'totp@example.com', password: 'correct horse' },
    })
    const factor = await enrol(session.access_token, { factor_type: 'totp', friendly_name: 'mine', issuer: 'Tea' })
    expect(factor).toMatchObject({ type: 'totp', friendly_name: 'mine' })
    expect(factor.totp.qr_code).toMatch(/^<svg/)
    expect(factor.totp.uri).toContain('otpauth://totp/Tea:totp%40example.com')
    expect((await prove(session.access_token, factor.id, '000000')).body.code).toBe('mfa_verification_failed')
    const { status, body } = await prove(session.access_token, factor.id, codeAt(factor.totp.secret))
    expect(status).toBe(200)
    expect(decodeJwt(body.access_token)).toMatchObject({
      aal: 'aal2',
      amr: expect.arrayContaining([expect.objectContaining({ method: 'totp' })]),
    })
    expect(body.user.factors).toMatchObject([{ status: 'verified', factor_type: 'totp' }])
    expect((await fixture.ask('GET', '/user', { token: other.body.access_token })).status).toBe(403)
    const refreshed = await fixture.ask('POST', '/token?grant_type=refresh_token', {
      body: { refresh_token: body.refresh_token },
    })
    expect(decodeJwt(refreshed.body.access_token).aal).toBe('aal2')
  })

  it('gives codes that work once', async () => {
    const { session, factor, secret } = await withApp('replay@example.com')
    const code = codeAt(secret)
    expect((await prove(session.access_token, factor.id, code)).status).toBe(200)
    expect((await prove(session.access_token, factor.id, code)).body.code).toBe('mfa_verification_failed')
  })

  it('answers its own challenge, in time, from the same place', async () => {
    const { session, factor, secret } = await withApp('challenge@example.com')
    const token = session.access_token
    const { body: challenge } = await fixture.ask('POST', `/factors/${factor.id}/challenge`, { token, body: {} })
    expect(challenge).toMatchObject({ type: 'totp' })
    fixture.clock.advance(301)
    const late = await fixture.ask('POST', `/factors/${factor.id}/verify`, {
      token,
      body: { challenge_id: challenge.id, code: codeAt(secret) },
    })
    expect(late.body.code).toBe('mfa_challenge_expired')
    const stranger = await signUp(fixture, 'stranger@example.com')
    expect((await prove(stranger.access_token, factor.id, codeAt(secret))).body.code).toMatch(/not_found|validation/)
    expect((await fixture.ask('POST', '/factors/nonsense/challenge', { token, body: {} })).status).toBe(404)
  })

  it('cannot be guessed', async () => {
    const { session, factor } = await withApp('guess@example.com')
    const token = session.access_token
    const { body: challenge } = await fixture.ask('POST', `/factors/${factor.id}/challenge`, { token, body: {} })
    const tries = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        fixture.ask('POST', `/factors/${factor.id}/verify`, {
          token,
          body: { challenge_id: challenge.id, code: String(100_000 + index) },
        }),
      ),
    )
    expect(tries.filter(({ body }) => body.code === 'mfa_verification_failed').length).toBeLessThanOrEqual(5)
    expect(tries.some(({ status }) => status === 429)).toBe(true)
  })

  it('is added to or taken away only by who has shown it', async () => {
    const { factor, session } = await withApp('guarded@example.com')
    const { body: weak } = await fixture.ask('POST', '/token?grant_type=password', {
      body: { email: 'guarded@example.com', password: 'correct horse' },
    })
    const token = weak.access_token
    expect(await fixture.ask('DELETE', `/factors/${factor.id}`, { token })).toMatchObject({
      status: 403,
      body: { code: 'insufficient_aal' },
    })
    expect((await enrol(token, { factor_type: 'totp', friendly_name: 'mine too' })).code).toBe('insufficient_aal')
    const raised = session.access_token
    expect((await enrol(raised, { factor_type: 'totp', friendly_name: 'phone' })).code).toBe('mfa_factor_name_conflict')
    expect((await fixture.ask('DELETE', `/factors/${factor.id}`, { token: raised })).body).toEqual({ id: factor.id })
    const { body: after } = await fixture.ask('POST', '/token?grant_type=refresh_token', {
      body: { refresh_token: session.refresh_token },
    })
    expect(decodeJwt(after.access_token).aal).toBe('aal1')
  })

  it('is seen and removed by the operator', async () => {
    const { factor, session } = await withApp('operator@example.com')
    const path = `/admin/users/${session.user.id}/factors`
    expect((await fixture.admin('GET', path)).body).toMatchObject([{ id: factor.id, status: 'verified' }])
    expect((await fixture.admin('DELETE', `${path}/${factor.id}`)).body).toMatchObject({ id: factor.id })
    expect((await fixture.admin('GET', path)).body).toEqual([])
  })
})

describe('a phone as a second factor', () => {
  it('is sent a code', async () => {
    const session = await signUp(fixture, 'bysms@example.com')
    const factor = await enrol(session.access_token, {
      factor_type: 'phone',
      friendly_name: 'sms',
      phone: '13800138333',
    })
    expect(factor).toMatchObject({ type: 'phone', phone: '13800138333' })
    const before = fixture.texts.length
    const { body: challenge } = await fixture.ask('POST', `/factors/${factor.id}/challenge`, {
      token: session.access_token,
      body: { channel: 'sms' },
    })
    const code = fixture.texts[before]?.code ?? ''
    const { body } = await fixture.ask('POST', `/factors/${factor.id}/verify`, {
      token: session.access_token,
      body: { challenge_id: challenge.id, code },
    })
    expect(decodeJwt(body.access_token)).toMatchObject({ aal: 'aal2' })
  })
})

describe('recovery codes', () => {
  const path = '/factors/recovery-codes'

  it('need another factor first', async () => {
    const session = await signUp(fixture, 'sole@example.com')
    expect((await fixture.ask('POST', path, { token: session.access_token })).body.code).toBe(
      'mfa_recovery_codes_sole_factor',
    )
    expect((await fixture.ask('GET', path, { token: session.access_token })).body.code).toBe('mfa_factor_not_found')
  })

  it('are shown once, work once each, and raise a session', async () => {
    const { session } = await withApp('codes@example.com')
    const token = session.access_token
    const { body: made } = await fixture.ask('POST', path, { token, body: { friendly_name: 'paper' } })
    expect(made).toMatchObject({ type: 'recovery_code', friendly_name: 'paper', total: 10 })
    expect(new Set(made.codes).size).toBe(10)
    expect((await fixture.ask('POST', path, { token })).body.code).toBe('mfa_verified_factor_exists')
    const { body: weak } = await fixture.ask('POST', '/token?grant_type=password', {
      body: { email: 'codes@example.com', password: 'correct horse' },
    })
    const use = (code: string) => fixture.ask('POST', `${path}/verify`, { token: weak.access_token, body: { code } })
    const [code = ''] = made.codes
    const typed = `${code.slice(0, 4)}-${code.slice(4).toUpperCase()} `
    const { body: raised } = await use(typed)
    expect(decodeJwt(raised.access_token)).toMatchObject({
      aal: 'aal2',
      amr: expect.arrayContaining([expect.objectContaining({ method: 'mfa/recovery_code' })]),
    })
    expect((await use(code)).body.code).toBe('mfa_verification_failed')
    expect((await fixture.ask('GET', path, { token })).body).toMatchObject({ total: 10, remaining: 9 })
    const { body: fresh } = await fixture.ask('POST', `${path}/regenerate`, { token })
    expect(fresh.id).toBe(made.id)
    expect((await use(made.codes[1])).body.code).toBe('mfa_verification_failed')
    expect((await fixture.ask('DELETE', path, { token })).body).toEqual({ id: made.id })
  })

  it('lock after too many wrong ones', async () => {
    const { session } = await withApp('locked@example.com')
    const token = session.access_token
    await fixture.ask('POST', path, { token })
    const statuses = []
    for (let index = 0; index < 12; index += 1) {
      statuses.push((await fixture.ask('POST', `${path}/verify`, { token, body: { code: `wrong${index}` } })).body.code)
    }
    expect(statuses.slice(0, 10).every((code) => code === 'mfa_verification_failed')).toBe(true)
    expect(statuses.at(-1)).toBe('mfa_recovery_codes_locked')
  })
})
