/** What every part of the account service works with. */
import type { Pool } from '../db/pool.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Ids } from '../kernel/ids.ts'
import type { Log } from '../observe/log.ts'
import type { AccessTokens } from './access-token.ts'
import type { Captcha } from './captcha.ts'
import type { Hooks } from './hooks.ts'
import type { KeyRing } from './key-ring.ts'
import type { Limits } from './limits.ts'
import type { Messages } from './messages.ts'
import type { Passwords } from './passwords.ts'
import type { Redirects } from './redirects.ts'
import type { Revocations } from './revocations.ts'
import type { AuthSettings } from './settings.ts'

export interface AuthContext {
  /** The owner's pool: accounts are below every policy. */
  readonly db: Pool
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
  readonly settings: AuthSettings
  readonly captcha: Captcha
  readonly passwords: Passwords
  readonly hooks: Hooks
  readonly ring: KeyRing
  readonly tokens: AccessTokens
  readonly revocations: Revocations
  readonly limits: Limits
  readonly messages: Messages
  readonly redirects: Redirects
  /** Where this server is reached from outside, without a slash at the end. */
  readonly externalUrl: () => string
  /** Lets work go on after the answer, where its duration would tell whether an account exists. */
  readonly later: (what: string, work: () => Promise<void>) => void
}

export const nowOf = (context: Pick<AuthContext, 'clock'>): Date => new Date(context.clock.now())
