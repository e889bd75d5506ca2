/** WebSocket over SocketTask: keeps its own state, ignores what a dead task still says, and knows when a connection must be dead. */

import type { Blob } from '../body/files.ts'
import { bufferOf, isBuffer, scalarValues, utf8Encode, viewOf } from '../core/bytes.ts'
import { DOMException } from '../core/errors.ts'
import { Event, EventTarget, eventWith } from '../core/events.ts'
import { lazy } from '../core/lazy.ts'
import { isBlob } from '../core/marks.ts'
import { cancel, later, now, type Wx, type WxSocketTask } from '../core/platform.ts'
import { URL } from '../url/url.ts'
import type { Connectivity } from './connectivity.ts'

export interface SocketOptions {
  /**
   * Milliseconds after which a connection on which nothing arrived counts as dead, by the wall clock: timers stand still in
   * the background. For protocols whose server speaks at least this often; default: never.
   */
  readonly idleTimeout?: number
  /** Sent with the handshake. Default: none. */
  readonly headers?: Readonly<Record<string, string>>
}

export interface SocketParts {
  readonly wx: Wx
  readonly connectivity: Connectivity
  readonly options: SocketOptions
  /** The one socket of this class that is open: WeChat allows five in all, and a forgotten one counts. */
  readonly current: { socket: Socket | null }
}

type Handler = ((event: Event) => unknown) | null

const TOKEN = /^[!#$%&'*+\-.^_`|~\da-z]+$/i

function addressOf(url: string | URL): string {
  const parsed = URL.parse(url)
  const scheme = parsed?.protocol.replace(/^http/, 'ws') ?? ''
  if (!parsed || !/^wss?:$/.test(scheme) || parsed.hash !== '')
    throw new DOMException('WebSocket: the URL must be ws or wss, without fragment', 'SyntaxError')
  return scheme + parsed.href.slice(parsed.protocol.length)
}

/** A connection. Opening another one of the same class closes this one. */
class Socket extends EventTarget {
  static readonly CONNECTING = 0 as const
  static readonly OPEN = 1 as const
  static readonly CLOSING = 2 as const
  static readonly CLOSED = 3 as const
  readonly CONNECTING = 0
  readonly OPEN = 1
  readonly CLOSING = 2
  readonly CLOSED = 3
  readonly url: string
  protocol = ''
  readonly extensions: string = ''
  binaryType: 'blob' | 'arraybuffer' = 'blob'
  readyState = 0
  bufferedAmount = 0
  onopen: Handler = null
  onmessage: Handler = null
  onerror: Handler = null
  onclose: Handler = null
  private _parts: SocketParts
  private _task: WxSocketTask
  private _lastSign = now()
  private _timer: unknown = null
  private _unwatch: () => void

  constructor(parts: SocketParts, url: string | URL, protocols: string | readonly string[] = []) {
    super()
    this._parts = parts
    this.url = addressOf(url)
    const list = typeof protocols === 'string' ? [protocols] : protocols.slice()
    if (list.some((name, at) => !TOKEN.test(name) || list.indexOf(name) !== at))
      throw new DOMException('WebSocket: invalid protocols', 'SyntaxError')
    const { current, connectivity } = parts
    current.socket?._end(1001, 'replaced')
    current.socket = this
    this._unwatch = connectivity.onWake(() => this._end(1006, ''))
    this._task = this._open(list)
  }

  send(data: string | ArrayBuffer | ArrayBufferView | Blob): void {
    if (this.readyState === 0) throw new DOMException('WebSocket: still connecting', 'InvalidStateError')
    if (isBlob(data)) {
      void data.arrayBuffer().then((buffer) => this._send(buffer))
      return
    }
    const view = viewOf(data)
    this._send(view ? bufferOf(view) : scalarValues(data))
  }

  close(code?: number, reason = ''): void {
    if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999))
      throw new DOMException(`WebSocket: ${code} is not a code for closing`, 'InvalidAccessError')
    if (utf8Encode(reason).length > 123) throw new DOMException('WebSocket: the reason is too long', 'SyntaxError')
    if (this.readyState >= 2) return
    this.readyState = 2
    this._closeTask(code ?? 1000, reason)
    // A phone may never say that a socket is closed; nobody waits longer than this for it.
    this._startTimer(() => this._end(1006, ''), 3_000)
  }

  /** The connection is over, whatever its task thinks. Tells once. */
  _end(code: number, reason: string): void {
    const { readyState } = this
    if (readyState === 3) return
    if (readyState < 2) this._closeTask(1000, '')
    this.readyState = 3
    this._stopTimer()
    this._unwatch()
    const { current } = this._parts
    if (current.socket === this) current.socket = null
    // In a turn of its own: the caller may be the constructor of the next socket.
    later(() => {
      const wasClean = code !== 1006
      if (!wasClean) this.dispatchEvent(new Event('error'))
      this.dispatchEvent(eventWith('close', { code, reason, wasClean }))
    }, 0)
  }

  private _open(protocols: string[]): WxSocketTask {
    const { wx, options } = this._parts
    const task = wx.connectSocket({
      url: this.url,
      ...(protocols.length > 0 ? { protocols } : {}),
      ...(options.headers ? { header: { ...options.headers } } : {}),
      fail: () => this._end(1006, ''),
    })
    // One task for one object: what a task says after `_end` finds readyState 3 and is ignored.
    task.onOpen(({ header }) => {
      if (this.readyState === 3) return task.close({})
      if (this.readyState !== 0) return
      const name = Object.keys(header ?? {}).find((key) => key.toLowerCase() === 'sec-websocket-protocol')
      this.protocol = name === undefined ? '' : String(header?.[name])
      this.readyState = 1
      this._alive()
      this.dispatchEvent(new Event('open'))
    })
    task.onMessage(({ data }) => {
      if (this.readyState !== 1) return
      this._alive()
      this.dispatchEvent(eventWith('message', { data: this._incoming(data), origin: new URL(this.url).origin }))
    })
    task.onClose(({ code, reason }) => this._end(code ?? 1005, reason ?? ''))
    task.onError(() => this._end(1006, ''))
    return task
  }

  private _incoming(data: string | ArrayBuffer): string | ArrayBuffer | Blob {
    return isBuffer(data) && this.binaryType === 'blob' ? new (lazy._files().Blob)([data]) : data
  }

  private _send(data: string | ArrayBuffer): void {
    const size = typeof data === 'string' ? utf8Encode(data).length : data.byteLength
    // By the standard the amount grows even when the connection is gone already.
    this.bufferedAmount += size
    if (this.readyState !== 1) return
    this._task.send({
      data,
      success: () => {
        this.bufferedAmount -= size
      },
      fail: () => this._end(1006, ''),
    })
  }

  private _closeTask(code: number, reason: string): void {
    // Absent when the constructor has not got it yet.
    this._task?.close({ code, reason })
  }

  /** Something arrived. */
  private _alive(): void {
    this._lastSign = now()
    const { idleTimeout } = this._parts.options
    if (idleTimeout !== undefined && this._timer === null) this._watch(idleTimeout)
  }

  private _watch(idleTimeout: number): void {
    const left = this._lastSign + idleTimeout - now()
    if (left <= 0) this._end(1006, '')
    else this._startTimer(() => this._watch(idleTimeout), left)
  }

  private _startTimer(run: () => void, delay: number): void {
    this._stopTimer()
    this._timer = later(run, delay)
  }

  private _stopTimer(): void {
    if (this._timer !== null) cancel(this._timer)
    this._timer = null
  }
}

export interface WebSocketConstructor {
  new (url: string | URL, protocols?: string | readonly string[]): Socket
  readonly CONNECTING: 0
  readonly OPEN: 1
  readonly CLOSING: 2
  readonly CLOSED: 3
}

/** The class as code expects it. Each call makes a class of its own, with one socket at a time. */
export function buildWebSocket(parts: Omit<SocketParts, 'current'>): WebSocketConstructor {
  const all: SocketParts = { ...parts, current: { socket: null } }
  return class extends Socket {
    constructor(url: string | URL, protocols?: string | readonly string[]) {
      super(all, url, protocols)
    }
  }
}

export { Socket as WebSocket }
