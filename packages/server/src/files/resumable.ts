/**
 * Uploads that survive whatever interrupts them: a lost network, a killed server, another node.
 *
 * A request's bytes are stored in slices, each durable before the offset counts it; so the offset is always what is safely stored. Only one
 * request writes at a time: a newer one takes the upload over by raising its epoch, and the older one's next slice is refused. The naive
 * lock, a row or connection held while a phone uploads for minutes, ties up the database and outlives dead clients.
 */
import type { Readable } from 'node:stream'
import { AppError } from '../kernel/errors.ts'
import { type AssemblyOptions, assemble, overtaken, storePart } from './assembly.ts'
import { jsonRows, SYSTEM } from './door.ts'
import { bucketNotFound, refusal, tooLarge } from './errors.ts'
import { assertAllowed } from './media-types.ts'
import { isStorableText } from './names.ts'
import {
  advanceUpload,
  claimUpload,
  deleteUpload,
  deleteUploads,
  findUpload,
  insertUpload,
  listParts,
  type Part,
  type PendingUpload,
  receiveAll,
  setUploadLength,
  type UploadDraft,
  type UploadProtocol,
} from './pending.sql.ts'
import { Slices } from './slices.ts'
import { Turns } from './turns.ts'
import type { Actor } from './types.ts'
import { draft, limitOf, requireBucket } from './uploads.ts'

export type ResumableDraft = Omit<UploadDraft, 'id' | 'protocol' | 'ownerId' | 'expiresAt'>

/** Answers on whose authority the upload goes on, or throws. */
export type Authorise = (upload: PendingUpload) => Promise<Actor>

export interface Append {
  /** Where the client believes to be. */
  readonly offset: number
  /** The whole file's bytes, from a client that did not know at first. */
  readonly length?: number | undefined
  /** Bytes that the client announced; null when it did not say. */
  readonly announced: number | null
  readonly body: Readable
}

export interface Pieces {
  readonly ids: readonly string[]
  readonly authorise: Authorise
}

export interface Resumable {
  /** Throws unless this actor might upload this file right now. */
  create(actor: Actor, draft: ResumableDraft): Promise<PendingUpload>
  /**
   * Where the upload is. Takes it over, so that nobody makes the answer wrong; an upload that has all its bytes is finished. When that is
   * impossible for now, the answer is one byte short: a client that were told of the end would take the file for stored, and one that were
   * told of a failure begins again from the start (tus-js-client does), on a disk that is full of what it sent before.
   */
  find(id: string, authorise: Authorise): Promise<PendingUpload>
  /** Stores what comes. A broken connection rejects, after its bytes were counted. */
  append(id: string, authorise: Authorise, append: Append): Promise<PendingUpload>
  /** Makes one file of pieces that are whole, in this order, and forgets the pieces. */
  concatenate(actor: Actor, draft: Omit<ResumableDraft, 'length'>, pieces: Pieces): Promise<PendingUpload>
  /** Forgets the upload and its bytes. */
  remove(id: string, authorise: Authorise): Promise<void>
}

/** Milliseconds. A day is Supabase's; S3 has no limit of its own, and its tools resume after a weekend. */
const LIFETIME = { tus: 24 * 3_600_000, s3: 7 * 24 * 3_600_000 } as const
/** A slice holds the 6 MB that Supabase's guide tells clients to send at once: such a request is one part. */
const SLICE = { bytes: 8 * 2 ** 20, milliseconds: 5_000 }
/** Bounds the rows of one upload; more requests than this are no upload but an attack. */
const MOST_PARTS = 10_000
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/

/** Whether a text can be the id of an upload. */
export const isUploadId = (text: string): boolean => UUID.test(text)

export const uploadNotFound = () => refusal('upload_not_found', 'The upload does not exist or has expired')

export const createResumable = (options: AssemblyOptions): Resumable => {
  const turns = new Turns()
  const { door, clock, collector } = options

  /** Checks before anyone is asked to make way. */
  const authorised = async (id: string, authorise: Authorise): Promise<Actor> => {
    if (!isUploadId(id)) throw uploadNotFound()
    const [upload] = await door.rows<PendingUpload>(SYSTEM, findUpload(id, 'tus', new Date(clock.now())))
    if (upload === undefined) throw uploadNotFound()
    return authorise(upload)
  }

  return {
    create: async (actor, wanted) => {
      const created = await beginUpload(options, actor, 'tus', wanted)
      return created.length === 0 ? settle(options, actor, created) : created
    },

    async find(id, authorise) {
      const actor = await authorised(id, authorise)
      return turns.take(id, async () => {
        const upload = await claim(options, id)
        try {
          return await settle(options, actor, upload)
        } catch (error) {
          if (!isPassing(error) || !isWhole(upload) || upload.received === 0) throw error
          return { ...upload, received: upload.received - 1 }
        }
      })
    },

    async append(id, authorise, append) {
      const actor = await authorised(id, authorise)
      return turns.take(id, async (signal) => {
        const upload = await receive(options, await claim(options, id), { ...append, signal })
        return settle(options, actor, upload)
      })
    },

    concatenate: (actor, draft, pieces) => concatenate(options, turns, { actor, draft, pieces }),

    async remove(id, authorise) {
      await authorised(id, authorise)
      await turns.take(id, async () => {
        const removed = await door.transaction(SYSTEM, (session) => session.run(deleteUpload(id)))
        if (removed === 0) throw uploadNotFound()
      })
      collector.kick()
    },
  }
}

/** Writes down an upload that this actor might make. Throws unless they may. */
export const beginUpload = async (
  options: AssemblyOptions,
  actor: Actor,
  protocol: UploadProtocol,
  wanted: ResumableDraft,
): Promise<PendingUpload> => {
  const { door, uploads, clock, ids, fileSizeLimit } = options
  const { length, contentType: mimetype } = wanted
  const size = length === null ? {} : { size: length, contentLength: length }
  const row = draft(ids, actor, { ...wanted, metadata: { mimetype, ...size } })
  if (!isStorableText(wanted.bucketId)) throw bucketNotFound()
  const bucket = await requireBucket(door, wanted.bucketId)
  assertAllowed(mimetype, bucket.allowedMimeTypes)
  if (length !== null && length > limitOf(bucket, fileSizeLimit)) throw tooLarge()
  await uploads.assertMayWrite(actor, row, wanted.mode)
  const expiresAt = new Date(clock.now() + LIFETIME[protocol]).toISOString()
  const upload = { ...wanted, id: ids.uuid(), protocol, ownerId: row.ownerId, expiresAt }
  const [created] = await door.transaction(SYSTEM, (session) => jsonRows<PendingUpload>(session, insertUpload(upload)))
  if (created === undefined) throw uploadNotFound()
  return created
}

const claim = async ({ door, clock }: AssemblyOptions, id: string): Promise<PendingUpload> => {
  const [upload] = await door.transaction(SYSTEM, (session) =>
    jsonRows<PendingUpload>(session, claimUpload(id, new Date(clock.now()))),
  )
  if (upload === undefined) throw uploadNotFound()
  return upload
}

/** Finishes an upload that has all its bytes. A piece of a file waits for the others. */
const settle = async (options: AssemblyOptions, actor: Actor, upload: PendingUpload): Promise<PendingUpload> => {
  if (upload.concat === 'partial' || upload.finished || upload.length === null || upload.received < upload.length)
    return upload
  const parts = await options.door.rows<Part>(SYSTEM, listParts(upload.id))
  await assemble(options, actor, upload, parts)
  return { ...upload, finished: true }
}

/** Whether all bytes are in, and the file is not. */
const isWhole = ({ length, received, finished }: PendingUpload): boolean => received === length && !finished

/** What may be over by the next attempt: a full disk, a database or a store that is away. */
const isPassing = (error: unknown): boolean =>
  error instanceof AppError && (error.code === 'unavailable' || error.code === 'timeout')

/**
 * The pieces stay what they are until the file has its row: whoever is cut off in between, or refused for want of room, names them again.
 */
const concatenate = async (
  options: AssemblyOptions,
  turns: Turns,
  { actor, draft, pieces }: { actor: Actor; draft: Omit<ResumableDraft, 'length'>; pieces: Pieces },
): Promise<PendingUpload> => {
  const { door, collector } = options
  const found: PendingUpload[] = []
  for (const id of pieces.ids) found.push(await requirePiece(options, id, { ...pieces, bucketId: draft.bucketId }))
  const length = found.reduce((sum, { received }) => sum + received, 0)
  const upload = await beginUpload(options, actor, 'tus', { ...draft, length })
  return turns.take(upload.id, async () => {
    try {
      const parts: Part[] = []
      for (const { id } of found) parts.push(...(await door.rows<Part>(SYSTEM, listParts(id))))
      if (parts.length > MOST_PARTS) throw refusal('invalid_parameter', 'The upload came in too many parts')
      await assemble(options, actor, upload, parts)
    } catch (error) {
      await door.transaction(SYSTEM, (session) => session.run(deleteUpload(upload.id))).catch(() => {})
      throw error
    }
    await door.transaction(SYSTEM, async (session) => {
      await session.run(receiveAll(upload.id))
      await session.run(deleteUploads(pieces.ids))
    })
    collector.kick()
    return { ...upload, received: length, finished: true }
  })
}

const requirePiece = async (
  { door, clock }: AssemblyOptions,
  id: string,
  { authorise, bucketId }: Pieces & { readonly bucketId: string },
): Promise<PendingUpload> => {
  const [piece] = isUploadId(id)
    ? await door.rows<PendingUpload>(SYSTEM, findUpload(id, 'tus', new Date(clock.now())))
    : []
  if (piece === undefined) throw uploadNotFound()
  await authorise(piece)
  if (piece.concat !== 'partial' || piece.bucketId !== bucketId) {
    throw refusal('invalid_parameter', 'Only partial uploads of one bucket can be put together')
  }
  if (piece.received !== piece.length) throw refusal('upload_offset', 'A partial upload has not all its bytes')
  return piece
}

const receive = async (
  options: AssemblyOptions,
  claimed: PendingUpload,
  { offset, length, announced, body, signal }: Append & { readonly signal: AbortSignal },
): Promise<PendingUpload> => {
  if (claimed.concat?.startsWith('final')) throw refusal('access_denied', 'A file out of pieces takes no bytes')
  if (claimed.concat === null && isWhole(claimed) && offset === claimed.received - 1 && (announced ?? 0) <= 1) {
    // That byte is in already: it was only asked for.
    body.resume()
    return claimed
  }
  if (offset !== claimed.received) {
    throw refusal('upload_offset', `The offset is ${claimed.received}, not ${offset}`)
  }
  const upload = await withLength(options, claimed, length)
  const limit = (await roomOf(options, upload)) - upload.received
  if (announced !== null && announced > limit) throw tooLarge()
  const parts = await options.door.rows<Part>(SYSTEM, listParts(upload.id))
  if (parts.length >= MOST_PARTS) throw refusal('invalid_parameter', 'The upload came in too many parts')
  const slices = new Slices(body, { clock: options.clock, ...SLICE, limit, signal })
  let { received } = upload
  try {
    while (await slices.more()) {
      const at = received
      const count = ({ size }: { readonly size: number }) => advanceUpload(upload, at, size)
      received += (await storePart(options, upload, { number: at, source: slices.slice(), count })).size
    }
  } finally {
    slices.close()
  }
  if (slices.failure !== null) throw slices.failure
  if (signal.aborted && received !== upload.length) throw overtaken()
  return { ...upload, received }
}

/** The most bytes that the upload may have. */
const roomOf = async ({ door, fileSizeLimit }: AssemblyOptions, upload: PendingUpload): Promise<number> =>
  upload.length ?? limitOf(await requireBucket(door, upload.bucketId), fileSizeLimit)

const withLength = async (
  options: AssemblyOptions,
  upload: PendingUpload,
  length: number | undefined,
): Promise<PendingUpload> => {
  if (length === undefined) return upload
  if (upload.length !== null) {
    if (upload.length !== length) throw refusal('invalid_parameter', 'Upload-Length cannot change')
    return upload
  }
  if (length < upload.received) throw refusal('invalid_parameter', 'Upload-Length is less than what has arrived')
  if (length > (await roomOf(options, upload))) throw tooLarge()
  const set = await options.door.transaction(SYSTEM, (session) => session.run(setUploadLength(upload, length)))
  if (set === 0) throw overtaken()
  return { ...upload, length }
}
