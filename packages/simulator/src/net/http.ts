/** HTTP as a phone does it, on node:http: exact headers, redirects, progress, streaming, no CORS and no cookie jar. */
import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import type { HeaderList, HttpCall, HttpEvents } from '../wx/host.ts'

const MAX_REDIRECTS = 20
const UPLOAD_CHUNK = 64 * 1024

/** The network's complaint in the words of the platform's own stack. */
export function networkError(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const names: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'net::ERR_CONNECTION_REFUSED',
    ECONNRESET: 'net::ERR_CONNECTION_RESET',
    ENOTFOUND: 'net::ERR_NAME_NOT_RESOLVED',
    EAI_AGAIN: 'net::ERR_NAME_NOT_RESOLVED',
    ETIMEDOUT: 'net::ERR_CONNECTION_TIMED_OUT',
    EHOSTUNREACH: 'net::ERR_ADDRESS_UNREACHABLE',
  }
  if (names[code]) return names[code]
  if (/CERT|SSL|TLS/.test(code)) return `net::ERR_CERT_AUTHORITY_INVALID (${code})`
  return error instanceof Error ? error.message : String(error)
}

function pairs(raw: readonly string[]): [string, string][] {
  const list: [string, string][] = []
  for (let at = 0; at + 1 < raw.length; at += 2) list.push([raw[at] ?? '', raw[at + 1] ?? ''])
  return list
}

function decoder(response: IncomingMessage): Transform | null {
  switch (response.headers['content-encoding']) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip()
    case 'br':
      return createBrotliDecompress()
    case 'deflate':
      return createInflate()
    default:
      return null
  }
}

/** Starts an exchange. Events come in order; after `end` or `error` none follow. */
export function startHttp(call: HttpCall, events: HttpEvents): { abort(): void } {
  const exchange = new Exchange(events)
  exchange.start(call, MAX_REDIRECTS)
  return { abort: () => exchange.abort() }
}

class Exchange {
  readonly #events: HttpEvents
  #request: ClientRequest | null = null
  #over = false

  constructor(events: HttpEvents) {
    this.#events = events
  }

  abort(): void {
    this.#over = true
    this.#request?.destroy()
  }

  start(call: HttpCall, redirects: number): void {
    try {
      const url = new URL(call.url)
      const options: RequestOptions = { method: call.method, headers: headersOf(call) }
      const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options)
      this.#request = request
      request.on('response', (response) => this.#respond(call, response, redirects))
      request.on('error', (error) => this.#fail(error))
      void this.#send(request, call.body)
    } catch (error) {
      // Reported like a network failure, in a later turn.
      setTimeout(() => this.#fail(error), 0)
    }
  }

  async #send(request: ClientRequest, body: Uint8Array | null): Promise<void> {
    if (body) {
      for (let at = 0; at < body.length && !this.#over; at += UPLOAD_CHUNK) {
        const chunk = body.subarray(at, at + UPLOAD_CHUNK)
        // Waiting for each chunk to leave makes the progress events tell the truth.
        await new Promise<void>((resolve) => request.write(Buffer.from(chunk), () => resolve()))
        if (!this.#over) this.#events.sent(Math.min(at + UPLOAD_CHUNK, body.length), body.length)
      }
    }
    request.end()
  }

  #respond(call: HttpCall, response: IncomingMessage, redirects: number) {
    if (this.#over) return
    const status = response.statusCode ?? 0
    const location = response.headers.location
    if (call.redirect === 'follow' && location !== undefined && [301, 302, 303, 307, 308].includes(status)) {
      response.resume()
      if (redirects === 0) return this.#fail(new Error('net::ERR_TOO_MANY_REDIRECTS'))
      return this.start(redirected(call, status, location), redirects - 1)
    }
    this.#events.head(status, pairs(response.rawHeaders))
    const decode = decoder(response)
    const body = decode ? response.pipe(decode) : response
    body.on('data', (chunk: Buffer) => {
      if (!this.#over) this.#events.data(chunk)
    })
    body.on('end', () => {
      if (this.#over) return
      this.#over = true
      this.#events.end()
    })
    body.on('error', (error) => this.#fail(error))
    response.on('error', (error) => this.#fail(error))
  }

  #fail(error: unknown): void {
    if (this.#over) return
    this.#over = true
    this.#events.error(networkError(error))
  }
}

function headersOf(call: HttpCall): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {}
  for (const [name, value] of call.headers) headers[name] = encodeHeader(value)
  if (!call.headers.some(([name]) => name.toLowerCase() === 'accept-encoding'))
    headers['Accept-Encoding'] = 'gzip, deflate, br'
  if (call.body) headers['Content-Length'] = String(call.body.length)
  return headers
}

/** Header values outside Latin-1 would throw; phones send their UTF-8 bytes. */
const encodeHeader = (value: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is Latin-1
  /^[\u0000-\u00ff]*$/.test(value) ? value : Buffer.from(value, 'utf8').toString('latin1')

function redirected(call: HttpCall, status: number, location: string): HttpCall {
  const url = new URL(location, call.url).toString()
  const becomesGet = status === 303 || ((status === 301 || status === 302) && call.method === 'POST')
  if (!becomesGet) return { ...call, url }
  const headers: HeaderList = call.headers.filter(([name]) => !/^content-/i.test(name))
  return { ...call, url, method: 'GET', body: null, headers }
}
