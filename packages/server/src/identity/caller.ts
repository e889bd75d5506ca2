/** Who is asking: the one type that everything below `identity/` knows of tokens and keys. */
import type { JsonObject } from '../kernel/json.ts'

/** A verified caller. Nothing below this type looks at a token again. */
export interface Caller {
  /** The Postgres role that the request runs as: `anon`, `authenticated`, `service_role`, or one of the operator's own. */
  readonly role: string
  /** `auth.users.id`, or null for a key. */
  readonly userId: string | null
  /** The verified claims, as SQL sees them in `request.jwt.claims`. */
  readonly claims: JsonObject
  /** The claims as JSON text, serialised once per token. */
  readonly claimsText: string
  /** Seconds since 1970 after which this proof is no longer valid; null when it does not expire. */
  readonly expiresAt: number | null
}
