/**
 * Pictures made smaller on request. The decoder is loaded with the first of them, so that a server without them does not carry it.
 *
 * A picture is an attack surface and an amplifier: a few kilobytes can unfold into gigabytes. So: known formats only, a bound on the bytes
 * read, on the pixels before anything is decoded, on the pixels made, on the time, on how many are worked on, and on how many wait.
 */

import { buffer } from 'node:stream/consumers'
import { LRUCache } from 'lru-cache'
import type { Sharp } from 'sharp'
import { AppError } from '../kernel/errors.ts'
import type { BlobStore } from './blob-store.ts'
import { objectNotFound, refusal } from './errors.ts'
import { type ImageFormat, outputFormat, type SourceFormat, sniff, type Transform, typeOfFormat } from './transforms.ts'
import type { StoredObject } from './types.ts'

export interface ImageLimits {
  /** Bytes of a picture that is looked at. */
  readonly sourceBytes: number
  /** Pixels of a picture that is decoded, all its frames together. */
  readonly sourcePixels: number
  /** Pictures that are worked on at once. */
  readonly concurrency: number
  /** Requests that wait for their turn. */
  readonly waiting: number
  readonly seconds: number
  /** Bytes of results that are kept. */
  readonly cacheBytes: number
}

/** Supabase's own bounds for a picture; the others fit a machine with two cores and 1 GB. */
export const DEFAULT_IMAGE_LIMITS: ImageLimits = {
  sourceBytes: 25_000_000,
  sourcePixels: 50_000_000,
  concurrency: 2,
  waiting: 100,
  seconds: 15,
  cacheBytes: 16 * 2 ** 20,
}

export interface Rendered {
  readonly bytes: Buffer
  readonly type: string
}

export interface RenderWish {
  readonly transform: Transform
  /** The Accept header. */
  readonly accept: string
  /** Whether AVIF may be chosen. */
  readonly avif: boolean
}

export type Images = (object: StoredObject, wish: RenderWish) => Promise<Rendered>

export const createImages = (store: BlobStore, limits: ImageLimits = DEFAULT_IMAGE_LIMITS): Images => {
  const take = createQueue(limits)
  const results = new LRUCache<string, Rendered>({
    maxSize: limits.cacheBytes,
    maxEntrySize: Math.max(1, Math.floor(limits.cacheBytes / 8)),
    sizeCalculation: ({ bytes }) => bytes.length + 200,
  })
  const running = new Map<string, Promise<Rendered>>()
  return async (object, wish) => {
    const { version } = object
    if (version === null) throw objectNotFound()
    // Bytes never change under their version.
    const key = JSON.stringify([
      version,
      wish.transform,
      /image\/webp/.test(wish.accept),
      wish.avif && /image\/avif/.test(wish.accept),
    ])
    const known = results.get(key) ?? running.get(key)
    if (known !== undefined) return known
    const work = take(() => render(store, version, { wish, limits }))
    running.set(key, work)
    try {
      const rendered = await work
      results.set(key, rendered)
      return rendered
    } finally {
      running.delete(key)
    }
  }
}

/** Runs a few at a time and refuses when too many wait: a queue that only grows answers nobody. */
const createQueue = ({ concurrency, waiting }: ImageLimits) => {
  let running = 0
  const queue: (() => void)[] = []
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= concurrency) {
      if (queue.length >= waiting) {
        throw new AppError('unavailable', 'Too many pictures are asked for at once', { retryAfter: 2 })
      }
      // Whoever is done hands its place on.
      await new Promise<void>((resolve) => queue.push(resolve))
    } else running += 1
    try {
      return await work()
    } finally {
      const next = queue.shift()
      if (next === undefined) running -= 1
      else next()
    }
  }
}

const invalidImage = (message: string, cause?: unknown) => refusal('invalid_image', message, { cause })

interface Job {
  readonly wish: RenderWish
  readonly limits: ImageLimits
}

const render = async (store: BlobStore, version: string, { wish, limits }: Job): Promise<Rendered> => {
  const size = await store.sizeOf(version)
  if (size === null) throw refusal('bytes_lost', 'The bytes of this object are missing')
  if (size > limits.sourceBytes) throw refusal('file_too_large', 'The picture is too large to be transformed')
  const stream = await store.read(version)
  if (stream === null) throw refusal('bytes_lost', 'The bytes of this object are missing')
  const source = await buffer(stream)
  const kind = sniff(source)
  if (kind === null) throw invalidImage('The object is not a picture that can be transformed')
  const format = outputFormat(wish.transform, kind, wish)
  try {
    const bytes = await transformed(source, { ...wish, kind, format, limits })
    return { bytes, type: typeOfFormat(format) }
  } catch (error) {
    if (error instanceof AppError) throw error
    if (error instanceof Error && /timeout/i.test(error.message)) {
      throw new AppError('timeout', 'The picture took too long to be transformed', { cause: error })
    }
    throw invalidImage('The picture is damaged or not supported', error)
  }
}

interface Work extends Pick<Job, 'limits'> {
  readonly transform: Transform
  readonly kind: SourceFormat
  readonly format: ImageFormat
}

const MOVING = new Set<string>(['gif', 'webp'])

const transformed = async (source: Buffer, { transform, kind, format, limits }: Work): Promise<Buffer> => {
  const sharp = await loadSharp()
  const read = { limitInputPixels: limits.sourcePixels, failOn: 'error', sequentialRead: true } as const
  const { width = 0, height = 0, pageHeight, pages = 1 } = await sharp(source, read).metadata()
  const animated = pages > 1 && MOVING.has(kind) && MOVING.has(format)
  // Frames of a film lie below one another once they are decoded.
  const pixels = width * (pageHeight ?? height) * (animated ? pages : 1)
  if (pixels > limits.sourcePixels) throw refusal('file_too_large', 'The picture has too many pixels to be transformed')
  const image = sharp(source, { ...read, animated })
    .autoOrient()
    .timeout({ seconds: limits.seconds })
  const resized =
    transform.width === null && transform.height === null
      ? image
      : image.resize({
          ...(transform.width === null ? {} : { width: transform.width }),
          ...(transform.height === null ? {} : { height: transform.height }),
          // `contain` of Supabase leaves no bars: the picture is as large as fits.
          fit: transform.resize === 'contain' ? 'inside' : transform.resize,
          withoutEnlargement: true,
        })
  return encoded(resized, format, transform.quality).toBuffer()
}

const encoded = (image: Sharp, format: ImageFormat, quality: number): Sharp => {
  switch (format) {
    case 'jpeg':
      return image.flatten({ background: '#fff' }).jpeg({ quality })
    case 'png':
      return image.png()
    case 'webp':
      return image.webp({ quality })
    case 'gif':
      return image.gif()
    case 'avif':
      // The usual effort takes seconds for a photograph, and the gain is a few per cent.
      return image.avif({ quality, effort: 2 })
  }
}

let loading: Promise<typeof import('sharp')['default']> | null = null

const loadSharp = (): Promise<typeof import('sharp')['default']> => {
  loading ??= import('sharp').then(({ default: sharp }) => {
    // We keep results ourselves; what libvips keeps is memory that never comes back.
    sharp.cache(false)
    sharp.concurrency(1)
    sharp.block({ operation: ['VipsForeignLoadSvg', 'VipsForeignLoadPdf', 'VipsForeignLoadMagick'] })
    return sharp
  })
  return loading
}
