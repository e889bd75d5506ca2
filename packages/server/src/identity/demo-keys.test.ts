/** The demo keys, where they are admitted. */
import { SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../kernel/clock.ts'
import { DEMO_SECRET, withDemoKeys } from './demo-keys.ts'
import { createIdentity } from './identity.ts'
import { deriveKeys } from './keys.ts'
import { TokenVerifier } from './tokens.ts'

const ANON =
  'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzdXBhYmFzZS1kZW1vIiwicm9sZSI6ImFub24iLCJleHAiOjE5ODM4MTI5OTZ9.CRXP1A7WOeoJeXxjNni43kdQwgnWNReilDMblYTn_I0'
const SERVICE =
  'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzdXBhYmFzZS1kZW1vIiwicm9sZSI6InNlcnZpY2Vfcm9sZSIsImV4cCI6MTk4MzgxMjk5Nn0.EGIM96RAZx35lJzdJsyH-qQwv8Hdp7fsn3W0YpN81IU'

const setup = async () => {
  const keys = await deriveKeys('an own secret of at least thirty-two bytes')
  const strict = createIdentity(keys, new TokenVerifier({ jwtSecret: keys.jwtSecret, clock: systemClock }))
  return { keys, strict, demo: withDemoKeys(strict, systemClock) }
}

const token = (secret: string) =>
  new SignJWT({ role: 'authenticated', sub: 'somebody', aud: 'authenticated' })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(secret))

describe('demo keys', () => {
  it('stand for their roles in both forms', async () => {
    const { demo } = await setup()
    expect(await demo.authenticateKey(ANON)).toMatchObject({ role: 'anon' })
    expect(await demo.authenticateToken(SERVICE)).toMatchObject({ role: 'service_role' })
    expect(
      await demo.authenticate({ apikey: 'sb_publishable_ACJWlzQHlZjBrEguHvfOxg_3BJgxAaH', bearer: undefined }),
    ).toMatchObject({ role: 'anon' })
    expect(
      await demo.authenticate({ apikey: 'sb_secret_N7UND0UgjKTVK-Uodkm0Hg_xSvEMPvz', bearer: undefined }),
    ).toMatchObject({ role: 'service_role' })
  })

  it('go with tokens of either secret', async () => {
    const { demo, keys } = await setup()
    for (const secret of [DEMO_SECRET, keys.jwtSecret])
      for (const apikey of [ANON, keys.anonKey])
        expect(await demo.authenticate({ apikey, bearer: await token(secret) })).toMatchObject({
          role: 'authenticated',
          userId: 'somebody',
        })
  })

  it('leave every other proof to the app', async () => {
    const { demo, keys } = await setup()
    expect(await demo.authenticate({ apikey: undefined, bearer: undefined })).toMatchObject({ role: 'anon' })
    expect(await demo.authenticateKey(keys.serviceKey)).toMatchObject({ role: 'service_role' })
    const wrong = await token('another secret of at least thirty-two bytes')
    await expect(demo.authenticateToken(wrong)).rejects.toThrow()
    await expect(demo.authenticate({ apikey: ANON, bearer: wrong })).rejects.toThrow()
    await expect(demo.authenticate({ apikey: wrong, bearer: ANON })).rejects.toThrow()
  })

  it('are nothing anywhere else', async () => {
    const { strict } = await setup()
    for (const key of [ANON, SERVICE, 'sb_publishable_ACJWlzQHlZjBrEguHvfOxg_3BJgxAaH', await token(DEMO_SECRET)])
      await expect(strict.authenticateKey(key)).rejects.toThrow()
  })
})
