/** Which tokens prove something, and for how long. */
import { createHmac, createSign, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Clock } from '../kernel/clock.ts'
import type { TokenOptions, TokenRefusal } from './tokens.ts'
import { TokenVerifier } from './tokens.ts'

const SECRET = 'a secret of at least thirty-two bytes'
const NOW = 1_800_000_000

const base64url = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** Made by hand: a library would refuse to make most of these. */
const token = (
  claims: unknown,
  { header = { alg: 'HS256', typ: 'JWT' } as object, secret = SECRET, hash = 'sha256' } = {},
) => {
  const body = `${base64url(header)}.${base64url(claims)}`
  return `${body}.${createHmac(hash, secret).update(body).digest('base64url')}`
}

const verifier = (options: Partial<TokenOptions> = {}) => {
  let seconds = NOW
  const clock: Clock = { now: () => seconds * 1000, after: () => () => {} }
  const tokens = new TokenVerifier({ jwtSecret: SECRET, clock, ...options })
  return {
    verify: (text: string) => tokens.verify(text),
    at: (time: number) => {
      seconds = time
    },
  }
}

const refused = async (text: string, reason: TokenRefusal, options: Partial<TokenOptions> = {}) =>
  expect(verifier(options).verify(text)).rejects.toMatchObject({ code: 'unauthorized', reason })

describe('a valid token', () => {
  it('becomes a caller', async () => {
    const claims = {
      role: 'authenticated',
      sub: 'u1',
      aud: 'authenticated',
      exp: NOW + 60,
      app: { tags: ['茶', '👩‍👩‍👧'] },
    }
    expect(await verifier().verify(token(claims))).toEqual({
      role: 'authenticated',
      userId: 'u1',
      claims,
      claimsText: JSON.stringify(claims),
      expiresAt: NOW + 60,
    })
  })

  it('is anonymous without a role, and nobody without a subject', async () => {
    expect(await verifier().verify(token({ iss: 'x' }))).toMatchObject({ role: 'anon', userId: null, expiresAt: null })
    expect(await verifier().verify(token({ sub: '' }))).toMatchObject({ userId: null })
    expect(await verifier().verify(token({ sub: 7 }, {}))).toMatchObject({ userId: null })
  })

  it('may name any of the accepted audiences, or none', async () => {
    for (const aud of ['authenticated', ['other', 'authenticated'], '', undefined]) {
      await expect(verifier().verify(token({ role: 'authenticated', aud }))).resolves.toBeDefined()
    }
    await expect(verifier({ audiences: ['mine'] }).verify(token({ aud: 'mine' }))).resolves.toBeDefined()
  })
})

describe('a token that chooses how it is checked', () => {
  it('is refused without a signature', async () => {
    const claims = base64url({ role: 'service_role' })
    for (const alg of ['none', 'None', 'NONE', ''])
      await refused(`${base64url({ alg })}.${claims}.`, alg === '' ? 'token_malformed' : 'token_signature')
  })

  it('is refused with another algorithm of the same key', async () => {
    await refused(token({ role: 'service_role' }, { header: { alg: 'HS512' }, hash: 'sha512' }), 'token_signature')
  })

  it('is refused with a key pair of its own', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const body = `${base64url({ alg: 'RS256', typ: 'JWT', jwk: publicKey.export({ format: 'jwk' }) })}.${base64url({ role: 'service_role' })}`
    await refused(`${body}.${createSign('sha256').update(body).sign(privateKey, 'base64url')}`, 'token_signature')
  })

  it('is refused when it claims HS256 with a public key as the secret', async () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString()
    await refused(token({ role: 'service_role' }, { secret: pem }), 'token_signature')
  })

  it('is refused when it demands what nobody here understands', async () => {
    await refused(token({ role: 'anon' }, { header: { alg: 'HS256', crit: ['b64'], b64: false } }), 'token_malformed')
    await refused(token({ role: 'anon' }, { header: { alg: 'HS256', crit: ['x'], x: 1 } }), 'token_malformed')
  })
})

describe('a token that proves nothing', () => {
  it('was signed with another secret, or changed by one byte', async () => {
    await refused(token({ role: 'anon' }, { secret: 'another secret of at least 32 bytes!' }), 'token_signature')
    const [header, , signature] = token({ role: 'anon' }).split('.')
    await refused(`${header}.${base64url({ role: 'service_role' })}.${signature}`, 'token_signature')
  })

  it('is no token', async () => {
    for (const text of [
      '',
      'a',
      'a.b',
      'a.b.c',
      '..',
      '茶.館.口',
      `${token({})}.more`,
      `${base64url('[]')}.${base64url('[]')}.`,
    ]) {
      await refused(text, 'token_malformed')
    }
    await refused(token([1]), 'token_malformed')
    await refused(token('no JSON'), 'token_malformed')
  })

  it('is larger than any real one, and refused before anything is computed', async () => {
    await refused(token({ role: 'anon', big: 'x'.repeat(20_000) }), 'token_malformed')
    const began = performance.now()
    await refused('a'.repeat(10_000_000), 'token_malformed')
    expect(performance.now() - began).toBeLessThan(100)
  })

  it('is meant for others', async () => {
    for (const aud of ['other', ['other'], [], [7], 7, { a: 1 }])
      await refused(token({ role: 'anon', aud }), 'token_audience')
  })

  it('names a role that cannot be one', async () => {
    for (const role of ['', 'a\0b', 'x'.repeat(64), 7, null, ['anon'], { a: 1 }, 'none']) {
      if (role === null) expect(await verifier().verify(token({ role }))).toMatchObject({ role: 'anon' })
      else await refused(token({ role }), 'token_claims')
    }
  })

  it('holds characters that no policy could read', async () => {
    await refused(token({ role: 'anon', name: 'a\0b' }), 'token_claims')
    await refused(token({ role: 'anon', 'a\0b': 1 }), 'token_claims')
    await refused(token('{"role":"anon","name":"\\ud800"}'), 'token_claims')
    // A backslash before `u0000` that is itself text.
    await expect(verifier().verify(token({ role: 'anon', name: 'C:\\u0000' }))).resolves.toBeDefined()
  })
})

describe('time', () => {
  it('ends a token at its expiry and starts it at its nbf', async () => {
    await refused(token({ exp: NOW }), 'token_expired')
    await refused(token({ nbf: NOW + 1 }), 'token_not_yet')
    await expect(verifier().verify(token({ exp: NOW + 1, nbf: NOW }))).resolves.toBeDefined()
  })

  it('is given a leeway when clocks differ', async () => {
    await expect(verifier({ leeway: 5 }).verify(token({ exp: NOW - 4, nbf: NOW + 5 }))).resolves.toBeDefined()
    await refused(token({ exp: NOW - 5 }), 'token_expired', { leeway: 5 })
  })

  it('is a number', async () => {
    for (const claims of [{ exp: 'tomorrow' }, { exp: null }, { nbf: {} }]) await refused(token(claims), 'token_claims')
    await refused(token('{"exp":1e400}'), 'token_claims')
  })

  it('also ends a token that was verified before', async () => {
    const { verify, at } = verifier()
    const text = token({ role: 'anon', exp: NOW + 10 })
    const first = await verify(text)
    at(NOW + 9)
    expect(await verify(text)).toBe(first)
    at(NOW + 10)
    await expect(verify(text)).rejects.toMatchObject({ reason: 'token_expired' })
    // A clock that was set back does not revive the wrong one.
    at(NOW)
    expect(await verify(text)).toBe(first)
  })
})
