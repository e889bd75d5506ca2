/**
 * One node's place in the log that nodes share. Entries arrive by the bus, or are read from the table when one is missing; whichever way,
 * listeners get every change once and in order, or are told that they missed some.
 */
import type { Pool } from '../db/pool.ts'
import { toError } from '../kernel/errors.ts'
import type { Change } from './change.ts'
import { ChangeDecoder } from './change-codec.ts'
import type { Watermark } from './lsn.ts'
import { type EntryRow, readEntries } from './shared-log.sql.ts'

/** What a leader appended. */
export interface Entry {
  readonly epoch: string
  readonly prev: Watermark
  readonly last: Watermark
  /** Null when it must be read from the table. */
  readonly payload: string | null
}

export interface ReplicaOptions {
  readonly pool: Pool
  readonly name: string
  deliver(batch: readonly Change[]): Promise<void> | void
  /** Another run of the feed begins after `floor`: changes before it may be missing, unless this is the first that the node knows of. */
  epoch(epoch: string, floor: Watermark, first: boolean): void
  /** Changes up to `floor` were forgotten before this node read them. */
  gap(floor: Watermark): void
  onError(error: Error): void
}

const PAGE = 8
/** Entries of the bus that may wait; what comes on top is read from the table. */
const MAX_WAITING = 64

export class Replica {
  readonly #options: ReplicaOptions
  readonly #decoder = new ChangeDecoder()
  #epoch: string | null = null
  #seen: Watermark = ''
  #line: Promise<void> = Promise.resolve()
  #waiting = 0
  #stopped = false

  constructor(options: ReplicaOptions) {
    this.#options = options
  }

  /** Whether it knows where it is: from then on nothing is missed in silence. */
  get attached(): boolean {
    return this.#epoch !== null
  }

  get seen(): Watermark {
    return this.#seen
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#line
  }

  /** Reads what is new. Rejects when the table cannot be read. */
  catchUp(): Promise<void> {
    return this.#enqueue(() => this.#read())
  }

  /** Takes an entry that is in the table by now. `batch` is its content where it need not be decoded. */
  offer(entry: Entry, batch?: readonly Change[]): Promise<void> {
    const held = this.#waiting < MAX_WAITING
    return this.#enqueue(async () => {
      if (entry.epoch === this.#epoch && entry.last <= this.#seen) return
      const next = entry.epoch === this.#epoch && entry.prev <= this.#seen
      const changes = batch ?? (next && held && entry.payload !== null ? this.#decoder.decode(entry.payload) : null)
      if (!next || changes === null) return this.#read()
      await this.#deliver(changes)
      this.#seen = entry.last
    })
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    this.#waiting++
    const run = this.#line.then(async () => {
      try {
        if (!this.#stopped) await work()
      } finally {
        this.#waiting--
      }
    })
    this.#line = run.catch(() => {})
    return run
  }

  async #read(): Promise<void> {
    const { pool, name } = this.#options
    while (!this.#stopped) {
      const rows = await pool.many<EntryRow>(readEntries(name, this.#seen, PAGE))
      const [state] = rows
      // Nobody leads yet, or a crash of the database forgot who did.
      if (state === undefined || state.newest === null || state.trimmed === null) return
      if (!this.#arrive(state)) continue
      for (const { last, payload } of rows) {
        if (last !== null && payload !== null) await this.#take(last, payload)
      }
      if (rows.length < PAGE) {
        // There is nothing between the newest entry and where the leader has come.
        if (state.newest > this.#seen) this.#seen = state.newest
        return
      }
    }
  }

  /** Answers false when the position had to be moved, so that what was read is of another place. */
  #arrive({ epoch, floor, newest, trimmed }: EntryRow): boolean {
    if (epoch !== this.#epoch) {
      const first = this.#epoch === null
      this.#epoch = epoch
      // Nobody on a node that just came has asked for anything yet.
      this.#seen = first && newest !== null ? newest : floor
      this.#options.epoch(epoch, this.#seen, first)
      return false
    }
    if (trimmed === null || this.#seen >= trimmed) return true
    this.#seen = trimmed
    this.#options.gap(trimmed)
    return false
  }

  async #take(last: Watermark, payload: string): Promise<void> {
    try {
      await this.#deliver(this.#decoder.decode(payload))
    } catch (error) {
      // An entry that cannot be told must not be passed over in silence, nor stop all that follow.
      this.#options.onError(toError(error))
      this.#options.gap(last)
    }
    this.#seen = last
  }

  async #deliver(changes: readonly Change[]): Promise<void> {
    const first = changes[0]
    const fresh =
      first !== undefined && first.watermark > this.#seen
        ? changes
        : changes.filter(({ watermark }) => watermark > this.#seen)
    if (fresh.length > 0) await this.#options.deliver(fresh)
  }
}
