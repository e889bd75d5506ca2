/** The keys of Supabase's public examples: known to everybody, so good only where nobody else can be. Who that is, is decided in http/local-request.ts. */
import type { Clock } from '../kernel/clock.ts'
import { AppError } from '../kernel/errors.ts'
import type { Caller } from './caller.ts'
import { type Identity, keyCaller } from './identity.ts'
import { TokenVerifier } from './tokens.ts'

/** The secret in Supabase's documentation and images; its JWT keys are signed with it. */
export const DEMO_SECRET = 'super-secret-jwt-token-with-at-least-32-characters-long'

/** The opaque keys that Supabase's command line prints on every machine. */
const OPAQUE: Readonly<Record<string, string>> = {
  sb_publishable_ACJWlzQHlZjBrEguHvfOxg_3BJgxAaH: 'anon',
  'sb_secret_N7UND0UgjKTVK-Uodkm0Hg_xSvEMPvz': 'service_role',
}

/** An identity that knows the demo keys, and tokens signed with the demo secret, besides everything that it knew. */
export const withDemoKeys = (identity: Identity, clock: Clock): Identity => {
  const tokens = new TokenVerifier({ jwtSecret: DEMO_SECRET, clock })

  const demoCaller = async (proof: string | undefined): Promise<Caller | null> => {
    if (proof === undefined || proof === '') return null
    const role = OPAQUE[proof]
    if (role !== undefined) return keyCaller(role)
    return tokens.verify(proof).catch((error: unknown) => {
      if (error instanceof AppError && error.code === 'unauthorized') return null
      throw error
    })
  }

  return {
    ...identity,
    authenticateKey: async (apikey) => (await demoCaller(apikey)) ?? identity.authenticateKey(apikey),
    authenticateToken: async (token) => (await demoCaller(token)) ?? identity.authenticateToken(token),
    async authenticate({ apikey, bearer }) {
      const [key, token] = [await demoCaller(apikey), await demoCaller(bearer)]
      // A proof that is no demo key is judged as ever, the other one aside.
      if (token !== null) {
        if (key === null) await identity.authenticate({ apikey, bearer: undefined })
        return token
      }
      if (key === null) return identity.authenticate({ apikey, bearer })
      return bearer === undefined || bearer === '' ? key : identity.authenticate({ apikey: undefined, bearer })
    },
  }
}
