/** Request. */
import { AbortController, type AbortSignal, onAbort } from '../core/abort.ts'
import { typeError } from '../core/errors.ts'
import { lazy } from '../core/lazy.ts'
import { URL } from '../url/url.ts'
import { Body, type BodyInit } from './body.ts'
import type { Progress } from './files.ts'
import { Headers, type HeadersInit } from './headers.ts'

export interface RequestInit {
  readonly method?: string
  readonly headers?: HeadersInit
  readonly body?: BodyInit | null
  readonly signal?: AbortSignal | null
  readonly redirect?: 'follow' | 'error' | 'manual'
  readonly keepalive?: boolean
  readonly cache?: string
  readonly credentials?: string
  readonly mode?: string
  /** Not of the standard. Give the answer before its body is complete, and the body as it comes. Default: for event streams. */
  readonly stream?: boolean
  /** Not of the standard. Milliseconds; default: the mini-program's `networkTimeout.request`, at most 60 s on most devices. */
  readonly timeout?: number
  /** Not of the standard. How far the upload is: in steps for a single file sent by path, else once at its end. */
  readonly onUploadProgress?: (progress: Progress) => void
}

const KNOWN = /^(delete|get|head|options|post|put)$/i

function methodOf(value: string): string {
  const method = String(value)
  if (!/^[!#$%&'*+\-.^_`|~\da-z]+$/i.test(method) || /^(connect|trace|track)$/i.test(method))
    throw typeError(`"${method}" is not a method that can be sent`)
  // The standard normalises six names; `patch` would stay as it is and fail at servers, so it is one more here.
  return KNOWN.test(method) || /^patch$/i.test(method) ? method.toUpperCase() : method
}

/** A request to be sent. */
export class Request extends Body {
  readonly url: string
  readonly method: string
  readonly signal: AbortSignal
  readonly redirect: 'follow' | 'error' | 'manual'
  readonly keepalive: boolean
  readonly cache: string
  readonly credentials: string
  readonly mode: string
  /** Stops following the signal it was given: that one may outlive many requests. */
  readonly _release: () => void
  readonly _extra: Pick<RequestInit, 'stream' | 'timeout' | 'onUploadProgress'>

  constructor(input: Request | URL | string, init: RequestInit = {}) {
    const from = input instanceof Request ? input : null
    const method = methodOf(init.method ?? from?.method ?? 'GET')
    const hasBody = init.body !== undefined && init.body !== null
    if ((hasBody || (from && from._content !== null && init.body === undefined)) && /^(GET|HEAD)$/.test(method))
      throw typeError(`a ${method} request cannot have a body`)
    super(new Headers(init.headers ?? from?.headers), init.body)
    if (from && init.body === undefined) this._take(from)
    this.url = from ? from.url : urlOf(input)
    this.method = method
    const controller = new AbortController()
    this.signal = controller.signal
    this._release = follow(init.signal === undefined ? from?.signal : init.signal, controller)
    const option = <Value>(name: keyof RequestInit & keyof Request, otherwise: Value): Value =>
      // Both have it by the same type.
      ((init[name] ?? from?.[name]) as Value | undefined) ?? otherwise
    this.redirect = option('redirect', 'follow')
    this.keepalive = option('keepalive', false)
    this.cache = option('cache', 'default')
    this.credentials = option('credentials', 'same-origin')
    this.mode = option('mode', 'cors')
    this._extra = { ...from?._extra, ...init }
  }

  clone(): Request {
    return lazy._files()._cloneRequest(this)
  }
}

function urlOf(input: unknown): string {
  const url = new URL(String(input))
  if (url.username !== '' || url.password !== '') throw typeError('a URL with credentials cannot be fetched')
  return url.href
}

/** Aborts the controller with the given signal; the answer ends that. */
function follow(signal: AbortSignal | null | undefined, controller: AbortController): () => void {
  if (signal?.aborted) controller.abort(signal.reason)
  return onAbort(signal, () => controller.abort(signal?.reason))
}
