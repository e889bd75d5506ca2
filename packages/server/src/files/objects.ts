/** Objects that are there: finding, listing, moving, copying, removing. What to store is the business of `uploads.ts`. */
import type { Ids } from '../kernel/ids.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { BlobStore } from './blob-store.ts'
import type { Collector } from './collector.ts'
import { type Door, jsonRows, SYSTEM } from './door.ts'
import { bucketNotFound, objectNotFound, tooLarge } from './errors.ts'
import { assertAllowed, UNKNOWN_TYPE } from './media-types.ts'
import { isStorableText, parseObjectName } from './names.ts'
import { deleteObjects, findObject, findObjects, findWithBucket, moveObject } from './objects.sql.ts'
import type { Actor, Address, Bucket, StoredObject, WriteMode } from './types.ts'
import { limitOf, ownerColumns, requireBucket, type Uploaded, type Uploads } from './uploads.ts'

export interface Objects {
  /** As `actor` sees it. Throws `object_not_found`, also for what the actor may not see. */
  find(actor: Actor, address: Address): Promise<StoredObject>
  /** Of a public bucket, for everyone. Other buckets are not found. */
  findPublic(address: Address): Promise<StoredObject>
  /** Of a public bucket as everyone, of any other as `actor`. */
  findOpen(actor: Actor, address: Address): Promise<StoredObject>
  /** Those of `names` that the actor sees. */
  findMany(actor: Actor, bucketId: string, names: readonly string[]): Promise<readonly StoredObject[]>
  /** Removes those of `names` that the actor sees and may delete, and answers them. */
  remove(actor: Actor, bucketId: string, names: readonly string[]): Promise<readonly StoredObject[]>
  /** Renames, also into another bucket. The bytes stay where they are. */
  move(actor: Actor, from: Address, to: Address): Promise<StoredObject>
  copy(actor: Actor, from: Address, to: Address, options: CopyOptions): Promise<Uploaded>
}

export interface CopyOptions {
  readonly mode: WriteMode
  /** What replaces the original's type, caching and metadata; absent fields are taken over. */
  readonly mimetype?: string | undefined
  readonly cacheControl?: string | undefined
  readonly userMetadata?: JsonObject | null | undefined
}

export interface ObjectsOptions {
  readonly door: Door
  readonly store: BlobStore
  readonly collector: Collector
  readonly uploads: Uploads
  readonly ids: Ids
  readonly fileSizeLimit: number
}

export const createObjects = ({ door, store, collector, uploads, ids, fileSizeLimit }: ObjectsOptions): Objects => {
  const find: Objects['find'] = async (actor, { bucketId, name }) => {
    const address = { bucketId: storable(bucketId), name: parseObjectName(name) }
    const [object] = await door.rows<StoredObject>(actor, findObject(address))
    if (object === undefined) throw objectNotFound()
    return object
  }

  const withBucket = async ({ bucketId, name }: Address): Promise<{ bucket: Bucket; object: StoredObject | null }> => {
    const address = { bucketId: storable(bucketId), name: parseObjectName(name) }
    const [row] = await door.rows<{ bucket: Bucket; object: StoredObject | null }>(SYSTEM, findWithBucket(address))
    if (row === undefined) throw bucketNotFound()
    return row
  }

  return {
    find,

    async findPublic(address) {
      const { bucket, object } = await withBucket(address)
      // A private bucket looks like none: the address of a picture must not tell which buckets exist.
      if (!bucket.public) throw bucketNotFound()
      if (object === null) throw objectNotFound()
      return object
    },

    async findOpen(actor, address) {
      const { bucket, object } = await withBucket(address)
      if (object === null) throw objectNotFound()
      return bucket.public ? object : find(actor, address)
    },

    findMany: (actor, bucketId, names) =>
      door.rows<StoredObject>(actor, findObjects(storable(bucketId), names.filter(isStorableText))),

    async remove(actor, bucketId, names) {
      const wanted = names.filter(isStorableText)
      if (wanted.length === 0 || !isStorableText(bucketId)) return []
      const removed = await door.transaction(actor, (session) =>
        jsonRows<StoredObject>(session, deleteObjects(bucketId, wanted)),
      )
      if (removed.length > 0) collector.kick()
      return removed
    },

    async move(actor, from, to) {
      const target = { ...to, name: parseObjectName(to.name) }
      const object = await find(actor, from)
      if (from.bucketId !== to.bucketId)
        assertFits(object, await requireBucket(door, storable(to.bucketId)), fileSizeLimit)
      const [moved] = await door.transaction(actor, (session) =>
        jsonRows<StoredObject>(session, moveObject(from, target)),
      )
      if (moved === undefined) throw objectNotFound()
      return moved
    },

    async copy(actor, from, to, options) {
      const target = { bucketId: storable(to.bucketId), name: parseObjectName(to.name) }
      const object = await find(actor, from)
      const mimetype = options.mimetype ?? object.metadata?.mimetype
      const metadata = {
        ...object.metadata,
        ...(mimetype === undefined ? {} : { mimetype }),
        ...(options.cacheControl === undefined ? {} : { cacheControl: options.cacheControl }),
      }
      assertFits({ ...object, metadata }, await requireBucket(door, target.bucketId), fileSizeLimit)
      const { userMetadata = object.userMetadata } = options
      const version = ids.uuid()
      const row = { ...target, ...ownerColumns(actor), id: ids.uuid(), version, metadata, userMetadata }
      await uploads.assertMayWrite(actor, row, options.mode)
      if (object.version === null || !(await store.copy(object.version, version))) throw objectNotFound()
      return uploads.commit(actor, row, options.mode)
    },
  }
}

/** A bucket's limits hold for what is moved or copied into it too. */
const assertFits = ({ metadata }: StoredObject, bucket: Bucket, fileSizeLimit: number): void => {
  assertAllowed(metadata?.mimetype ?? UNKNOWN_TYPE, bucket.allowedMimeTypes)
  if ((metadata?.size ?? 0) > limitOf(bucket, fileSizeLimit)) throw tooLarge()
}

/** A bucket id that Postgres can look up; one that it cannot hold does not exist. */
export const storable = (bucketId: string): string => {
  if (!isStorableText(bucketId)) throw bucketNotFound()
  return bucketId
}
