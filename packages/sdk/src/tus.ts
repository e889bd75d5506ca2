/**
 * Resumable uploads by tus 1.0.0, for files of any size: part by part, each read when it is sent, so memory stays flat. Goes on where the
 * server is after a lost network, the background, or a restart of the app. Any login will do: the headers are asked for anew with each part.
 */
import {
  AbortController,
  type Blob,
  btoa,
  DOMException,
  type Progress,
  type Response,
  type Runtime,
  sharedRuntime,
  TextEncoder,
  URL,
  wxFile,
} from './index.ts'

declare const setTimeout: (run: () => void, delay: number) => unknown

type HeaderMap = Readonly<Record<string, string>>

export interface ResumableOptions {
  /** Where uploads are created: `https://…/storage/v1/upload/resumable`. */
  readonly endpoint: string
  /** A path (`tempFilePath` of a chooser), or what `wxFile` makes of one. */
  readonly file: string | Blob
  /** `bucketName`, `objectName`, `contentType`, `cacheControl`, `metadata`. */
  readonly metadata: HeaderMap
  /** `authorization` and the like; a function is asked before each request, so that a refreshed login is used at once. */
  readonly headers?: HeaderMap | (() => HeaderMap | Promise<HeaderMap>)
  /**
   * Bytes of each part. Default: 1 MiB at first, up to 4 MiB while parts are fast, less when they are cut off by time. Supabase's own
   * servers want 6 MiB exactly.
   */
  readonly chunkSize?: number
  /** What the server has stored for good. */
  readonly onProgress?: (progress: Progress) => void
  readonly onState?: (state: UploadState) => void
  /** Under which name the upload is found again after a restart; null: never. Default: made of endpoint, object, path and size. */
  readonly key?: string | null
  /** How many failures in a row, without a byte getting through, are the end. Being offline or in the background does not count. Default: 8. */
  readonly attempts?: number
  readonly runtime?: Runtime
}

/** `waiting`: for the network, the app's return, or a server that is busy. */
export type UploadState = 'uploading' | 'waiting' | 'paused' | 'done' | 'failed' | 'cancelled'

export interface ResumableUpload {
  /** Resolves with the address of the finished upload. Rejects with an AbortError when it was cancelled. */
  readonly done: Promise<string>
  readonly state: UploadState
  readonly offset: number
  readonly size: number
  /** Stops after what is under way was cut off; nothing is lost. */
  pause(): void
  resume(): void
  /** Ends it, here and on the server. */
  cancel(): void
}

/** A refusal that trying again would not change. */
export interface UploadRefusal extends Error {
  readonly status: number
}

const FIRST = 1024 * 1024
const LEAST = 256 * 1024
const MOST = 4 * FIRST
/** A part that took less than this may be larger the next time, milliseconds. */
const FAST = 1_500
/** What began longer ago is forgotten: servers keep unfinished uploads for a day. */
const KEPT = 24 * 3_600_000
const STORE = 'teahouse-uploads'
/** Statuses that may be others a moment later. */
const PASSING = /^(408|409|423|425|429|5\d\d)$/

const bytesToText = (text: string): string =>
  String.fromCharCode.apply(null, Array.from(new TextEncoder().encode(text)))

/** Begins an upload, or goes on with the one that was begun under the same key. */
export function uploadResumable(options: ResumableOptions): ResumableUpload {
  return new Upload(options)
}

class Upload implements ResumableUpload {
  readonly done: Promise<string>
  readonly size: number
  state: UploadState = 'uploading'
  offset = 0
  private _options: ResumableOptions
  private _runtime: Runtime
  private _file: Blob
  private _key: string | null
  private _url: string | null
  /** Whether `offset` is what the server says. */
  private _known = false
  private _failures = 0
  private _refusals = 0
  private _part: number
  private _paused = false
  private _cancelled = false
  private _controller: AbortController | null = null
  /** Ends whatever is being waited for. */
  private _wake: () => void = () => {}

  constructor(options: ResumableOptions) {
    const { file, endpoint, metadata, key, chunkSize, runtime } = options
    this._options = options
    this._runtime = runtime ?? sharedRuntime()
    this._file = typeof file === 'string' ? wxFile(file) : file
    this.size = this._file.size
    this._part = chunkSize ?? FIRST
    const name = typeof file === 'string' ? file : Reflect.get(file, 'name')
    const own =
      name === undefined ? null : [endpoint, metadata.bucketName, metadata.objectName, name, this.size].join('|')
    this._key = key === undefined ? own : key
    this._url = this._recall()
    this.done = this._turn().then(
      () => this._end('done', String(this._url)),
      (error) => {
        this._end(this._cancelled ? 'cancelled' : 'failed', '')
        throw error
      },
    )
    // Whoever only listens to the state need not catch.
    this.done.catch(() => {})
  }

  pause(): void {
    if (this._paused || this._isOver()) return
    this._paused = true
    this._tell('paused')
    this._controller?.abort()
    this._wake()
  }

  resume(): void {
    if (!this._paused || this._isOver()) return
    this._paused = false
    this._tell('uploading')
    this._wake()
  }

  cancel(): void {
    if (this._isOver()) return
    this._cancelled = true
    this._controller?.abort()
    this._wake()
    const url = this._url
    // The server forgets it after a day anyway.
    if (url) this._ask('DELETE', url).catch(() => {})
  }

  private _isOver(): boolean {
    return this._cancelled || this.state === 'done' || this.state === 'failed'
  }

  /** One step: find the place or send a part, until everything is there. */
  private _turn(): Promise<void> {
    if (this._cancelled) return Promise.reject(new DOMException('the upload was cancelled', 'AbortError'))
    if (this._paused) return this._pauseUntil(null).then(() => this._turn())
    const { connectivity } = this._runtime
    if (connectivity.isHidden || !connectivity.isOnline) {
      this._tell('waiting')
      return this._pauseUntil(connectivity.ready()).then(() => this._turn())
    }
    this._tell('uploading')
    return this._step()
      .then(
        () => {
          this._failures = 0
          this._refusals = 0
        },
        (error) => this._failed(error),
      )
      .then(() => (this._known && this.offset >= this.size ? undefined : this._turn()))
  }

  private _step(): Promise<void> {
    if (this._url === null) return this._create()
    return this._known ? this._send(this._url) : this._find(this._url)
  }

  private _create(): Promise<void> {
    const { metadata, endpoint } = this._options
    const description = Object.keys(metadata)
      .map((name) => `${name} ${btoa(bytesToText(String(metadata[name])))}`)
      .join(',')
    const headers = { 'upload-length': String(this.size), 'upload-metadata': description }
    return this._ask('POST', endpoint, headers).then((response) => {
      const place = response.headers.get('location')
      if (response.status !== 201 || !place) throw refusal(response.status, 'the server made no upload')
      this._url = new URL(place, endpoint).href
      this._remember(this._url)
      this._arrived(0)
    })
  }

  private _find(url: string): Promise<void> {
    return this._ask('HEAD', url).then((response) => this._arrived(offsetOf(response)))
  }

  private _send(url: string): Promise<void> {
    const { offset } = this
    const began = Date.now()
    const headers = { 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' }
    const part = this._file.slice(offset, offset + this._part)
    return this._ask('PATCH', url, headers, part).then((response) => {
      const next = offsetOf(response)
      if (next <= offset) throw refusal(response.status, 'the server stored nothing')
      if (this._options.chunkSize === undefined && Date.now() - began < FAST)
        this._part = Math.min(MOST, this._part * 2)
      this._arrived(next)
    })
  }

  /** Answers with a status below 300; throws otherwise. */
  private _ask(method: string, url: string, more: HeaderMap = {}, body: Blob | null = null): Promise<Response> {
    const controller = new AbortController()
    if (method !== 'DELETE') this._controller = controller
    const { headers } = this._options
    return Promise.resolve(typeof headers === 'function' ? headers() : headers)
      .then((own) =>
        this._runtime.fetch(url, {
          method,
          headers: { ...own, 'tus-resumable': '1.0.0', ...more },
          body,
          signal: controller.signal,
        }),
      )
      .then((response) => {
        if (response.ok) return response
        return response.text().then((text) => {
          throw refusal(response.status, text || `the server answered ${response.status}`)
        })
      })
  }

  /** Rejects when there is no hope; resolves after a pause otherwise. The server is asked again where it is. */
  private _failed(error: unknown): Promise<void> {
    this._known = false
    // We cut it off ourselves: the next turn knows why.
    if (this._paused || this._cancelled) return Promise.resolve()
    const { name, status } = error as Partial<UploadRefusal>
    if (name === 'TimeoutError') this._part = Math.max(LEAST, this._part >> 1)
    if (status === 404 || status === 410) {
      // Expired, or finished and forgotten: begin anew, but not for ever.
      this._forget()
      this._url = null
    }
    const isOnce = status === 401 || status === 403 || status === 404 || status === 410
    if (isOnce && this._refusals++ > 0) return Promise.reject(error)
    // A conflict over the place is settled by asking for it; one over the name stays.
    const isFinal = !PASSING.test(String(status)) || (status === 409 && this._url === null)
    if (status !== undefined && !isOnce && isFinal) return Promise.reject(error)
    const { connectivity } = this._runtime
    const isAway = Reflect.get(Object(error), 'interrupted') === true || connectivity.isHidden || !connectivity.isOnline
    if (isAway || isOnce) return Promise.resolve()
    if (++this._failures >= (this._options.attempts ?? 8)) return Promise.reject(error)
    this._tell('waiting')
    const delay = Math.min(30_000, 250 * 2 ** this._failures) * (0.75 + Math.random() / 2)
    return this._pauseUntil(new Promise<void>((resolve) => setTimeout(resolve, delay)))
  }

  /** Until then, or until somebody pauses, resumes, cancels, or the network is there again. */
  private _pauseUntil(then: Promise<unknown> | null): Promise<void> {
    return new Promise((resolve) => {
      const stop = this._runtime.connectivity.onWake(() => then && go())
      const go = () => {
        stop()
        resolve()
      }
      this._wake = go
      if (then) void then.then(go)
    })
  }

  private _arrived(offset: number): void {
    this.offset = offset
    this._known = true
    this._options.onProgress?.({ loaded: offset, total: this.size })
  }

  private _tell(state: UploadState): void {
    if (this.state === state || this._isOver()) return
    this.state = state
    this._options.onState?.(state)
  }

  private _end<Answer>(state: UploadState, answer: Answer): Answer {
    if (state !== 'failed') this._forget()
    this.state = state
    this._options.onState?.(state)
    return answer
  }

  private _kept(): Record<string, [url: string, since: number]> {
    try {
      // Written below; anything else has no entries that are looked for.
      return JSON.parse(this._runtime.localStorage.getItem(STORE) ?? '{}') as ReturnType<Upload['_kept']>
    } catch {
      return {}
    }
  }

  private _recall(): string | null {
    const entry = this._key === null ? undefined : this._kept()[this._key]
    return entry && entry[1] > Date.now() - KEPT ? entry[0] : null
  }

  private _remember(url: string | null): void {
    if (this._key === null) return
    const kept = this._kept()
    for (const name of Object.keys(kept)) if ((kept[name]?.[1] ?? 0) < Date.now() - KEPT) delete kept[name]
    if (url === null) delete kept[this._key]
    else kept[this._key] = [url, Date.now()]
    try {
      this._runtime.localStorage.setItem(STORE, JSON.stringify(kept))
    } catch {
      // Full: then this upload is not found again after a restart, and that is all.
    }
  }

  private _forget(): void {
    if (this._recall() !== null) this._remember(null)
  }
}

function offsetOf(response: Response): number {
  const text = response.headers.get('upload-offset') ?? ''
  if (!/^\d+$/.test(text)) throw refusal(response.status, 'the server did not say where it is')
  return Number(text)
}

const refusal = (status: number, message: string): UploadRefusal => Object.assign(new Error(message), { status })
