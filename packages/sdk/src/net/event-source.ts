/** EventSource over chunked answers of `wx.request`: reconnects with Last-Event-ID, at once when the app comes back. */

import type { Response } from '../body/response.ts'
import type { StreamReader } from '../body/stream.ts'
import { AbortController } from '../core/abort.ts'
import type { TextDecoder } from '../core/encoding.ts'
import { DOMException } from '../core/errors.ts'
import { Event, EventTarget, eventWith } from '../core/events.ts'
import { lazy } from '../core/lazy.ts'
import { cancel, later } from '../core/platform.ts'
import { URL } from '../url/url.ts'
import type { Connectivity } from './connectivity.ts'
import type { Fetch } from './fetch.ts'
import { createSseParser, type SseParser } from './sse.ts'

export interface EventSourceInit {
  readonly withCredentials?: boolean
  /** Not of the standard: more headers, `Authorization` above all. */
  readonly headers?: Readonly<Record<string, string>>
}

type Handler = ((event: Event) => unknown) | null

/** The time until a reconnection, until the server says another. */
const RETRY = 3_000
/** Devices end an answer after 60 s unless more is asked for; some do so anyway, and then we reconnect. */
const TIMEOUT = 10 * 60_000

export interface EventSourceParts {
  readonly fetch: Fetch
  readonly connectivity: Connectivity
}

/** Listens to an event stream. */
class Events extends EventTarget {
  static readonly CONNECTING = 0 as const
  static readonly OPEN = 1 as const
  static readonly CLOSED = 2 as const
  readonly CONNECTING = 0
  readonly OPEN = 1
  readonly CLOSED = 2
  readonly url: string
  readonly withCredentials: boolean
  readyState = 0
  onopen: Handler = null
  onmessage: Handler = null
  onerror: Handler = null
  private _headers: Readonly<Record<string, string>>
  private _retry = RETRY
  private _lastEventId = ''
  private _timer: unknown = null
  private _connection: AbortController | null = null
  private _unwatch: () => void

  private _parts: EventSourceParts

  constructor(parts: EventSourceParts, url: string | URL, init: EventSourceInit = {}) {
    super()
    this._parts = parts
    const { connectivity } = parts
    const parsed = URL.parse(url)
    if (!parsed) throw new DOMException('EventSource: invalid URL', 'SyntaxError')
    this.url = parsed.href
    this.withCredentials = init.withCredentials === true
    this._headers = init.headers ?? {}
    const stopWake = connectivity.onWake(() => this._connect())
    const stopShow = connectivity.onShow(() => this._timer !== null && this._connect())
    this._unwatch = () => {
      stopWake()
      stopShow()
    }
    this._connect()
  }

  close(): void {
    this.readyState = 2
    this._drop()
    this._unwatch()
  }

  /** Ends the connection there is; nothing of it arrives any more. */
  private _drop(): void {
    if (this._timer !== null) cancel(this._timer)
    this._timer = null
    const old = this._connection
    this._connection = null
    old?.abort()
  }

  private _connect(): void {
    if (this.readyState === 2) return
    const wasOpen = this.readyState === 1
    this._drop()
    this.readyState = 0
    if (wasOpen) this.dispatchEvent(new Event('error'))
    // The listener of `error` may have closed us.
    if (this.readyState !== 0) return
    const connection = new AbortController()
    this._connection = connection
    const headers: Record<string, string> = {
      accept: 'text/event-stream',
      'cache-control': 'no-store',
      ...this._headers,
    }
    // A header holds bytes: ids beyond Latin-1 cannot go back.
    if (this._lastEventId !== '' && !/[^\t\x20-\xff]/.test(this._lastEventId))
      headers['last-event-id'] = this._lastEventId
    const mine = () => this._connection === connection
    this._parts.fetch(this.url, { headers, signal: connection.signal, stream: true, timeout: TIMEOUT }).then(
      (response) => mine() && this._answered(response, mine),
      () => mine() && this._reconnect(),
    )
  }

  private _answered(response: Response, mine: () => boolean): void {
    const type = response.headers.get('content-type') ?? ''
    if (response.status !== 200 || !/^text\/event-stream\b/i.test(type) || !response.body) {
      this._fail()
      return
    }
    this.readyState = 1
    this.dispatchEvent(new Event('open'))
    const parser = createSseParser({
      lastEventId: this._lastEventId,
      onEvent: ({ type, data, lastEventId }) => {
        this._lastEventId = lastEventId
        const { origin } = new URL(this.url)
        if (mine()) this.dispatchEvent(eventWith(type, { data, lastEventId, origin }))
      },
      onRetry: (delay) => {
        this._retry = delay
      },
    })
    if (mine()) this._read(response.body.getReader(), { parser, decoder: new (lazy._extras().TextDecoder)(), mine })
  }

  private _read(reader: StreamReader, how: { parser: SseParser; decoder: TextDecoder; mine: () => boolean }): void {
    const { parser, decoder, mine } = how
    reader.read().then(
      (result) => {
        if (!mine()) return
        if (result.done) return this._reconnect()
        parser.push(decoder.decode(result.value, { stream: true }))
        this._lastEventId = parser.lastEventId
        this._read(reader, how)
      },
      () => mine() && this._reconnect(),
    )
  }

  private _reconnect(): void {
    this._drop()
    this.readyState = 0
    this.dispatchEvent(new Event('error'))
    if (this.readyState === 0) this._timer = later(() => this._connect(), this._retry)
  }

  /** The server's answer is no event stream: that does not get better by asking again. */
  private _fail(): void {
    this.close()
    this.dispatchEvent(new Event('error'))
  }
}

export interface EventSourceConstructor {
  new (url: string | URL, init?: EventSourceInit): Events
  readonly CONNECTING: 0
  readonly OPEN: 1
  readonly CLOSED: 2
}

/** The class as code expects it, over a fetch. */
export function buildEventSource(parts: EventSourceParts): EventSourceConstructor {
  return class extends Events {
    constructor(url: string | URL, init?: EventSourceInit) {
      super(parts, url, init)
    }
  }
}

export { Events as EventSource }
