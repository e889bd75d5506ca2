/** Uploads in numbered parts that come in any order and are put together on request: the way of S3. */
import type { Readable } from 'node:stream'
import { type AssemblyOptions, assemble, storePart } from './assembly.ts'
import type { ByteRange, StoredBlob } from './blob-store.ts'
import { jsonRows, SYSTEM } from './door.ts'
import { objectNotFound, refusal, tooLarge } from './errors.ts'
import { metered } from './metered.ts'
import {
  claimUpload,
  countPart,
  deleteUpload,
  findUpload,
  listParts,
  listUploads,
  type Part,
  type PendingUpload,
  type UploadsWanted,
} from './pending.sql.ts'
import { beginUpload, isUploadId, type ResumableDraft, uploadNotFound } from './resumable.ts'
import { Turns } from './turns.ts'
import { type Actor, type Address, ownerOf, type StoredObject, type WriteMode } from './types.ts'
import { limitOf, requireBucket } from './uploads.ts'

/** An upload by its id, which is good for one object only. */
export interface PartOf extends Address {
  readonly uploadId: string
}

export interface PartBody {
  readonly number: number
  readonly announced: number | null
  readonly body: Readable
}

export interface PartToCopy {
  readonly number: number
  readonly find: () => Promise<StoredObject>
  /** The whole when absent. */
  readonly range?: ByteRange | undefined
}

export interface WantedPart {
  readonly number: number
  readonly md5: string
}

export interface Multipart {
  create(
    actor: Actor,
    draft: Omit<ResumableDraft, 'length' | 'signed' | 'description' | 'concat'>,
  ): Promise<PendingUpload>
  /** Stores a part, in place of one with the same number. Answers its MD5 in hex. */
  putPart(actor: Actor, target: PartOf, part: PartBody): Promise<string>
  /** Stores a part that is an object's bytes, or a range of them. `find` finds the object as the actor sees it. */
  copyPart(actor: Actor, target: PartOf, part: PartToCopy): Promise<StoredBlob>
  parts(actor: Actor, target: PartOf): Promise<readonly Part[]>
  /** The uploads of this actor that are under way in a bucket, by name. */
  uploads(actor: Actor, wanted: Omit<UploadsWanted, 'owner'>): Promise<readonly PendingUpload[]>
  /** Makes an object of these parts, in this order; in the way of `mode` when the client wants another than it began with. */
  complete(actor: Actor, target: PartOf, wanted: readonly WantedPart[], mode?: WriteMode): Promise<void>
  abort(actor: Actor, target: PartOf): Promise<void>
}

export const MOST_PARTS = 10_000

export const createMultipart = (options: AssemblyOptions): Multipart => {
  const { door, clock, collector, fileSizeLimit } = options
  const turns = new Turns()

  const find = async (actor: Actor, { uploadId, bucketId, name }: PartOf): Promise<PendingUpload> => {
    if (!isUploadId(uploadId)) throw uploadNotFound()
    const [upload] = await door.rows<PendingUpload>(SYSTEM, findUpload(uploadId, 's3', new Date(clock.now())))
    if (upload === undefined || upload.bucketId !== bucketId || upload.name !== name || !isTheirs(upload, actor)) {
      throw uploadNotFound()
    }
    return upload
  }

  return {
    create: (actor, draft) =>
      beginUpload(options, actor, 's3', { ...draft, length: null, signed: false, description: null, concat: null }),

    async putPart(actor, target, { number, announced, body }) {
      assertPartNumber(number)
      const upload = await find(actor, target)
      const limit = limitOf(await requireBucket(door, upload.bucketId), fileSizeLimit)
      if (announced !== null && announced > limit) throw tooLarge()
      const count = () => countPart(upload.id)
      return (await storePart(options, upload, { number, source: metered(body, limit), count })).md5
    },

    async copyPart(actor, target, { number, find: findSource, range }) {
      assertPartNumber(number)
      const upload = await find(actor, target)
      const limit = limitOf(await requireBucket(door, upload.bucketId), fileSizeLimit)
      const body = await bytesToCopy(options, await findSource(), { range, limit })
      const count = () => countPart(upload.id)
      try {
        return await storePart(options, upload, { number, source: metered(body, limit), count })
      } finally {
        body.destroy()
      }
    },

    async parts(actor, target) {
      const upload = await find(actor, target)
      return door.rows<Part>(SYSTEM, listParts(upload.id))
    },

    uploads: (actor, wanted) => {
      const owner = seesAll(actor) ? 'all' : { id: ownerOf(actor) }
      return door.rows<PendingUpload>(SYSTEM, listUploads({ ...wanted, owner }, new Date(clock.now())))
    },

    async complete(actor, target, wanted, mode) {
      const { id } = await find(actor, target)
      await turns.take(id, async () => {
        const [upload] = await door.transaction(SYSTEM, (session) =>
          jsonRows<PendingUpload>(session, claimUpload(id, new Date(clock.now()))),
        )
        if (upload === undefined) throw uploadNotFound()
        if (upload.finished) return
        const parts = chosen(await door.rows<Part>(SYSTEM, listParts(id)), wanted)
        await assemble(options, actor, { ...upload, mode: mode ?? upload.mode }, parts)
      })
    },

    async abort(actor, target) {
      const { id } = await find(actor, target)
      await door.transaction(SYSTEM, (session) => session.run(deleteUpload(id)))
      collector.kick()
    },
  }
}

const seesAll = (actor: Actor): boolean => actor.kind === 'caller' && actor.caller.role === 'service_role'

const isTheirs = ({ ownerId }: PendingUpload, actor: Actor): boolean => seesAll(actor) || ownerOf(actor) === ownerId

const assertPartNumber = (number: number): void => {
  if (Number.isInteger(number) && number >= 1 && number <= MOST_PARTS) return
  throw refusal('invalid_parameter', `partNumber must be a whole number from 1 to ${MOST_PARTS}`)
}

const bytesToCopy = async (
  { store }: AssemblyOptions,
  { version }: StoredObject,
  { range, limit }: { readonly range: ByteRange | undefined; readonly limit: number },
): Promise<Readable> => {
  const size = version === null ? null : await store.sizeOf(version)
  if (version === null || size === null) throw objectNotFound()
  const { start, end } = range ?? { start: 0, end: size - 1 }
  if (start > end + 1 || end >= size) throw refusal('invalid_range', `The range is not within the ${size} bytes`)
  if (end - start + 1 > limit) throw tooLarge()
  const stream = await store.read(version, range)
  if (stream === null) throw objectNotFound()
  return stream
}

const chosen = (parts: readonly Part[], wanted: readonly WantedPart[]): readonly Part[] => {
  if (wanted.length === 0) throw refusal('invalid_body', 'You must specify at least one part')
  const byNumber = new Map(parts.map((part) => [part.number, part]))
  return wanted.map(({ number, md5 }, index) => {
    const part = byNumber.get(number)
    if (index > 0 && number <= (wanted[index - 1]?.number ?? 0)) {
      throw refusal('invalid_parameter', 'The list of parts was not in ascending order')
    }
    if (part === undefined || part.md5 !== md5) {
      throw refusal('invalid_part', 'One or more of the specified parts could not be found, or its ETag differs')
    }
    return part
  })
}
