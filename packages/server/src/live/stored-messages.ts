/** Messages that SQL wrote into realtime.messages: read from the feed and given to the members of their topic on this node. */
import type { Pool } from '../db/pool.ts'
import { type Change, cellOf, type RowChange } from '../feed/change.ts'
import type { Feed } from '../feed/feed.ts'
import type { Clock } from '../kernel/clock.ts'
import { toError } from '../kernel/errors.ts'
import type { Service } from '../kernel/service.ts'
import { Beginning } from './beginning.ts'
import type { Broadcasts, MessageBody } from './broadcast.ts'
import type { ChannelAccess } from './channel-access.ts'

export interface StoredMessagesOptions {
  readonly owner: Pool
  readonly feed: Feed
  readonly broadcasts: Broadcasts
  readonly access: ChannelAccess
  readonly clock: Clock
  readonly onError: (error: Error) => void
}

const PURGE_EVERY_MS = 3_600_000

export class StoredMessages implements Service {
  readonly #options: StoredMessagesOptions
  readonly #beginning = new Beginning()
  #unlisten: () => void = () => {}
  #cancelPurge: () => void = () => {}

  constructor(options: StoredMessagesOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { owner, feed } = this.#options
    await this.#beginning.note(owner, feed)
    this.#unlisten = feed.listen({ changes: (batch) => this.#changes(this.#beginning.since(batch)), resync: () => {} })
    this.#schedulePurge()
  }

  async stop(): Promise<void> {
    this.#unlisten()
    this.#cancelPurge()
  }

  #changes(batch: readonly Change[]): void {
    for (const change of batch) {
      if (change.op !== 'INSERT') continue
      const { schema, name } = change.relation
      if (schema === 'realtime' && name === 'messages') this.#deliver(change)
    }
  }

  #deliver(change: RowChange): void {
    const cell = (name: string) => cellOf(change.relation, change.new, name) ?? null
    const topic = cell('topic')
    const event = cell('event')
    if (cell('extension') !== 'broadcast' || topic === null || event === null) return
    const id = cell('id')
    this.#options.broadcasts.deliver({
      topic: { name: topic, private: cell('private') === 't' },
      event,
      body: bodyOf(cell('payload'), cell('binary_payload')),
      ...(id !== null && { meta: { id } }),
      sender: null,
    })
  }

  #schedulePurge(): void {
    this.#cancelPurge = this.#options.clock.after(PURGE_EVERY_MS, () => {
      this.#options.access
        .purge()
        .catch((error) => this.#options.onError(toError(error)))
        .finally(() => this.#schedulePurge())
    })
  }
}

const bodyOf = (json: string | null, hex: string | null): MessageBody =>
  json === null && hex !== null
    ? { encoding: 'binary', bytes: Buffer.from(hex.slice(2), 'hex') }
    : { encoding: 'json', bytes: Buffer.from(json ?? 'null') }
