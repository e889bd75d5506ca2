/**
 * What a window looks at: rows of one table under a condition, in an order, at most so many. Dialects and `data/` make sources; the windows
 * know nothing else of a table or a document.
 */
import type { Expr } from '../../expr/ast.ts'
import type { Verdict } from '../../expr/predicate.ts'
import type { Statement } from '../../sql/sql.ts'
import type { RowImage } from './row.ts'

/** Negative, zero or positive as Postgres sorts the two; 'unsupported' where only Postgres can tell. */
export type RowOrder = (left: RowImage, right: RowImage) => number | 'unsupported'

export interface WindowSource {
  readonly schema: string
  readonly table: string
  /** Identifies the whole question (table, condition, order, limit): sources with the same key answer the same to the same caller. */
  readonly key: string
  /**
   * A condition that every row of the window satisfies, on plain columns, with their types looked up. It need not be all of it, but the index
   * of subscriptions lives from it: an equality here is what makes a window cost nothing while other rows change.
   */
  readonly where: Expr
  /** What `where` leaves open about a row, as far as JavaScript can tell; 'unsupported' has the window read again. Left out: nothing is open. */
  readonly matches?: (row: RowImage) => Verdict
  /** How rows are ordered, ties included (end with the key); null when JavaScript cannot tell, and every change has the window read again. */
  readonly compare: RowOrder | null
  /** How many rows the window shows; null for all that match. */
  readonly limit: number | null
  /** Columns that identify a row. Part of `columns`. */
  readonly keyColumns: readonly string[]
  /** Columns that `compare` looks at. Part of `columns`. */
  readonly orderColumns: readonly string[]
  /** What is shown of a row. A row is told as changed when one of these is. */
  readonly columns: readonly string[]
  /**
   * Reads the window: exactly `columns`, in this order, as plain columns, sorted, at most `count` rows (null: all). It runs as the caller,
   * under row-level security.
   */
  read(count: number | null): Statement
}

/** One row of a window. */
export interface WindowRow {
  /** Identifies the row within its table. */
  readonly key: string
  readonly row: RowImage
}

/** Why an event came: what happened to the row itself, or null when others moved it, rights changed, or the window was read anew. */
export type WindowCause = 'INSERT' | 'UPDATE' | 'DELETE' | null

/** A difference. Applying a list of them one after the other turns the old window into the new one. */
export type WindowEvent =
  | {
      readonly kind: 'enter'
      readonly key: string
      readonly row: RowImage
      readonly index: number
      readonly cause: WindowCause
    }
  | {
      readonly kind: 'update'
      readonly key: string
      readonly row: RowImage
      readonly index: number
      readonly cause: WindowCause
    }
  /** The row has another place now (and perhaps other contents); `from` is its place before this event. */
  | {
      readonly kind: 'move'
      readonly key: string
      readonly row: RowImage
      readonly from: number
      readonly index: number
      readonly cause: WindowCause
    }
  | { readonly kind: 'leave'; readonly key: string; readonly index: number; readonly cause: WindowCause }

/** Receives a window. */
export interface WindowSink {
  /** All rows, in order. Called once, before anything else. */
  opened(rows: readonly WindowRow[]): void
  /** What is different since the last call. Never empty. */
  changed(events: readonly WindowEvent[]): void
  /** The window cannot be followed any longer, for example because its table was dropped. Nothing comes after this. */
  ended(reason: string): void
}

/** An open window. */
export interface Window {
  /** Nothing is told afterwards. Safe to call twice. */
  close(): void
}
