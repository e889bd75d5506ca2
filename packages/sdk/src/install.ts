/** Defines what is missing among the globals, for client libraries that look for it there. */

import { Blob, File } from './body/files.ts'
import { FormData } from './body/form-data.ts'
import { Headers } from './body/headers.ts'
import { Request } from './body/request.ts'
import { Response } from './body/response.ts'
import { ReadableStream } from './body/stream.ts'
import { AbortController, AbortSignal } from './core/abort.ts'
import { atob, btoa } from './core/base64.ts'
import { structuredClone } from './core/clone.ts'
import { TextDecoder, TextEncoder } from './core/encoding.ts'
import { DOMException } from './core/errors.ts'
import { Event, EventTarget } from './core/events.ts'
import { queueMicrotask } from './core/microtask.ts'
import { type Runtime, sharedRuntime } from './runtime.ts'
import { URLSearchParams } from './url/search-params.ts'
import { URL } from './url/url.ts'

// `global` is the older name: base libraries before 2.19 have no globalThis.
declare const global: Record<string, unknown> | undefined

const classes = {
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
}

/**
 * Minified classes have other names, and libraries do look: pocketbase tells a form by `constructor.name`, others by
 * `Object.prototype.toString`.
 */
function named<All extends Record<string, { readonly prototype: object }>>(all: All): All {
  for (const name of Object.keys(all)) {
    const made = all[name]
    if (!made) continue
    Object.defineProperty(made, 'name', { value: name, configurable: true })
    Object.defineProperty(made.prototype, Symbol.toStringTag, { value: name, configurable: true })
  }
  return all
}
named(classes)

/** Everything by the name that libraries look for. */
export function webApis(runtime: Runtime = sharedRuntime()) {
  return {
    ...classes,
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

/** The global object by either of its names, or an empty one. */
export const globalObject: Record<string, unknown> =
  // What may be defined on it is not known to its type.
  typeof globalThis !== 'undefined'
    ? (globalThis as unknown as Record<string, unknown>)
    : typeof global !== 'undefined'
      ? global
      : {}
