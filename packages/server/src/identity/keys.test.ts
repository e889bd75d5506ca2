/** Keys are a function of the secret: the same on every node and at every start. */
import { decodeJwt } from 'jose'
import { describe, expect, it } from 'vitest'
import { deriveKeys } from './keys.ts'

const SECRET = 'a secret of at least thirty-two bytes'

describe('keys', () => {
  it('are the same whenever the secret is the same, and all different when it is not', async () => {
    const [one, same, other] = await Promise.all([deriveKeys(SECRET), deriveKeys(SECRET), deriveKeys(`${SECRET}!`)])
    expect(same).toEqual(one)
    for (const name of ['anonKey', 'serviceKey', 'publishableKey', 'secretKey'] as const) {
      expect(other[name]).not.toBe(one[name])
    }
    expect(new Set(Object.values(one)).size).toBe(5)
  })

  it('have the forms that clients know', async () => {
    const keys = await deriveKeys(SECRET)
    expect(decodeJwt(keys.anonKey)).toMatchObject({ role: 'anon', iss: 'teahouse' })
    expect(decodeJwt(keys.serviceKey)).toMatchObject({ role: 'service_role' })
    expect(keys.publishableKey).toMatch(/^sb_publishable_[\w-]{32}$/)
    expect(keys.secretKey).toMatch(/^sb_secret_[\w-]{32}$/)
    expect(keys.jwtSecret).toBe(SECRET)
  })

  it('are not made from a secret shorter than 32 bytes', async () => {
    await expect(deriveKeys('x'.repeat(31))).rejects.toThrow(/at least 32 bytes, it has 31/)
    // Eleven characters, thirty-three bytes.
    await expect(deriveKeys('茶'.repeat(11))).resolves.toMatchObject({ jwtSecret: '茶'.repeat(11) })
  })
})
