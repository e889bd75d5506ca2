/** What Request and Response share: a body of any kind, read once. */
import { bufferOf, concat, scalarValues, utf8Decode, utf8Encode, viewOf } from '../core/bytes.ts'
import { typeError } from '../core/errors.ts'
import { lazy } from '../core/lazy.ts'
import { isBlob, isForm, isStream } from '../core/marks.ts'
import { URLSearchParams } from '../url/search-params.ts'
import type { Blob } from './files.ts'
import type { FormData } from './form-data.ts'
import type { Headers } from './headers.ts'
import type { ReadableStream } from './stream.ts'

/** A body as it is kept: text stays text and files stay unread until someone wants their bytes. */
export type Content = null | string | Uint8Array<ArrayBuffer> | Blob | ReadableStream

export type BodyInit = string | ArrayBuffer | ArrayBufferView | Blob | FormData | URLSearchParams | ReadableStream

export const readAlready = (): TypeError => typeError('the body was read already')

/** A body as given, and the content type it implies. */
export function contentOf(init: unknown): { content: Content; type: string } {
  if (init === undefined || init === null) return { content: null, type: '' }
  if (isStream(init)) {
    if (init.locked || init._disturbed) throw readAlready()
    return { content: init, type: '' }
  }
  if (isBlob(init)) return { content: init, type: init.type }
  if (isForm(init)) {
    const blob = lazy._files()._toMultipart(init)
    return { content: blob, type: blob.type }
  }
  const view = viewOf(init)
  if (view) return { content: new Uint8Array(view), type: '' }
  const isQuery = init instanceof URLSearchParams
  const type = isQuery ? 'application/x-www-form-urlencoded' : 'text/plain'
  return { content: scalarValues(init), type: `${type};charset=UTF-8` }
}

/** The bytes of a body. */
export function bytesOf(content: Content): Promise<Uint8Array<ArrayBuffer>> {
  if (content === null) return Promise.resolve(new Uint8Array(0))
  if (typeof content === 'string') return Promise.resolve(utf8Encode(content))
  if (content instanceof Uint8Array) return Promise.resolve(content)
  return isBlob(content) ? content.bytes() : lazy._files()._readAll(content).then(concat)
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
    this._form = isForm(init) ? init : null
  }

  get bodyUsed(): boolean {
    const stream = isStream(this._content) ? this._content : this._stream
    return this._used || stream?._disturbed === true
  }

  get body(): ReadableStream | null {
    const content = this._content
    if (content === null || isStream(content)) return content
    this._stream ??= new (lazy._files().ReadableStream)({
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
    if (isStream(content) && content.locked) return Promise.reject(typeError('the body is locked'))
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
    return this.bytes().then((bytes) => new (lazy._files().Blob)([bytes], { type: this._type() }))
  }

  formData(): Promise<FormData> {
    return this.bytes().then((bytes) => lazy._files()._parseForm(bytes, this._type()))
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
}
