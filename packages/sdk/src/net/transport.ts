/** One exchange over `wx.request` or `wx.uploadFile`: sends a Request, answers a Response. No retries here. */

import { bytesOf } from '../body/body.ts'
import { headersFromWx, plainHeaders } from '../body/headers.ts'
import type { Request } from '../body/request.ts'
import { networkResponse, type Response } from '../body/response.ts'
import type { ReadableStream } from '../body/stream.ts'
import { onAbort } from '../core/abort.ts'
import { bufferOf, isBuffer, utf8Encode } from '../core/bytes.ts'
import { DOMException, typeError } from '../core/errors.ts'
import { lazy } from '../core/lazy.ts'
import type { Wx, WxAnswer, WxFailure, WxRequest, WxTask } from '../core/platform.ts'
import type { Gate } from './gate.ts'

/** Methods that `wx.request` documents and that are of use. PATCH is not among them. */
const DIRECT = /^(GET|HEAD|POST|PUT|DELETE|OPTIONS)$/

const OVERRIDE = 'x-http-method-override'

/** A refusal of the system because the app is in the background: what was asked for may or may not have happened. */
export const isInterrupted = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'interrupted' in error && error.interrupted === true

/** What the promise of a fetch is rejected with. */
export function failureOf({ errMsg = '', errno }: WxFailure, request: Request): unknown {
  if (request.signal.aborted) return request.signal.reason
  if (/timeout|timed out/i.test(errMsg)) return new DOMException(errMsg, 'TimeoutError')
  const error = typeError(errMsg || 'network error')
  return Object.assign(error, { interrupted: errno === 600003 || /interrupted/i.test(errMsg), errno })
}

/** What happened so far in one exchange. */
export interface Exchange {
  readonly _wx: Wx
  readonly _request: Request
  readonly _resolve: (response: Response) => void
  readonly _reject: (reason: unknown) => void
  /** Over: the place in the queue goes to the next. */
  readonly _leave: () => void
}

/** Sends a request when the queue lets it. */
export function send(wx: Wx, gate: Gate, request: Request): Promise<Response> {
  const upload = request._form ? lazy._files()._uploadOf(request) : null
  // Whatever comes in chunks or goes by path may last.
  const isLong = upload !== null || wantsStream(request)
  const whenReady = upload ? Promise.resolve(null) : bodyFor(request)
  return whenReady.then(
    (data) =>
      new Promise<Response>((resolve, reject) => {
        request.signal.throwIfAborted()
        let task: WxTask | null = null
        const leave = () => {
          leaveQueue()
          forget()
        }
        const exchange: Exchange = { _wx: wx, _request: request, _resolve: resolve, _reject: reject, _leave: leave }
        const forget = onAbort(request.signal, () => {
          task?.abort()
          leave()
          reject(request.signal.reason)
        })
        const leaveQueue = gate.enter(isLong, () => {
          try {
            task = upload ? lazy._files()._startUpload(exchange, upload) : startRequest(exchange, data)
          } catch (error) {
            // The queue's own state must not depend on what `wx` throws.
            void Promise.resolve().then(leave)
            reject(error)
          }
        })
      }),
  )
}

/** Event streams ask for one by their Accept header. */
function wantsStream(request: Request): boolean {
  return request._extra.stream ?? /\btext\/event-stream\b/.test(request.headers.get('accept') ?? '')
}

function bodyFor(request: Request): Promise<string | ArrayBuffer | null> {
  const content = request._content
  if (content === null || typeof content === 'string') return Promise.resolve(content)
  return bytesOf(content).then(bufferOf)
}

/** The method and headers as `wx` takes them: what it does not know goes as POST with the name of what is meant. */
export function tunnelled(request: Request, direct: RegExp): { method: string; header: Record<string, string> } {
  const header = plainHeaders(request.headers)
  if (direct.test(request.method)) return { method: request.method, header }
  return { method: 'POST', header: { ...header, [OVERRIDE]: request.method } }
}

function startRequest(exchange: Exchange, data: string | ArrayBuffer | null): WxTask {
  const { _request: request, _wx: wx } = exchange
  const stream = wantsStream(request) ? new (lazy._files()._StreamedAnswer)(exchange) : null
  const options: WxRequest = Object.assign(tunnelled(request, DIRECT), {
    url: request.url.replace(/#.*$/, ''),
    // One parse attempt of JSON is the default of `wx`; bytes keep everything as it was sent.
    dataType: 'other',
    responseType: 'arraybuffer',
    success: (answer: WxAnswer) => {
      exchange._leave()
      tellSent(request, data)
      if (stream) stream.end(answer)
      else settle(exchange, answer, bytesIn(answer.data))
    },
    fail: (failure: WxFailure) => {
      exchange._leave()
      const error = failureOf(failure, request)
      stream?.fail(error)
      exchange._reject(error)
    },
  })
  const { timeout } = request._extra
  if (data !== null) options.data = data
  if (timeout !== undefined) options.timeout = timeout
  if (stream) options.enableChunked = true
  if (request.redirect !== 'follow') options.redirect = 'manual'
  const task = wx.request(options)
  stream?.listen(task)
  return task
}

/** `wx.request` tells nothing on the way. */
function tellSent(request: Request, data: string | ArrayBuffer | null): void {
  const tell = request._extra.onUploadProgress
  if (!tell || data === null) return
  const total = typeof data === 'string' ? utf8Encode(data).length : data.byteLength
  tell({ loaded: total, total })
}

export const bytesIn = (data: unknown): Uint8Array<ArrayBuffer> | null => {
  if (isBuffer(data)) return data.byteLength > 0 ? new Uint8Array(data) : null
  // Some platforms answer text or nothing whatever was asked for.
  return typeof data === 'string' && data !== '' ? utf8Encode(data) : null
}

export function settle(
  exchange: Exchange,
  answer: WxAnswer,
  body: Uint8Array<ArrayBuffer> | ReadableStream | null,
): void {
  const { _request: request } = exchange
  const status = answer.statusCode ?? 200
  if (request.redirect === 'error' && status >= 300 && status < 400) exchange._reject(typeError('redirected'))
  else exchange._resolve(networkResponse(body, status, { headers: headersFromWx(answer.header), url: request.url }))
}
