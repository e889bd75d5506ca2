/** Response. */
import { typeError } from '../core/errors.ts'
import { lazy } from '../core/lazy.ts'
import type { URL } from '../url/url.ts'
import { Body, type BodyInit } from './body.ts'
import { Headers, type HeadersInit } from './headers.ts'

export interface ResponseInit {
  readonly status?: number
  readonly statusText?: string
  readonly headers?: HeadersInit
}

/** Statuses whose messages have no body. */
const isEmpty = (status: number): boolean =>
  status === 101 || status === 103 || status === 204 || status === 205 || status === 304

/** An answer. */
export class Response extends Body {
  readonly status: number
  readonly statusText: string
  readonly url: string = ''
  readonly redirected: boolean = false
  readonly type: string = 'default'

  constructor(body?: BodyInit | null, init: ResponseInit = {}) {
    const status = init.status ?? 200
    if (!(status >= 200 && status <= 599)) throw new RangeError(`${status} is not a status of a response`)
    if (isEmpty(status) && body !== undefined && body !== null)
      throw typeError(`a ${status} response cannot have a body`)
    super(new Headers(init.headers), body)
    this.status = status
    this.statusText = init.statusText ?? ''
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300
  }

  clone(): Response {
    return lazy._files()._cloneResponse(this)
  }

  static error(): Response {
    return lazy._files()._errorResponse()
  }

  static redirect(url: string | URL, status?: number): Response {
    return lazy._files()._redirectResponse(url, status)
  }

  static json(data: unknown, init?: ResponseInit): Response {
    return lazy._files()._jsonResponse(data, init)
  }
}

/** The answer of the network. */
export function networkResponse(
  body: BodyInit | null,
  status: number,
  about: { headers: Headers; url: string },
): Response {
  const response = new Response(isEmpty(status) ? null : body, {
    status: status >= 200 && status <= 599 ? status : 200,
  })
  return Object.assign(response, { status, headers: about.headers, url: about.url, type: 'basic' })
}
