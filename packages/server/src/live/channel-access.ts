/** Whether a caller may read from or write to a private channel: row-level security on realtime.messages decides, and nothing that was asked stays. */
import { databaseError, type Pool } from '../db/pool.ts'
import { type Scope, scopeStatement } from '../db/scope.ts'
import type { Caller } from '../identity/caller.ts'
import type { Ids } from '../kernel/ids.ts'
import type { ChannelExtension } from './channel-access.sql.ts'
import * as statements from './channel-access.sql.ts'

export type { ChannelExtension } from './channel-access.sql.ts'

/** What a caller may receive in a channel. */
export type ChannelRead = Readonly<Record<ChannelExtension, boolean>>

export interface StoredMessage {
  readonly id: string
  readonly event: string
  readonly body: { readonly encoding: 'json' | 'binary'; readonly bytes: Buffer }
}

export interface ChannelAccessOptions {
  /** Owns realtime.messages, so that it can place the rows that the caller then may or may not see. */
  readonly owner: Pool
  readonly requests: Pool
  readonly ids: Ids
}

const MAX_REPLAY = 25

export class ChannelAccess {
  readonly #options: ChannelAccessOptions

  constructor(options: ChannelAccessOptions) {
    this.#options = options
  }

  /** One rolled-back transaction on the owner's connection: place two rows, take on the caller's role, see which are visible. */
  async read(caller: Caller, topic: string): Promise<ChannelRead> {
    const { owner, ids } = this.#options
    const probe = { broadcast: ids.uuid(), presence: ids.uuid() }
    const own = (statement: ReturnType<typeof scopeStatement>) => ({ ...statement, planKey: '' })
    const results = await owner.explicit(
      'begin',
      [
        own(statements.insertProbes(topic, probe)),
        own(scopeStatement(scopeOf(caller, topic))),
        { ...statements.visibleProbes(probe), planKey: caller.role },
      ],
      'rollback',
    )
    const seen = new Set(results[2]?.rows.map((row) => row[0]))
    return { broadcast: seen.has(probe.broadcast), presence: seen.has(probe.presence) }
  }

  /** Whether the caller may insert a message of that kind. */
  async write(caller: Caller, topic: string, extension: ChannelExtension): Promise<boolean> {
    const scope = scopeOf(caller, topic)
    try {
      await this.#options.requests.explicit(
        'begin',
        [
          { ...scopeStatement(scope), planKey: '' },
          { ...statements.insertAs(topic, extension), planKey: caller.role },
        ],
        'rollback',
      )
      return true
    } catch (error) {
      // 42501 is both "no privilege" and "violates row-level security".
      if (databaseError(error)?.code === '42501') return false
      throw error
    }
  }

  /** Messages of a private topic since a time, oldest first, at most 25. The caller's right to read was checked before. */
  async replay(topic: string, since: Date, limit: number): Promise<readonly StoredMessage[]> {
    const bounded = Math.max(0, Math.min(MAX_REPLAY, Math.trunc(limit)))
    const rows = await this.#options.owner.many<statements.StoredMessageRow>(statements.replay(topic, since, bounded))
    return [...rows].reverse().map((row) => ({
      id: row.id,
      event: row.event,
      body:
        row.binary_payload === null
          ? { encoding: 'json' as const, bytes: Buffer.from(row.payload ?? 'null') }
          : { encoding: 'binary' as const, bytes: row.binary_payload },
    }))
  }

  /** Forgets stored messages that are too old to be replayed. */
  async purge(): Promise<void> {
    await this.#options.owner.run(statements.purgeMessages())
  }
}

const scopeOf = (caller: Caller, topic: string): Scope => ({
  role: caller.role,
  claims: caller.claimsText,
  searchPath: '"public", "extensions"',
  settings: [['realtime.topic', topic]],
})
