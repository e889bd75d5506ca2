/** Puts the live services of one app together: feed, subscriptions, topics and presence, in the order in which they must start. */
import type pg from 'pg'
import type { Bus } from '../bus/bus.ts'
import type { CatalogService } from '../db/catalog/service.ts'
import type { Pool } from '../db/pool.ts'
import { Feed } from '../feed/feed.ts'
import type { SourceKind } from '../feed/source.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Ids } from '../kernel/ids.ts'
import type { Service } from '../kernel/service.ts'
import { Broadcasts } from './broadcast.ts'
import { ChannelAccess } from './channel-access.ts'
import { Live } from './live.ts'
import { Presence } from './presence.ts'
import { StoredMessages } from './stored-messages.ts'
import { Windows } from './windows/windows.ts'

export interface LiveServicesOptions {
  readonly owner: Pool
  readonly requests: Pool
  /** How the owner connects; the feed opens a replication connection with it. */
  readonly connection: pg.ClientConfig
  readonly catalog: CatalogService
  readonly bus: Bus
  /** Where changes come from: the log, when not given. */
  readonly source?: SourceKind
  readonly clock: Clock
  readonly ids: Ids
  /** Told about failures that are tried again. */
  readonly onError: (error: Error) => void
}

export interface LiveServices extends Service {
  readonly feed: Feed
  readonly live: Live
  readonly windows: Windows
  readonly access: ChannelAccess
  readonly broadcasts: Broadcasts
  readonly presence: Presence
}

/** Starts without waiting for the change feed: requests are served before it streams. */
export const createLiveServices = (options: LiveServicesOptions): LiveServices => {
  const { bus, clock, ids } = options
  const feed = new Feed({ ...options, pool: options.owner })
  const live = new Live({ ...options, feed })
  const windows = new Windows({ ...options, feed, live })
  const access = new ChannelAccess(options)
  const broadcasts = new Broadcasts(bus)
  const presence = new Presence({ bus, clock, node: ids.secret(6) })
  const stored = new StoredMessages({ ...options, feed, broadcasts, access })
  return {
    feed,
    live,
    windows,
    access,
    broadcasts,
    presence,
    start: async () => {
      await windows.start()
      await live.start()
      await stored.start()
      await feed.start()
    },
    stop: async () => {
      await feed.stop()
      await stored.stop()
      await windows.stop()
      await live.stop()
      presence.stop()
    },
  }
}
