/** Buckets and objects as the rest of the product sees them. Dialects rename the fields; nobody else sees rows. */
import type { Caller } from '../identity/caller.ts'
import type { JsonObject } from '../kernel/json.ts'

/** Times are ISO 8601 in UTC with milliseconds. */
export interface Bucket {
  readonly id: string
  readonly name: string
  readonly public: boolean
  readonly fileSizeLimit: number | null
  readonly allowedMimeTypes: readonly string[] | null
  readonly owner: string | null
  readonly type: string
  /** Whether pictures may come as AVIF to those who can show it. */
  readonly avifAutodetection: boolean
  readonly createdAt: string
  readonly updatedAt: string
}

/** What the service itself notes about the bytes. Rows can be written by SQL too, so every field may be missing. */
export interface ObjectMetadata {
  readonly eTag?: string
  readonly size?: number
  readonly mimetype?: string
  readonly cacheControl?: string
  readonly lastModified?: string
  readonly contentLength?: number
  readonly httpStatusCode?: number
}

export interface StoredObject {
  readonly id: string
  readonly bucketId: string
  readonly name: string
  readonly owner: string | null
  readonly ownerId: string | null
  /** Names the bytes; null when somebody made the row without any. */
  readonly version: string | null
  readonly metadata: ObjectMetadata | null
  readonly userMetadata: JsonObject | null
  readonly createdAt: string
  readonly updatedAt: string
  readonly lastAccessedAt: string
}

/** On whose authority something happens. `caller` goes through row-level security; `system` was authorised before, by a signature for example. */
export type Actor =
  | {
      readonly kind: 'caller'
      readonly caller: Caller
      /** For example `object.upload`; policies read it as `storage.operation()`. */
      readonly operation: string
    }
  | { readonly kind: 'system'; readonly ownerId: string | null }

/** Where an object is, whoever asks. */
export interface Address {
  readonly bucketId: string
  readonly name: string
}

/** `create` refuses an existing object, `upsert` replaces it, `replace` does too and is content with the right to update one that exists. */
export type WriteMode = 'create' | 'upsert' | 'replace'

export const ownerOf = (actor: Actor): string | null => (actor.kind === 'caller' ? actor.caller.userId : actor.ownerId)
