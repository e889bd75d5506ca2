/** Listing a bucket: one folder at a time with offsets, or in order with a cursor. */
import type { Door } from './door.ts'
import { listFolder } from './listing.sql.ts'
import { isStorableText } from './names.ts'
import type { Actor, ObjectMetadata } from './types.ts'

/** A file (with an id) or a folder (everything but its name is null), named relative to the folder that was listed. */
export interface FolderEntry {
  readonly name: string
  readonly id: string | null
  readonly createdAt: string | null
  readonly updatedAt: string | null
  readonly lastAccessedAt: string | null
  readonly metadata: ObjectMetadata | null
}

export interface FolderQuery {
  /** The folder, with or without its last slash; empty for the top. */
  readonly prefix: string
  /** How the entries' names begin, whatever the case. */
  readonly search?: string
  readonly limit?: number
  readonly offset?: number
  readonly sortColumn?: 'name' | 'created_at' | 'updated_at' | 'last_accessed_at'
  readonly sortOrder?: 'asc' | 'desc'
}

export interface Listing {
  folder(actor: Actor, bucketId: string, query: FolderQuery): Promise<readonly FolderEntry[]>
}

export const createListing = (door: Door): Listing => ({
  async folder(actor, bucketId, query) {
    const prefix = query.prefix === '' || query.prefix.endsWith('/') ? query.prefix : `${query.prefix}/`
    const search = query.search ?? ''
    // What Postgres cannot hold, no object is called.
    if (![bucketId, prefix, search].every(isStorableText)) return []
    const { limit = 100, offset = 0, sortColumn = 'name', sortOrder = 'asc' } = query
    const complete = { prefix, search, limit, offset, sortColumn, sortOrder }
    return door.rows<FolderEntry>(actor, listFolder(bucketId, complete))
  },
})
