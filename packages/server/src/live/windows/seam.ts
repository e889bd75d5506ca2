/**
 * Reads rows so that they join the stream of changes without a gap and without a repetition: every change that was already told is in the
 * rows, and of every later one the snapshot says whether it is.
 */
import type { Pool } from '../../db/pool.ts'
import { runAs, type Scope } from '../../db/scope.ts'
import type { Change } from '../../feed/change.ts'
import type { Clock } from '../../kernel/clock.ts'
import { AppError } from '../../kernel/errors.ts'
import type { Statement } from '../../sql/sql.ts'
import { currentSnapshot } from './reads.sql.ts'
import { Snapshot } from './snapshot.ts'

export interface SeamRead {
  readonly snapshot: Snapshot
  readonly rows: readonly (readonly (string | null)[])[]
}

/** Transactions whose visibility is checked: a transaction becomes visible microseconds after it is in the log, so few can be in doubt. */
const REMEMBERED = 1024
const MAX_TRIES = 2000
const RETRY_MS = 1
/** Values must look as the stream of changes writes them. */
const AS_IN_THE_LOG: Scope['settings'] = [
  ['datestyle', 'ISO, YMD'],
  ['timezone', 'UTC'],
  ['intervalstyle', 'postgres'],
  ['extra_float_digits', '1'],
  ['bytea_output', 'hex'],
]

export interface SeamOptions {
  readonly requests: Pool
  readonly clock: Clock
}

export class Seam {
  readonly #options: SeamOptions
  readonly #recent = new Uint32Array(REMEMBERED)
  #count = 0

  constructor(options: SeamOptions) {
    this.#options = options
  }

  /** Changes are about to be told. */
  note(batch: readonly Change[]): void {
    for (const { xid } of batch) {
      if (this.#count > 0 && this.#recent[(this.#count - 1) % REMEMBERED] === xid >>> 0) continue
      this.#recent[this.#count++ % REMEMBERED] = xid
    }
  }

  /** Runs one statement as `scope` and answers its rows with the snapshot in which they were read. */
  async read(scope: Scope, statement: Statement): Promise<SeamRead> {
    const { requests, clock } = this.#options
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const told = this.#count
      const [head, body] = await runAs(
        requests,
        { ...scope, settings: [...(scope.settings ?? []), ...(AS_IN_THE_LOG ?? [])] },
        [currentSnapshot(), statement],
        { isolation: 'repeatable read' },
      )
      const [text, takenAt] = head?.rows[0] ?? []
      const snapshot = new Snapshot(text ?? '', Number(takenAt))
      if (this.#allSeen(snapshot, told)) return { snapshot, rows: body?.rows ?? [] }
      await new Promise<void>((resolve) => {
        clock.after(RETRY_MS, resolve)
      })
    }
    throw new AppError('unavailable', 'The database does not show what it has committed.')
  }

  /** Whether the snapshot has everything that had been told when it was asked for. */
  #allSeen(snapshot: Snapshot, told: number): boolean {
    for (let index = Math.max(0, told - REMEMBERED); index < told; index++) {
      // What has been overwritten meanwhile is younger, and not this check's business.
      if (index >= this.#count - REMEMBERED && !snapshot.sees(this.#recent[index % REMEMBERED] ?? 0)) return false
    }
    return true
  }
}
