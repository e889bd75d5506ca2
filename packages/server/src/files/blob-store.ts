/**
 * Where bytes live. A store knows ids and bytes, nothing of buckets, names or people.
 *
 * The contract that makes "no row without bytes" true: when `put` resolves, the blob survives a power cut; until then nothing can be
 * read under its id. `stores/stores.test.ts` holds every store to it.
 */
import type { Readable } from 'node:stream'

/** What identifies a blob: lower-case letters, digits and dashes, made by us. Never anything that a user named. */
export type BlobId = string

const BLOB_ID = /^[0-9a-z][0-9a-z-]{7,79}$/

/** Whether a text can name a blob. Rows can be written by hand, so stores ask before they touch anything. */
export const isBlobId = (text: string): boolean => BLOB_ID.test(text)

export interface StoredBlob {
  readonly size: number
  /** MD5 in hex: what S3 calls the ETag. It detects damage; it proves nothing about intent. */
  readonly md5: string
}

/** Inclusive, as in HTTP. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

export interface BlobEntry {
  readonly id: BlobId
  /** Milliseconds since 1970. */
  readonly changedAt: number
}

export interface BlobStore {
  /** Whether a small `put` is over in milliseconds, so that a transaction may wait for it. */
  readonly quick: boolean
  /** Streams `source` into the store. Rejects, leaving nothing, when the source fails. An id is written once. */
  put(id: BlobId, source: AsyncIterable<Uint8Array>): Promise<StoredBlob>
  /** The bytes, or null when there is no such blob. Destroy the stream to stop early. */
  read(id: BlobId, range?: ByteRange): Promise<Readable | null>
  /** The size in bytes, or null when there is no such blob. */
  sizeOf(id: BlobId): Promise<number | null>
  /** A second blob with the same bytes. Answers false when there is no `from`. */
  copy(from: BlobId, to: BlobId): Promise<boolean>
  /** Forgets the blob; unknown ids are fine. */
  remove(id: BlobId): Promise<void>
  /** Every blob last changed before `before` (milliseconds since 1970). */
  list(before: number): AsyncIterable<BlobEntry>
  /** Removes what unfinished `put`s left behind before `before`. Answers how many. */
  removeUnfinished(before: number): Promise<number>
  /** What `setLabel` wrote last; null in a new store. */
  label(): Promise<string | null>
  /** Marks the store as belonging to one database. */
  setLabel(label: string): Promise<void>
}
