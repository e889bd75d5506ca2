/** What is seldom asked of messages: copies of them, and responses that no network sent. */
import { typeError } from '../core/errors.ts'
import { isStream } from '../core/marks.ts'
import { URL } from '../url/url.ts'
import { type Body, type Content, readAlready } from './body.ts'
import { Headers } from './headers.ts'
import { Request } from './request.ts'
import { Response, type ResponseInit } from './response.ts'

/** The body for a clone; a stream is split in two. */
function contentFor(message: Body): Content {
  if (message.bodyUsed) throw readAlready()
  if (!isStream(message._content)) return message._content
  const branches = message._content.tee()
  message._content = branches[0]
  return branches[1]
}

export function cloneRequest(request: Request): Request {
  const { _content, _form } = request
  const body = contentFor(request)
  const copy = new Request(request, { body: null })
  copy._content = _content === null ? null : body
  copy._form = _form
  return copy
}

export function cloneResponse(response: Response): Response {
  const body = contentFor(response)
  const { status, statusText, headers, url, redirected, type } = response
  // The network may answer a status that nobody can ask for.
  const copy = new Response(null, { statusText, headers })
  copy._content = body
  return Object.assign(copy, { status, url, redirected, type })
}

export const errorResponse = (): Response => Object.assign(new Response(), { status: 0, type: 'error' })

export function redirectResponse(url: string | URL, status = 302): Response {
  if ([301, 302, 303, 307, 308].indexOf(status) < 0) throw new RangeError(`${status} is not a redirect`)
  return new Response(null, { status, headers: { location: new URL(url).href } })
}

export function jsonResponse(data: unknown, init: ResponseInit = {}): Response {
  const text: unknown = JSON.stringify(data)
  if (typeof text !== 'string') throw typeError('this value has no JSON form')
  const headers = new Headers(init.headers)
  if (!headers.has('content-type')) headers.set('content-type', 'application/json')
  return new Response(text, { ...init, headers })
}
