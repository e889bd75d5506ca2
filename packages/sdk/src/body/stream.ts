/** ReadableStream of bytes, as far as response bodies need it: readers, cancel, tee and asynchronous iteration; no transforms, no BYOB. */
import { typeError } from '../core/errors.ts'
import { STREAM } from '../core/marks.ts'
import { named } from '../core/names.ts'

type Chunk = Uint8Array<ArrayBuffer>
export type ReadResult =
  | { readonly done: false; readonly value: Chunk }
  | { readonly done: true; readonly value: undefined }

export interface StreamController {
  enqueue(chunk: Chunk): void
  close(): void
  error(reason: unknown): void
}

export interface StreamSource {
  start?(controller: StreamController): void
  /** Called when a reader waits and nothing is there. */
  pull?(controller: StreamController): Promise<void> | void
  cancel?(reason: unknown): void
}

interface Waiting {
  readonly resolve: (result: ReadResult) => void
  readonly reject: (reason: unknown) => void
}

const DONE: ReadResult = { done: true, value: undefined }

const isLocked = (): TypeError => typeError('the stream is locked to a reader')
const isReleased = (): TypeError => typeError('the reader was released')

/** A stream of byte chunks. What arrives waits in memory: `wx` cannot be slowed down. */
export class ReadableStream {
  locked = false
  readonly _kind = STREAM
  /** Whether anything was read or cancelled: a body's bodyUsed. */
  _disturbed = false
  private _source: StreamSource
  private _chunks: Chunk[] = []
  private _waiting: Waiting[] = []
  private _state: 'open' | 'closed' | 'errored' = 'open'
  private _reason: unknown
  private _pulling = false
  private _controller: StreamController

  constructor(source: StreamSource = {}) {
    this._source = source
    this._controller = {
      enqueue: (chunk) => {
        if (this._state !== 'open') throw typeError('the stream is closed')
        const waiting = this._waiting.shift()
        if (waiting) waiting.resolve({ done: false, value: chunk })
        else this._chunks.push(chunk)
      },
      close: () => {
        this._state = 'closed'
        for (const waiting of this._waiting.splice(0)) waiting.resolve(DONE)
      },
      error: (reason) => this._fail(reason),
    }
    source.start?.(this._controller)
  }

  getReader(): StreamReader {
    if (this.locked) throw isLocked()
    return new StreamReader(this)
  }

  cancel(reason?: unknown): Promise<void> {
    return this.locked ? Promise.reject(isLocked()) : this._cancel(reason)
  }

  tee(): [ReadableStream, ReadableStream] {
    const reader = this.getReader()
    const controllers: StreamController[] = []
    const cancelled = [false, false]
    const each = (run: (controller: StreamController) => void) =>
      controllers.forEach((controller, at) => {
        if (!cancelled[at]) run(controller)
      })
    const branch = (at: number) =>
      new ReadableStream({
        start: (controller) => {
          controllers[at] = controller
        },
        pull: () =>
          reader.read().then(
            (result) => each((one) => (result.done ? one.close() : one.enqueue(result.value.slice()))),
            (reason) => each((one) => one.error(reason)),
          ),
        cancel: (reason) => {
          cancelled[at] = true
          if (cancelled[1 - at]) void reader.cancel(reason)
        },
      })
    return [branch(0), branch(1)]
  }

  [Symbol.asyncIterator](): AsyncIterator<Chunk> {
    const reader = this.getReader()
    return {
      next: () => reader.read() as Promise<IteratorResult<Chunk>>,
      return: () => reader.cancel().then(() => DONE as IteratorResult<Chunk>),
    }
  }

  _read(): Promise<ReadResult> {
    this._disturbed = true
    const chunk = this._chunks.shift()
    if (chunk) return Promise.resolve({ done: false, value: chunk })
    if (this._state === 'closed') return Promise.resolve(DONE)
    if (this._state === 'errored') return Promise.reject(this._reason)
    return new Promise((resolve, reject) => {
      this._waiting.push({ resolve, reject })
      this._pull()
    })
  }

  _cancel(reason: unknown): Promise<void> {
    this._disturbed = true
    if (this._state === 'errored') return Promise.reject(this._reason)
    if (this._state === 'open') {
      this._chunks = []
      this._controller.close()
      this._source.cancel?.(reason)
    }
    return Promise.resolve()
  }

  private _pull(): void {
    if (this._pulling || !this._source.pull) return
    this._pulling = true
    Promise.resolve(this._source.pull(this._controller)).then(
      () => {
        this._pulling = false
        if (this._waiting.length > 0 && this._state === 'open') this._pull()
      },
      (reason) => this._fail(reason),
    )
  }

  private _fail(reason: unknown): void {
    if (this._state !== 'open') return
    this._state = 'errored'
    this._reason = reason
    this._chunks = []
    for (const waiting of this._waiting.splice(0)) waiting.reject(reason)
  }
}

/** Reads a stream; nobody else can meanwhile. */
export class StreamReader {
  private _stream: ReadableStream | null

  constructor(stream: ReadableStream) {
    this._stream = stream
    stream.locked = true
  }

  read(): Promise<ReadResult> {
    return this._stream ? this._stream._read() : Promise.reject(isReleased())
  }

  cancel(reason?: unknown): Promise<void> {
    return this._stream ? this._stream._cancel(reason) : Promise.reject(isReleased())
  }

  releaseLock(): void {
    if (this._stream) this._stream.locked = false
    this._stream = null
  }
}

/** Everything a stream still gives. */
export function readAll(stream: ReadableStream): Promise<Chunk[]> {
  const reader = stream.getReader()
  const chunks: Chunk[] = []
  const next = (): Promise<Chunk[]> =>
    reader.read().then((result) => {
      if (result.done) return chunks
      chunks.push(result.value)
      return next()
    })
  return next()
}

named({ ReadableStream })
