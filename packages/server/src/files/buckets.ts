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
import { parseBucketName } from './names.ts'
import { deleteSomeObjects } from './objects.sql.ts'
import { storable } from './objects.ts'
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
  const assertLimit = ({ fileSizeLimit: wanted }: BucketChanges): void => {
    if (wanted !== undefined && wanted !== null && wanted > fileSizeLimit) throw tooLarge()
  }

  const find: Buckets['find'] = async (actor, id) => {
    const [bucket] = await door.rows<Bucket>(actor, findBucket(storable(id)))
    if (bucket === undefined) throw bucketNotFound()
    return bucket
  }

  return {
    find,
    list: (actor, query) => door.rows<Bucket>(actor, listBuckets(query)),

    async create(actor, draft) {
      assertLimit(draft)
      const name = parseBucketName(draft.id)
      const { public: isPublic = false, fileSizeLimit: limit = null, allowedMimeTypes = null } = draft
      const row = { id: name, name, public: isPublic, fileSizeLimit: limit, allowedMimeTypes }
      await bucketWords(() =>
        door.transaction(actor, (session) => session.run(insertBucket({ ...row, ...ownerColumns(actor) }))),
      )
    },

    async update(actor, id, changes) {
      assertLimit(changes)
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
