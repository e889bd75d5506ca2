/** Who recognises callers: one identity for all surfaces, and one for the instant API, which trusts what the database's configuration names as well. */
import type { Config } from './config/config.ts'
import type { Catalog } from './db/catalog/catalog.ts'
import type { CatalogService } from './db/catalog/service.ts'
import { readTokenSettings } from './dialects/supabase/rest/config.ts'
import type { IdentityFor } from './http/caller.ts'
import { isLocalRequest } from './http/local-request.ts'
import type { Auth } from './identity/auth.ts'
import { type ConfiguredTokens, configureTokens } from './identity/configured-tokens.ts'
import { withDemoKeys } from './identity/demo-keys.ts'
import { createIdentity, type Identity } from './identity/identity.ts'
import type { AppKeys } from './identity/keys.ts'
import { TokenVerifier } from './identity/tokens.ts'
import type { World } from './world.ts'

export interface Identities {
  readonly identity: Identity
  readonly identityFor: IdentityFor
  /** For the instant API. */
  readonly restIdentityFor: IdentityFor
}

interface IdentityNeeds {
  readonly config: Config
  readonly keys: AppKeys
  /** Of secrets that are being replaced. */
  readonly previous: readonly AppKeys[]
  readonly auth: Auth
  readonly catalog: CatalogService
}

export const openIdentities = (
  { config, keys, previous, auth, catalog }: IdentityNeeds,
  { clock, log }: Pick<World, 'clock' | 'log'>,
): Identities => {
  const { ring, revocations } = auth.context
  const identityWith = (configured: () => ConfiguredTokens | null): Identity =>
    createIdentity(
      keys,
      new TokenVerifier({
        jwtSecret: keys.jwtSecret,
        clock,
        ring,
        configured,
        revokedBy: (claims) => revocations.revokedBy(claims),
      }),
      { onRevoked: (listener) => revocations.onRevoked(listener), previous },
    )
  const perOrigin = (identity: Identity): IdentityFor => {
    const local = config.dev && !config.lan ? withDemoKeys(identity, clock) : identity
    return (arrived) => (isLocalRequest(arrived) ? local : identity)
  }
  const identity = identityWith(() => null)
  return {
    identity,
    identityFor: perOrigin(identity),
    restIdentityFor: perOrigin(identityWith(configuredBy(catalog, log))),
  }
}

/** Of the newest schema, read once for each. */
const configuredBy = (catalog: CatalogService, log: World['log']): (() => ConfiguredTokens | null) => {
  let seen: Catalog | null = null
  let text = ''
  let configured: ConfiguredTokens | null = null
  return () => {
    const { current } = catalog
    if (current === seen) return configured
    seen = current
    const settings = readTokenSettings(current, 'authenticator')
    const now = JSON.stringify(settings)
    // The schema changes more often than its configuration: then what was verified stays verified.
    if (now === text) return configured
    text = now
    configured = settings === null ? null : configureTokens(settings)
    for (const problem of configured?.problems ?? []) {
      log.warn({ problem }, 'a setting of tokens on the authenticator role is not used')
    }
    return configured
  }
}
