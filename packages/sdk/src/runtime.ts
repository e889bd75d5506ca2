/** The composition root: one set of Web APIs that share a request queue and a view of the app's life. */

import { lazy } from './core/lazy.ts'
import { platform, type Wx } from './core/platform.ts'
import { createStorage, type SessionStorage } from './core/storage.ts'
import { type Connectivity, watchConnectivity } from './net/connectivity.ts'
import type { EventSourceConstructor } from './net/event-source.ts'
import { buildFetch, type Fetch, type FetchOptions } from './net/fetch.ts'
import { Gate } from './net/gate.ts'
import type { SocketOptions, WebSocketConstructor } from './net/web-socket.ts'

export interface RuntimeOptions {
  /** Default: the global `wx`. */
  readonly wx?: Wx
  /** How many requests run at once; default: 10, which is all that WeChat runs. Less when other code calls `wx.request` too. */
  readonly maxRequests?: number
  /** How many of them may be streams and uploads by path; default: 4 less than all, and at least one. */
  readonly maxLongRequests?: number
  readonly fetch?: FetchOptions
  readonly socket?: SocketOptions
}

/** Web APIs over one queue. */
export interface Runtime {
  readonly wx: Wx
  readonly connectivity: Connectivity
  readonly fetch: Fetch
  readonly EventSource: EventSourceConstructor
  readonly WebSocket: WebSocketConstructor
  readonly localStorage: SessionStorage
  /** Another fetch on the same queue. */
  createFetch(options: FetchOptions): Fetch
  /** Another class of sockets, with one socket at a time of its own. */
  createWebSocket(options: SocketOptions): WebSocketConstructor
}

/** Builds the network APIs of a mini-program. One is enough for an app. */
export function createRuntime(options: RuntimeOptions = {}): Runtime {
  const wx = options.wx ?? platform()
  const total = options.maxRequests ?? 10
  const gate = new Gate({ total, long: options.maxLongRequests ?? Math.max(total - 4, 1) })
  const connectivity = watchConnectivity(wx)
  const parts = { wx, gate, connectivity }
  const fetch = buildFetch(parts, options.fetch)
  const createWebSocket = (socket: SocketOptions) =>
    lazy._realtime()._buildWebSocket({ wx, connectivity, options: socket })
  let sources: EventSourceConstructor | null = null
  let sockets: WebSocketConstructor | null = null
  return {
    wx,
    connectivity,
    fetch,
    get EventSource() {
      sources ??= lazy._realtime()._buildEventSource({ fetch, connectivity })
      return sources
    },
    get WebSocket() {
      sockets ??= createWebSocket(options.socket ?? {})
      return sockets
    },
    localStorage: createStorage(wx),
    createFetch: (more) => buildFetch(parts, { ...options.fetch, ...more }),
    createWebSocket,
  }
}

let shared: Runtime | null = null

/**
 * The runtime of the app, made when it is first needed. The one thing kept in a module: the limits it watches are those of
 * the app, and two of them would each count only their own requests.
 */
export function sharedRuntime(): Runtime {
  shared ??= createRuntime()
  return shared
}
