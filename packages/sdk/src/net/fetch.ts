/** fetch: sends requests through the queue, again after an interruption, and with a new login when the old one is refused. */

import { Request, type RequestInit } from '../body/request.ts'
import type { Response } from '../body/response.ts'
import { onAbort } from '../core/abort.ts'
import { typeError } from '../core/errors.ts'
import { isStream } from '../core/marks.ts'
import { now, type Wx } from '../core/platform.ts'
import type { URL } from '../url/url.ts'
import type { Connectivity } from './connectivity.ts'
import type { Gate } from './gate.ts'
import { isInterrupted, send } from './transport.ts'

export interface FetchOptions {
  /**
   * Writes that were cut by the background or begun without network wait and go out again with one `Idempotency-Key`.
   * Only for servers that keep that key: others would do a write twice. Default: only requests that bring the header.
   */
  readonly queueWrites?: boolean
  /** Reads that were interrupted go out again when the app is back. Default: true. */
  readonly retryReads?: boolean
  /** How many interrupted or early requests may wait for the app's return; further ones fail. Default: 100. */
  readonly maxWaiting?: number
  /**
   * Called once for all requests that are refused with 401 at the same time. Answers the new `Authorization` value, with
   * which they go out again, or null.
   */
  readonly onUnauthorized?: (request: Request, response: Response) => Promise<string | null>
  /** Default of `timeout` in a request. */
  readonly timeout?: number
}

export type Fetch = (input: Request | URL | string, init?: RequestInit) => Promise<Response>

export interface FetchParts {
  readonly wx: Wx
  readonly gate: Gate
  readonly connectivity: Connectivity
}

const MAX_ATTEMPTS = 4
const KEY = 'idempotency-key'

/** Builds a fetch. */
export function buildFetch(parts: FetchParts, options: FetchOptions = {}): Fetch {
  const retry = retrying(parts, options)
  const login = options.onUnauthorized && loginOnce(options.onUnauthorized)
  return (input, init) => {
    let request: Request
    try {
      request = new Request(input, options.timeout === undefined ? init : { timeout: options.timeout, ...init })
    } catch (error) {
      return Promise.reject(error)
    }
    if (request.signal.aborted) return Promise.reject(request.signal.reason)
    const again = (response: Response): Response | Promise<Response> => {
      if (response.status !== 401 || !login || request.bodyUsed) return response
      return login(request, response).then((authorization) => {
        if (authorization === null) return response
        request.headers.set('authorization', authorization)
        return retry(request)
      })
    }
    return retry(request)
      .then(again)
      .then(
        (response) => {
          // A stream follows the signal until its own end.
          if (!isStream(response._content)) request._release()
          return response
        },
        (error) => {
          request._release()
          throw error
        },
      )
  }
}

/** Requests that were refused with the same authorization share one login, also those whose refusal comes after it. */
function loginOnce(login: NonNullable<FetchOptions['onUnauthorized']>): typeof login {
  let refused: string | null = null
  let renewed: Promise<string | null> | null = null
  return (request, response) => {
    const old = request.headers.get('authorization')
    if (renewed && old === refused) return renewed
    refused = old
    const mine = Promise.resolve().then(() => login(request, response))
    renewed = mine
    // What did not help now may help the next time.
    const forget = () => {
      if (renewed === mine) renewed = null
    }
    mine.then((authorization) => authorization === null && forget(), forget)
    return mine
  }
}

const isRead = (request: Request): boolean => /^(GET|HEAD|OPTIONS)$/.test(request.method)

function retrying({ wx, gate, connectivity }: FetchParts, options: FetchOptions) {
  const { queueWrites, retryReads, maxWaiting } = options
  let waiting = 0
  const wait = (request: Request, error: unknown): Promise<void> => {
    if (waiting >= (maxWaiting ?? 100))
      return Promise.reject(error ?? typeError('too many requests wait for the network'))
    waiting++
    let forget = () => {}
    const end = () => {
      waiting--
      forget()
    }
    return new Promise<void>((resolve, reject) => {
      forget = onAbort(request.signal, () => reject(request.signal.reason))
      void connectivity.ready().then(resolve)
    }).then(end, (reason) => {
      end()
      throw reason
    })
  }
  const attempt = (request: Request, number: number): Promise<Response> =>
    send(wx, gate, request).catch((error: unknown) => {
      const repeatable = isRead(request) ? retryReads !== false : request.headers.has(KEY)
      // A stream that has given out its headers is not here any more: its reader sees the error.
      if (!repeatable || number >= MAX_ATTEMPTS || request.signal.aborted || request.bodyUsed) throw error
      // Without network a read fails at once, as in a browser; a queued write waits.
      const isCut = isInterrupted(error) || connectivity.isHidden
      if (!isCut && (isRead(request) || connectivity.isOnline)) throw error
      return wait(request, error).then(() => attempt(request, number + 1))
    })
  return (request: Request): Promise<Response> => {
    if (isRead(request)) return attempt(request, 1)
    if (queueWrites && !request.headers.has(KEY)) request.headers.set(KEY, newKey())
    const mayWait = request.headers.has(KEY) && !(connectivity.isOnline && !connectivity.isHidden)
    return mayWait ? wait(request, null).then(() => attempt(request, 1)) : attempt(request, 1)
  }
}

/** Unique enough for one app's writes: time and 100 random bits. */
function newKey(): string {
  const part = () => Math.random().toString(36).slice(2, 12)
  return `${now().toString(36)}-${part()}${part()}`
}
