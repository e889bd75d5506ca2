/** A storage API on a free port over a fresh database and a throwaway folder, for tests of files and their dialect. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { S3Credentials, StorageServices } from '../src/dialects/supabase/storage/context.ts'
import { sendStorageError } from '../src/dialects/supabase/storage/errors.ts'
import { sendS3Error } from '../src/dialects/supabase/storage/s3/routes.ts'
import { storageDialect } from '../src/dialects/supabase/storage/storage.ts'
import type { BlobStore } from '../src/files/blob-store.ts'
import { createFiles, type Files } from '../src/files/files.ts'
import type { ImageLimits } from '../src/files/images.ts'
import { createUrlSigner } from '../src/files/signing.ts'
import { createDiskStore } from '../src/files/stores/disk.ts'
import { bearerOf } from '../src/http/caller.ts'
import { createExternalUrl } from '../src/http/external-url.ts'
import { createHttpServer } from '../src/http/server.ts'
import type { Caller } from '../src/identity/caller.ts'
import { type Clock, systemClock } from '../src/kernel/clock.ts'
import { randomIds } from '../src/kernel/ids.ts'
import { createLog } from '../src/observe/log.ts'
import { createTestDatabase, type Major, type TestDatabase } from './database.ts'

export interface StorageFixture {
  readonly db: TestDatabase
  readonly files: Files
  readonly store: BlobStore
  /** The folder of the disk store. */
  readonly folder: string
  readonly app: FastifyInstance
  /** For example http://127.0.0.1:41234 */
  readonly url: string
  close(): Promise<void>
}

export interface StorageFixtureOptions {
  readonly version?: Major
  readonly fileSizeLimit?: number
  readonly clock?: Clock
  readonly imageLimits?: ImageLimits
  readonly trustedProxies?: readonly string[]
  readonly externalUrl?: string
  readonly pace?: NonNullable<StorageServices['pace']>
  /** Puts something between the service and its store, for faults. */
  readonly wrap?: (store: BlobStore) => BlobStore
}

/** The same store behind plain functions, for a test to replace some of them. */
export const delegating = (store: BlobStore): BlobStore => ({
  quick: store.quick,
  put: (id, source) => store.put(id, source),
  read: (id, range) => store.read(id, range),
  sizeOf: (id) => store.sizeOf(id),
  copy: (from, to) => store.copy(from, to),
  remove: (id) => store.remove(id),
  list: (before) => store.list(before),
  removeUnfinished: (before) => store.removeUnfinished(before),
  label: () => store.label(),
  setLabel: (label) => store.setLabel(label),
})

/** A caller as the gateway would make one. `user:<uuid>` is somebody who logged in, any other word a role. */
export const callerFor = (proof: string): Caller => {
  const [role = 'anon', sub] = proof.startsWith('user:') ? ['authenticated', proof.slice(5)] : [proof]
  const claims = sub === undefined ? { role } : { role, sub }
  return { role, userId: sub ?? null, claims, claimsText: JSON.stringify(claims), expiresAt: null }
}

/** `service` with the secret `secret`, and whatever `callerFor` takes as a session token with the secret `anon`. */
const s3Credentials: S3Credentials = async (key, token) => {
  if (token !== undefined) return { secret: 'anon', caller: callerFor(token) }
  return key === 'service' ? { secret: 'secret', caller: callerFor('service_role') } : null
}

export const startStorage = async (options: StorageFixtureOptions = {}): Promise<StorageFixture> => {
  const db = await createTestDatabase(options.version)
  const folder = join(await mkdtemp(join(tmpdir(), 'teahouse-storage-')), 'files')
  const disk = createDiskStore({ folder })
  const store = options.wrap?.(disk) ?? disk
  const clock = options.clock ?? systemClock
  const limit = options.fileSizeLimit === undefined ? {} : { fileSizeLimit: options.fileSizeLimit }
  const images = options.imageLimits === undefined ? {} : { imageLimits: options.imageLimits }
  // Says nothing, except what nobody expected.
  const log = createLog({ level: 'error', stream: process.stderr })
  const files = createFiles({ ...db, store, clock, ids: randomIds, log, ...limit, ...images })
  await files.collector.bind()
  const { trustedProxies = [], externalUrl: configured = null } = options
  const externalUrl = createExternalUrl({ trustedProxies, configured })
  const signer = createUrlSigner({ secret: randomIds.secret(32), clock })
  const app = createHttpServer({
    log,
    ids: randomIds,
    bodyLimit: 2 ** 20,
    trustedProxies,
    dialects: [
      { prefix: '/storage/v1/s3', send: sendS3Error },
      { prefix: '/storage/v1', send: sendStorageError },
    ],
  })
  app.addHook('onRequest', async (request) => {
    request.caller = callerFor(bearerOf(request.headers.authorization) ?? 'anon')
  })
  const pace = options.pace === undefined ? {} : { pace: options.pace }
  await app.register(storageDialect({ files, signer, clock, externalUrl, s3Credentials, ...pace }), {
    prefix: '/storage/v1',
  })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const close = async () => {
    await app.close()
    await files.stop()
    await db.drop()
    await rm(join(folder, '..'), { recursive: true, force: true })
  }
  return { db, files, store, folder, app, url, close }
}
