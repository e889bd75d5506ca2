/**
 * `wx.cloud`, against a server of one's own: `wx.cloud = require('@teahouse/sdk/cloud').connect('https://my.server')`. Members, answers and errors
 * are those of the base library's typings. What only WeChat's own network can do (`callContainer`, CloudIDs) says so.
 */
import { createDatabase } from './cloud/database.ts'
import { createFiles } from './cloud/files.ts'
import { createSession } from './cloud/session.ts'
import { answer, type Callbacks, cloudError } from './cloud/style.ts'
import { createTransport } from './cloud/transport.ts'
import { encode, type Plain } from './cloud/values.ts'
import { createWatches } from './cloud/watch.ts'
import { type Runtime, sharedRuntime } from './index.ts'

export type { CloudError } from './cloud/style.ts'
export type { Change, Snapshot, Watcher, WatchOptions } from './cloud/watch.ts'

export interface ConnectOptions {
  /** The public (anon) key. Needed where the server asks for one. */
  readonly key?: string
  /** Documents of one `get`; 20 as in WeChat. The server has a limit of its own. */
  readonly limit?: number
  readonly runtime?: Runtime
}

export interface InitOptions {
  readonly env?: string | Plain
  readonly traceUser?: boolean
}

const NOT_INITIALISED = -401001

export function connect(url: string, options: ConnectOptions = {}) {
  const runtime = options.runtime ?? sharedRuntime()
  const base = url.replace(/\/+$/, '')
  const key = options.key ?? ''
  const { fetch } = runtime
  const session = createSession({ runtime, fetch, url: base, key })
  const transport = createTransport({ url: base, key, session, fetch })
  const watches = createWatches(runtime, transport)
  const files = createFiles(runtime.wx, transport)
  const limit = options.limit ?? 20
  let initialised = false

  const ready = (api: string): void => {
    if (!initialised) throw cloudError(api, NOT_INITIALISED, "Cloud API isn't enabled, please call wx.cloud.init first")
  }

  const init = (_options: InitOptions = {}): void => {
    initialised = true
    // Who opens the app is in the list of users, with the time: a login is enough for that, and it is wanted anyway.
    session.token().catch(() => undefined)
  }

  const callFunction = (
    call: Callbacks & { readonly name: string; readonly data?: unknown; readonly config?: Plain },
  ) => {
    const api = 'cloud.callFunction'
    return answer(api, call, () => {
      ready(api)
      const data = call.data === undefined ? undefined : JSON.stringify(call.data)
      return transport
        .call(api, 'functions.invokeFunction', { function_name: call.name, request_data: data })
        .then(({ data: said = {}, requestId }) => ({
          result: resultOf(String(said.response_data)),
          requestID: requestId,
        }))
    })
  }

  const notOffered = (api: string, call: Callbacks | undefined): Promise<unknown> =>
    answer(api, call, () =>
      Promise.reject(cloudError(api, -1, 'is a service inside of WeChat; call your server instead')),
    )

  const database = (config: Plain = {}) => {
    ready('cloud.database')
    return createDatabase({ transport, watches, limit }, config)
  }

  const cloud = {
    init,
    callFunction,
    ...files,
    database,
    /** Open data of WeChat's own; only its own functions can read it. */
    CloudID: (cloudID: string) => ({ cloudID, toJSON: () => ({ cloudID }) }),
    /** Data of a call that travels as a file; here it travels in the call. */
    CDN: (target: unknown) => ({ target, toJSON: () => encode(target) }),
    callContainer: (call?: Callbacks) => notOffered('cloud.callContainer', call),
    connectContainer: (call?: Callbacks) => notOffered('cloud.connectContainer', call),
    services: {},
    extend: {},
    /** An environment of its own is this one: there is one on a server. */
    Cloud: function Cloud(this: object) {
      return Object.assign(this, connect(url, { ...options, runtime }))
    } as unknown as new (
      options?: Plain,
    ) => object,
  }
  return cloud
}

const resultOf = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}
