/** The adapter: Web APIs for mini-programs over `wx`. Importing it defines nothing global; `install` does, when asked. */

import type { EventSourceInit } from './net/event-source.ts'
import type { Fetch, FetchOptions } from './net/fetch.ts'
import type { SocketOptions, WebSocketConstructor } from './net/web-socket.ts'
import { sharedRuntime } from './runtime.ts'

export { Blob, File, type Progress, type WxFileOptions, wxFile } from './body/files.ts'
export { FormData } from './body/form-data.ts'
export { Headers } from './body/headers.ts'
export { Request, type RequestInit } from './body/request.ts'
export { Response } from './body/response.ts'
export { ReadableStream } from './body/stream.ts'
export { AbortController, AbortSignal } from './core/abort.ts'
export { atob, btoa } from './core/base64.ts'
export { structuredClone } from './core/clone.ts'
export { TextDecoder, TextEncoder } from './core/encoding.ts'
export { DOMException } from './core/errors.ts'
export { Event, EventTarget } from './core/events.ts'
export { queueMicrotask } from './core/microtask.ts'
export type { Wx } from './core/platform.ts'
export { createStorage, type SessionStorage } from './core/storage.ts'
export { globalObject as globalThis, type InstallOptions, install, webApis } from './install.ts'
export { createRuntime, type Runtime, type RuntimeOptions, sharedRuntime } from './runtime.ts'
export { URLSearchParams } from './url/search-params.ts'
export { URL } from './url/url.ts'
export type { EventSourceInit, Fetch, FetchOptions, SocketOptions, WebSocketConstructor }

/** `fetch` on the app's queue. */
export const fetch: Fetch = (input, init) => sharedRuntime().fetch(input, init)

/** A fetch with options, on the app's queue. */
export const createFetch = (options: FetchOptions = {}): Fetch => sharedRuntime().createFetch(options)

/** A class of sockets with options; one socket at a time for each class. */
export const createWebSocket = (options: SocketOptions = {}): WebSocketConstructor =>
  sharedRuntime().createWebSocket(options)
