/** Moving and copying: the same bytes under another name, or in another bucket. */
import type { Ids } from '../kernel/ids.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { BlobStore } from './blob-store.ts'
import { type Door, jsonRows } from './door.ts'
import { objectNotFound, tooLarge } from './errors.ts'
import { assertAllowed, UNKNOWN_TYPE } from './media-types.ts'
import { parseObjectName, storable } from './names.ts'
import { moveObject } from './objects.sql.ts'
import type { Actor, Address, Bucket, StoredObject, WriteMode } from './types.ts'
import { limitOf, ownerColumns, requireBucket, type Uploaded, type Uploads } from './uploads.ts'

export interface CopyOptions {
  readonly mode: WriteMode
  /** What replaces the original's type, caching and metadata; absent fields are taken over. */
  readonly mimetype?: string | undefined
  readonly cacheControl?: string | undefined
  readonly userMetadata?: JsonObject | null | undefined
}

export interface RelocationOptions {
  readonly door: Door
  readonly store: BlobStore
  readonly uploads: Uploads
  readonly ids: Ids
  readonly fileSizeLimit: number
}

export interface Relocation {
  readonly actor: Actor
  readonly from: Address
  readonly to: Address
  /** Finds what is to be moved, as the actor sees it. */
  readonly object: () => Promise<StoredObject>
}

/** Renames, also into another bucket. The bytes stay where they are. */
export const move = async (
  { door, fileSizeLimit }: RelocationOptions,
  { actor, from, to, object }: Relocation,
): Promise<StoredObject> => {
  const target = { bucketId: storable(to.bucketId), name: parseObjectName(to.name) }
  const source = await object()
  if (from.bucketId !== to.bucketId) assertFits(source, await requireBucket(door, target.bucketId), fileSizeLimit)
  const [moved] = await door.transaction(actor, (session) => jsonRows<StoredObject>(session, moveObject(from, target)))
  if (moved === undefined) throw objectNotFound()
  return moved
}

/** A second object with bytes of its own. */
export const copy = async (
  { door, store, uploads, ids, fileSizeLimit }: RelocationOptions,
  { actor, to, object }: Relocation,
  how: CopyOptions,
): Promise<Uploaded> => {
  const target = { bucketId: storable(to.bucketId), name: parseObjectName(to.name) }
  const source = await object()
  const metadata = {
    ...source.metadata,
    ...given('mimetype', how.mimetype),
    ...given('cacheControl', how.cacheControl),
  }
  assertFits({ ...source, metadata }, await requireBucket(door, target.bucketId), fileSizeLimit)
  const { userMetadata = source.userMetadata } = how
  const version = ids.uuid()
  const row = { ...target, ...ownerColumns(actor), id: ids.uuid(), version, metadata, userMetadata }
  await uploads.assertMayWrite(actor, row, how.mode)
  if (source.version === null || !(await store.copy(source.version, version))) throw objectNotFound()
  return uploads.commit(actor, row, how.mode)
}

const given = (field: string, value: string | undefined) => (value === undefined ? {} : { [field]: value })

/** A bucket's limits hold for what is moved or copied into it too. */
const assertFits = ({ metadata }: StoredObject, bucket: Bucket, fileSizeLimit: number): void => {
  assertAllowed(metadata?.mimetype ?? UNKNOWN_TYPE, bucket.allowedMimeTypes)
  if ((metadata?.size ?? 0) > limitOf(bucket, fileSizeLimit)) throw tooLarge()
}
