/** Tokens of others: which keys are believed, for which algorithm alone, and what role they give. */
import { createHmac } from 'node:crypto'
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import type { Clock } from '../kernel/clock.ts'
import { configureTokens, type TokenSettings } from './configured-tokens.ts'
import { TokenVerifier } from './tokens.ts'

const OURS = 'a secret of at least thirty-two bytes'
const THEIRS = 'reallyreallyreallyreallyverysafe'
const NOW = 1_800_000_000
const clock: Clock = { now: () => NOW * 1000, after: () => () => {} }
const NOTHING: TokenSettings = {
  secret: null,
  secretIsBase64: false,
  audience: null,
  roleClaim: null,
  anonRole: 'visitor',
}

const verifier = (settings: Partial<TokenSettings>) => {
  const configured = configureTokens({ ...NOTHING, ...settings })
  const tokens = new TokenVerifier({ jwtSecret: OURS, clock, configured: () => configured })
  return (text: string) => tokens.verify(text)
}

const bytes = (text: string) => new TextEncoder().encode(text)
const signed = (claims: Record<string, unknown>, secret = THEIRS, alg = 'HS256') =>
  new SignJWT(claims).setProtectedHeader({ alg }).sign(bytes(secret))
const role = async (text: Promise<string>, settings: Partial<TokenSettings>) =>
  (await verifier(settings)(await text)).role
const refusal = async (text: Promise<string>, settings: Partial<TokenSettings>) =>
  verifier(settings)(await text).then(
    (caller) => `accepted as ${caller.role}`,
    (error: { reason: string }) => error.reason,
  )

describe('a configured secret', () => {
  it('is believed besides our own', async () => {
    expect(await role(signed({ role: 'author' }), { secret: THEIRS })).toBe('author')
    expect(await role(signed({ role: 'service_role' }, OURS), { secret: THEIRS })).toBe('service_role')
    expect(await refusal(signed({ role: 'author' }), {})).toBe('token_signature')
    expect(
      await refusal(signed({ role: 'author' }, 'another secret with more than 32 bytes'), { secret: THEIRS }),
    ).toBe('token_signature')
  })

  it('may be base64 in either alphabet, or a JSON Web Key, or several', async () => {
    const k = Buffer.from(THEIRS).toString('base64url')
    for (const secret of [Buffer.from(THEIRS).toString('base64'), k]) {
      expect(await role(signed({ role: 'author' }), { secret, secretIsBase64: true })).toBe('author')
    }
    const jwk = { kty: 'oct', k, alg: 'HS256' }
    expect(await role(signed({ role: 'author' }), { secret: JSON.stringify(jwk) })).toBe('author')
    expect(await role(signed({ role: 'author' }), { secret: JSON.stringify({ keys: [{ kty: 'oct' }, jwk] }) })).toBe(
      'author',
    )
    const long = { kty: 'oct', k, alg: 'HS512' }
    expect(await role(signed({ role: 'author' }, THEIRS, 'HS512'), { secret: JSON.stringify(long) })).toBe('author')
    expect(await refusal(signed({ role: 'author' }), { secret: JSON.stringify(long) })).toBe('token_signature')
  })

  it('is nothing when it is too short or cannot be read', async () => {
    for (const secret of ['short', '', '{"kty":"oct","k":"c2hvcnQ"}', '{"kty":"RSA"}', '{"keys":[]}']) {
      expect(await refusal(signed({ role: 'author' }, secret.padEnd(32, 'x')), { secret })).toBe('token_signature')
    }
    expect(configureTokens({ ...NOTHING, secret: 'short', roleClaim: 'role' }).problems).toEqual([
      'the path of the role claim cannot be read',
      'the secret has fewer than 32 bytes',
    ])
  })

  it('still refuses what is over, not yet or not begun', async () => {
    const settings = { secret: THEIRS }
    expect(await refusal(signed({ exp: NOW - 1 }), settings)).toBe('token_expired')
    expect(await refusal(signed({ nbf: NOW + 60 }), settings)).toBe('token_not_yet')
    expect(await refusal(signed({ iat: NOW + 60 }), settings)).toBe('token_issued_later')
    expect(await refusal(signed({ role: 'none' }), settings)).toBe('token_claims')
    expect(await refusal(signed({ role: 7 }), settings)).toBe('token_claims')
  })
})

describe('a configured key pair', () => {
  const pair = async (alg: string) => {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
    return { jwk: { ...(await exportJWK(publicKey)), alg, kid: 'one' } as JWK, privateKey }
  }

  it.each(['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'])('verifies %s and nothing else', async (alg) => {
    const { jwk, privateKey } = await pair(alg)
    const token = new SignJWT({ role: 'author' }).setProtectedHeader({ alg, kid: 'one' }).sign(privateKey)
    expect(await role(token, { secret: JSON.stringify(jwk) })).toBe('author')
    expect(await role(token, { secret: JSON.stringify({ keys: [jwk] }) })).toBe('author')
    const named = new SignJWT({ role: 'author' }).setProtectedHeader({ alg, kid: 'two' }).sign(privateKey)
    expect(await refusal(named, { secret: JSON.stringify(jwk) })).toBe('token_signature')
  })

  it('is no secret: a token signed with the public key’s text proves nothing', async () => {
    const { jwk } = await pair('RS256')
    const text = JSON.stringify(jwk)
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const body = `${part({ alg: 'HS256' })}.${part({ role: 'service_role' })}`
    for (const secret of [text, jwk.n ?? '']) {
      const mac = createHmac('sha256', secret).update(body).digest('base64url')
      expect(await refusal(Promise.resolve(`${body}.${mac}`), { secret: text })).toBe('token_signature')
    }
    expect(await refusal(Promise.resolve(`${part({ alg: 'none' })}.${part({ role: 'x' })}.`), { secret: text })).toBe(
      'token_signature',
    )
    expect(await refusal(signed({ role: 'x' }), { secret: JSON.stringify({ ...jwk, alg: 'HS256' }) })).toBe(
      'token_signature',
    )
  })
})

describe('a configured audience', () => {
  const settings = { secret: THEIRS, audience: 'youraudience' }

  it('is asked of the others’ tokens that name any', async () => {
    for (const aud of ['youraudience', ['x', 'youraudience'], [], undefined]) {
      expect(await role(signed({ role: 'author', aud }), settings)).toBe('author')
    }
    expect(await refusal(signed({ role: 'author', aud: 'notyours' }), settings)).toBe('token_audience')
    expect(await role(signed({ role: 'author', aud: 'anything' }), { secret: THEIRS })).toBe('author')
  })

  it('is good for our own tokens as well', async () => {
    expect(await role(signed({ role: 'author', aud: 'authenticated' }, OURS), settings)).toBe('author')
    expect(await role(signed({ role: 'author', aud: 'youraudience' }, OURS), settings)).toBe('author')
    expect(await refusal(signed({ role: 'author', aud: 'notyours' }, OURS), settings)).toBe('token_audience')
  })
})

describe('a configured role claim', () => {
  const settings = { secret: THEIRS, roleClaim: '."https://app/roles"[?(@ == "editor")]' }

  it('decides, and without it a token of others is anonymous', async () => {
    const caller = await verifier(settings)(await signed({ 'https://app/roles': ['a', 'editor'], role: 'admin' }))
    expect(caller).toMatchObject({ role: 'editor', claims: { role: 'editor' } })
    expect(await role(signed({ role: 'admin' }), settings)).toBe('visitor')
  })

  it('decides for our own, too, which otherwise keep theirs', async () => {
    expect(await role(signed({ 'https://app/roles': ['editor'], role: 'authenticated' }, OURS), settings)).toBe(
      'editor',
    )
    expect(await role(signed({ role: 'service_role' }, OURS), settings)).toBe('service_role')
  })
})

it('what was verified is forgotten when the configuration changes', async () => {
  let configured = configureTokens({ ...NOTHING, secret: THEIRS })
  const tokens = new TokenVerifier({ jwtSecret: OURS, clock, configured: () => configured })
  const token = await signed({ role: 'author' })
  expect((await tokens.verify(token)).role).toBe('author')
  configured = configureTokens(NOTHING)
  await expect(tokens.verify(token)).rejects.toMatchObject({ reason: 'token_signature' })
})
