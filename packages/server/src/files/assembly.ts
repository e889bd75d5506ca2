/** The end of an upload that came in parts: one blob out of all of them, and its row. */
import type { Clock } from '../kernel/clock.ts'
import type { Ids } from '../kernel/ids.ts'
import type { BlobStore, StoredBlob } from './blob-store.ts'
import type { Collector } from './collector.ts'
import { type Door, jsonRows, SYSTEM } from './door.ts'
import { reasonOf, refusal, tooLarge } from './errors.ts'
import { assertAllowed } from './media-types.ts'
import { holdBlob } from './objects.sql.ts'
import {
  committedVersion,
  deleteParts,
  deleteUpload,
  finishUpload,
  insertPart,
  noteVersion,
  type Part,
  type PendingUpload,
} from './pending.sql.ts'
import type { Actor } from './types.ts'
import { draft, limitOf, metadataOf, requireBucket, type Uploaded, type Uploads } from './uploads.ts'

export interface AssemblyOptions {
  readonly door: Door
  readonly store: BlobStore
  readonly uploads: Uploads
  readonly collector: Collector
  readonly clock: Clock
  readonly ids: Ids
  /** The most that any bucket takes, bytes. */
  readonly fileSizeLimit: number
}

export const overtaken = () => refusal('upload_overtaken', 'Another request has taken this upload over')

/**
 * Stores one part and, in the transaction that gives it a row, does what `count` does: false from it means that somebody else was faster,
 * and the part is forgotten.
 */
export const storePart = async (
  { door, store, collector, ids }: AssemblyOptions,
  upload: PendingUpload,
  { number, source, count }: PartToStore,
): Promise<StoredBlob> => {
  const version = ids.uuid()
  const stored = await store.put(version, source)
  try {
    await door.transaction(SYSTEM, async (session) => {
      await session.run(holdBlob(version))
      if ((await store.sizeOf(version)) === null || (await session.run(count(stored))) === 0) throw overtaken()
      await session.run(insertPart(upload.id, { number, version, ...stored }))
    })
    return stored
  } catch (error) {
    await collector.reclaim([version]).catch(() => {})
    throw error
  }
}

export interface PartToStore {
  readonly number: number
  readonly source: AsyncIterable<Uint8Array>
  /** A statement that changes one row as long as this part may still come in. */
  readonly count: (stored: StoredBlob) => Parameters<Parameters<Parameters<Door['transaction']>[1]>[0]['run']>[0]
}

/** Refusals that no retry changes: what was received for them goes. */
const FINAL = new Set(['access_denied', 'object_exists', 'bucket_not_found', 'mime_not_allowed', 'file_too_large'])

/**
 * Makes the parts an object, with what `actor` may do now. Safe to repeat after a crash at any point: each attempt writes down the name of
 * its bytes before they get a row, and the next one looks whether one of these names has one.
 */
export const assemble = async (
  options: AssemblyOptions,
  actor: Actor,
  upload: PendingUpload,
  parts: readonly Part[],
): Promise<void> => {
  const { door, collector, clock } = options
  try {
    if (!(await isCommitted(door, upload.versions))) await commitWhole(options, actor, { upload, parts })
  } catch (error) {
    if (FINAL.has(reasonOf(error) ?? '')) {
      await door.transaction(SYSTEM, (session) => session.run(deleteUpload(upload.id)))
      collector.kick()
    }
    throw error
  }
  await door.transaction(SYSTEM, async (session) => {
    await session.run(finishUpload(upload.id, new Date(clock.now())))
    await session.run(deleteParts(upload.id))
  })
  collector.kick()
}

const isCommitted = async (door: Door, versions: readonly string[]): Promise<boolean> =>
  versions.length > 0 && (await door.rows<string>(SYSTEM, committedVersion(versions))).length > 0

const commitWhole = async (
  options: AssemblyOptions,
  actor: Actor,
  { upload, parts }: { readonly upload: PendingUpload; readonly parts: readonly Part[] },
): Promise<Uploaded | null> => {
  const { door, store, uploads, collector, clock, ids, fileSizeLimit } = options
  const { contentType, cacheControl, userMetadata, mode } = upload
  const bucket = await requireBucket(door, upload.bucketId)
  assertAllowed(contentType, bucket.allowedMimeTypes)
  if (parts.reduce((sum, { size }) => sum + size, 0) > limitOf(bucket, fileSizeLimit)) throw tooLarge()
  const [only, ...more] = parts
  // One part is the file already: its blob only changes hands.
  const whole = only !== undefined && more.length === 0 ? only : null
  const version = whole?.version ?? ids.uuid()
  const stored = whole ?? (await store.put(version, bytesOf(store, parts)))
  const metadata = metadataOf(stored, contentType, cacheControl ?? undefined, new Date(clock.now()))
  const row = { ...draft(ids, actor, { ...upload, metadata, userMetadata }), version }
  try {
    await door.transaction(SYSTEM, async (session) => {
      if ((await session.run(noteVersion(upload, version))) === 0) throw overtaken()
    })
    return await uploads.commit(actor, row, mode)
  } catch (error) {
    if (whole === null) await collector.reclaim([version]).catch(() => {})
    // An attempt on another node may have been first with the same file.
    const [after] = await door.transaction(SYSTEM, (session) =>
      jsonRows<string>(session, committedVersion([...upload.versions, version])),
    )
    if (after !== undefined) return null
    throw error
  }
}

async function* bytesOf(store: BlobStore, parts: readonly Part[]): AsyncIterable<Uint8Array> {
  for (const { version } of parts) {
    const stream = await store.read(version)
    if (stream === null) throw refusal('bytes_lost', 'The bytes of a part are missing')
    yield* stream
  }
}
