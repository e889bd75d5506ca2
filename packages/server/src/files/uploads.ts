/**
 * Receiving an object: permission, then bytes, then the row.
 *
 * The permission is rehearsed before the first byte is stored, in a transaction that is undone, so that nobody fills the disk who may not
 * write. It is decided when the row is committed. The bytes are durable before that, so no row ever names bytes that a crash took.
 *
 * A small file that has arrived whole needs no rehearsal: its row is written, then its bytes, then the row is committed. Four round trips to
 * the database instead of ten.
 */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Session } from '../db/scope.ts'
import type { Clock } from '../kernel/clock.ts'
import { AppError } from '../kernel/errors.ts'
import type { Ids } from '../kernel/ids.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { BlobStore, StoredBlob } from './blob-store.ts'
import { findBucket } from './buckets.sql.ts'
import type { Collector } from './collector.ts'
import { type Door, jsonRows, SYSTEM } from './door.ts'
import { bucketNotFound, tooLarge } from './errors.ts'
import { assertAllowed } from './media-types.ts'
import { metered } from './metered.ts'
import { parseObjectName } from './names.ts'
import { holdBlob, insertObject, type ObjectRow, updateObject, upsertObject } from './objects.sql.ts'
import { type Actor, type Address, type Bucket, type ObjectMetadata, ownerOf, type WriteMode } from './types.ts'

/** What a client says about its file beside the bytes. */
export interface Description {
  /** A Cache-Control value. */
  readonly cacheControl?: string | undefined
  readonly userMetadata?: JsonObject | null | undefined
}

export interface Upload extends Address, Description {
  readonly mode: WriteMode
  readonly contentType: string
  /** How many bytes the client announced; null when it did not say. */
  readonly announced: number | null
  readonly body: Readable
  /** Whether everything is here and small: reading `body` waits for nobody. */
  readonly arrived?: () => boolean
  /** What the client says after the bytes, as a form does whose fields follow its file. Awaited once the bytes are in. */
  readonly afterwards?: () => Promise<Description>
}

export interface Uploaded extends Address {
  readonly id: string
  readonly version: string
  readonly metadata: ObjectMetadata
}

export interface Uploads {
  receive(actor: Actor, upload: Upload): Promise<Uploaded>
  /** Throws unless this actor might write this row right now. */
  assertMayWrite(actor: Actor, row: ObjectRow, mode: WriteMode): Promise<void>
  /** The same for an object of which nothing is known yet but where it shall be. */
  assertMayUpload(actor: Actor, address: Address, mode: WriteMode): Promise<void>
  /** Gives bytes that are already in the store their row. Forgets the bytes when that fails. */
  commit(actor: Actor, row: ObjectRow, mode: WriteMode): Promise<Uploaded>
}

export interface UploadsOptions {
  readonly door: Door
  readonly store: BlobStore
  readonly collector: Collector
  readonly clock: Clock
  readonly ids: Ids
  /** The most that any bucket takes, bytes. */
  readonly fileSizeLimit: number
}

export const createUploads = (options: UploadsOptions): Uploads => ({
  receive: (actor, upload) => receive(options, actor, upload),
  commit: (actor, row, mode) => commit(options, { actor, row, mode }),
  assertMayWrite: (actor, row, mode) => rehearse(options.door, actor, row, mode),
  assertMayUpload: async (actor, address, mode) => {
    const row = draft(options.ids, actor, { ...address, metadata: {} })
    await requireBucket(options.door, address.bucketId)
    await rehearse(options.door, actor, row, mode)
  },
})

const receive = async (options: UploadsOptions, actor: Actor, upload: Upload): Promise<Uploaded> => {
  const { door, store, collector, clock, ids, fileSizeLimit } = options
  const { contentType: mimetype, announced, mode } = upload
  const size = announced === null ? {} : { size: announced, contentLength: announced }
  const row = draft(ids, actor, { ...upload, metadata: { mimetype, ...size } })
  const bucket = await requireBucket(door, upload.bucketId)
  assertAllowed(mimetype, bucket.allowedMimeTypes)
  const limit = limitOf(bucket, fileSizeLimit)
  if (announced !== null && announced > limit) throw tooLarge()
  if (mode !== 'replace' && store.quick && upload.arrived?.() === true) {
    return receiveSmall(options, actor, { upload, row, limit, mode })
  }
  await rehearse(door, actor, row, mode)
  const stored = await store.put(row.version, metered(upload.body, limit))
  const about = await describe(upload, () => collector.reclaim([row.version]))
  const metadata = metadataOf(stored, mimetype, about.cacheControl, new Date(clock.now()))
  return commit(options, { actor, row: { ...row, metadata, userMetadata: about.userMetadata ?? null }, mode })
}

interface Small {
  readonly upload: Upload
  readonly row: ObjectRow
  readonly limit: number
  readonly mode: 'create' | 'upsert'
}

const receiveSmall = async (
  { door, store, collector, clock }: UploadsOptions,
  actor: Actor,
  { upload, row: draft, limit, mode }: Small,
): Promise<Uploaded> => {
  const chunks: Uint8Array[] = []
  for await (const chunk of metered(upload.body, limit)) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  const { cacheControl, userMetadata } = await described(upload)
  const stored = { size: bytes.length, md5: createHash('md5').update(bytes).digest('hex') }
  const metadata = metadataOf(stored, upload.contentType, cacheControl, new Date(clock.now()))
  const row = { ...draft, metadata, userMetadata: userMetadata ?? null }
  const { id, bucketId, name, version } = row
  let begun = false
  try {
    // The lock comes before the bytes: the collector leaves them alone until it is known whether they have a row.
    const [saved] = await door.commitAfter<string>(actor, [holdBlob(version), statementOf(row, mode)], async () => {
      begun = true
      await store.put(version, Readable.from([bytes]))
    })
    if (mode !== 'create') collector.kick()
    return { id: saved ?? id, bucketId, name, version, metadata }
  } catch (error) {
    // Whether a lost connection committed is unknown here: only the rows can tell.
    if (begun) await collector.reclaim([version]).catch(() => {})
    throw error
  }
}

/** Asks whether the row might be written, and writes nothing. */
const rehearse = (door: Door, actor: Actor, row: ObjectRow, mode: WriteMode): Promise<void> =>
  mode === 'replace'
    ? door.rehearse(actor, (session) => save(session, row, mode))
    : door.rehearseAll(actor, [statementOf(row, mode)])

const statementOf = (row: ObjectRow, mode: 'create' | 'upsert') =>
  mode === 'create' ? insertObject(row) : upsertObject(row)

interface Commit {
  readonly actor: Actor
  readonly row: ObjectRow
  readonly mode: WriteMode
}

const commit = async ({ door, store, collector }: UploadsOptions, { actor, row, mode }: Commit): Promise<Uploaded> => {
  try {
    const id = await door.transaction(actor, async (session) => {
      await session.run(holdBlob(row.version))
      // An upload that was held up longer than the collector's grace may have lost its bytes again.
      if ((await store.sizeOf(row.version)) === null) throw new AppError('unavailable', 'The upload took too long.')
      return save(session, row, mode)
    })
    if (mode !== 'create') collector.kick()
    return { id, bucketId: row.bucketId, name: row.name, version: row.version, metadata: row.metadata }
  } catch (error) {
    // Whether a lost connection committed is unknown here: only the rows can tell.
    await collector.reclaim([row.version]).catch(() => {})
    throw error
  }
}

type About = Address & Pick<ObjectRow, 'metadata'> & Pick<Description, 'userMetadata'>

/** A row for an object that is only being asked for. */
export const draft = (ids: Ids, actor: Actor, { bucketId, name, metadata, userMetadata }: About): ObjectRow => ({
  id: ids.uuid(),
  bucketId,
  name: parseObjectName(name),
  ...ownerColumns(actor),
  version: ids.uuid(),
  metadata,
  userMetadata: userMetadata ?? null,
})

/** The bucket as the service itself sees it: who uploads need not be allowed to see buckets. */
export const requireBucket = async (door: Door, id: string): Promise<Bucket> => {
  const [bucket] = await door.rows<Bucket>(SYSTEM, findBucket(id))
  if (bucket === undefined) throw bucketNotFound()
  return bucket
}

/** The most bytes that a file in this bucket may have. */
export const limitOf = (bucket: Bucket, fileSizeLimit: number): number =>
  bucket.fileSizeLimit === null ? fileSizeLimit : Math.min(bucket.fileSizeLimit, fileSizeLimit)

/** The description with what came after the bytes. A form that breaks off there is refused, and its bytes go. */
const describe = async (upload: Upload, forget: () => Promise<unknown>): Promise<Description> => {
  try {
    return await described(upload)
  } catch (error) {
    await forget().catch(() => {})
    throw error
  }
}

const described = async ({ cacheControl, userMetadata, afterwards }: Upload): Promise<Description> => ({
  cacheControl,
  userMetadata,
  ...(await afterwards?.()),
})

/** What the service notes about bytes that are in the store. */
export const metadataOf = (
  { size, md5 }: StoredBlob,
  mimetype: string,
  cacheControl: string | undefined,
  now: Date,
): ObjectMetadata => ({
  eTag: `"${md5}"`,
  size,
  mimetype,
  cacheControl: cacheControl ?? 'no-cache',
  lastModified: now.toISOString(),
  contentLength: size,
  httpStatusCode: 200,
})

const save = async (session: Session, row: ObjectRow, mode: WriteMode): Promise<string> => {
  if (mode === 'create') {
    await session.run(insertObject(row))
    return row.id
  }
  if (mode === 'replace') {
    const [updated] = await jsonRows<string>(session, updateObject(row))
    if (updated !== undefined) return updated
  }
  const [id] = await jsonRows<string>(session, upsertObject(row))
  return id ?? row.id
}

/** Both columns that say who owns a row. */
export const ownerColumns = (actor: Actor): Pick<ObjectRow, 'ownerId' | 'ownerUuid'> => ({
  ownerId: ownerOf(actor),
  ownerUuid: uuidOrNull(ownerOf(actor)),
})

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i

const uuidOrNull = (text: string | null): string | null => (text !== null && UUID.test(text) ? text : null)
