/** Who somebody is: a session by wx.login, kept in storage, renewed when it runs out, and made anew when it cannot be. */
import type { Fetch, Runtime } from '../index.ts'
import { requestSession, type SessionJson, wxLogin } from '../wechat-login.ts'

export interface Session {
  /** A token that is good now; a login when there is none. */
  token(): Promise<string>
  /** After the server refused `token`: another one. */
  renew(token: string): Promise<string>
}

export interface SessionOptions {
  readonly runtime: Runtime
  readonly fetch: Fetch
  readonly url: string
  /** The public key; without one, requests come without. */
  readonly key: string
}

interface Kept {
  readonly access_token: string
  readonly refresh_token: string
  /** Milliseconds since 1970. */
  readonly until: number
}

const STORE = 'teahouse-cloud-session'
/** Renewed this long before its end: clocks differ, and requests take time. */
const EARLY_MS = 60_000

export function createSession({ runtime, fetch, url, key }: SessionOptions): Session {
  const store = `${STORE}:${url}`
  let kept: Kept | null = read(runtime, store)
  let running: Promise<string> | null = null

  const keep = (session: SessionJson & { readonly expires_in?: number }): string => {
    const { access_token, refresh_token, expires_in = 3600 } = session
    kept = { access_token, refresh_token, until: Date.now() + expires_in * 1000 }
    runtime.localStorage.setItem(store, JSON.stringify(kept))
    return access_token
  }
  const login = (): Promise<string> =>
    wxLogin(runtime.wx)
      .then((code) => requestSession(fetch, { url, key, code }))
      .then(keep)
  const refresh = (session: Kept): Promise<string> =>
    fetch(`${url}/auth/v1/token?grant_type=refresh_token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', apikey: key },
      body: JSON.stringify({ refresh_token: session.refresh_token }),
    }).then((response) => {
      // Refused for good: the session is over, and the same person logs in again.
      if (response.status >= 400 && response.status < 500 && response.status !== 429) return login()
      if (!response.ok) throw new Error(`the session could not be renewed (${response.status})`)
      return response.json().then((body) => keep(body as SessionJson))
    })
  const once = (work: () => Promise<string>): Promise<string> => {
    const end = (): void => {
      running = null
    }
    if (running === null) {
      running = work()
      running.then(end, end)
    }
    return running
  }
  return {
    token() {
      const session = kept
      if (session !== null && session.until - EARLY_MS > Date.now()) return Promise.resolve(session.access_token)
      return once(() => (session === null ? login() : refresh(session)))
    },
    renew(token) {
      const session = kept
      // Somebody else has renewed it meanwhile.
      if (session !== null && session.access_token !== token) return Promise.resolve(session.access_token)
      return once(() => (session === null ? login() : refresh(session)))
    },
  }
}

function read(runtime: Runtime, store: string): Kept | null {
  try {
    const kept = JSON.parse(runtime.localStorage.getItem(store) ?? 'null') as Partial<Kept> | null
    if (kept === null || typeof kept.access_token !== 'string' || typeof kept.refresh_token !== 'string') return null
    return { access_token: kept.access_token, refresh_token: kept.refresh_token, until: Number(kept.until) || 0 }
  } catch {
    return null
  }
}
