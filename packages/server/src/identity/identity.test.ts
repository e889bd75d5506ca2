/** Every way of bringing keys and tokens, and who that makes the caller. */
import { SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../kernel/clock.ts'
import { createIdentity, type Proofs } from './identity.ts'
import { deriveKeys } from './keys.ts'
import { TokenVerifier } from './tokens.ts'

const SECRET = 'a secret of at least thirty-two bytes'
const keys = await deriveKeys(SECRET)
const identity = createIdentity(keys, new TokenVerifier({ jwtSecret: SECRET, clock: systemClock }))
const sign = (claims: Record<string, unknown>, secret = SECRET) =>
  new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(secret))
const user = await sign({
  role: 'authenticated',
  sub: 'u1',
  aud: 'authenticated',
  exp: Math.floor(Date.now() / 1000) + 60,
})
const stranger = await sign({ role: 'service_role' }, 'another secret of at least 32 bytes!')
const expired = await sign({ role: 'authenticated', sub: 'u1', exp: 1 })

const who = async (proofs: Partial<Proofs>): Promise<string> => {
  const caller = await identity.authenticate({ apikey: undefined, bearer: undefined, ...proofs })
  return caller.userId === null ? caller.role : `${caller.role} ${caller.userId}`
}
const refusal = (proofs: Partial<Proofs>) =>
  identity.authenticate({ apikey: undefined, bearer: undefined, ...proofs }).then(
    () => 'accepted',
    (error: { code: string; reason: string }) => `${error.code} ${error.reason}`,
  )

describe('who is asking', () => {
  it('is anonymous without a key and without a token', async () => {
    expect(await who({})).toBe('anon')
    expect(await who({ apikey: '', bearer: '' })).toBe('anon')
  })

  it('is the key’s role when there is only a key, in either form', async () => {
    expect(await who({ apikey: keys.anonKey })).toBe('anon')
    expect(await who({ apikey: keys.serviceKey })).toBe('service_role')
    expect(await who({ apikey: keys.publishableKey })).toBe('anon')
    expect(await who({ apikey: keys.secretKey })).toBe('service_role')
  })

  it('is the key’s role when the key comes as the bearer too, as the clients send it', async () => {
    for (const [key, role] of [
      [keys.anonKey, 'anon'],
      [keys.publishableKey, 'anon'],
      [keys.serviceKey, 'service_role'],
      [keys.secretKey, 'service_role'],
    ] as const) {
      expect(await who({ apikey: key, bearer: key })).toBe(role)
      expect(await who({ bearer: key })).toBe(role)
    }
  })

  it('is the user when there is a user’s token, whatever the key', async () => {
    for (const apikey of [keys.anonKey, keys.publishableKey, keys.serviceKey, keys.secretKey, undefined]) {
      expect(await who({ apikey, bearer: user })).toBe('authenticated u1')
    }
  })

  it('is the bearer when key and bearer are different keys', async () => {
    expect(await who({ apikey: keys.secretKey, bearer: keys.publishableKey })).toBe('anon')
    expect(await who({ apikey: keys.publishableKey, bearer: keys.secretKey })).toBe('service_role')
    expect(await who({ apikey: keys.serviceKey, bearer: keys.anonKey })).toBe('anon')
  })

  it('is nobody with a wrong key, even beside a good token', async () => {
    for (const apikey of [
      'nonsense',
      'sb_secret_nonsense',
      `${keys.secretKey}x`,
      keys.secretKey.slice(0, -1),
      stranger,
      expired,
    ]) {
      expect(await refusal({ apikey })).toBe('unauthorized key_invalid')
      expect(await refusal({ apikey, bearer: user })).toBe('unauthorized key_invalid')
    }
  })

  it('is nobody with a wrong token, even beside a good key', async () => {
    const apikey = keys.serviceKey
    expect(await refusal({ apikey, bearer: stranger })).toBe('unauthorized token_signature')
    expect(await refusal({ apikey, bearer: expired })).toBe('unauthorized token_expired')
    expect(await refusal({ apikey, bearer: 'nonsense' })).toBe('unauthorized token_malformed')
    expect(await refusal({ apikey, bearer: 'sb_publishable_nonsense' })).toBe('unauthorized key_invalid')
  })

  it('never mixes the two opaque keys up', async () => {
    const swapped = keys.secretKey.replace('sb_secret_', 'sb_publishable_')
    expect(await refusal({ apikey: swapped })).toBe('unauthorized key_invalid')
  })
})
