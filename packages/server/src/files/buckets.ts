/** Buckets, as the caller may see and change them. */

import {
  type BucketChanges,
  type BucketQuery,
  deleteBucket,
  findBucket,
  holdsObjects,
  insertBucket,
  listBuckets,
  updateBucket,
} from './buckets.sql.ts'
import type { Collector } from './collector.ts'
import { type Door, jsonRows, SYSTEM } from './door.ts'
import { bucketNotFound, reasonOf, refusal, tooLarge } from './errors.ts'
import { parseBucketName, storable } from './names.ts'
import { deleteSomeObjects } from './objects.sql.ts'
import type { Actor, Bucket } from './types.ts'
import { ownerColumns } from './uploads.ts'

export interface BucketDraft extends BucketChanges {
  readonly id: string
}

export interface Buckets {
  list(actor: Actor, query: BucketQuery): Promise<readonly Bucket[]>
  find(actor: Actor, id: string): Promise<Bucket>
  create(actor: Actor, draft: BucketDraft): Promise<void>
  update(actor: Actor, id: string, changes: BucketChanges): Promise<void>
  /** Removes the objects that the actor may delete. */
  empty(actor: Actor, id: string): Promise<void>
  /** Refuses a bucket that still holds objects, also ones that the actor cannot see. */
  remove(actor: Actor, id: string): Promise<void>
}

const PORTION = 1000

export interface BucketsOptions {
  readonly door: Door
  readonly collector: Collector
  readonly fileSizeLimit: number
}

export const createBuckets = ({ door, collector, fileSizeLimit }: BucketsOptions): Buckets => {
  const find: Buckets['find'] = async (actor, id) => {
    const [bucket] = await door.rows<Bucket>(actor, findBucket(storable(id)))
    if (bucket === undefined) throw bucketNotFound()
    return bucket
  }

  return {
    find,
    list: (actor, query) => door.rows<Bucket>(actor, listBuckets(query)),

    async create(actor, draft) {
      assertLimit(draft, fileSizeLimit)
      const row = { ...rowOf(draft), ...ownerColumns(actor) }
      await bucketWords(() => door.transaction(actor, (session) => session.run(insertBucket(row))))
    },

    async update(actor, id, changes) {
      assertLimit(changes, fileSizeLimit)
      const [bucket] = await door.transaction(actor, (session) =>
        jsonRows<Bucket>(session, updateBucket(storable(id), changes)),
      )
      if (bucket === undefined) throw bucketNotFound()
    },

    async empty(actor, id) {
      await find(actor, id)
      for (let removed = PORTION; removed === PORTION; ) {
        removed = await door.transaction(actor, (session) => session.run(deleteSomeObjects(id, PORTION)))
      }
      collector.kick()
    },

    async remove(actor, id) {
      await find(actor, id)
      if ((await door.rows(SYSTEM, holdsObjects(id))).length > 0) throw notEmpty()
      const removed = await bucketWords(() =>
        door.transaction(actor, (session) => jsonRows<Bucket>(session, deleteBucket(id))),
      )
      if (removed.length === 0) throw bucketNotFound()
    },
  }
}

const assertLimit = ({ fileSizeLimit: wanted }: BucketChanges, most: number): void => {
  if (wanted !== undefined && wanted !== null && wanted > most) throw tooLarge()
}

const rowOf = ({ id, public: isPublic = false, fileSizeLimit = null, allowedMimeTypes = null }: BucketDraft) => {
  const name = parseBucketName(id)
  return { id: name, name, public: isPublic, fileSizeLimit, allowedMimeTypes }
}

const notEmpty = () => refusal('bucket_not_empty', 'The bucket you tried to delete is not empty')

/** Constraint violations on the bucket table, told as what they mean there. */
const bucketWords = async <T>(work: () => Promise<T>): Promise<T> => {
  try {
    return await work()
  } catch (error) {
    const reason = reasonOf(error)
    if (reason === 'object_exists') throw refusal('bucket_exists', 'The resource already exists', { cause: error })
    // A foreign key: an object arrived after we had looked.
    if (reason === 'bucket_not_found') throw notEmpty()
    throw error
  }
}
