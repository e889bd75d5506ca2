/**
 * What an update is to a subscriber of a publication with a row filter: a row that comes into what is published is new to them, and one that
 * leaves it is gone. Postgres tells its own subscribers the same. Pure.
 */
import type { Row, RowChange } from '../feed/change.ts'
import type { Group } from './group.ts'

export class Transitions {
  /** The shapes of the change that is being told: one object for all, so that what is made of it can be shared. */
  #change: RowChange | null = null
  #insert: RowChange | null = null
  #delete: RowChange | null = null

  /** The change as the group's publication publishes it; null when it does not. What cannot be decided is not published. */
  told<M extends object>(group: Group<M>, change: RowChange): RowChange | null {
    if (change.op !== 'UPDATE') {
      return publishes(group, change, change.op === 'DELETE' ? change.old : change.new) ? change : null
    }
    const after = publishes(group, change, change.new)
    // Postgres wants the filter's columns in the replica identity: without an old row in the log none of them has changed.
    const before = change.old === null ? after : publishes(group, change, change.old)
    if (before && after) return change
    if (!before && !after) return null
    this.#shape(change)
    return after ? this.#insert : this.#delete
  }

  #shape(change: RowChange): void {
    if (this.#change === change) return
    this.#change = change
    this.#insert = { ...change, op: 'INSERT', old: null, oldIsFull: false }
    this.#delete = { ...change, op: 'DELETE', new: null }
  }
}

const publishes = <M extends object>(group: Group<M>, { relation }: RowChange, row: Row | null): boolean =>
  row !== null &&
  group.publishes((column) => {
    const position = relation.index.get(column)
    return position === undefined ? undefined : row[position]
  }) === true
