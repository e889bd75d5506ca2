/**
 * The rows of one window, kept up to date change by change. Of what was shown only keys, digests and order columns are kept; behind the last
 * row that is shown wait a few spare ones in full, so that a row that leaves is replaced without a query. Pure.
 */
import { createHash } from 'node:crypto'
import { indexOf, type RowImage } from './row.ts'
import type { WindowCause, WindowEvent, WindowRow, WindowSource } from './source.ts'

interface Entry {
  readonly key: string
  readonly digest: string
  /** The order columns only. */
  readonly order: RowImage
  /** The whole row, while it waits behind the window. */
  readonly spare: RowImage | null
}

export interface Outcome {
  readonly events: readonly WindowEvent[]
  /** What is known does not suffice: the window must be read. */
  readonly read: boolean
}

const NOTHING: Outcome = { events: [], read: false }
const READ: Outcome = { events: [], read: true }

/** Told when the window begins and ceases to know of a key. */
export interface KeyWatch {
  held(key: string): void
  released(key: string): void
}

const MAX_SPARE = 100

export class WindowContents {
  readonly #source: WindowSource
  readonly #watch: KeyWatch
  readonly #limit: number
  readonly #orderIndex: ReadonlyMap<string, number>
  #entries: Entry[] = []
  #byKey = new Map<string, Entry>()
  /** Whether `#entries` are all rows that there are. */
  #complete = true

  constructor(source: WindowSource, watch: KeyWatch) {
    this.#source = source
    this.#watch = watch
    this.#limit = source.limit ?? Number.POSITIVE_INFINITY
    this.#orderIndex = indexOf(source.orderColumns)
  }

  /** How many rows to read: those that are shown and the spare ones; null for all. */
  get capacity(): number | null {
    const { limit, compare } = this.#source
    if (limit === null) return null
    // Where JavaScript cannot order rows, every change is read anew, and spare rows would never be used.
    return compare === null ? limit : limit + Math.min(MAX_SPARE, Math.max(10, limit >> 1))
  }

  /** Rows that are shown. */
  get size(): number {
    return Math.min(this.#entries.length, this.#limit)
  }

  holds(key: string): boolean {
    return this.#byKey.has(key)
  }

  clear(): void {
    for (const { key } of this.#entries) this.#watch.released(key)
    this.#entries = []
    this.#byKey.clear()
    this.#complete = true
  }

  /** Takes a freshly read window in place of the old one; answers the difference. */
  replace(rows: readonly WindowRow[]): readonly WindowEvent[] {
    const { capacity } = this
    const next = rows.map(({ key, row }, index) => this.#entry(key, row, index >= this.#limit))
    const events = difference(this.#entries.slice(0, this.size), next.slice(0, this.#limit), rows)
    const keys = new Map(next.map((entry) => [entry.key, entry]))
    for (const { key } of this.#entries) if (!keys.has(key)) this.#watch.released(key)
    for (const { key } of next) if (!this.#byKey.has(key)) this.#watch.held(key)
    this.#entries = next
    this.#byKey = keys
    this.#complete = capacity === null || rows.length < capacity
    return events
  }

  /** A row is gone, or does not belong here any more. */
  drop(key: string, cause: WindowCause): Outcome {
    const entry = this.#byKey.get(key)
    if (entry === undefined) return NOTHING
    const index = this.#indexOf(entry)
    if (index === null) return READ
    this.#remove(index)
    if (index >= this.#limit) return NOTHING
    const events: WindowEvent[] = [{ kind: 'leave', key, index, cause }]
    return { events, read: !this.#promote(events) }
  }

  /** A row that belongs here is new or has changed. */
  put(key: string, row: RowImage, cause: WindowCause): Outcome {
    const entry = this.#entry(key, row, true)
    const old = this.#byKey.get(key)
    const from = old === undefined ? null : this.#indexOf(old)
    const to = this.#placeOf(entry, old === undefined ? null : from)
    if (to === null || (old !== undefined && from === null)) return READ
    const known = this.#entries.length - (old === undefined ? 0 : 1)
    // It sorts behind everything that is known, and what follows there is not known.
    if (to === known && !this.#complete) return from === null ? NOTHING : this.drop(key, cause)
    const shownBefore = from !== null && from < this.#limit
    const shownAfter = to < this.#limit
    if (shownBefore && shownAfter) return this.#change(entry, from, to, { row, cause, digest: old?.digest })
    if (shownBefore) return this.#demote(entry, from, to, cause)
    const events: WindowEvent[] = []
    if (from !== null) this.#remove(from)
    if (shownAfter) {
      const last = this.#entries[this.#limit - 1]
      if (last !== undefined) events.push({ kind: 'leave', key: last.key, index: this.#limit - 1, cause: null })
      events.push({ kind: 'enter', key, row, index: to, cause })
    }
    this.#insert(shownAfter ? { ...entry, spare: null } : entry, to)
    return { events, read: false }
  }

  #change(
    entry: Entry,
    from: number,
    to: number,
    { row, cause, digest }: { row: RowImage; cause: WindowCause; digest: string | undefined },
  ): Outcome {
    this.#remove(from)
    this.#insert({ ...entry, spare: null }, to)
    const { key } = entry
    if (from !== to) return { events: [{ kind: 'move', key, row, from, index: to, cause }], read: false }
    if (entry.digest === digest) return NOTHING
    return { events: [{ kind: 'update', key, row, index: to, cause }], read: false }
  }

  /** A row that was shown goes behind the window. */
  #demote(entry: Entry, from: number, to: number, cause: WindowCause): Outcome {
    this.#remove(from)
    this.#insert(entry, to)
    const events: WindowEvent[] = [{ kind: 'leave', key: entry.key, index: from, cause }]
    return { events, read: !this.#promote(events) }
  }

  /** After a row left: shows the first spare one. False when it must be read. */
  #promote(events: WindowEvent[]): boolean {
    const index = this.#limit - 1
    const next = this.#entries[index]
    if (next === undefined) return this.#complete
    if (next.spare === null) {
      // It was shown once and only its key is left: what is kept must be what was told.
      while (this.#entries.length > index) this.#remove(this.#entries.length - 1)
      this.#complete = false
      return false
    }
    events.push({ kind: 'enter', key: next.key, row: next.spare, index, cause: null })
    const shown = { ...next, spare: null }
    this.#entries[index] = shown
    this.#byKey.set(shown.key, shown)
    return true
  }

  #entry(key: string, row: RowImage, spare: boolean): Entry {
    const { columns, orderColumns } = this.#source
    const digest = createHash('sha1')
      .update(JSON.stringify(columns.map((column) => row.cell(column))))
      .digest('base64')
    return { key, digest, order: row.only(orderColumns, this.#orderIndex), spare: spare ? row : null }
  }

  #insert(entry: Entry, index: number): void {
    this.#entries.splice(index, 0, entry)
    if (!this.#byKey.has(entry.key)) this.#watch.held(entry.key)
    this.#byKey.set(entry.key, entry)
    const { capacity } = this
    if (capacity === null || this.#entries.length <= capacity) return
    this.#remove(this.#entries.length - 1)
    this.#complete = false
  }

  #remove(index: number): void {
    const [entry] = this.#entries.splice(index, 1)
    if (entry === undefined) return
    this.#byKey.delete(entry.key)
    this.#watch.released(entry.key)
  }

  /** Where an entry stands; null when JavaScript cannot tell. */
  #indexOf(entry: Entry): number | null {
    // Keys are unique and end the order, so the first place that is not before it is its own.
    const index = this.#placeOf(entry, null)
    return index !== null && this.#entries[index] === entry ? index : null
  }

  /** The first place whose entry is not before this one, counted without the entry at `skipped`. */
  #placeOf(entry: Entry, skipped: number | null): number | null {
    const { compare } = this.#source
    if (compare === null) return null
    let low = 0
    let high = this.#entries.length - (skipped === null ? 0 : 1)
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = this.#entries[skipped !== null && middle >= skipped ? middle + 1 : middle]
      const order = other === undefined ? 'unsupported' : compare(other.order, entry.order)
      if (order === 'unsupported') return null
      if (order < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Events that turn one list into another, when applied one after the other. */
const difference = (
  before: readonly Entry[],
  after: readonly Entry[],
  rows: readonly WindowRow[],
): readonly WindowEvent[] => {
  const events: WindowEvent[] = []
  const wanted = new Set(after.map(({ key }) => key))
  const present = new Set(before.map(({ key }) => key))
  const current = [...before]
  for (let index = current.length - 1; index >= 0; index--) {
    const key = current[index]?.key
    if (key === undefined || wanted.has(key)) continue
    current.splice(index, 1)
    events.push({ kind: 'leave', key, index, cause: null })
  }
  after.forEach((entry, index) => {
    const { key, digest } = entry
    const row = rows[index]?.row
    if (row === undefined) return
    const there = current[index]
    if (there?.key === key) {
      if (there.digest !== digest) events.push({ kind: 'update', key, row, index, cause: null })
    } else if (!present.has(key)) {
      current.splice(index, 0, entry)
      events.push({ kind: 'enter', key, row, index, cause: null })
    } else {
      const from = current.findIndex((each, position) => position > index && each.key === key)
      current.splice(index, 0, ...current.splice(from, 1))
      events.push({ kind: 'move', key, row, from, index, cause: null })
    }
  })
  return events
}
