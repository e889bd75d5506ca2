/** The file service of one app: buckets, objects and uploads over one blob store. */
import type { Pool } from '../db/pool.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Ids } from '../kernel/ids.ts'
import type { Service } from '../kernel/service.ts'
import type { Log } from '../observe/log.ts'
import type { BlobStore } from './blob-store.ts'
import { type Buckets, createBuckets } from './buckets.ts'
import { type Collector, createCollector } from './collector.ts'
import { createDoor } from './door.ts'
import { createDownloads, type Downloads } from './downloads.ts'
import { createImages, type ImageLimits, type Images } from './images.ts'
import { createListing, type Listing } from './listing.ts'
import { createMultipart, type Multipart } from './multipart.ts'
import { createObjects, type Objects } from './objects.ts'
import { createResumable, type Resumable } from './resumable.ts'
import { createUploads, type Uploads } from './uploads.ts'

export interface FilesOptions {
  /** Where callers' statements run. */
  readonly requests: Pool
  readonly owner: Pool
  readonly store: BlobStore
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
  /** The most that any bucket takes, bytes. */
  readonly fileSizeLimit?: number
  readonly imageLimits?: ImageLimits
}

/** `start` begins collecting unused bytes, `stop` ends it. */
export interface Files extends Service {
  readonly buckets: Buckets
  readonly objects: Objects
  readonly listing: Listing
  readonly uploads: Uploads
  readonly resumable: Resumable
  readonly multipart: Multipart
  readonly download: Downloads
  readonly images: Images
  readonly collector: Collector
  readonly store: BlobStore
  readonly fileSizeLimit: number
}

/** Supabase's own default. */
export const DEFAULT_FILE_SIZE_LIMIT = 50 * 2 ** 20

export const createFiles = (options: FilesOptions): Files => {
  const { store, clock, ids, log, owner, fileSizeLimit = DEFAULT_FILE_SIZE_LIMIT, imageLimits } = options
  const door = createDoor(options)
  const collector = createCollector({ owner, store, clock, ids, log })
  const uploads = createUploads({ door, store, collector, clock, ids, fileSizeLimit })
  const assembly = { door, store, uploads, collector, clock, ids, fileSizeLimit }
  return {
    buckets: createBuckets({ door, collector, fileSizeLimit }),
    objects: createObjects({ door, store, collector, uploads, ids, fileSizeLimit }),
    listing: createListing(door),
    uploads,
    resumable: createResumable(assembly),
    multipart: createMultipart(assembly),
    download: createDownloads(store),
    images: createImages(store, imageLimits),
    collector,
    store,
    fileSizeLimit,
    start: () => collector.start(),
    stop: () => collector.stop(),
  }
}
