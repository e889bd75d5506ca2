/** Login by wx.login: a code for a session, and a new login in place of a refresh that the server refused. */
import type { Wx } from './core/platform.ts'
import { type Fetch, Response } from './index.ts'

/** What an auth server answers; more fields than these are passed on. */
export interface SessionJson {
  readonly access_token: string
  readonly refresh_token: string
  readonly user?: { readonly id?: string; readonly app_metadata?: { readonly provider?: string } }
}

export type WechatLogin = (code: string) => Promise<SessionJson>

/** A login code: valid for five minutes, once. */
export function wxLogin(wx: Wx): Promise<string> {
  return new Promise((resolve, reject) => {
    wx.login({
      success: ({ code }) => (code ? resolve(code) : reject(new Error('wx.login answered no code'))),
      fail: ({ errMsg }) => reject(new Error(errMsg ?? 'wx.login failed')),
    })
  })
}

/** The login endpoint of MemFire's auth server, which ours speaks as well. */
export function requestSession(
  fetch: Fetch,
  { url, key, code }: { url: string; key: string; code: string },
): Promise<SessionJson> {
  const headers = { apikey: key, authorization: `Bearer ${key}` }
  return fetch(`${url}/auth/v1/wechat_mini/login?code=${encodeURIComponent(code)}`, { headers }).then((response) =>
    response.json().then((body) => {
      const answer = sessionOf(body)
      if (response.ok && answer) return answer
      const { msg, message, error_description } = body as Readonly<Record<string, unknown>>
      throw new Error(String(msg ?? message ?? error_description ?? `login failed with ${response.status}`))
    }),
  )
}

function sessionOf(body: unknown): SessionJson | null {
  if (typeof body !== 'object' || body === null || !('access_token' in body) || !('refresh_token' in body)) return null
  const { access_token, refresh_token } = body
  if (typeof access_token !== 'string' || typeof refresh_token !== 'string') return null
  // Checked above; the rest is optional and only compared.
  return body as SessionJson
}

/** Whether this is the request that refreshes a session. */
export const isRefresh = (url: string): boolean => /\/auth\/v1\/token\?(.*&)?grant_type=refresh_token(&|$)/.test(url)

export interface LoginParts {
  readonly wx: Wx
  readonly login: WechatLogin
  readonly storage: { getItem(key: string): string | null | Promise<string | null> }
  readonly storageKey: string
}

/**
 * The refresh was refused for good: the session was revoked, or storage came back old. If it belonged to a WeChat user, the
 * same user is logged in again and that session is given as the answer to the refresh, so the client goes on as if nothing
 * happened. Anyone else's session, and a phone that belongs to another user by now, stays logged out.
 */
export function keepLogin(response: Response, { wx, login, storage, storageKey }: LoginParts): Promise<Response> {
  if (!/^40[013]$/.test(String(response.status))) return Promise.resolve(response)
  return Promise.resolve(storage.getItem(storageKey))
    .then((text) => {
      const user = text === null ? null : userOf(text)
      if (user?.provider !== 'wechat_mini') return response
      return wxLogin(wx)
        .then(login)
        .then((session) => (session.user?.id === user.id ? Response.json(session) : response))
    })
    .catch(() => response)
}

function userOf(text: string): { id: string; provider: unknown } | null {
  const session: unknown = JSON.parse(text)
  if (typeof session !== 'object' || session === null || !('user' in session)) return null
  // Written by supabase-js; what is not there is not equal to anything below.
  const user = session.user as SessionJson['user']
  return user?.id === undefined ? null : { id: user.id, provider: user.app_metadata?.provider }
}
