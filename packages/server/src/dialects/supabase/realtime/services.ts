/** What the realtime dialect works with. Everything is made in the composition root and handed in. */
import type { IdentityFor } from '../../../http/caller.ts'
import type { ServiceKeyGuard } from '../../../http/service-key-guard.ts'
import type { Identity } from '../../../identity/identity.ts'
import type { Clock } from '../../../kernel/clock.ts'
import type { Ids } from '../../../kernel/ids.ts'
import type { Broadcasts } from '../../../live/broadcast.ts'
import type { ChannelAccess } from '../../../live/channel-access.ts'
import type { Live } from '../../../live/live.ts'
import type { Presence } from '../../../live/presence.ts'
import type { Log } from '../../../observe/log.ts'
import type { RealtimeLimits } from './limits.ts'

export interface RealtimeServices {
  readonly identity: Identity
  /** Which identity judges a socket; `identity` when it is left out. */
  readonly identityFor?: IdentityFor
  /** Hears of every service key that a socket brings, and may refuse it. */
  readonly guardServiceKey?: ServiceKeyGuard
  readonly live: Live
  readonly access: ChannelAccess
  readonly broadcasts: Broadcasts
  readonly presence: Presence
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
  readonly limits?: Partial<RealtimeLimits>
}
