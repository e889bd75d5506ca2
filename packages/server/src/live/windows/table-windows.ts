/** The windows of one table: which of them a change concerns. Pure bookkeeping. */
import type { Row, RowChange, TruncateChange } from '../../feed/change.ts'
import { imageOf, keyOf } from './row.ts'

/** What a window wants to hear. */
export interface TableMember {
  readonly keyColumns: readonly string[]
  /** Every change of the table, while it reads. */
  readonly hearsAll: boolean
  changed(change: RowChange, matched: boolean): void
  truncated(change: TruncateChange): void
}

export class TableWindows {
  readonly #members = new Set<TableMember>()
  /** By key, which windows know of it: an update or delete concerns them though it may not match any more. */
  readonly #holders = new Map<string, Set<TableMember>>()
  readonly #reading = new Set<TableMember>()
  #matched = new Set<TableMember>()
  readonly #onEmpty: () => void

  constructor(onEmpty: () => void) {
    this.#onEmpty = onEmpty
  }

  add(member: TableMember): void {
    this.#members.add(member)
  }

  remove(member: TableMember): void {
    this.#members.delete(member)
    this.#reading.delete(member)
    this.#matched.delete(member)
    if (this.#members.size === 0) this.#onEmpty()
  }

  reads(member: TableMember, reading: boolean): void {
    if (reading) this.#reading.add(member)
    else this.#reading.delete(member)
  }

  held(member: TableMember, key: string): void {
    const holders = this.#holders.get(key)
    if (holders === undefined) this.#holders.set(key, new Set([member]))
    else holders.add(member)
  }

  released(member: TableMember, key: string): void {
    const holders = this.#holders.get(key)
    holders?.delete(member)
    if (holders?.size === 0) this.#holders.delete(key)
  }

  /** The change that is being told matches the condition and the rights of a window. */
  matched(member: TableMember): void {
    this.#matched.add(member)
  }

  /** A change was told to those who match it. */
  changed(change: RowChange | TruncateChange): void {
    if (change.op === 'TRUNCATE') {
      for (const member of [...this.#members]) member.truncated(change)
      return
    }
    const matched = this.#matched
    this.#matched = new Set()
    const concerned = new Set([...matched, ...this.#reading])
    for (const key of this.#keysOf(change)) for (const member of this.#holders.get(key) ?? []) concerned.add(member)
    for (const member of concerned) member.changed(change, matched.has(member))
  }

  /** The keys that the row had and has. Windows of one table nearly always identify its rows in the same way. */
  #keysOf(change: RowChange): ReadonlySet<string> {
    const keys = new Set<string>()
    const seen = new Set<string>()
    for (const { keyColumns } of this.#members) {
      const name = keyColumns.join('\0')
      if (seen.has(name)) {
        // The first member stands for all that identify rows as it does.
        if (seen.size === 1) break
        continue
      }
      seen.add(name)
      for (const row of [change.old, change.new]) addKey(keys, change, row, keyColumns)
    }
    return keys
  }
}

const addKey = (keys: Set<string>, { relation }: RowChange, row: Row | null, columns: readonly string[]): void => {
  const key = row === null ? null : keyOf(imageOf(relation, row), columns)
  if (key !== null) keys.add(key)
}
