/** The unmodified supabase-wechat-stable-v2 in a mini-program's realm, logging in through the sandbox of `start --dev`. */
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createRealm } from '../../packages/simulator/src/realm/realm.ts'
import { startServer, type TestServer } from '../support/server.ts'

const baseDir = fileURLToPath(new URL('..', import.meta.url))

interface User {
  readonly id: string
  readonly phone: string
  readonly wechat_id: string
  readonly user_metadata: object
  readonly identities: readonly unknown[]
}
interface Answer {
  // The client hands out the whole response of wx.request in places.
  readonly data: {
    readonly user: (User & { readonly data?: User }) | null
    readonly session: { readonly access_token: string; readonly refresh_token: string } | null
  }
  readonly error: { readonly message: string; readonly status?: number } | null
}
interface Client {
  readonly auth: {
    signInWithWechat(credentials: { code: string }): Promise<Answer>
    wechatBindPhone(credentials: { code: string }): Promise<Answer>
    wechatBindAccount(credentials: { code: string }): Promise<Answer>
    getUnlimitedQRCode(options: object): Promise<{ data: { imgBase64: string | null }; error: unknown }>
    signUp(credentials: { email: string; password: string }): Promise<Answer>
    signInWithPassword(credentials: { email: string; password: string }): Promise<Answer>
    getUser(): Promise<Answer>
    getSession(): Promise<Answer>
    refreshSession(): Promise<Answer>
    signOut(): Promise<{ error: unknown }>
  }
}

let server: TestServer
beforeAll(async () => {
  server = await startServer({ args: ['--dev'] })
}, 120_000)
afterAll(() => server?.stop())

const open = async (): Promise<Client> => {
  const realm = await createRealm({ baseDir, entry: 'supabase-wechat-stable-v2' })
  onTestFinished(() => realm.close())
  const { createClient } = realm.require('supabase-wechat-stable-v2') as {
    createClient(url: string, key: string): Client
  }
  return createClient(server.report.url, server.report.anonKey)
}

/** What wx.login and the phone button give. */
const code = async (user: string, pool: 'login' | 'phone'): Promise<string> => {
  const response = await fetch(`${server.report.wechatSandboxUrl}/sandbox/codes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user, pool, appid: server.report.appId }),
  })
  return ((await response.json()) as { code: string }).code
}

describe('supabase-wechat-stable-v2', () => {
  it('logs in by code, as the same user every time', async () => {
    const { auth } = await open()
    const first = await auth.signInWithWechat({ code: await code('mini', 'login') })
    expect(first.error).toBeNull()
    expect(first.data.user).toMatchObject({ phone: '', identities: [] })
    expect(JSON.stringify(first.data.user?.user_metadata)).toBe('{}')
    expect(first.data.user?.wechat_id).toBeTruthy()
    const again = await (await open()).auth.signInWithWechat({ code: await code('mini', 'login') })
    expect(again.data.user?.id).toBe(first.data.user?.id)
    const me = await auth.getUser()
    expect((me.data.user?.data ?? me.data.user)?.id).toBe(first.data.user?.id)
  })

  it('hears that a code was used or made up', async () => {
    const { auth } = await open()
    const used = await code('used', 'login')
    await auth.signInWithWechat({ code: used })
    for (const text of [used, 'made-up']) {
      const { error } = await auth.signInWithWechat({ code: text })
      expect(error).not.toBeNull()
      expect(error?.status).toBe(400)
    }
  })

  it('binds the phone number, and shows it', async () => {
    const { auth } = await open()
    await auth.signInWithWechat({ code: await code('phoned', 'login') })
    const { data, error } = await auth.wechatBindPhone({ code: await code('phoned', 'phone') })
    expect(error).toBeNull()
    expect(data.user?.phone).toMatch(/^1\d{10}$/)
  })

  it('binds WeChat to an account that exists', async () => {
    const { auth } = await open()
    const made = await auth.signUp({ email: 'wx@example.com', password: 'correct horse' })
    expect(made.error).toBeNull()
    await auth.signInWithPassword({ email: 'wx@example.com', password: 'correct horse' })
    const { data, error } = await auth.wechatBindAccount({ code: await code('bound', 'login') })
    expect(error).toBeNull()
    expect(data.user?.wechat_id).toBeTruthy()
    const login = await (await open()).auth.signInWithWechat({ code: await code('bound', 'login') })
    expect(login.data.user?.id).toBe(data.user?.id)
  })

  it('shows a QR code', async () => {
    const { auth } = await open()
    const { data } = await auth.getUnlimitedQRCode({ scene: 'a=1', page: 'pages/index/index', width: 300 })
    expect(data.imgBase64).toMatch(/^[A-Za-z0-9+/=]{100,}$/)
  })

  it('refreshes its session and logs out', async () => {
    const { auth } = await open()
    const first = await auth.signInWithWechat({ code: await code('leaving', 'login') })
    const refreshed = await auth.refreshSession()
    expect(refreshed.error).toBeNull()
    expect(refreshed.data.session?.refresh_token).not.toBe(first.data.session?.refresh_token)
    expect((await auth.signOut()).error).toBeNull()
    const response = await fetch(`${server.report.url}/rest/v1/`, {
      headers: { apikey: server.report.anonKey, authorization: `Bearer ${refreshed.data.session?.access_token}` },
    })
    expect(response.status).toBe(401)
  })
})
