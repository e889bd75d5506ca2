/** One window with everybody who looks at it: follows the changes of its table, reads where that does not suffice, and tells the differences. */
import { databaseError, type Pool } from '../../db/pool.ts'
import type { RowChange, TruncateChange } from '../../feed/change.ts'
import type { Caller } from '../../identity/caller.ts'
import type { Clock } from '../../kernel/clock.ts'
import { AppError, toError } from '../../kernel/errors.ts'
import type { Live } from '../live.ts'
import type { Subscription } from '../subscription.ts'
import { type Outcome, WindowContents } from './contents.ts'
import { imageOf, indexOf, keyOf, RowImage } from './row.ts'
import type { Seam } from './seam.ts'
import type { Snapshot } from './snapshot.ts'
import type { Window, WindowCause, WindowEvent, WindowRow, WindowSink, WindowSource } from './source.ts'
import type { TableMember, TableWindows } from './table-windows.ts'

export interface SharedWindowOptions {
  readonly live: Live
  readonly seam: Seam
  readonly requests: Pool
  readonly clock: Clock
  readonly onError: (error: Error) => void
  readonly table: (oid: number) => TableWindows
  readonly onEmpty: () => void
}

/** Changes that follow each other faster than this are read together, where each of them has the window read. */
const READ_EVERY_MS = 50
/** What Postgres alone decides can change without any change of the table; it is looked at this often. */
const OPAQUE_EVERY_MS = 4000
const RETRY_MS = 1000
const READY_MS = 10_000
/** Changes kept while the window is read; with more, it is read again. */
const MAX_BUFFERED = 10_000

interface Member {
  readonly sink: WindowSink
  readonly settle: { resolve(): void; reject(error: Error): void }
  opened: boolean
}

interface Buffered {
  readonly change: RowChange
  readonly matched: boolean
}

export class SharedWindow implements TableMember {
  readonly keyColumns: readonly string[]
  readonly #source: WindowSource
  readonly #caller: Caller
  readonly #options: SharedWindowOptions
  readonly #contents: WindowContents
  readonly #columnIndex: ReadonlyMap<string, number>
  readonly #members = new Set<Member>()
  #subscription: Subscription | null = null
  #table: TableWindows | null = null
  /** What is known is out of date: changes are not worked in until it was read. */
  #stale = true
  #reading = false
  /** Rights changed while the window was read: what was read must not be told. */
  #revoked = false
  #buffer: Buffered[] = []
  #snapshot: Snapshot | null = null
  #readAt = 0
  #cancelRead: (() => void) | null = null
  #cancelPoll: () => void = () => {}
  #closed = false

  constructor(source: WindowSource, caller: Caller, options: SharedWindowOptions) {
    this.#source = source
    this.#caller = caller
    this.#options = options
    this.keyColumns = source.keyColumns
    this.#columnIndex = indexOf(source.columns)
    this.#contents = new WindowContents(source, {
      held: (key) => this.#table?.held(this, key),
      released: (key) => this.#table?.released(this, key),
    })
  }

  get hearsAll(): boolean {
    return this.#reading
  }

  /** Whoever comes is told all rows, so the window is read for them; those who come meanwhile share the read. */
  async join(sink: WindowSink): Promise<Window> {
    const first = this.#members.size === 0
    const opened = new Promise<void>((resolve, reject) => {
      this.#members.add({ sink, settle: { resolve, reject }, opened: false })
    })
    if (first) this.#follow().catch((error) => this.#fail(toError(error)))
    else if (this.#table !== null) this.#readSoon(0)
    await opened
    return { close: () => this.#leave(sink) }
  }

  dispose(): void {
    if (this.#closed) return
    this.#closed = true
    this.#cancelRead?.()
    this.#cancelPoll()
    this.#subscription?.close()
    this.#contents.clear()
    this.#table?.remove(this)
    this.#options.onEmpty()
  }

  /** A change that matches, or that concerns a row which is known here. Called by the table, in feed order. */
  changed(change: RowChange, matched: boolean): void {
    if (this.#reading) {
      if (this.#buffer.length < MAX_BUFFERED) this.#buffer.push({ change, matched })
      else this.#stale = true
    } else if (!this.#stale) this.#tell(this.#apply(change, matched))
  }

  truncated(_change: TruncateChange): void {
    this.#readAgain(0)
  }

  #leave(sink: WindowSink): void {
    for (const member of this.#members) if (member.sink === sink) this.#members.delete(member)
    if (this.#members.size === 0) this.dispose()
  }

  /** First the changes are heard, then the rows are read. */
  async #follow(): Promise<void> {
    const { live, table } = this.#options
    const { schema, table: name, where } = this.#source
    await live.ready(READY_MS)
    const subscription = await live.subscribe({
      schema,
      table: name,
      conditions: [],
      where,
      operations: new Set(['INSERT', 'UPDATE', 'DELETE']),
      select: null,
      caller: this.#caller,
      publication: null,
      sink: {
        matched: () => this.#table?.matched(this),
        rights: () => {
          this.#revoked = true
          this.#readAgain(0)
        },
        resync: () => this.#readAgain(READ_EVERY_MS),
        status: (status) => {
          if (!status.ok) this.#fail(new AppError('not_found', status.reason))
        },
      },
    })
    if (this.#closed) return subscription.close()
    this.#subscription = subscription
    if (!subscription.status.ok) throw new AppError('not_found', subscription.status.reason)
    const oid = live.catalog.relation(schema, name)?.oid
    if (oid === undefined) throw new AppError('not_found', 'the table does not exist')
    this.#table = table(oid)
    this.#table.add(this)
    this.#schedulePoll()
    this.#readSoon(0)
  }

  #readAgain(delay: number): void {
    this.#stale = true
    if (this.#table !== null) this.#readSoon(delay)
  }

  /** Reads after `delay`, or after the read that is under way. */
  #readSoon(delay: number): void {
    if (this.#closed || this.#reading || (this.#cancelRead !== null && delay > 0)) return
    this.#cancelRead?.()
    this.#cancelRead = this.#options.clock.after(delay, () => {
      this.#cancelRead = null
      void this.#read()
    })
  }

  async #read(): Promise<void> {
    const { seam, clock, onError } = this.#options
    const waiting = [...this.#members].filter(({ opened }) => !opened)
    this.#reading = true
    this.#stale = false
    this.#revoked = false
    this.#table?.reads(this, true)
    let delay: number | null = null
    try {
      const { role, claimsText } = this.#caller
      const scope = { role, claims: claimsText, searchPath: '"public", "extensions"', readOnly: true }
      const { snapshot, rows } = await seam.read(scope, this.#source.read(this.#contents.capacity))
      if (this.#closed) return
      if (!this.#revoked) this.#install(snapshot, rows, waiting)
    } catch (error) {
      this.#stale = true
      // What Postgres refuses it will refuse again; what cannot be reached is tried again.
      if (databaseError(error) !== undefined) return this.#fail(toError(error))
      onError(toError(error))
      delay = RETRY_MS
    } finally {
      this.#reading = false
      this.#buffer = []
      this.#readAt = clock.now()
      this.#table?.reads(this, false)
    }
    if ([...this.#members].some(({ opened }) => !opened)) delay ??= 0
    if (this.#stale || delay !== null) this.#readSoon(delay ?? this.#pause())
  }

  /** Puts what was read in place, and works in what happened meanwhile. */
  #install(snapshot: Snapshot, cells: readonly (readonly (string | null)[])[], waiting: readonly Member[]): void {
    const rows = cells.map((each) => this.#rowOf(each))
    const events = this.#contents.replace(rows)
    this.#snapshot = snapshot
    this.#send(events)
    const shown = rows.slice(0, this.#contents.size)
    for (const member of waiting) {
      if (!this.#members.has(member)) continue
      member.opened = true
      member.sink.opened(shown)
      member.settle.resolve()
    }
    const missed = this.#buffer
    this.#buffer = []
    for (const { change, matched } of missed) {
      if (this.#stale) return
      this.#tell(this.#apply(change, matched))
    }
  }

  #rowOf(cells: readonly (string | null)[]): WindowRow {
    const row = new RowImage(this.#columnIndex, cells)
    return { key: keyOf(row, this.keyColumns) ?? '', row }
  }

  #apply(change: RowChange, matched: boolean): Outcome {
    if (this.#snapshot?.holds(change)) return { events: [], read: false }
    if (this.#snapshot?.isPast(change.commitTime)) this.#snapshot = null
    const { relation, op } = change
    const image = change.new === null ? null : imageOf(relation, change.new)
    const key = image === null ? null : keyOf(image, this.keyColumns)
    // Without an old row in the log, the key has not changed.
    const oldKey = change.old === null ? key : keyOf(imageOf(relation, change.old), this.keyColumns)
    if ((op !== 'INSERT' && oldKey === null) || (image !== null && key === null)) return { events: [], read: true }
    if (image === null || key === null) return this.#contents.drop(oldKey ?? '', op)
    if (oldKey !== null && oldKey !== key) {
      const dropped = this.#contents.drop(oldKey, op)
      const put = this.#place(key, image, matched, op)
      return { events: [...dropped.events, ...put.events], read: dropped.read || put.read }
    }
    return this.#place(key, image, matched, op)
  }

  #place(key: string, image: RowImage, matched: boolean, cause: WindowCause): Outcome {
    const { matches, columns } = this.#source
    const verdict = matched ? (matches?.(image) ?? true) : false
    if (verdict === 'unsupported') return { events: [], read: true }
    if (verdict !== true) return this.#contents.drop(key, cause)
    // A large value that did not change is not in the log.
    if (columns.some((column) => image.cell(column) === undefined)) return { events: [], read: true }
    return this.#contents.put(key, image, cause)
  }

  #tell({ events, read }: Outcome): void {
    this.#send(events)
    if (read) this.#readAgain(this.#pause())
  }

  /** Reads that follow each other keep their distance; the first comes at once. */
  #pause(): number {
    return Math.max(0, Math.min(READ_EVERY_MS, this.#readAt + READ_EVERY_MS - this.#options.clock.now()))
  }

  #send(events: readonly WindowEvent[]): void {
    if (events.length === 0) return
    for (const { sink, opened } of this.#members) if (opened) sink.changed(events)
  }

  #schedulePoll(): void {
    this.#cancelPoll = this.#options.clock.after(OPAQUE_EVERY_MS, () => {
      if (this.#subscription?.opaque && !this.#reading) this.#readAgain(0)
      this.#schedulePoll()
    })
  }

  #fail(error: Error): void {
    const members = [...this.#members]
    this.#members.clear()
    this.dispose()
    for (const { sink, settle, opened } of members) {
      if (opened) sink.ended(error.message)
      else settle.reject(error)
    }
  }
}
