/**
 * Where the log stood when this server began. Its predecessor may have told changes that it never acknowledged, so the feed tells them once more;
 * but nobody can have asked a server for anything that committed before it began, and who comes back to it knows those changes already.
 */
import type { Pool } from '../db/pool.ts'
import type { Change } from '../feed/change.ts'
import type { Feed } from '../feed/feed.ts'
import { before, parseLsn, type Watermark } from '../feed/lsn.ts'
import { logPosition } from './beginning.sql.ts'

export class Beginning {
  #mark: Watermark = ''

  /** Must be called before anybody can ask for changes. */
  async note(owner: Pool, feed: Feed): Promise<void> {
    // Positions of other sources are none of the log.
    if (feed.source !== 'log') return
    const row = await owner.maybeOne<{ lsn: string }>(logPosition())
    this.#mark = row === null ? '' : before(parseLsn(row.lsn))
  }

  /** The changes that are not older than this server. */
  since(batch: readonly Change[]): readonly Change[] {
    if (this.#mark === '') return batch
    const fresh = batch.filter(({ watermark }) => watermark > this.#mark)
    // The feed is in order: once something is new, all that follows is.
    if (fresh.length > 0) this.#mark = ''
    return fresh
  }
}
