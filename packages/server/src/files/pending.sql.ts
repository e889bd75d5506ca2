/** Statements on uploads that arrive in parts. Every change names the epoch of who makes it: who was overtaken changes nothing. */
import type { JsonObject } from '../kernel/json.ts'
import { frag, type Statement, sql } from '../sql/sql.ts'
import type { Address, WriteMode } from './types.ts'

export type UploadProtocol = 'tus' | 's3'

/** What is known from the start. */
export interface UploadDraft extends Address {
  readonly id: string
  readonly protocol: UploadProtocol
  readonly ownerId: string | null
  readonly signed: boolean
  readonly mode: WriteMode
  readonly length: number | null
  readonly contentType: string
  readonly cacheControl: string | null
  readonly userMetadata: JsonObject | null
  readonly description: string | null
  /** `partial` for a piece of a file, `final;…` for the file, in the client's own words; null for an ordinary upload. */
  readonly concat: string | null
  /** ISO 8601. */
  readonly expiresAt: string
}

export interface PendingUpload extends UploadDraft {
  readonly received: number
  readonly epoch: number
  readonly versions: readonly string[]
  readonly finished: boolean
  readonly createdAt: string
}

export interface Part {
  readonly number: number
  readonly version: string
  readonly size: number
  readonly md5: string
  readonly createdAt: string
}

const uploadJson = frag`json_build_object(
  'id', upload.id,
  'protocol', upload.protocol,
  'bucketId', upload.bucket_id,
  'name', upload.name,
  'ownerId', upload.owner_id,
  'signed', upload.signed,
  'mode', upload.mode,
  'length', upload.length,
  'contentType', upload.content_type,
  'cacheControl', upload.cache_control,
  'userMetadata', upload.user_metadata,
  'description', upload.description,
  'concat', upload.concat,
  'received', upload.received,
  'epoch', upload.epoch,
  'versions', upload.versions,
  'finished', upload.finished_at is not null,
  'createdAt', to_char(upload.created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
  'expiresAt', to_char(upload.expires_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))`

const partJson = frag`json_build_object(
  'number', upload_part.number,
  'version', upload_part.version,
  'size', upload_part.size,
  'md5', upload_part.md5,
  'createdAt', to_char(upload_part.created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))`

export const insertUpload = (draft: UploadDraft): Statement => sql('files.insert_upload')`
  insert into teahouse.upload (
    id, protocol, bucket_id, name, owner_id, signed, mode, length,
    content_type, cache_control, user_metadata, description, concat, expires_at
  )
  values (
    ${draft.id}::uuid,
    ${draft.protocol},
    ${draft.bucketId},
    ${draft.name},
    ${draft.ownerId},
    ${draft.signed},
    ${draft.mode},
    ${draft.length}::bigint,
    ${draft.contentType},
    ${draft.cacheControl},
    ${draft.userMetadata}::jsonb,
    ${draft.description},
    ${draft.concat},
    ${draft.expiresAt}::timestamptz
  )
  returning ${uploadJson}::text as json`

export const findUpload = (id: string, protocol: UploadProtocol, now: Date): Statement => sql('files.find_upload')`
  select ${uploadJson}::text as json
    from teahouse.upload
   where upload.id = ${id}::uuid
     and upload.protocol = ${protocol}
     and upload.expires_at > ${now}::timestamptz`

/** Takes the upload over: whoever was writing to it is refused from here on. */
export const claimUpload = (id: string, now: Date): Statement => sql('files.claim_upload')`
  update teahouse.upload
     set epoch = upload.epoch + 1
   where upload.id = ${id}::uuid
     and upload.expires_at > ${now}::timestamptz
  returning ${uploadJson}::text as json`

type Claimed = Pick<PendingUpload, 'id' | 'epoch'>

/** Counts the bytes of one more part in, where everything up to `offset` was in before. */
export const advanceUpload = ({ id, epoch }: Claimed, offset: number, size: number): Statement =>
  sql('files.advance_upload')`
  update teahouse.upload
     set received = upload.received + ${size}::bigint
   where upload.id = ${id}::uuid
     and upload.epoch = ${epoch}::bigint
     and upload.received = ${offset}::bigint
     and upload.finished_at is null`

/** Lets a part in as long as nobody has finished or forgotten the upload. */
export const countPart = (id: string): Statement => sql('files.count_part')`
  update teahouse.upload
     set epoch = upload.epoch
   where upload.id = ${id}::uuid
     and upload.finished_at is null`

/** Which uploads of a bucket: those of one owner (null: of nobody) or of all, behind a place in the order of names and ids. */
export interface UploadsWanted {
  readonly bucketId: string
  readonly prefix: string
  readonly owner: { readonly id: string | null } | 'all'
  readonly after: { readonly name: string; readonly id: string } | null
  readonly limit: number
}

export const listUploads = (wanted: UploadsWanted, now: Date): Statement => sql('files.list_uploads')`
  select ${uploadJson}::text as json
    from teahouse.upload
   where upload.protocol = 's3'
     and upload.bucket_id = ${wanted.bucketId}
     and starts_with(upload.name, ${wanted.prefix})
     and (${wanted.owner === 'all'}::boolean
          or upload.owner_id is not distinct from ${wanted.owner === 'all' ? null : wanted.owner.id}::text)
     and (${wanted.after === null}::boolean
          or (upload.name collate "C", upload.id::text collate "C") > (${wanted.after?.name ?? ''}, ${wanted.after?.id ?? ''}))
     and upload.finished_at is null
     and upload.expires_at > ${now}::timestamptz
   order by upload.name collate "C", upload.id::text collate "C"
   limit ${wanted.limit}`

export const setUploadLength = ({ id, epoch }: Claimed, length: number): Statement => sql('files.set_upload_length')`
  update teahouse.upload
     set length = ${length}::bigint
   where upload.id = ${id}::uuid
     and upload.epoch = ${epoch}::bigint
     and upload.length is null`

export const noteVersion = ({ id, epoch }: Claimed, version: string): Statement => sql('files.note_version')`
  update teahouse.upload
     set versions = upload.versions || ${version}::text
   where upload.id = ${id}::uuid
     and upload.epoch = ${epoch}::bigint
     and upload.finished_at is null`

export const insertPart = (id: string, part: Omit<Part, 'createdAt'>): Statement => sql('files.insert_part')`
  insert into teahouse.upload_part (upload_id, number, version, size, md5)
  values (${id}::uuid, ${part.number}::bigint, ${part.version}, ${part.size}::bigint, ${part.md5})
  on conflict (upload_id, number) do update
     set version = excluded.version,
         size = excluded.size,
         md5 = excluded.md5,
         created_at = now()`

export const listParts = (id: string): Statement => sql('files.list_parts')`
  select ${partJson}::text as json
    from teahouse.upload_part
   where upload_part.upload_id = ${id}::uuid
   order by upload_part.number`

/** Which of these names an object has. */
export const committedVersion = (versions: readonly string[]): Statement => sql('files.committed_version')`
  select to_json(objects.version)::text as json
    from storage.objects
   where objects.version = any(${versions}::text[])
   limit 1`

/** Kept until it expires, for a client that did not hear of its success. */
export const finishUpload = (id: string, now: Date): Statement => sql('files.finish_upload')`
  update teahouse.upload
     set finished_at = ${now}::timestamptz
   where upload.id = ${id}::uuid`

export const deleteParts = (id: string): Statement => sql('files.delete_parts')`
  delete from teahouse.upload_part
   where upload_part.upload_id = ${id}::uuid`

/** Forgets the pieces that a file was made of; their bytes are collected unless the file took them over. */
export const deleteUploads = (ids: readonly string[]): Statement => sql('files.delete_uploads')`
  delete from teahouse.upload
   where upload.id = any(${ids}::uuid[])`

/** All bytes are in: those of the pieces that it was made of. */
export const receiveAll = (id: string): Statement => sql('files.receive_all')`
  update teahouse.upload
     set received = upload.length
   where upload.id = ${id}::uuid`

export const deleteUpload = (id: string): Statement => sql('files.delete_upload')`
  delete from teahouse.upload
   where upload.id = ${id}::uuid`

/** What nobody went on with in time. Its bytes are collected like those of a deleted object. */
export const deleteExpired = (now: Date): Statement => sql('files.delete_expired_uploads')`
  delete from teahouse.upload
   where upload.expires_at <= ${now}::timestamptz`
