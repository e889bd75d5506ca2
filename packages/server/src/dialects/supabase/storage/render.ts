/** Buckets and objects in Supabase's own field names. */
import type { FolderEntry, ObjectPage } from '../../../files/listing.ts'
import type { Bucket, StoredObject } from '../../../files/types.ts'
import type { Uploaded } from '../../../files/uploads.ts'

export const renderBucket = (bucket: Bucket) => ({
  id: bucket.id,
  name: bucket.name,
  owner: bucket.owner ?? '',
  public: bucket.public,
  type: bucket.type,
  file_size_limit: bucket.fileSizeLimit,
  allowed_mime_types: bucket.allowedMimeTypes,
  created_at: bucket.createdAt,
  updated_at: bucket.updatedAt,
})

export const renderObject = (object: StoredObject) => ({
  id: object.id,
  name: object.name,
  bucket_id: object.bucketId,
  owner: object.owner,
  owner_id: object.ownerId,
  version: object.version,
  metadata: object.metadata,
  user_metadata: object.userMetadata,
  created_at: object.createdAt,
  updated_at: object.updatedAt,
  last_accessed_at: object.lastAccessedAt,
})

export const renderInfo = ({ metadata, ...object }: StoredObject) => ({
  id: object.id,
  name: object.name,
  version: object.version,
  bucket_id: object.bucketId,
  size: metadata?.size ?? null,
  content_type: metadata?.mimetype ?? null,
  cache_control: metadata?.cacheControl ?? null,
  etag: metadata?.eTag ?? null,
  metadata: object.userMetadata,
  last_modified: metadata?.lastModified ?? object.updatedAt,
  created_at: object.createdAt,
})

export const renderEntry = (entry: FolderEntry) => ({
  name: entry.name,
  id: entry.id,
  updated_at: entry.updatedAt,
  created_at: entry.createdAt,
  last_accessed_at: entry.lastAccessedAt,
  metadata: entry.metadata,
})

/** `Id` and `Key`: the names that every client since the first reads. */
export const renderUploaded = ({ id, bucketId, name }: Pick<Uploaded, 'id' | 'bucketId' | 'name'>) => ({
  Id: id,
  Key: `${bucketId}/${name}`,
})

/** Full names both as `name` and as `key`: clients differ in which one they read. */
export const renderPage = ({ folders, objects, nextCursor }: ObjectPage) => ({
  hasNext: nextCursor !== null,
  ...(nextCursor === null ? {} : { nextCursor }),
  folders: folders.map((name) => ({ name, key: name })),
  objects: objects.map((object) => ({
    id: object.id,
    name: object.name,
    key: object.name,
    updated_at: object.updatedAt,
    created_at: object.createdAt,
    last_accessed_at: object.lastAccessedAt,
    metadata: object.metadata,
  })),
})
