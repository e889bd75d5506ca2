/** From a request for an object to its answer: the row, the plan, the bytes. */
import type { Readable } from 'node:stream'
import type { BlobStore } from './blob-store.ts'
import { objectNotFound, refusal } from './errors.ts'
import { planServe, type ServePlan, type ServeRequest } from './serving.ts'
import type { StoredObject } from './types.ts'

export interface Download extends ServePlan {
  readonly object: StoredObject
  /** Null when the answer has no body, or when only headers were asked for. */
  readonly stream: Readable | null
}

export type Downloads = (
  find: () => Promise<StoredObject>,
  request: ServeRequest & { readonly headersOnly: boolean },
) => Promise<Download>

// Between reading a row and opening its bytes the object may be replaced, and the old bytes go; then the row names new ones.
const ATTEMPTS = 3

export const createDownloads = (store: BlobStore): Downloads => {
  const attempt = async (object: StoredObject, request: Parameters<Downloads>[1]): Promise<Download | null> => {
    if (object.version === null) throw objectNotFound()
    const size = object.metadata?.size
    const known = typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 && !request.headersOnly
    const actual = known ? size : await store.sizeOf(object.version)
    if (actual === null) return null
    // Only a GET has ranges.
    const headers = request.headersOnly ? { ...request.headers, range: undefined } : request.headers
    const plan = planServe(object, actual, { ...request, headers })
    if (!plan.body || request.headersOnly) return { ...plan, object, stream: null }
    // A reader that knows the end does not look for it: one trip to the thread pool of four, for a small file.
    const whole = store.quick && actual > 0 ? { start: 0, end: actual - 1 } : undefined
    const stream = await store.read(object.version, plan.range ?? whole)
    return stream === null ? null : { ...plan, object, stream }
  }

  return async (find, request) => {
    let version: string | null = null
    for (let count = 0; count < ATTEMPTS; count += 1) {
      const object = await find()
      const download = await attempt(object, request)
      if (download !== null) return download
      if (object.version === version) break
      version = object.version
    }
    throw refusal('bytes_lost', 'The bytes of this object are missing')
  }
}
