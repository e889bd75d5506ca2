/** Logging in with an id_token that an app got from a provider by itself. */
import { createHash } from 'node:crypto'
import type { Principal } from './account.ts'
import type { Auth } from './auth.ts'
import { invalid } from './errors.ts'
import { externalUser } from './external.ts'
import { enabledProvider, personOf, verifyWithKeys } from './oidc.ts'
import type { Device, Grant } from './session.ts'

export interface IdTokenLogin {
  readonly provider: string | undefined
  readonly idToken: string
  readonly accessToken: string | undefined
  readonly nonce: string | undefined
  /** Somebody who wants one more way to log in. */
  readonly linking: Principal | null
  readonly device: Device
}

export const signInWithIdToken = async (auth: Auth, login: IdTokenLogin): Promise<Grant> => {
  const { context, sessions } = auth
  const settings = enabledProvider(context, login.provider)
  const provider = await auth.directory.provider(login.provider ?? '')
  const claims = await verifyWithKeys(provider, login.idToken)
  if (!settings.skipNonceCheck) assertNonce(claims.nonce, login.nonce)
  const user = await externalUser(context, sessions, {
    person: personOf(provider.name, claims),
    device: login.device,
    linkingUserId: login.linking?.user.id ?? null,
  })
  return sessions.start(context.db, user.id, { method: 'oauth', device: login.device })
}

/** The token holds a hash of what only the app that asked for it knows. */
const assertNonce = (inToken: unknown, given: string | undefined): void => {
  const named = typeof inToken === 'string' && inToken !== ''
  if (named !== (given !== undefined)) {
    throw invalid('Passed nonce and nonce in id_token should either both exist or not.')
  }
  if (given === undefined) return
  const hash = createHash('sha256').update(given).digest('hex')
  if (hash !== inToken && given !== inToken) throw invalid('Nonces mismatch')
}
