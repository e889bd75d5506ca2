/** Objects that are there: finding and removing them, and where moving and copying come in. What to store is the business of `uploads.ts`. */
import type { Collector } from './collector.ts'
import { jsonRows, SYSTEM } from './door.ts'
import { bucketNotFound, objectNotFound } from './errors.ts'
import { isStorableText, parseObjectName, storable } from './names.ts'
import { deleteObjects, findObject, findObjects, findWithBucket } from './objects.sql.ts'
import { type CopyOptions, copy, move, type RelocationOptions } from './relocation.ts'
import type { Actor, Address, Bucket, StoredObject } from './types.ts'
import type { Uploaded } from './uploads.ts'

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

export interface ObjectsOptions extends RelocationOptions {
  readonly collector: Collector
}

export const createObjects = (options: ObjectsOptions): Objects => {
  const { door, collector } = options
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

    move: (actor, from, to) => move(options, { actor, from, to, object: () => find(actor, from) }),
    copy: (actor, from, to, how) => copy(options, { actor, from, to, object: () => find(actor, from) }, how),
  }
}
