/**
 * Blobs in a bucket of an S3-compatible service: AWS, MinIO, COS, OSS. The client library is loaded with the first request, so that a server
 * with a disk does not carry it.
 *
 * Services differ in what they understand: only plain requests are made, with an MD5 that the service compares, and no checksums of newer
 * kinds, which some services store as if they were part of the file. After each write the size is asked for again.
 */
import { createHash, type Hash } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { S3Client } from '@aws-sdk/client-s3'
import { AppError } from '../../kernel/errors.ts'
import {
  type BlobEntry,
  type BlobId,
  type BlobStore,
  type ByteRange,
  isBlobId,
  type StoredBlob,
} from '../blob-store.ts'
import type { S3Address } from './s3-address.ts'

type Library = typeof import('@aws-sdk/client-s3')

interface Connection {
  readonly lib: Library
  readonly client: S3Client
}

/** What is sent at once. Ten thousand of these are the most that S3 takes as one file. */
const PIECE = 8 * 2 ** 20
/** What S3 copies in one request. */
const COPY_LIMIT = 5 * 2 ** 30

export const createS3Store = (address: S3Address): BlobStore => new S3Store(address)

class S3Store implements BlobStore {
  readonly quick = false
  readonly #address: S3Address
  #connecting: Promise<Connection> | null = null

  constructor(address: S3Address) {
    this.#address = address
  }

  async put(id: BlobId, source: AsyncIterable<Uint8Array>): Promise<StoredBlob> {
    const target = this.#target(id)
    const hash = createHash('md5')
    const pieces = inPieces(source, hash)
    const first = await pieces.next()
    const body = first.done ? Buffer.alloc(0) : first.value
    const size =
      body.length < PIECE ? await this.#putOne(target, body) : await this.#putPieces(target, chained(body, pieces))
    const stored = await this.sizeOf(id)
    if (stored !== size) {
      await this.remove(id)
      throw new AppError('unavailable', 'The file store did not store what was sent')
    }
    return { size, md5: hash.digest('hex') }
  }

  async read(id: BlobId, range?: ByteRange): Promise<Readable | null> {
    if (!isBlobId(id)) return null
    return this.#unlessMissing(async ({ lib, client }) => {
      const wanted = range === undefined ? {} : { Range: `bytes=${range.start}-${range.end}` }
      const { Body } = await client.send(new lib.GetObjectCommand({ ...this.#target(id), ...wanted }))
      // On Node the library always answers a stream of Node.
      return Body as Readable
    })
  }

  async sizeOf(id: BlobId): Promise<number | null> {
    if (!isBlobId(id)) return null
    return this.#unlessMissing(async ({ lib, client }) => {
      const { ContentLength } = await client.send(new lib.HeadObjectCommand(this.#target(id)))
      return ContentLength ?? 0
    })
  }

  async copy(from: BlobId, to: BlobId): Promise<boolean> {
    const size = await this.sizeOf(from)
    if (size === null) return false
    if (size > COPY_LIMIT) {
      const source = await this.read(from)
      if (source !== null) await this.put(to, source)
      return source !== null
    }
    const copied = await this.#unlessMissing(async ({ lib, client }) => {
      const { Bucket, Key } = this.#target(from)
      const CopySource = `${Bucket}/${Key.split('/').map(encodeURIComponent).join('/')}`
      await client.send(new lib.CopyObjectCommand({ ...this.#target(to), CopySource }))
      return true
    })
    return copied ?? false
  }

  async remove(id: BlobId): Promise<void> {
    if (!isBlobId(id)) return
    await this.#unlessMissing(({ lib, client }) => client.send(new lib.DeleteObjectCommand(this.#target(id))))
  }

  async *list(before: number): AsyncIterable<BlobEntry> {
    const prefix = this.#key('blobs/')
    let after: string | undefined
    do {
      const page = await this.#run(({ lib, client }) =>
        client.send(
          new lib.ListObjectsV2Command({
            Bucket: this.#address.bucket,
            Prefix: prefix,
            ...(after === undefined ? {} : { ContinuationToken: after }),
          }),
        ),
      )
      for (const { Key = '', LastModified } of page.Contents ?? []) {
        const id = Key.slice(prefix.length)
        const changedAt = LastModified?.getTime() ?? Number.POSITIVE_INFINITY
        if (isBlobId(id) && changedAt < before) yield { id, changedAt }
      }
      after = page.IsTruncated ? page.NextContinuationToken : undefined
    } while (after !== undefined)
  }

  async removeUnfinished(before: number): Promise<number> {
    const { bucket: Bucket } = this.#address
    const Prefix = this.#key('blobs/')
    // Services without this question tidy up by a rule of the bucket.
    const page = await this.#unlessMissing(({ lib, client }) =>
      client.send(new lib.ListMultipartUploadsCommand({ Bucket, Prefix })),
    )
    let removed = 0
    for (const { Key, UploadId, Initiated } of page?.Uploads ?? []) {
      if (Key === undefined || UploadId === undefined || (Initiated?.getTime() ?? before) >= before) continue
      await this.#unlessMissing(({ lib, client }) =>
        client.send(new lib.AbortMultipartUploadCommand({ Bucket, Key, UploadId })),
      )
      removed += 1
    }
    return removed
  }

  async label(): Promise<string | null> {
    return this.#unlessMissing(async ({ lib, client }) => {
      const { Body } = await client.send(new lib.GetObjectCommand(this.#labelTarget()))
      return (await Body?.transformToString())?.trim() ?? ''
    })
  }

  async setLabel(label: string): Promise<void> {
    await this.#putOne(this.#labelTarget(), Buffer.from(`${label}\n`))
  }

  #key(path: string): string {
    return `${this.#address.prefix}${path}`
  }

  #labelTarget() {
    return { Bucket: this.#address.bucket, Key: this.#key('database-id') }
  }

  /** Ids come from the database, and rows there can be written by hand: what is no id of ours never becomes a key. */
  #target(id: BlobId) {
    if (!isBlobId(id)) throw new RangeError('not a blob id')
    return { Bucket: this.#address.bucket, Key: this.#key(`blobs/${id}`) }
  }

  async #putOne(target: { readonly Bucket: string; readonly Key: string }, Body: Buffer): Promise<number> {
    await this.#run(({ lib, client }) =>
      client.send(new lib.PutObjectCommand({ ...target, Body, ContentLength: Body.length, ContentMD5: md5Of(Body) })),
    )
    return Body.length
  }

  async #putPieces(
    target: { readonly Bucket: string; readonly Key: string },
    pieces: AsyncIterable<Buffer>,
  ): Promise<number> {
    const { UploadId } = await this.#run(({ lib, client }) => client.send(new lib.CreateMultipartUploadCommand(target)))
    const upload = { ...target, UploadId }
    try {
      const Parts: { ETag: string | undefined; PartNumber: number }[] = []
      let size = 0
      for await (const Body of pieces) {
        const PartNumber = Parts.length + 1
        const about = { PartNumber, Body, ContentLength: Body.length, ContentMD5: md5Of(Body) }
        const { ETag } = await this.#run(({ lib, client }) =>
          client.send(new lib.UploadPartCommand({ ...upload, ...about })),
        )
        Parts.push({ ETag, PartNumber })
        size += Body.length
      }
      await this.#run(({ lib, client }) =>
        client.send(new lib.CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } })),
      )
      return size
    } catch (error) {
      await this.#run(({ lib, client }) => client.send(new lib.AbortMultipartUploadCommand(upload))).catch(() => {})
      throw error
    }
  }

  async #run<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    this.#connecting ??= connect(this.#address)
    const connection = await this.#connecting
    try {
      return await work(connection)
    } catch (error) {
      if (isMissing(error) || error instanceof AppError) throw error
      throw new AppError('unavailable', 'The file store cannot be reached', { cause: error, retryAfter: 5 })
    }
  }

  async #unlessMissing<T>(work: (connection: Connection) => Promise<T>): Promise<T | null> {
    try {
      return await this.#run(work)
    } catch (error) {
      if (isMissing(error)) return null
      throw error
    }
  }
}

const connect = async ({
  endpoint,
  region,
  pathStyle,
  accessKeyId,
  secretAccessKey,
}: S3Address): Promise<Connection> => {
  const lib = await import('@aws-sdk/client-s3')
  const client = new lib.S3Client({
    endpoint,
    region,
    forcePathStyle: pathStyle,
    credentials: { accessKeyId, secretAccessKey },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  })
  return { lib, client }
}

/** Not there, or (for the question about unfinished uploads) not known to this service. A missing bucket is neither: that is a mistake to hear of. */
const isMissing = (error: unknown): boolean =>
  error instanceof Error && ['NoSuchKey', 'NotFound', 'NoSuchUpload', 'NotImplemented'].includes(error.name)

const md5Of = (bytes: Buffer): string => createHash('md5').update(bytes).digest('base64')

async function* inPieces(source: AsyncIterable<Uint8Array>, hash: Hash): AsyncGenerator<Buffer, undefined> {
  let chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of source) {
    hash.update(chunk)
    // Sources may use their memory again.
    chunks.push(Buffer.from(chunk))
    size += chunk.length
    if (size >= PIECE) {
      yield Buffer.concat(chunks)
      chunks = []
      size = 0
    }
  }
  if (size > 0) yield Buffer.concat(chunks)
}

async function* chained(first: Buffer, rest: AsyncGenerator<Buffer, undefined>): AsyncGenerator<Buffer> {
  yield first
  yield* rest
}
