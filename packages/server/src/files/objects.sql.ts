/** Statements on storage.objects, and the lock that keeps the collector away from bytes that are about to get a row. */

import type { JsonObject } from '../kernel/json.ts'
import { frag, type Statement, sql } from '../sql/sql.ts'
import { bucketJson, objectJson } from './columns.sql.ts'
import type { Address, ObjectMetadata } from './types.ts'

export interface ObjectRow extends Address {
  readonly id: string
  readonly ownerId: string | null
  /** The owner again, when it is a uuid: the older column that many policies compare with auth.uid(). */
  readonly ownerUuid: string | null
  readonly version: string
  readonly metadata: ObjectMetadata
  readonly userMetadata: JsonObject | null
}

export const findObject = ({ bucketId, name }: Address): Statement => sql('files.find_object')`
  select ${objectJson}::text as json
    from storage.objects
   where objects.bucket_id = ${bucketId}
     and objects.name = ${name}`

/** The bucket and, when it is there, the object. */
export const findWithBucket = ({ bucketId, name }: Address): Statement => sql('files.find_with_bucket')`
  select json_build_object(
           'bucket', ${bucketJson},
           'object', case when objects.id is not null then ${objectJson} end)::text as json
    from storage.buckets
    left join storage.objects
      on objects.bucket_id = buckets.id
     and objects.name = ${name}
   where buckets.id = ${bucketId}`

export const findObjects = (bucketId: string, names: readonly string[]): Statement => sql('files.find_objects')`
  select ${objectJson}::text as json
    from storage.objects
   where objects.bucket_id = ${bucketId}
     and objects.name = any(${names}::text[])`

const insertRow = (row: ObjectRow) => frag`
  insert into storage.objects (id, bucket_id, name, owner, owner_id, version, metadata, user_metadata)
  values (
    ${row.id}::uuid,
    ${row.bucketId},
    ${row.name},
    ${row.ownerUuid}::uuid,
    ${row.ownerId},
    ${row.version},
    ${row.metadata}::jsonb,
    ${row.userMetadata}::jsonb
  )`

/** No `returning`: who may upload need not be allowed to see what was uploaded. */
export const insertObject = (row: ObjectRow): Statement => sql('files.insert_object')`${insertRow(row)}`

export const upsertObject = (row: ObjectRow): Statement => sql('files.upsert_object')`
  ${insertRow(row)}
  on conflict (bucket_id, name) do update
     set owner = excluded.owner,
         owner_id = excluded.owner_id,
         version = excluded.version,
         metadata = excluded.metadata,
         user_metadata = excluded.user_metadata,
         updated_at = now()
  returning to_json(objects.id)::text as json`

export const updateObject = (row: ObjectRow): Statement => sql('files.update_object')`
  update storage.objects
     set owner = ${row.ownerUuid}::uuid,
         owner_id = ${row.ownerId},
         version = ${row.version},
         metadata = ${row.metadata}::jsonb,
         user_metadata = ${row.userMetadata}::jsonb,
         updated_at = now()
   where objects.bucket_id = ${row.bucketId}
     and objects.name = ${row.name}
  returning to_json(objects.id)::text as json`

export const moveObject = (from: Address, to: Address): Statement => sql('files.move_object')`
  update storage.objects
     set bucket_id = ${to.bucketId},
         name = ${to.name},
         updated_at = now()
   where objects.bucket_id = ${from.bucketId}
     and objects.name = ${from.name}
  returning ${objectJson}::text as json`

export const deleteObjects = (bucketId: string, names: readonly string[]): Statement => sql('files.delete_objects')`
  delete from storage.objects
   where objects.bucket_id = ${bucketId}
     and objects.name = any(${names}::text[])
  returning ${objectJson}::text as json`

/** One portion of emptying a bucket, so that no single statement runs for minutes. */
export const deleteSomeObjects = (bucketId: string, limit: number): Statement => sql('files.delete_some_objects')`
  with portion as (
    select objects.id
      from storage.objects
     where objects.bucket_id = ${bucketId}
     limit ${limit}
  )
  delete from storage.objects
   using portion
   where objects.id = portion.id`

// A namespace of our own for advisory locks; the number means nothing.
const BLOB_LOCK = 7237102

/** Until the transaction ends, the collector leaves this blob alone. */
export const holdBlob = (version: string): Statement => sql('files.hold_blob')`
  select pg_advisory_xact_lock_shared(${BLOB_LOCK}, hashtext(${version}))`

/** Waits for everyone who is giving one of these blobs a row. In one order, so that two collectors cannot wait for each other. */
export const claimBlobs = (versions: readonly string[]): Statement => sql('files.claim_blobs')`
  select pg_advisory_xact_lock(${BLOB_LOCK}, claimed.key)
    from (select distinct hashtext(version) as key
            from unnest(${versions}::text[]) as version
           order by key) as claimed`

export const referencedVersions = (versions: readonly string[]): Statement => sql('files.referenced_versions')`
  select objects.version
    from storage.objects
   where objects.version = any(${versions}::text[])
   union
  select upload_part.version
    from teahouse.upload_part
   where upload_part.version = any(${versions}::text[])`

export const releasedVersions = (limit: number): Statement => sql('files.released_versions')`
  select released_blob.version
    from teahouse.released_blob
   order by released_blob.released_at, released_blob.version
   limit ${limit}`

export const forgetReleased = (versions: readonly string[]): Statement => sql('files.forget_released')`
  delete from teahouse.released_blob
   where released_blob.version = any(${versions}::text[])`

/** Which blob store this database's bytes are in: the first proposal stays. A store that has a label already cannot propose it: it was another database's. */
export const proposeStoreLabel = (label: string, fresh: boolean): Statement => sql('files.propose_store_label')`
  insert into teahouse.setting (key, value)
  select 'blob_store', to_jsonb(${label}::text)
   where ${fresh}::boolean
  on conflict (key) do nothing`

export const storeLabel = (): Statement => sql('files.store_label')`
  select setting.value #>> '{}' as label
    from teahouse.setting
   where setting.key = 'blob_store'`
