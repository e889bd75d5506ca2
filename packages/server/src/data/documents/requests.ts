/** What dialects ask of the document engine, and what they get back. Operators keep MongoDB's names, values are already decoded (see `ejson.ts`). */
import type { Doc, Value } from '../../expr/bson/value.ts'

/** A document's key: a text, or a number. */
export type DocumentId = string | number

interface Targeted {
  /** A document collection of the schema `cloud`, or an exposed relational table. */
  readonly collection: string
  /** From `transactions.start`; the operation then happens inside that transaction. */
  readonly transaction?: string | undefined
}

interface Filtered extends Targeted {
  /** MongoDB's query language; `{}` for all. `'{openid}'` as a value stands for the caller's openid. */
  readonly query: Doc
}

/** One step of an order: ascending 1, descending -1. */
export interface OrderBy {
  readonly field: string
  readonly direction: 1 | -1
}

export interface FindRequest extends Filtered {
  readonly order?: readonly OrderBy[] | undefined
  readonly skip?: number | undefined
  /** Null: all, up to the engine's cap on results. */
  readonly limit: number | null
  /** MongoDB's projection: `{a: 1}`, `{a: 0}`, `$slice`, `$elemMatch`. */
  readonly projection?: Doc | undefined
}

export interface CountRequest extends Filtered {
  readonly skip?: number | undefined
  readonly limit?: number | null | undefined
}

export interface InsertRequest extends Targeted {
  /** Documents; `_id` is made when absent, `_openid` is the caller's. */
  readonly documents: readonly Doc[]
}

export interface UpdateRequest extends Filtered {
  /** Update operators (`$set`, `$inc`, …), or a whole document that replaces (every key without `$`). */
  readonly update: Doc
  /** Every matching document rather than the first. */
  readonly multi?: boolean | undefined
  /** Insert when nothing matches. */
  readonly upsert?: boolean | undefined
}

export interface UpdateResult {
  /** Documents that the query found and the caller may change. */
  readonly matched: number
  /** Those of them that are different now, and what an upsert inserted does not count. */
  readonly updated: number
  /** The key of the document that an upsert inserted. */
  readonly upsertedId: DocumentId | null
}

export interface UpdatedDocument extends UpdateResult {
  /** The document after the update; null when nothing matched. */
  readonly document: Doc | null
}

export interface RemoveRequest extends Filtered {
  readonly multi?: boolean | undefined
}

/** One stage: `{$match: {…}}`. */
export interface AggregateStage {
  readonly name: string
  readonly value: Value
}

export interface AggregateRequest extends Targeted {
  readonly stages: readonly AggregateStage[]
}

/** The four presets of wx.cloud. */
export type PermissionPreset =
  /** Everyone reads, creators write: 所有用户可读，仅创建者可读写. */
  | 'READONLY'
  /** Only creators read and write: 仅创建者可读写. */
  | 'PRIVATE'
  /** Everyone reads, only functions and the console write: 所有用户可读. */
  | 'ADMINWRITE'
  /** Only functions and the console: 所有用户不可读写. */
  | 'ADMINONLY'

/** A security rule: conditions as text, or true and false. `create`, `update` and `delete` fall back to `write`. */
export interface SecurityRule {
  readonly read?: boolean | string
  readonly write?: boolean | string
  readonly create?: boolean | string
  readonly update?: boolean | string
  readonly delete?: boolean | string
}

export type Permission = PermissionPreset | SecurityRule

export interface IndexField {
  /** Dotted path. */
  readonly field: string
  readonly direction: 1 | -1 | '2dsphere'
}

export interface IndexDefinition {
  readonly name: string
  readonly fields: readonly IndexField[]
  readonly unique: boolean
}

export interface CollectionInfo {
  readonly name: string
  readonly permission: Permission
  readonly indexes: readonly IndexDefinition[]
}
