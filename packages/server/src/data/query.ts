/** What a dialect asks of the database, as data: reads with embeds, writes, calls, and the shape of the answer. No SQL and no catalogue here. */
import type { Expr, PathStep } from '../expr/ast.ts'

/** One level of a read: what to show, which rows, in which order. */
export interface ReadNode {
  readonly select: readonly SelectItem[]
  /** Fields are names as the client wrote them; they are resolved against the catalogue. */
  readonly where: Expr
  readonly order: readonly OrderTerm[]
  readonly limit: bigint | null
  readonly offset: bigint
}

export type SelectItem = SelectField | SelectEmbed

export interface SelectField {
  readonly kind: 'field'
  /** A column, or `*` for all of them. */
  readonly name: string
  readonly path: readonly PathStep[]
  readonly alias: string | null
  /** Name of the type to cast to, as the client wrote it. */
  readonly cast: string | null
  readonly aggregate: Aggregate | null
}

export interface Aggregate {
  readonly name: 'count' | 'sum' | 'avg' | 'min' | 'max'
  /** Cast of the result. */
  readonly cast: string | null
}

/** Rows of a related relation inside each row. */
export interface SelectEmbed {
  readonly kind: 'embed'
  readonly target: string
  readonly hint: string | null
  readonly join: 'inner' | 'left'
  readonly alias: string | null
  /** Its columns become columns of the parent. */
  readonly spread: boolean
  readonly node: ReadNode
}

export interface OrderTerm {
  /** Name of an embed when the order is by a column of a related row. */
  readonly relation: string | null
  readonly name: string
  readonly path: readonly PathStep[]
  readonly direction: 'asc' | 'desc' | null
  readonly nulls: 'first' | 'last' | null
}

export interface Target {
  readonly schema: string
  readonly name: string
}

export interface Read {
  readonly kind: 'read'
  readonly target: Target
  readonly node: ReadNode
}

/** Rows on their way in, as JSON text: an object, or an array of objects. */
export interface Payload {
  readonly json: string
  /** Columns that are written. Null: `json` is an empty list of keys. */
  readonly columns: readonly string[]
  /** What a column gets that an object lacks. */
  readonly missing: 'null' | 'default'
}

export interface Insert {
  readonly kind: 'insert'
  readonly target: Target
  readonly payload: Payload
  readonly conflict: Conflict | null
  /** Shown of the written rows; its filter, order and range do not apply. */
  readonly returning: ReadNode
}

export interface Conflict {
  /** Null: the primary key. */
  readonly columns: readonly string[] | null
  readonly action: 'merge' | 'ignore'
}

/** Insert or replace the one row that `key` (an equality for each column of the primary key) names. */
export interface Replace {
  readonly kind: 'replace'
  readonly target: Target
  readonly payload: Payload
  readonly key: Expr
  readonly returning: ReadNode
}

export interface Update {
  readonly kind: 'update'
  readonly target: Target
  readonly payload: Payload
  /** `where` says which rows. */
  readonly returning: ReadNode
}

export interface Delete {
  readonly kind: 'delete'
  readonly target: Target
  readonly returning: ReadNode
}

export interface Call {
  readonly kind: 'call'
  readonly target: Target
  readonly arguments: CallArguments
  readonly node: ReadNode
  readonly readOnly: boolean
}

export type CallArguments =
  /** Named values as text; a repeated name is an array for a variadic argument. */
  | { readonly kind: 'named'; readonly values: readonly (readonly [string, string])[] }
  /** A JSON object whose keys are the arguments; `keys` are its keys. */
  | { readonly kind: 'json'; readonly json: string; readonly keys: readonly string[]; readonly allowUnnamed: boolean }
  /** The body itself is the one unnamed argument. */
  | { readonly kind: 'body'; readonly body: string | Uint8Array; readonly types: readonly string[] }

export type DataRequest = Read | Insert | Replace | Update | Delete | Call
export type Mutation = Insert | Replace | Update | Delete

/** How the rows come back. */
export type OutputShape =
  | { readonly kind: 'none' }
  | { readonly kind: 'array'; readonly stripNulls: boolean }
  | { readonly kind: 'object'; readonly stripNulls: boolean }
  | { readonly kind: 'csv' }
  | { readonly kind: 'geojson' }
  /** An aggregate function that makes the body of the rows. */
  | {
      readonly kind: 'aggregate'
      readonly schema: string
      readonly name: string
      readonly binary: boolean
      readonly anyRow: boolean
    }
  /** The function's scalar is the body. */
  | { readonly kind: 'scalar'; readonly binary: boolean }

/** How the total number of rows is counted. */
export type CountKind = 'exact' | 'planned' | 'estimated'

/** Everything about an answer but the rows asked for. */
export interface OutputOptions {
  readonly shape: OutputShape
  readonly count: CountKind | null
  /** Columns of the key of the first written row, for a Location. */
  readonly location: boolean
  /** Refuse, and undo, a write whose result is not exactly one row. */
  readonly exactlyOne: boolean
  /** Refuse, and undo, a write that touches more rows than this. */
  readonly maxAffected: number | null
  /** No read may answer more rows than this, at any level. */
  readonly maxRows: number | null
}
