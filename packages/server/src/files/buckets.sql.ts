/** Statements on storage.buckets. */
import { empty, type Fragment, frag, keyword, type Statement, sql } from '../sql/sql.ts'
import { bucketJson } from './columns.sql.ts'
import type { Bucket } from './types.ts'

export interface BucketQuery {
  readonly search?: string | undefined
  readonly limit?: number | undefined
  readonly offset?: number | undefined
  readonly sortColumn?: 'id' | 'name' | 'created_at' | 'updated_at' | undefined
  readonly sortOrder?: 'asc' | 'desc' | undefined
}

export type NewBucket = Pick<Bucket, 'id' | 'name' | 'public' | 'fileSizeLimit' | 'allowedMimeTypes'> & {
  readonly ownerId: string | null
  readonly ownerUuid: string | null
}

/** What `update` changes; an absent field stays as it is. */
export type BucketChanges = Partial<Pick<Bucket, 'public' | 'fileSizeLimit' | 'allowedMimeTypes'>>

export const findBucket = (id: string): Statement => sql('files.find_bucket')`
  select ${bucketJson}::text as json
    from storage.buckets
   where buckets.id = ${id}`

export const listBuckets = (query: BucketQuery): Statement => {
  const column = keyword(`buckets.${query.sortColumn ?? 'name'}`)
  const order = keyword(query.sortOrder ?? 'asc')
  const matching: Fragment =
    query.search === undefined ? empty : frag`where strpos(lower(buckets.name), lower(${query.search})) > 0`
  return sql('files.list_buckets')`
    select ${bucketJson}::text as json
      from storage.buckets
      ${matching}
     order by ${column} ${order}, buckets.id
     limit ${query.limit ?? null}::bigint
    offset ${query.offset ?? 0}::bigint`
}

/** No `returning`: who may make a bucket need not be allowed to see it. */
export const insertBucket = (bucket: NewBucket): Statement => sql('files.insert_bucket')`
  insert into storage.buckets (id, name, owner, owner_id, public, file_size_limit, allowed_mime_types)
  values (
    ${bucket.id},
    ${bucket.name},
    ${bucket.ownerUuid}::uuid,
    ${bucket.ownerId},
    ${bucket.public},
    ${bucket.fileSizeLimit}::bigint,
    ${bucket.allowedMimeTypes}::text[]
  )`

export const updateBucket = (id: string, changes: BucketChanges): Statement => {
  const set = [
    changes.public === undefined ? empty : frag`, public = ${changes.public}`,
    changes.fileSizeLimit === undefined ? empty : frag`, file_size_limit = ${changes.fileSizeLimit}::bigint`,
    changes.allowedMimeTypes === undefined ? empty : frag`, allowed_mime_types = ${changes.allowedMimeTypes}::text[]`,
  ]
  return sql('files.update_bucket')`
    update storage.buckets
       set updated_at = now()${set[0] ?? empty}${set[1] ?? empty}${set[2] ?? empty}
     where buckets.id = ${id}
    returning ${bucketJson}::text as json`
}

export const deleteBucket = (id: string): Statement => sql('files.delete_bucket')`
  delete from storage.buckets
   where buckets.id = ${id}
  returning ${bucketJson}::text as json`

export const holdsObjects = (id: string): Statement => sql('files.bucket_holds_objects')`
  select 'true' as json
    from storage.objects
   where objects.bucket_id = ${id}
   limit 1`
