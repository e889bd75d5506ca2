/**
 * What has committed by now, for whoever begins to listen and reads afterwards: a node may be behind, or tell again what its predecessor told,
 * and none of that is news to somebody who has just come. Everybody who asks at the same moment shares one question to the database.
 */
import type { Pool } from '../db/pool.ts'
import type { Clock } from '../kernel/clock.ts'
import { AppError } from '../kernel/errors.ts'
import { currentSnapshot } from './windows/reads.sql.ts'
import { Snapshot } from './windows/snapshot.ts'

/** A database that does not answer makes newcomers wait; they are better off elsewhere. */
const WITHIN_MS = 5_000
/** Well within the time for which a snapshot is asked. */
const SHARED_MICROS = 5_000_000

export class Present {
  readonly #owner: Pool
  readonly #clock: Clock
  #last: { readonly text: string; readonly takenAt: number; readonly snapshot: Snapshot } | null = null
  #asking: Promise<Snapshot> | null = null
  #next: Promise<Snapshot> | null = null

  constructor(owner: Pool, clock: Clock) {
    this.#owner = owner
    this.#clock = clock
  }

  /** A snapshot that was taken after the call. Rejects with `unavailable` when the database does not answer. */
  now(): Promise<Snapshot> {
    if (this.#asking === null) return this.#ask()
    // An answer that is on its way may be older than this call.
    this.#next ??= this.#asking.then(
      () => this.#askNext(),
      () => this.#askNext(),
    )
    return this.#next
  }

  #askNext(): Promise<Snapshot> {
    this.#next = null
    return this.#asking ?? this.#ask()
  }

  #ask(): Promise<Snapshot> {
    const asking = this.#query().finally(() => {
      if (this.#asking === asking) this.#asking = null
    })
    this.#asking = asking
    return asking
  }

  /** Every channel keeps its snapshot for a while, so all that see the same keep the same one. */
  #share(text: string, takenAt: number): Snapshot {
    if (this.#last?.text !== text || takenAt - this.#last.takenAt > SHARED_MICROS)
      this.#last = { text, takenAt, snapshot: new Snapshot(text, takenAt) }
    return this.#last.snapshot
  }

  async #query(): Promise<Snapshot> {
    let cancel = () => {}
    const late = new Promise<never>((_, reject) => {
      cancel = this.#clock.after(WITHIN_MS, () =>
        reject(new AppError('unavailable', 'The database did not answer in time.', { retryAfter: 1 })),
      )
    })
    try {
      const [answer] = await Promise.race([this.#owner.batch([{ ...currentSnapshot(), planKey: '' }]), late])
      const [text, takenAt] = answer?.rows[0] ?? []
      return this.#share(text ?? '', Number(takenAt))
    } finally {
      cancel()
    }
  }
}
