/** The official supabase-js, untouched, wired to the adapter: `createClient` as apps know it, and login by WeChat. */
import {
  createClient as createOfficial,
  type Session,
  type SupabaseClient,
  type SupabaseClientOptions,
} from '@supabase/supabase-js'
import { type Fetch, type Runtime, sharedRuntime } from './index.ts'
import { isRefresh, keepLogin, requestSession, type WechatLogin, wxLogin } from './wechat-login.ts'

export * from '@supabase/supabase-js'

/** What may be set besides the options of supabase-js. */
export interface MiniProgramOptions {
  /** Default: the runtime that the whole app shares. */
  readonly runtime?: Runtime
  /** When a WeChat user's session cannot be refreshed any more, log the same user in again by wx.login, unseen. Default: true. */
  readonly silentLogin?: boolean
  /** Turns a code of wx.login into a session. Default: `GET /auth/v1/wechat_mini/login?code=`. */
  readonly wechatLogin?: WechatLogin
  /**
   * Rows that are written while there is no network, or as the background cuts the request off, are written on return, once: by an
   * `Idempotency-Key`, which Teahouse keeps for a day. Leave it off for servers that do not. Default: false.
   */
  readonly queueWrites?: boolean
}

export type ClientOptions = SupabaseClientOptions<string> & MiniProgramOptions

interface Context {
  readonly login: WechatLogin
  readonly runtime: Runtime
}

/** What `signInWithWechat` needs to know of a client. */
const contexts = new WeakMap<object, Context>()

/** Heartbeats of the realtime client come every 25 s and are answered: more silence than two of them is a dead connection. */
const SILENCE = 60_000

/** The first attempt at once, then slower and slower, not all phones at the same moment. */
const reconnectAfter = (tries: number): number =>
  tries <= 1 ? 100 : Math.min(30_000, 1_000 * 2 ** (tries - 2)) * (0.75 + Math.random() / 2)

/** A supabase-js client for a mini-program. Takes all options of supabase-js. */
export function createClient(url: string, key: string, options: ClientOptions = {}): SupabaseClient {
  const runtime = options.runtime ?? sharedRuntime()
  const storage = options.auth?.storage ?? runtime.localStorage
  const base = url.replace(/\/+$/, '')
  const storageKey = options.auth?.storageKey ?? `sb-${/^https?:\/\/([^./:]+)/.exec(base)?.[1] ?? 'app'}-auth-token`
  const plain = runtime.createFetch({})
  const login: WechatLogin = options.wechatLogin ?? ((code) => requestSession(plain, { url: base, key, code }))
  const silently = options.silentLogin === false ? null : { wx: runtime.wx, login, storage, storageKey }
  const authFetch: Fetch = (input, init) =>
    plain(input, init).then((response) =>
      silently && isRefresh(String(input)) ? keepLogin(response, silently) : response,
    )
  // Once for all requests that are refused together; what refreshes goes another way, or it would wait for itself.
  const onUnauthorized = () => renewed(client)
  const dataFetch = runtime.createFetch({ onUnauthorized })
  // Keys are for rows alone: a login, a file or a function may have happened for all that the server remembers.
  const rowsFetch = runtime.createFetch({ onUnauthorized, queueWrites: options.queueWrites === true })
  const fetch: Fetch = (input, init) => {
    const path = String(input).slice(base.length, base.length + 9)
    return (path === '/auth/v1/' ? authFetch : path === '/rest/v1/' ? rowsFetch : dataFetch)(input, init)
  }
  const client = createOfficial(base, key, {
    ...options,
    auth: { detectSessionInUrl: false, ...options.auth, storage, storageKey },
    // The classes are ours and those of the types are the browser's: they are the same as far as supabase-js uses them.
    global: { ...options.global, fetch: (options.global?.fetch ?? fetch) as never },
    realtime: {
      reconnectAfterMs: reconnectAfter,
      ...options.realtime,
      transport: (options.realtime?.transport ?? runtime.createWebSocket({ idleTimeout: SILENCE })) as never,
    },
  }) as SupabaseClient
  contexts.set(client, { login, runtime })
  followApp(client, runtime, options.auth?.autoRefreshToken !== false)
  return client
}

const renewed = (client: SupabaseClient): Promise<string | null> =>
  client.auth.getSession().then(({ data }) => {
    if (!data.session) return null
    return client.auth
      .refreshSession()
      .then((answer) => (answer.data.session ? `Bearer ${answer.data.session.access_token}` : null))
  })

/** What the official client does by window events in a browser. */
function followApp(client: SupabaseClient, { connectivity }: Runtime, refreshes: boolean): void {
  connectivity.onHide(() => void (refreshes && client.auth.stopAutoRefresh()))
  connectivity.onShow(() => void (refreshes && client.auth.startAutoRefresh()))
  connectivity.onWake(() => {
    const { realtime } = client
    const timer = realtime.reconnectTimer
    if (realtime.getChannels().length === 0 || !timer) return
    // The attempts made while there was no network have lengthened the wait: begin anew.
    timer.reset()
    if (!realtime.isConnected()) timer.scheduleTimeout()
  })
}

/** Logs the user of this phone in. The session is kept and refreshed by the client as any other. */
export function signInWithWechat(client: SupabaseClient): Promise<Session> {
  const context = contexts.get(client)
  if (!context) return Promise.reject(new TypeError('signInWithWechat: not a client of this module'))
  return wxLogin(context.runtime.wx)
    .then(context.login)
    .then((session) => client.auth.setSession(session))
    .then(({ data, error }) => {
      if (error || !data.session) throw error ?? new Error('no session')
      return data.session
    })
}
