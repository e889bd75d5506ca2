/**
 * What everybody wrote down during a run: writers what they asked and were answered, subscribers what they were told, the database what it
 * committed. Moments are milliseconds of one clock, that of the process in which all of them live.
 */

export type Operation = 'INSERT' | 'UPDATE' | 'DELETE'

/** One request or transaction of a writer. */
export interface Write {
  readonly writer: string
  /** Counts the writer's writes; rows that it inserts or updates carry both. */
  readonly n: number
  readonly started: number
  /** When the answer came; null when none did. */
  answered: number | null
  outcome: 'acknowledged' | 'refused' | 'unknown'
  readonly rows: readonly WrittenRow[]
}

export interface WrittenRow {
  readonly table: string
  readonly id: number
  readonly op: Operation
}

/** One committed version of one row, as the database's own triggers noted it in the same transaction. */
export interface Committed {
  /** Order within a transaction; says nothing about the order of transactions. */
  readonly seq: number
  readonly xid: string
  readonly table: string
  readonly id: number
  readonly op: Operation
  /** Counts a row's versions; a delete has its predecessor's. */
  readonly version: number
  readonly owner: string | null
  readonly room: number | null
  readonly writer: string
  readonly n: number
}

/** A row as it is at the end. */
export interface FinalRow {
  readonly table: string
  readonly id: number
  readonly version: number
  readonly owner: string | null
  readonly room: number | null
}

/** What a subscriber asked for in one table. */
export interface Wanted {
  readonly table: string
  readonly room?: number
}

/** One change as it reached a subscriber. A delete tells the row's id alone. */
export interface Delivery {
  readonly at: number
  readonly table: string
  readonly id: number
  readonly op: Operation
  readonly version: number | null
}

/** One life of a channel: from its join until the subscriber was told that it is over, or left. */
export interface Subscription {
  readonly client: string
  readonly user: string
  readonly wanted: readonly Wanted[]
  /** When the join was sent. */
  readonly asked: number
  /** When it was answered with ok; from here on nothing may be missing. */
  joined: number | null
  /** When the subscriber learned that it is over (or left); null: it lasted until the end of the run. */
  ended: number | null
  why: string
  /** When the token runs out, by the clock of the run; deliveries long after that are leaks. */
  expires: number
  readonly deliveries: Delivery[]
  /** Rows that the subscriber holds at the end: what it read after the join, and everything that it was told since. */
  readonly held: Map<string, Held>
}

export interface Held {
  readonly version: number
  readonly deleted: boolean
  readonly room: number | null
}

/** Who belonged to which room, from the writes of the one who decides it. */
export interface Membership {
  readonly user: string
  readonly room: number
  /** Between these two the grant took effect. */
  readonly granted: readonly [number, number]
  /** Between these two the revocation took effect; infinite when there was none. */
  readonly revoked: readonly [number, number]
}

export interface Ledgers {
  readonly writes: readonly Write[]
  readonly committed: readonly Committed[]
  readonly final: readonly FinalRow[]
  readonly subscriptions: readonly Subscription[]
  /** When everything that was under way had been committed or was gone: the latest moment of an unanswered write. */
  readonly settled: number
  /** The longest time, milliseconds, for which the run's own process did nothing: moments may be noted so much too late. */
  readonly delay: number
}

/** Who may read a table's rows: everybody, the owner, or the members of the row's room. */
export type Rule = 'everyone' | 'owner' | 'members'

export const RULES: Readonly<Record<string, Rule>> = {
  note: 'owner',
  member: 'owner',
  post: 'members',
  score: 'everyone',
  bulk: 'everyone',
  fence: 'everyone',
}

export const rowKey = (table: string, id: number): string => `${table}/${id}`
