/**
 * The index of groups: a change looks its own column values up instead of trying every subscription. With 100,000 subscriptions of which ten
 * match, this costs what ten cost. Pure bookkeeping: no I/O, no rights.
 */

import type { Column } from '../db/catalog/catalog.ts'
import type { FieldType } from '../expr/ast.ts'
import { comparisonOf } from '../expr/values.ts'
import type { Relation as LoggedRelation, Row } from '../feed/change.ts'
import { Bag } from '../kernel/bag.ts'
import { fieldTypeOf } from '../policy/field-type.ts'
import type { Group } from './group.ts'

interface ColumnIndex<M extends object> {
  /** Canonical form of a value as the log writes it; undefined when JavaScript cannot tell. */
  readonly keyOf: (text: string) => string | undefined
  /** By value: first those whose condition the value proves, then those that must still be tried. */
  readonly groups: Map<string, KeyEntry<M>>
}

interface KeyEntry<M extends object> {
  exact: Bag<Group<M>> | null
  other: Bag<Group<M>> | null
}

interface TableIndex<M extends object> {
  readonly columns: Map<string, ColumnIndex<M>>
  readonly unindexed: Set<Group<M>>
  readonly groups: Map<string, Group<M>>
  /** Groups with a row filter of a publication. */
  filtered: number
}

export interface MatcherStats {
  readonly groups: number
  readonly unindexed: number
}

export class Matcher<M extends object> {
  readonly #tables = new Map<number, TableIndex<M>>()
  #stamp = 0

  /** The group with this key, or `make`'s, filed. */
  ensure(oid: number, key: string, make: () => Group<M>): Group<M> {
    let table = this.#tables.get(oid)
    if (table === undefined) {
      table = { columns: new Map(), unindexed: new Set(), groups: new Map(), filtered: 0 }
      this.#tables.set(oid, table)
    }
    const known = table.groups.get(key)
    if (known !== undefined) return known
    const group = make()
    table.groups.set(key, group)
    if (group.spec.rowFilter !== null) table.filtered++
    file(table, group)
    return group
  }

  /** Takes out a group that has no members left. */
  remove(group: Group<M>): void {
    const { oid } = group.spec.relation
    const table = this.#tables.get(oid)
    if (table === undefined || table.groups.get(group.key) !== group) return
    table.groups.delete(group.key)
    if (group.spec.rowFilter !== null) table.filtered--
    table.unindexed.delete(group)
    for (const { column, key } of group.keys ?? []) {
      const index = table.columns.get(column)
      const entry = index?.groups.get(key)
      entry?.exact?.delete(group)
      entry?.other?.delete(group)
      if (!entry?.exact?.size && !entry?.other?.size) index?.groups.delete(key)
      if (index?.groups.size === 0) table.columns.delete(column)
    }
    if (table.groups.size === 0) this.#tables.delete(oid)
  }

  watches(oid: number): boolean {
    return this.#tables.has(oid)
  }

  /** Whether a publication's row filter decides about rows of the table. */
  filters(oid: number): boolean {
    return (this.#tables.get(oid)?.filtered ?? 0) > 0
  }

  /** Groups that a row could satisfy: a superset, each once. Rows that are partly unknown find more. */
  candidates(relation: LoggedRelation, rows: readonly (Row | null)[]): readonly Group<M>[] {
    const table = this.#tables.get(relation.oid)
    if (table === undefined) return []
    const stamp = ++this.#stamp
    const found: Group<M>[] = []
    const takeOne = (group: Group<M>, proven: boolean) => {
      if (group.stamp === stamp) {
        group.proven ||= proven
        return
      }
      group.stamp = stamp
      group.proven = proven
      found.push(group)
    }
    const take = (groups: Bag<Group<M>> | Set<Group<M>> | null, proven: boolean) => {
      groups?.forEach((group) => {
        takeOne(group, proven)
      })
    }
    take(table.unindexed, false)
    for (const [name, column] of table.columns) {
      const position = relation.index.get(name)
      for (const row of rows) {
        if (row === null) continue
        const cell = position === undefined ? undefined : row[position]
        // No equality holds for null.
        if (cell === null) continue
        const key = cell === undefined ? undefined : column.keyOf(cell)
        if (key === undefined) {
          for (const { exact, other } of column.groups.values()) {
            take(exact, false)
            take(other, false)
          }
          continue
        }
        const entry = column.groups.get(key)
        if (entry === undefined) continue
        // With several rows, what proves the condition for one says nothing of the others.
        take(entry.exact, rows.length === 1)
        take(entry.other, false)
      }
    }
    return found
  }

  stats(): MatcherStats {
    let groups = 0
    let unindexed = 0
    for (const table of this.#tables.values()) {
      groups += table.groups.size
      unindexed += table.unindexed.size
    }
    return { groups, unindexed }
  }
}

const file = <M extends object>(table: TableIndex<M>, group: Group<M>): void => {
  if (group.keys === null) {
    table.unindexed.add(group)
    return
  }
  for (const { column, key, exact } of group.keys) {
    let index = table.columns.get(column)
    if (index === undefined) {
      const comparison = comparisonOf(fieldType(group.spec.relation.column(column)))
      index = { keyOf: comparison?.key ?? (() => undefined), groups: new Map() }
      table.columns.set(column, index)
    }
    let entry = index.groups.get(key)
    if (entry === undefined) {
      entry = { exact: null, other: null }
      index.groups.set(key, entry)
    }
    const kind = exact ? 'exact' : 'other'
    entry[kind] ??= new Bag()
    entry[kind].add(group)
  }
}

/** What expressions need to know of a column; of none, what makes nothing comparable. */
export const fieldType = (column: Column | undefined): FieldType =>
  column === undefined ? UNKNOWN_TYPE : fieldTypeOf(column)

const UNKNOWN_TYPE: FieldType = { name: 'unknown', collation: null, enumLabels: [], nullable: true }
