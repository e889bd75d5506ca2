/** Uploads in numbered parts that come in any order and are put together on request: the way of S3. */
import type { Readable } from 'node:stream'
import { type AssemblyOptions, assemble, storePart } from './assembly.ts'
import { jsonRows, SYSTEM } from './door.ts'
import { refusal, tooLarge } from './errors.ts'
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
} from './pending.sql.ts'
import { beginUpload, isUploadId, type ResumableDraft, uploadNotFound } from './resumable.ts'
import { Turns } from './turns.ts'
import { type Actor, type Address, ownerOf } from './types.ts'
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

export interface Multipart {
  create(actor: Actor, draft: Omit<ResumableDraft, 'length' | 'signed' | 'description'>): Promise<PendingUpload>
  /** Stores a part, in place of one with the same number. Answers its MD5 in hex. */
  putPart(actor: Actor, target: PartOf, part: PartBody): Promise<string>
  parts(actor: Actor, target: PartOf): Promise<readonly Part[]>
  /** The uploads of this actor that are under way in a bucket. */
  uploads(actor: Actor, bucketId: string, prefix: string): Promise<readonly PendingUpload[]>
  /** Makes an object of these parts, in this order. */
  complete(actor: Actor, target: PartOf, wanted: readonly { number: number; md5: string }[]): Promise<void>
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
      beginUpload(options, actor, 's3', { ...draft, length: null, signed: false, description: null }),

    async putPart(actor, target, { number, announced, body }) {
      if (!Number.isInteger(number) || number < 1 || number > MOST_PARTS) {
        throw refusal('invalid_parameter', `partNumber must be a whole number from 1 to ${MOST_PARTS}`)
      }
      const upload = await find(actor, target)
      const limit = limitOf(await requireBucket(door, upload.bucketId), fileSizeLimit)
      if (announced !== null && announced > limit) throw tooLarge()
      const count = () => countPart(upload.id)
      return (await storePart(options, upload, { number, source: metered(body, limit), count })).md5
    },

    async parts(actor, target) {
      const upload = await find(actor, target)
      return door.rows<Part>(SYSTEM, listParts(upload.id))
    },

    async uploads(actor, bucketId, prefix) {
      const found = await door.rows<PendingUpload>(SYSTEM, listUploads(bucketId, prefix, new Date(clock.now())))
      return found.filter((upload) => isTheirs(upload, actor))
    },

    async complete(actor, target, wanted) {
      const { id } = await find(actor, target)
      await turns.take(id, async () => {
        const [upload] = await door.transaction(SYSTEM, (session) =>
          jsonRows<PendingUpload>(session, claimUpload(id, new Date(clock.now()))),
        )
        if (upload === undefined) throw uploadNotFound()
        if (upload.finished) return
        await assemble(options, actor, upload, chosen(await door.rows<Part>(SYSTEM, listParts(id)), wanted))
      })
    },

    async abort(actor, target) {
      const { id } = await find(actor, target)
      await door.transaction(SYSTEM, (session) => session.run(deleteUpload(id)))
      collector.kick()
    },
  }
}

const isTheirs = ({ ownerId }: PendingUpload, actor: Actor): boolean =>
  (actor.kind === 'caller' && actor.caller.role === 'service_role') || ownerOf(actor) === ownerId

const chosen = (parts: readonly Part[], wanted: readonly { number: number; md5: string }[]): readonly Part[] => {
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
