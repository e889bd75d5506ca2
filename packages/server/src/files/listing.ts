/** Listing a bucket: one folder at a time with offsets, or in order with a cursor. */
import { isObject, parseJson } from '../kernel/json.ts'
import type { Door } from './door.ts'
import { refusal } from './errors.ts'
import { listFolder, pageByName, pageByTime } from './listing.sql.ts'
import { isStorableText } from './names.ts'
import type { Actor, ObjectMetadata, StoredObject } from './types.ts'

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

export interface PageQuery {
  /** How the full names begin. */
  readonly prefix: string
  readonly limit: number
  /** Whether names that go on after a slash are shown as the folder they are in. */
  readonly delimiter: boolean
  readonly cursor: string | null
  readonly sortColumn: 'name' | 'created_at' | 'updated_at'
  readonly sortOrder: 'asc' | 'desc'
}

export interface ObjectPage {
  /** Full names, each with its last slash. */
  readonly folders: readonly string[]
  readonly objects: readonly StoredObject[]
  /** Where the next page begins; null on the last one. */
  readonly nextCursor: string | null
}

export interface Listing {
  folder(actor: Actor, bucketId: string, query: FolderQuery): Promise<readonly FolderEntry[]>
  page(actor: Actor, bucketId: string, query: PageQuery): Promise<ObjectPage>
}

/** The last entry of a page. */
export interface Cursor {
  readonly name: string
  readonly folder: boolean
  /** The time that the page is sorted by; null when it is sorted by name. */
  readonly at: string | null
}

interface Entry extends Cursor {
  readonly object: StoredObject | null
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

  async page(actor, bucketId, { cursor, ...query }) {
    const after = cursor === null ? null : decodeCursor(cursor, query.sortColumn !== 'name')
    if (![bucketId, query.prefix].every(isStorableText)) return { folders: [], objects: [], nextCursor: null }
    // One more than asked for tells whether there is a next page.
    const page = { ...query, bucketId, after, limit: query.limit + 1 }
    const statement = query.sortColumn === 'name' ? pageByName(page) : pageByTime(page, query.sortColumn)
    const found = await door.rows<Entry>(actor, statement)
    const entries = found.slice(0, query.limit)
    const last = entries.at(-1)
    return {
      folders: entries.flatMap((entry) => (entry.folder ? [entry.name] : [])),
      objects: entries.flatMap((entry) => (entry.object === null ? [] : [entry.object])),
      nextCursor: found.length > entries.length && last !== undefined ? encodeCursor(last) : null,
    }
  },
})

/** The cursor of a page, by name, that begins after this name. */
export const cursorAfter = (name: string): string => encodeCursor({ name, folder: name.endsWith('/'), at: null })

const encodeCursor = ({ name, folder, at }: Cursor): string =>
  Buffer.from(JSON.stringify({ name, folder, at })).toString('base64url')

const TIMESTAMP = /^\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?[+-]\d\d(?::\d\d){0,2}$/

const decodeCursor = (text: string, timed: boolean): Cursor => {
  const value = text.length > 4096 ? undefined : parseJson(Buffer.from(text, 'base64url').toString())
  if (isObject(value) && typeof value.name === 'string' && isStorableText(value.name)) {
    const { name, folder, at } = value
    if (!timed) return { name, folder: folder === true, at: null }
    if (typeof at === 'string' && TIMESTAMP.test(at)) return { name, folder: folder === true, at }
  }
  throw refusal('invalid_parameter', 'cursor is not one of this listing')
}
