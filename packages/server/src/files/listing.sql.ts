/** Listings of a bucket as the caller sees it. */
import { type Statement, sql } from '../sql/sql.ts'
import type { FolderQuery } from './listing.ts'

/** One level: folders first, then files. The work is in storage.search, which Supabase's scripts know too. */
export const listFolder = (bucketId: string, query: Required<FolderQuery>): Statement => sql('files.list_folder')`
  select json_build_object(
           'name', entry.name,
           'id', entry.id,
           'createdAt', to_char(entry.created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
           'updatedAt', to_char(entry.updated_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
           'lastAccessedAt', to_char(entry.last_accessed_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
           'metadata', entry.metadata)::text as json
    from storage.search(
           ${query.prefix},
           ${bucketId},
           ${query.limit}::integer,
           ${query.prefix.split('/').length}::integer,
           ${query.offset}::integer,
           ${query.search},
           ${query.sortColumn},
           ${query.sortOrder}) as entry`
