/** The adapter: Web APIs for mini-programs over `wx`. Importing it defines nothing global; `install` does, when asked. */

import type { EventSourceInit } from './net/event-source.ts'
import type { Fetch, FetchOptions } from './net/fetch.ts'
import type { SocketOptions, WebSocketConstructor } from './net/web-socket.ts'
import { sharedRuntime } from './runtime.ts'

export type { Progress, WxFileOptions } from './body/files.ts'
export { Headers } from './body/headers.ts'
export { Request, type RequestInit } from './body/request.ts'
export { Response } from './body/response.ts'
export { AbortController, AbortSignal } from './core/abort.ts'
export { DOMException } from './core/errors.ts'
export { Event, EventTarget } from './core/events.ts'
export { globalObject as globalThis } from './core/global.ts'
export { queueMicrotask } from './core/microtask.ts'
export type { Wx } from './core/platform.ts'
export { createStorage, type SessionStorage } from './core/storage.ts'
export type { InstallOptions } from './install.ts'
export { createRuntime, type Runtime, type RuntimeOptions, sharedRuntime } from './runtime.ts'
export { URLSearchParams } from './url/search-params.ts'
export { URL } from './url/url.ts'
export type { EventSourceInit, Fetch, FetchOptions, SocketOptions, WebSocketConstructor }

// Loaded when they are first asked for: bundle.js writes it so, see LAZY there. Here they are for the types alone.
export type Blob = import('./body/files.ts').Blob
export type File = import('./body/files.ts').File
export type FormData = import('./body/form-data.ts').FormData
export type ReadableStream = import('./body/stream.ts').ReadableStream
export type TextDecoder = import('./core/encoding.ts').TextDecoder
export type TextEncoder = import('./core/encoding.ts').TextEncoder
export declare const Blob: typeof import('./body/files.ts').Blob
export declare const File: typeof import('./body/files.ts').File
export declare const FormData: typeof import('./body/form-data.ts').FormData
export declare const ReadableStream: typeof import('./body/stream.ts').ReadableStream
export declare const TextDecoder: typeof import('./core/encoding.ts').TextDecoder
export declare const TextEncoder: typeof import('./core/encoding.ts').TextEncoder
export declare const atob: typeof import('./core/base64.ts').atob
export declare const btoa: typeof import('./core/base64.ts').btoa
export declare const install: typeof import('./install.ts').install
export declare const structuredClone: typeof import('./core/clone.ts').structuredClone
export declare const webApis: typeof import('./install.ts').webApis
export declare const wxFile: typeof import('./body/files.ts').wxFile

/** `fetch` on the app's queue. */
export const fetch: Fetch = (input, init) => sharedRuntime().fetch(input, init)

/** A fetch with options, on the app's queue. */
export const createFetch = (options: FetchOptions = {}): Fetch => sharedRuntime().createFetch(options)

/** A class of sockets with options; one socket at a time for each class. */
export const createWebSocket = (options: SocketOptions = {}): WebSocketConstructor =>
  sharedRuntime().createWebSocket(options)
