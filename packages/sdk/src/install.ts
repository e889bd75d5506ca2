/** Defines what is missing among the globals, for client libraries that look for it there. */

import { Headers } from './body/headers.ts'
import { Request } from './body/request.ts'
import { Response } from './body/response.ts'
import { AbortController, AbortSignal } from './core/abort.ts'
import { atob, btoa } from './core/base64.ts'
import { structuredClone } from './core/clone.ts'
import { TextDecoder, TextEncoder } from './core/encoding.ts'
import { DOMException } from './core/errors.ts'
import { Event, EventTarget } from './core/events.ts'
import { globalObject } from './core/global.ts'
import { lazy } from './core/lazy.ts'
import { queueMicrotask } from './core/microtask.ts'
import { named } from './core/names.ts'
import { type Runtime, sharedRuntime } from './runtime.ts'
import { URLSearchParams } from './url/search-params.ts'
import { URL } from './url/url.ts'

/** Everything by the name that libraries look for. */
export function webApis(runtime: Runtime = sharedRuntime()) {
  const { Blob, File, FormData, ReadableStream } = lazy._files()
  return {
    AbortController,
    AbortSignal,
    Blob,
    DOMException,
    Event,
    EventTarget,
    File,
    FormData,
    Headers,
    ReadableStream,
    Request,
    Response,
    TextDecoder,
    TextEncoder,
    URL,
    URLSearchParams,
    ...named({ EventSource: runtime.EventSource, WebSocket: runtime.WebSocket }),
    atob,
    btoa,
    queueMicrotask,
    structuredClone,
    fetch: runtime.fetch,
    localStorage: runtime.localStorage,
  }
}

export interface InstallOptions {
  /** Default: `globalThis`, or `global` where that is missing. */
  readonly target?: Record<string, unknown>
  readonly runtime?: Runtime
  /** Only these names. Default: all. */
  readonly only?: readonly string[]
  /** Replace what is there already. Default: false. */
  readonly force?: boolean
}

/**
 * Defines missing globals and answers their names. Some names cannot be had this way on a phone: the platform wraps every
 * file in a function whose parameters shadow `WebSocket`, `localStorage`, `window` and, in older versions, `fetch`.
 */
export function install(options: InstallOptions = {}): string[] {
  const target = options.target ?? globalObject
  const apis: Record<string, unknown> = webApis(options.runtime)
  return Object.keys(apis).filter((name) => {
    const isWanted = !options.only || options.only.indexOf(name) >= 0
    if (!isWanted || (!options.force && target[name] !== undefined)) return false
    Object.defineProperty(target, name, { value: apis[name], configurable: true, writable: true, enumerable: false })
    return true
  })
}
