/** One exchange over `wx.request` or `wx.uploadFile`: sends a Request, answers a Response. No retries here. */

import { bytesOf } from '../body/body.ts'
import { type File, pathOf } from '../body/files.ts'
import type { FormData } from '../body/form-data.ts'
import { headersFromWx, plainHeaders } from '../body/headers.ts'
import { mediaType } from '../body/media-type.ts'
import type { Request } from '../body/request.ts'
import { networkResponse, type Response } from '../body/response.ts'
import { ReadableStream, type StreamController } from '../body/stream.ts'
import { onAbort } from '../core/abort.ts'
import { bufferOf, isBuffer, utf8Encode } from '../core/bytes.ts'
import { DOMException, typeError } from '../core/errors.ts'
import type { Wx, WxAnswer, WxFailure, WxTask } from '../core/platform.ts'
import type { Gate } from './gate.ts'

/** Methods that `wx.request` documents and that are of use. PATCH is not among them. */
const DIRECT = /^(GET|HEAD|POST|PUT|DELETE|OPTIONS)$/

const OVERRIDE = 'x-http-method-override'

/** A refusal of the system because the app is in the background: what was asked for may or may not have happened. */
export const isInterrupted = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'interrupted' in error && error.interrupted === true

/** What the promise of a fetch is rejected with. */
function failureOf({ errMsg = '', errno }: WxFailure, request: Request): unknown {
  if (request.signal.aborted) return request.signal.reason
  if (/timeout|timed out/i.test(errMsg)) return new DOMException(errMsg, 'TimeoutError')
  const error = typeError(errMsg || 'network error')
  return Object.assign(error, { interrupted: errno === 600003 || /interrupted/i.test(errMsg), errno })
}

/** What happened so far in one exchange. */
interface Exchange {
  readonly wx: Wx
  readonly request: Request
  readonly resolve: (response: Response) => void
  readonly reject: (reason: unknown) => void
  /** Over: the place in the queue goes to the next. */
  readonly leave: () => void
}

/** Sends a request when the queue lets it. */
export function send(wx: Wx, gate: Gate, request: Request): Promise<Response> {
  const upload = uploadOf(request)
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
        const exchange: Exchange = { wx, request, resolve, reject, leave }
        const forget = onAbort(request.signal, () => {
          task?.abort()
          leave()
          reject(request.signal.reason)
        })
        const leaveQueue = gate.enter(isLong, () => {
          try {
            task = upload ? startUpload(exchange, upload) : startRequest(exchange, data)
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
function tunnelled(request: Request, direct: RegExp): { method: string; header: Record<string, string> } {
  const header = plainHeaders(request.headers)
  if (direct.test(request.method)) return { method: request.method, header }
  return { method: 'POST', header: { ...header, [OVERRIDE]: request.method } }
}

function startRequest(exchange: Exchange, data: string | ArrayBuffer | null): WxTask {
  const { request, wx } = exchange
  const isStream = wantsStream(request)
  const stream = isStream ? new StreamedAnswer(exchange) : null
  const task = wx.request({
    ...tunnelled(request, DIRECT),
    url: request.url.replace(/#.*$/, ''),
    ...(data === null ? {} : { data }),
    // One parse attempt of JSON is the default of `wx`; bytes keep everything as it was sent.
    dataType: 'other',
    responseType: 'arraybuffer',
    ...(request._extra.timeout === undefined ? {} : { timeout: request._extra.timeout }),
    ...(stream ? { enableChunked: true } : {}),
    ...(request.redirect === 'follow' ? {} : { redirect: 'manual' as const }),
    success: (answer) => {
      exchange.leave()
      tellSent(request, data)
      if (stream) stream.end(answer)
      else settle(exchange, answer, bytesIn(answer.data))
    },
    fail: (failure) => {
      exchange.leave()
      const error = failureOf(failure, request)
      stream?.fail(error)
      exchange.reject(error)
    },
  })
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

const bytesIn = (data: unknown): Uint8Array<ArrayBuffer> | null => {
  if (isBuffer(data)) return data.byteLength > 0 ? new Uint8Array(data) : null
  // Some platforms answer text or nothing whatever was asked for.
  return typeof data === 'string' && data !== '' ? utf8Encode(data) : null
}

function settle(exchange: Exchange, answer: WxAnswer, body: Uint8Array<ArrayBuffer> | ReadableStream | null): void {
  const { request } = exchange
  const status = answer.statusCode ?? 200
  if (request.redirect === 'error' && status >= 300 && status < 400) exchange.reject(typeError('redirected'))
  else exchange.resolve(networkResponse(body, status, { headers: headersFromWx(answer.header), url: request.url }))
}

/** An answer whose body comes in chunks: it is given out with its headers, or with its first chunk where they come late. */
class StreamedAnswer {
  private _exchange: Exchange
  private _body: ReadableStream
  private _controller: StreamController | null = null
  private _answered = false
  private _over = false
  private _task: WxTask | null = null
  private _forget: () => void

  constructor(exchange: Exchange) {
    this._exchange = exchange
    this._body = new ReadableStream({
      start: (controller) => {
        this._controller = controller
      },
      cancel: () => {
        this._over = true
        this._task?.abort()
        this._release()
        exchange.leave()
      },
    })
    const { signal } = exchange.request
    this._forget = onAbort(signal, () => this._controller?.error(signal.reason))
  }

  listen(task: WxTask): void {
    this._task = task
    // DevTools may leave the status out here: then the first chunk or the end tells.
    task.onHeadersReceived?.((head) => head.statusCode !== undefined && this._answer(head))
    task.onChunkReceived?.(({ data }) => {
      this._answer({})
      this._add(new Uint8Array(data.slice(0)))
    })
  }

  end(last: WxAnswer): void {
    this._release()
    this._answer(last)
    // Old base libraries do not know chunks: the whole body is here.
    const rest = bytesIn(last.data)
    if (rest) this._add(rest)
    if (!this._over) this._controller?.close()
    this._over = true
  }

  fail(error: unknown): void {
    // What was not answered yet may be tried again: then the signal still counts.
    if (this._answered) this._release()
    else this._forget()
    this._over = true
    this._controller?.error(error)
  }

  private _release(): void {
    this._forget()
    this._exchange.request._release()
  }

  private _answer(head: WxAnswer): void {
    if (this._answered) return
    this._answered = true
    settle(this._exchange, head, this._body)
  }

  private _add(bytes: Uint8Array<ArrayBuffer>): void {
    if (!this._over) this._controller?.enqueue(bytes)
  }
}

interface Upload {
  readonly name: string
  readonly path: string
  readonly file: File
  readonly fields: Record<string, string>
}

/** The form as `wx.uploadFile` takes it: exactly one file, by path, and strings. Null: its bytes have to be read and sent by `wx.request`. */
function uploadOf(request: Request): Upload | null {
  if (!request._form || !/^(POST|PUT|PATCH)$/.test(request.method)) return null
  const fields: Record<string, string> = {}
  const files: Upload[] = []
  let isPlain = true
  request._form.forEach((value: string | File, name: string, form: FormData) => {
    if (typeof value === 'string') {
      fields[name] = value
      // An object holds one value for a name, and no value for this one.
      if (form.getAll(name).length > 1 || name === '__proto__') isPlain = false
    } else files.push({ name, path: pathOf(value) ?? '', file: value, fields })
  })
  const upload = files[0]
  if (!isPlain || files.length !== 1 || !upload || upload.path === '') return null
  // The system takes the type of the part from the path; a type that says something else would be lost.
  const { type } = upload.file
  return type === '' || type === mediaType(upload.path) ? upload : null
}

function startUpload(exchange: Exchange, upload: Upload): WxTask {
  const { request, wx } = exchange
  const { method: _, header } = tunnelled(request, /^POST$/)
  // The boundary is made by the system.
  delete header['content-type']
  const task = wx.uploadFile({
    url: request.url.replace(/#.*$/, ''),
    filePath: upload.path,
    // An empty field name is legal in a form and refused by the system.
    name: upload.name || 'file',
    formData: upload.fields,
    header,
    ...(request._extra.timeout === undefined ? {} : { timeout: request._extra.timeout }),
    success: (answer) => {
      exchange.leave()
      settle(exchange, answer, bytesIn(answer.data))
    },
    fail: (failure) => {
      exchange.leave()
      exchange.reject(failureOf(failure, request))
    },
  })
  task.onProgressUpdate?.(({ totalBytesSent, totalBytesExpectedToSend }) => {
    const progress = { loaded: totalBytesSent, total: totalBytesExpectedToSend }
    request._extra.onUploadProgress?.(progress)
    upload.file.onProgress?.(progress)
  })
  return task
}
