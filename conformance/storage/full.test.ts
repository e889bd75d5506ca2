/**
 * A full disk: the files of a started server are on a file system of 16 MB that only this server sees. What does not fit is refused in the
 * words of its protocol, what was stored before stays whole, and once something is deleted the next upload goes through.
 */
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { Upload } from 'tus-js-client'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startServer, type TestServer, teahouseBin, temporaryFolder } from '../support/server.ts'
import { until } from '../support/until.ts'

const MB = 2 ** 20
const SIZE = 16 * MB

/** Why no file system can be mounted here; null where one can. */
const whyNot = (): string | null => {
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', '/mnt'], { stdio: 'pipe' })
    return null
  } catch (error) {
    return `a small file system needs Linux and the right to mount: ${error instanceof Error ? error.message : error}`
  }
}

const reason = whyNot()
if (reason !== null) process.stdout.write(`full disk: not tested, ${reason}\n`)

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let server: TestServer
/** The small file system, as the server sees it. */
let files: string
let s3: S3Client
/** What was acknowledged, and has to stay. */
const kept = new Map<string, string>()

const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const headers = () => ({ apikey: server.report.serviceKey, authorization: `Bearer ${server.report.serviceKey}` })
const call = (method: string, path: string, body?: Uint8Array | string) =>
  fetch(`${server.report.url}/storage/v1${path}`, {
    method,
    headers: headers(),
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) }),
  })

const free = async (): Promise<number> => {
  const { bavail, bsize } = await statfs(files)
  return bavail * bsize
}
/** Somebody else's file takes what is left, except so much. */
const fill = async (left: number): Promise<void> => {
  await rm(join(files, 'filler'), { force: true })
  const bytes = Buffer.alloc(Math.max(0, (await free()) - left))
  // An upload that is under way may have taken some of it in between; then the disk is as full as it was meant to be.
  await writeFile(join(files, 'filler'), bytes).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOSPC') throw error
  })
}
const makeRoom = () => rm(join(files, 'filler'), { force: true })

const upload = async (name: string, bytes: Uint8Array): Promise<Response> => {
  const answer = await call('POST', `/object/full/${name}`, bytes)
  if (answer.ok) kept.set(name, sha(bytes))
  return answer
}

const unfinished = async (): Promise<readonly string[]> => readdir(join(files, 'unfinished'))

/** Every object is listed, whole, and nothing else is. */
const expectWhole = async (): Promise<void> => {
  const listed = await (await call('POST', '/object/list/full', JSON.stringify({ prefix: '', limit: 1000 }))).json()
  // The dialect's own answer; its shape is what the storage tests check.
  expect((listed as { name: string }[]).map(({ name }) => name).sort()).toEqual([...kept.keys()].sort())
  for (const [name, sum] of kept) {
    const answer = await call('GET', `/object/full/${name}`)
    expect([name, answer.status, sha(new Uint8Array(await answer.arrayBuffer()))]).toEqual([name, 200, sum])
  }
  await until('nothing half is left', async () => (await unfinished()).length === 0)
}

const expectFull = async (answer: Response): Promise<void> => {
  expect([answer.status, await answer.json()]).toEqual([
    507,
    {
      statusCode: '507',
      error: 'InsufficientStorage',
      code: 'InsufficientStorage',
      message: 'There is no room left for this file',
    },
  ])
}

describe.skipIf(reason !== null)('a full disk', () => {
  beforeAll(async () => {
    folder = await temporaryFolder()
    const dataDir = join(folder.path, 'data')
    await mkdir(join(dataDir, 'files'), { recursive: true, mode: 0o700 })
    // A mount of its own: it goes with the process, however that ends.
    const mounted = 'mount -t tmpfs -o size=16m,mode=700 none "$0" && exec "$@"'
    server = await startServer({
      dataDir,
      command: ['unshare', '--mount', 'sh', '-c', mounted, join(dataDir, 'files'), process.execPath, teahouseBin],
    })
    files = `/proc/${server.pid}/root${join(dataDir, 'files')}`
    expect((await statfs(files)).blocks * (await statfs(files)).bsize).toBe(SIZE)
    await call('POST', '/bucket', JSON.stringify({ name: 'full' }))
    const { url, publishableKey, secretKey } = server.report
    s3 = new S3Client({
      endpoint: `${url}/storage/v1/s3`,
      region: 'local',
      forcePathStyle: true,
      maxAttempts: 1,
      credentials: { accessKeyId: publishableKey, secretAccessKey: secretKey },
    })
  })
  afterAll(async () => {
    s3?.destroy()
    expect((await server?.stop())?.code).toBe(0)
    await folder?.remove()
  })
  beforeEach(makeRoom)

  it('refuses uploads, keeps what it has, and takes files again once one is deleted', async () => {
    for (let count = 0; ; count += 1) {
      const answer = await upload(`${count}.bin`, randomBytes(MB))
      if (answer.ok) continue
      await expectFull(answer)
      break
    }
    expect(kept.size).toBeGreaterThan(10)
    await expectWhole()
    // One that fits in no room at all, one that has to be given up in the middle, and one so small that it takes another way.
    await fill(0)
    for (const size of [100_000, 9 * MB, 10]) await expectFull(await upload('more.bin', randomBytes(size)))
    await makeRoom()
    await expectWhole()

    await call('DELETE', '/object/full/0.bin')
    kept.delete('0.bin')
    await until('there is room again', async () => (await upload('again.bin', randomBytes(MB))).ok)
    await expectWhole()
  })

  it('holds an upload up that comes in parts, until there is room for the rest and then for the whole', async () => {
    await call('DELETE', '/object/full', JSON.stringify({ prefixes: [...kept.keys()] }))
    kept.clear()
    await until('the files are gone', async () => (await free()) > 15 * MB)
    const film = randomBytes(6 * MB)
    // First the parts do not fit, then they do and the file out of them does not.
    await fill(2.5 * MB)
    const refusals: number[] = []
    const done = new Promise<void>((resolve, reject) => {
      new Upload(film, {
        endpoint: `${server.report.url}/storage/v1/upload/resumable`,
        headers: headers(),
        chunkSize: MB,
        retryDelays: Array.from({ length: 200 }, () => 50),
        metadata: { bucketName: 'full', objectName: 'film.bin' },
        onAfterResponse: (_request, response) => {
          if (response.getStatus() > 499) refusals.push(response.getStatus())
        },
        onError: reject,
        onSuccess: () => resolve(),
      }).start()
    })
    await until('a part is refused', () => refusals.length > 1)
    await fill(0)
    await rm(join(files, 'filler'), { force: true })
    await fill(4.6 * MB)
    const before = refusals.length
    await until('the whole is refused', () => refusals.length > before + 1, { within: 20_000 })
    expect(new Set(refusals)).toEqual(new Set([507]))
    await makeRoom()
    await done
    kept.set('film.bin', sha(film))
    await expectWhole()
  })

  it('is told in the words of S3, for objects, parts, copies and what is put together', async () => {
    const full = { name: 'InsufficientStorage', $metadata: { httpStatusCode: 507 } }
    const put = (Key: string, Body: Uint8Array) => s3.send(new PutObjectCommand({ Bucket: 'full', Key, Body }))
    const target = { Bucket: 'full', Key: 'joined.bin' }
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand(target))
    const parts = [randomBytes(2 * MB), randomBytes(MB)]
    const part = async (PartNumber: number) => {
      const Body = parts[PartNumber - 1] ?? Buffer.alloc(0)
      const { ETag } = await s3.send(new UploadPartCommand({ ...target, UploadId, PartNumber, Body }))
      return { PartNumber, ETag }
    }
    const first = await part(1)
    await fill(0.5 * MB)
    await expect(put('s3.bin', randomBytes(MB))).rejects.toMatchObject(full)
    await expect(put('s3.bin', randomBytes(1_000_000))).rejects.toMatchObject(full)
    await expect(part(2)).rejects.toMatchObject(full)
    await expectWhole()
    await fill(1.5 * MB)
    const MultipartUpload = { Parts: [first, await part(2)] }
    const complete = () => s3.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload }))
    await expect(complete()).rejects.toMatchObject(full)
    await expectWhole()
    await makeRoom()
    await complete()
    kept.set(target.Key, sha(Buffer.concat(parts)))
    // A copy is a second name of the same bytes: it needs no room.
    await fill(0)
    await s3.send(new CopyObjectCommand({ Bucket: 'full', Key: 'copy.bin', CopySource: 'full/joined.bin' }))
    kept.set('copy.bin', sha(Buffer.concat(parts)))
    await expectWhole()
    await makeRoom()
    await put('s3.bin', Buffer.from('tea'))
    kept.set('s3.bin', sha(Buffer.from('tea')))
    await expectWhole()
  })
})
