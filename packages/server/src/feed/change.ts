/** What the feed says happened: one row, one operation, one position. The vocabulary between feed, bus, matcher and dialects. */
import type { Watermark } from './lsn.ts'

/** A value in Postgres's text form; null is SQL null; undefined is "not in the log record" (an unchanged large value, or no part of the key). */
export type Cell = string | null | undefined

/** The cells of a row, in the order of its relation's columns. */
export type Row = readonly Cell[]

export interface RelationColumn {
  readonly name: string
  readonly typeOid: number
  readonly typeModifier: number
  /** Part of the replica identity. With identity `full` that is every column. */
  readonly key: boolean
}

export type ReplicaIdentity = 'default' | 'nothing' | 'full' | 'index'

/** A table as it was when the row was written: names and columns travel with the stream, so DDL in mid-stream cannot confuse a reader. */
export interface Relation {
  readonly oid: number
  readonly schema: string
  readonly name: string
  readonly identity: ReplicaIdentity
  readonly columns: readonly RelationColumn[]
  /** Position of each column by name. */
  readonly index: ReadonlyMap<string, number>
}

export type RowOperation = 'INSERT' | 'UPDATE' | 'DELETE'

interface Positioned {
  readonly watermark: Watermark
  readonly xid: number
  /** Microseconds since 1970-01-01 UTC at which the transaction committed. */
  readonly commitTime: number
}

export interface RowChange extends Positioned {
  readonly relation: Relation
  readonly op: RowOperation
  /** The row after the change; null for a delete. Large values that did not change are filled in from `old` where it has them. */
  readonly new: Row | null
  /** What the log holds of the row before: all of it under identity `full`, the key when a key column changed, null otherwise. */
  readonly old: Row | null
  /** Whether `old` is the whole row rather than its key. */
  readonly oldIsFull: boolean
}

export interface TruncateChange extends Positioned {
  readonly op: 'TRUNCATE'
  readonly relation: Relation
}

/** The schema, a policy or a grant changed at this point of the feed: what follows is to be seen with the new ones. */
export interface SchemaChange extends Positioned {
  readonly op: 'SCHEMA'
}

export type Change = RowChange | TruncateChange | SchemaChange

/** Prefix of the logical message that our event triggers write into the log after DDL. */
export const SCHEMA_MESSAGE = 'teahouse.ddl'

/** Cell of a row by column name; undefined when the relation has no such column or the log has no such value. */
export const cellOf = (relation: Relation, row: Row | null, column: string): Cell => {
  const position = relation.index.get(column)
  return row === null || position === undefined ? undefined : row[position]
}

/** Stable name of a table for maps: schema and name cannot be confused, because NUL cannot be in either. */
export const tableKey = (schema: string, name: string): string => `${schema}\0${name}`

/** Approximate bytes that a change holds in memory, for bounded buffers. */
export const sizeOf = (change: Change): number => {
  let size = 200
  if (change.op === 'TRUNCATE' || change.op === 'SCHEMA') return size
  for (const row of [change.new, change.old]) {
    if (row !== null) for (const cell of row) size += 16 + (cell?.length ?? 0)
  }
  return size
}
