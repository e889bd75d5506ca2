/** What Request and Response share: a body of any kind, read once. */
import { bufferOf, concat, scalarValues, utf8Encode, viewOf } from '../core/bytes.ts'
import { utf8Decode } from '../core/encoding.ts'
import { typeError } from '../core/errors.ts'
import { URLSearchParams } from '../url/search-params.ts'
import { Blob } from './files.ts'
import { FormData, parseForm, toMultipart } from './form-data.ts'
import type { Headers } from './headers.ts'
import { ReadableStream, readAll } from './stream.ts'

/** A body as it is kept: text stays text and files stay unread until someone wants their bytes. */
export type Content = null | string | Uint8Array<ArrayBuffer> | Blob | ReadableStream

export type BodyInit = string | ArrayBuffer | ArrayBufferView | Blob | FormData | URLSearchParams | ReadableStream

const readAlready = (): TypeError => typeError('the body was read already')

/** A body as given, and the content type it implies. */
export function contentOf(init: unknown): { content: Content; type: string } {
  if (init === undefined || init === null) return { content: null, type: '' }
  if (init instanceof ReadableStream) {
    if (init.locked || init._disturbed) throw typeError('the stream was read already')
    return { content: init, type: '' }
  }
  if (init instanceof Blob) return { content: init, type: init.type }
  if (init instanceof FormData) {
    const blob = toMultipart(init)
    return { content: blob, type: blob.type }
  }
  const view = viewOf(init)
  if (view) return { content: new Uint8Array(view), type: '' }
  const isForm = init instanceof URLSearchParams
  const type = isForm ? 'application/x-www-form-urlencoded' : 'text/plain'
  return { content: scalarValues(init), type: `${type};charset=UTF-8` }
}

/** The bytes of a body. */
export function bytesOf(content: Content): Promise<Uint8Array<ArrayBuffer>> {
  if (content === null) return Promise.resolve(new Uint8Array(0))
  if (typeof content === 'string') return Promise.resolve(utf8Encode(content))
  if (content instanceof Uint8Array) return Promise.resolve(content)
  return content instanceof Blob ? content.bytes() : readAll(content).then(concat)
}

/** A message with headers and a body. */
export abstract class Body {
  readonly headers: Headers
  _content: Content
  /** The form that the body was made of: `wx.uploadFile` takes its parts, not its bytes. */
  _form: FormData | null
  private _used = false
  private _stream: ReadableStream | null = null

  constructor(headers: Headers, init: unknown) {
    const { content, type } = contentOf(init)
    this.headers = headers
    this._content = content
    if (type !== '' && !headers.has('content-type')) headers.set('content-type', type)
    this._form = init instanceof FormData ? init : null
  }

  get bodyUsed(): boolean {
    const stream = this._content instanceof ReadableStream ? this._content : this._stream
    return this._used || stream?._disturbed === true
  }

  get body(): ReadableStream | null {
    const content = this._content
    if (content === null || content instanceof ReadableStream) return content
    this._stream ??= new ReadableStream({
      pull: (controller) =>
        bytesOf(content).then((bytes) => {
          if (bytes.length > 0) controller.enqueue(bytes)
          controller.close()
        }),
    })
    return this._stream
  }

  bytes(): Promise<Uint8Array<ArrayBuffer>> {
    if (this.bodyUsed || this._stream?.locked === true) return Promise.reject(readAlready())
    const content = this._content
    if (content instanceof ReadableStream && content.locked) return Promise.reject(typeError('the body is locked'))
    // Without a body there is nothing to use up.
    this._used = content !== null
    return bytesOf(content)
  }

  arrayBuffer(): Promise<ArrayBuffer> {
    return this.bytes().then(bufferOf)
  }

  text(): Promise<string> {
    return this.bytes().then(utf8Decode)
  }

  json(): Promise<unknown> {
    return this.text().then((text) => JSON.parse(text))
  }

  blob(): Promise<Blob> {
    return this.bytes().then((bytes) => new Blob([bytes], { type: this._type() }))
  }

  formData(): Promise<FormData> {
    return this.bytes().then((bytes) => parseForm(bytes, this._type()))
  }

  /** Moves a body here: the other message has been read then. */
  _take(from: Body): void {
    if (from.bodyUsed) throw readAlready()
    this._content = from._content
    this._form = from._form
    from._used = from._content !== null
  }

  private _type(): string {
    return this.headers.get('content-type') ?? ''
  }

  /** The body for a clone; a stream is split in two. */
  _cloneContent(): Content {
    if (this.bodyUsed) throw readAlready()
    if (!(this._content instanceof ReadableStream)) return this._content
    const branches = this._content.tee()
    this._content = branches[0]
    return branches[1]
  }
}
