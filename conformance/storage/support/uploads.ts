/** Uploads of every kind that go on through failures as their clients would, and what has to be true of them afterwards. */
import { createHash } from 'node:crypto'
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import type { StartReport } from '../../support/server.ts'
import type { Chance } from './chance.ts'

export const BUCKET = 'kill'

export const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex')

/** What a test knows about its uploads. */
export interface Ledger {
  /** By name: every content that the object may have; '' where it may be missing. One entry once an upload was acknowledged. */
  readonly contents: Map<string, readonly string[]>
  /** Uploads that were acknowledged, by kind. */
  readonly acknowledged: Record<Kind, number>
  /** Requests that failed: cut off by a kill, or refused while something was away. */
  interrupted: number
}

export type Kind = 'plain' | 'tus' | 's3'
const KINDS: readonly Kind[] = ['plain', 'tus', 's3']

export interface Uploading {
  readonly report: StartReport
  readonly chance: Chance
  readonly uploads: number
  readonly lanes: number
  /** Resolves when everything that an upload needs is up. */
  readonly up: () => Promise<void>
  /** Hears of each request just before it is sent. */
  readonly sending: () => void
}

const ATTEMPTS = 60
const authorised = ({ serviceKey }: StartReport) => ({ apikey: serviceKey, authorization: `Bearer ${serviceKey}` })

/** Uploads everything, in several lanes. Resolves when each upload was acknowledged, or cannot be known to have been. */
export const uploadAll = async (options: Uploading): Promise<Ledger> => {
  const ledger: Ledger = { contents: new Map(), acknowledged: { plain: 0, tus: 0, s3: 0 }, interrupted: 0 }
  const s3 = new S3Client({
    endpoint: `${options.report.url}/storage/v1/s3`,
    region: 'local',
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId: options.report.publishableKey, secretAccessKey: options.report.secretKey },
  })
  let begun = 0
  const lane = async (number: number): Promise<void> => {
    while (begun < options.uploads) {
      const index = begun
      begun += 1
      const kind = KINDS[index % 3] ?? 'plain'
      // Some objects are replaced again and again, each by one lane.
      const name = index % 4 === 0 ? `again-${number}.bin` : `${index}.bin`
      const bytes = options.chance.bytes(options.chance.between(0, 200_000))
      const sum = md5(bytes)
      // Until the answer is here, either content of a replaced object may be the one that stayed.
      ledger.contents.set(name, [...(ledger.contents.get(name) ?? ['']), sum])
      if (await WAYS[kind]({ ...options, s3, ledger, name, bytes })) {
        ledger.contents.set(name, [sum])
        ledger.acknowledged[kind] += 1
      }
    }
  }
  await Promise.all(Array.from({ length: options.lanes }, (_, number) => lane(number)))
  s3.destroy()
  return ledger
}

interface One extends Uploading {
  readonly s3: S3Client
  readonly ledger: Ledger
  readonly name: string
  readonly bytes: Buffer
}

/** Does a step until it succeeds, waiting for what is away. */
const persist = async <T>({ up, sending, ledger }: One, step: () => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt += 1) {
    await up()
    sending()
    try {
      return await step()
    } catch (error) {
      ledger.interrupted += 1
      if (attempt === ATTEMPTS) throw error
    }
  }
}

const answered = async (response: Response): Promise<Response> => {
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
  await response.arrayBuffer()
  return response
}

/** Answers whether the upload was acknowledged. */
const WAYS: Readonly<Record<Kind, (one: One) => Promise<boolean>>> = {
  /** One request; whoever hears nothing does not know. */
  plain: async ({ report, name, bytes, up, sending, ledger }) => {
    await up()
    sending()
    const init = { method: 'PUT', headers: authorised(report), body: new Uint8Array(bytes) }
    return fetch(`${report.url}/storage/v1/object/${BUCKET}/${name}`, init)
      .then(answered)
      .then(
        () => true,
        () => {
          ledger.interrupted += 1
          return false
        },
      )
  },

  /** In up to four requests, going on from where the server says that it is. */
  tus: async (one) => {
    const { report, name, bytes } = one
    const headers = { ...authorised(report), 'tus-resumable': '1.0.0', 'x-upsert': 'true' }
    const send = (url: string, method: string, more: Record<string, string> = {}, body?: Uint8Array<ArrayBuffer>) =>
      fetch(url, { method, headers: { ...headers, ...more }, ...(body === undefined ? {} : { body }) }).then(answered)
    const pair = (key: string, value: string) => `${key} ${Buffer.from(value).toString('base64')}`
    const created = await persist(one, () =>
      send(`${report.url}/storage/v1/upload/resumable`, 'POST', {
        'upload-length': String(bytes.length),
        'upload-metadata': [pair('bucketName', BUCKET), pair('objectName', name)].join(','),
      }),
    )
    const place = created.headers.get('location') ?? ''
    const step = Math.max(1, Math.ceil(bytes.length / 3))
    for (;;) {
      const offset = Number((await persist(one, () => send(place, 'HEAD'))).headers.get('upload-offset'))
      if (offset === bytes.length) return true
      const chunk = new Uint8Array(bytes.subarray(offset, offset + step))
      const how = { 'content-type': 'application/offset+octet-stream', 'upload-offset': String(offset) }
      // A request that failed may have left some of its bytes: the next look tells.
      await send(place, 'PATCH', how, chunk).catch(() => {
        one.ledger.interrupted += 1
      })
    }
  },

  /** In three parts, each repeated until it is in. */
  s3: async (one) => {
    const { s3, name, bytes } = one
    const target = { Bucket: BUCKET, Key: name }
    const { UploadId } = await persist(one, () => s3.send(new CreateMultipartUploadCommand(target)))
    const step = Math.ceil(bytes.length / 3)
    const Parts: { PartNumber: number; ETag: string | undefined }[] = []
    for (const PartNumber of [1, 2, 3]) {
      const Body = bytes.subarray((PartNumber - 1) * step, PartNumber * step)
      const { ETag } = await persist(one, () =>
        s3.send(new UploadPartCommand({ ...target, UploadId, PartNumber, Body })),
      )
      Parts.push({ PartNumber, ETag })
    }
    await persist(one, () =>
      s3.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts } })),
    )
    return true
  },
}

interface Listed {
  readonly name: string
  readonly metadata: { readonly size: number; readonly eTag: string }
}

/** Every object of the bucket, in pages. */
export const listAll = async (report: StartReport): Promise<readonly Listed[]> => {
  const all: Listed[] = []
  let cursor: string | undefined
  do {
    const body = JSON.stringify({ limit: 1000, ...(cursor && { cursor }) })
    const init = { method: 'POST', headers: authorised(report), body }
    const answer = await fetch(`${report.url}/storage/v1/object/list-v2/${BUCKET}`, init)
    // The dialect's own answer; its shape is what the storage tests check.
    const page = (await answer.json()) as { objects: Listed[]; nextCursor?: string }
    all.push(...page.objects)
    cursor = page.nextCursor
  } while (cursor !== undefined)
  return all
}

/** What is wrong: objects without their bytes, contents that nobody sent, acknowledged uploads that are gone. Nothing, if all is well. */
export const faultsOf = async (report: StartReport, { contents }: Ledger): Promise<readonly string[]> => {
  const faults: string[] = []
  const held = new Map<string, string>()
  for (const { name, metadata } of await listAll(report)) {
    const init = { headers: authorised(report) }
    const response = await fetch(`${report.url}/storage/v1/object/${BUCKET}/${name}`, init)
    const bytes = new Uint8Array(await response.arrayBuffer())
    const sum = md5(bytes)
    if (response.status !== 200) faults.push(`${name} is listed and answered ${response.status}`)
    if (bytes.length !== metadata.size || `"${sum}"` !== metadata.eTag) faults.push(`${name} is not what its row says`)
    held.set(name, sum)
  }
  for (const [name, allowed] of contents) {
    if (!allowed.includes(held.get(name) ?? '')) faults.push(`${name} is not what was uploaded`)
  }
  for (const name of held.keys()) if (!contents.has(name)) faults.push(`${name} was never uploaded`)
  return faults
}
