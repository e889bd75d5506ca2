/** How rows of storage.buckets and storage.objects become the JSON of `types.ts`. */
import { type Fragment, frag } from '../sql/sql.ts'

const isoTime = (column: Fragment): Fragment =>
  frag`to_char(${column} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

export const bucketJson = frag`json_build_object(
  'id', buckets.id,
  'name', buckets.name,
  'public', coalesce(buckets.public, false),
  'fileSizeLimit', buckets.file_size_limit,
  'allowedMimeTypes', buckets.allowed_mime_types,
  'owner', coalesce(buckets.owner_id, buckets.owner::text),
  'type', buckets.type,
  'avifAutodetection', coalesce(buckets.avif_autodetection, false),
  'createdAt', ${isoTime(frag`buckets.created_at`)},
  'updatedAt', ${isoTime(frag`buckets.updated_at`)})`

export const objectJson = frag`json_build_object(
  'id', objects.id,
  'bucketId', objects.bucket_id,
  'name', objects.name,
  'owner', objects.owner,
  'ownerId', objects.owner_id,
  'version', objects.version,
  'metadata', objects.metadata,
  'userMetadata', objects.user_metadata,
  'createdAt', ${isoTime(frag`objects.created_at`)},
  'updatedAt', ${isoTime(frag`objects.updated_at`)},
  'lastAccessedAt', ${isoTime(frag`objects.last_accessed_at`)})`
