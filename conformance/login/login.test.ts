/** The login example in Chromium, through the unmodified mini-program client, the real server with --dev, and its WeChat sandbox. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { keepScreenshot, launchBrowser, openPhone } from '../support/phone.ts'
import { type StartReport, startServer, type TestServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import { ask, type LoginApp, sandboxOf, serveLoginExample } from './login-app.ts'

let server: TestServer
let app: LoginApp
let browser: Browser
let report: StartReport
let sandbox: ReturnType<typeof sandboxOf>
const pages: Page[] = []

beforeAll(async () => {
  ;[server, browser] = await Promise.all([startServer({ args: ['--dev'] }), launchBrowser()])
  report = server.report
  sandbox = sandboxOf(report)
  app = await serveLoginExample(report)
})
afterEach(async () => {
  for (const page of pages.splice(0)) await page.context().close()
})
afterAll(async () => {
  await browser?.close()
  await app?.stop()
  await server?.stop()
})

const phone = async (user: string, language: 'zh-CN' | 'en-US' = 'zh-CN'): Promise<Page> => {
  const page = await openPhone(browser, app.url, { user, language })
  pages.push(page)
  return page
}

const LOGIN = '/sns/jscode2session'
const says = (page: Page, note: string) => page.locator('.note', { hasText: note }).waitFor()
const userId = async (user: string): Promise<string> => {
  const rows = await ask(report, `select user_id from auth.identities where provider_id like '%' || $1`, [
    await sandbox.openidOf(user),
  ])
  expect(rows).toHaveLength(1)
  return (rows[0] as { user_id: string }).user_id
}
/** The phone itself: `__simulator` in its page. */
const onPhone = (page: Page, code: string): Promise<unknown> => page.evaluate(`__simulator.${code}`)
/** What a person does when they look at something else and return. */
const comeBack = async (page: Page): Promise<void> => {
  await onPhone(page, 'goBackground()')
  await onPhone(page, 'goForeground()')
}
/** Two hours later on the phone, which was asleep meanwhile; then its time goes on, as the client's pauses need it. */
const wakeLater = async (page: Page, done: () => Promise<boolean>): Promise<void> => {
  await onPhone(page, `setClock(${Date.now() + 2 * 60 * 60 * 1000})`)
  await comeBack(page)
  await until('the phone has woken', async () => {
    await onPhone(page, 'advance(100)')
    return done()
  })
}
const leave = async (page: Page, where: '仅退出这台设备' | '退出所有设备' = '仅退出这台设备') => {
  await page.locator('.leave').tap()
  await page.locator('.sim-sheet-item', { hasText: where }).click()
  await page.locator('.out').waitFor()
}
/** What the client keeps on the phone. */
const stored = async (page: Page): Promise<string> =>
  JSON.stringify(await onPhone(page, 'wx.getStorageInfoSync().keys.map((key) => __simulator.wx.getStorageSync(key))'))

describe('the first launch', () => {
  it('logs in without a question and shows the user', async () => {
    const before = await sandbox.asked(LOGIN)
    const page = await phone('alice')
    await says(page, '初次光临')
    const openid = await sandbox.openidOf('alice')
    expect(await page.locator('.wechat .value').innerText()).toBe(`${openid.slice(0, 6)}…${openid.slice(-6)}`)
    expect(await page.locator('.since .value').innerText()).toMatch(/^今天 \d\d:\d\d$/)
    expect(await sandbox.asked(LOGIN)).toBe(before + 1)
    await userId('alice')
    await keepScreenshot(page, 'login-zh-first')
  })

  it('speaks the language of the phone', async () => {
    const page = await phone('carol', 'en-US')
    await says(page, 'Your first visit')
    expect(await page.locator('.sim-title').first().innerText()).toBe('Teahouse')
    await page.locator('.bind').tap()
    await says(page, 'Your phone number was added')
    await keepScreenshot(page, 'login-en-bound')
    await page.locator('.leave').tap()
    await page.locator('.sim-sheet-item', { hasText: 'This device only' }).click()
    await says(page, 'The tea is cold')
    await keepScreenshot(page, 'login-en-out')
  })

  it('leaves no key of WeChat on the phone', async () => {
    const page = await phone('dora')
    await says(page, '初次光临')
    const text = await stored(page)
    expect(text).toContain('refresh_token')
    expect(text).not.toContain('session_key')
  })

  it('says when WeChat has had enough, and gets in when asked again', async () => {
    await sandbox.fault({ kind: 'errcode', path: LOGIN, errcode: 45011 })
    const page = await phone('erin')
    await says(page, '来的人太多')
    await keepScreenshot(page, 'login-zh-busy')
    await page.locator('.main').tap()
    await says(page, '初次光临')
  })

  it('is patient with a WeChat that is busy for a moment', async () => {
    await sandbox.fault({ kind: 'errcode', path: LOGIN, errcode: -1 })
    await says(await phone('frank'), '初次光临')
  })
})

describe('a later launch', () => {
  it('keeps the session, and asks WeChat for nothing', async () => {
    const page = await phone('grace')
    await says(page, '初次光临')
    const before = await sandbox.asked(LOGIN)
    await page.reload()
    await says(page, '欢迎回来')
    expect(await sandbox.asked(LOGIN)).toBe(before)
  })

  it('logs in silently after a logout, as the same user', async () => {
    const page = await phone('grace')
    await page.locator('.in').waitFor()
    const id = await userId('grace')
    await leave(page)
    await says(page, '茶凉了')
    expect(await stored(page)).not.toContain('refresh_token')
    await keepScreenshot(page, 'login-zh-out')
    await page.reload()
    await says(page, '欢迎回来')
    expect(await userId('grace')).toBe(id)
  })

  it('waits for the network', async () => {
    const page = await phone('henry')
    await says(page, '初次光临')
    await leave(page)
    await onPhone(page, "setNetwork('none')")
    await page.locator('.main').tap()
    await says(page, '暂时连不上茶馆')
    await onPhone(page, "setNetwork('wifi')")
    await page.locator('.main').tap()
    await page.locator('.in').waitFor()
  })
})

describe('the phone number', () => {
  it('is bound by a tap', async () => {
    await sandbox.person('alice', { phone: '13800138000' })
    const page = await phone('alice')
    await says(page, '欢迎回来')
    await page.locator('.bind').tap()
    await says(page, '手机号已绑定')
    expect(await page.locator('.number').innerText()).toBe('138 **** 8000')
    expect(await ask(report, 'select phone from auth.users where id = $1', [await userId('alice')])).toEqual([
      { phone: '13800138000' },
    ])
    await page.reload()
    await page.locator('.number', { hasText: '138 **** 8000' }).waitFor()
    await keepScreenshot(page, 'login-zh-bound')
  })

  it('is not bound when the person refuses', async () => {
    const page = await phone('ivan')
    await says(page, '初次光临')
    await onPhone(page, "failNext('getPhoneNumber', { reason: 'user deny' })")
    await page.locator('.bind').tap()
    await page.locator('.sim-toast', { hasText: '没有授权' }).waitFor()
    expect(await page.locator('.number').count()).toBe(0)
  })

  it('is not taken from another user', async () => {
    await sandbox.person('judy', { phone: '13800138000' })
    const page = await phone('judy')
    await says(page, '初次光临')
    await page.locator('.bind').tap()
    await page.locator('.sim-toast', { hasText: '属于另一位茶客' }).waitFor()
    expect(await page.locator('.number').count()).toBe(0)
  })
})

describe('a session', () => {
  it('is renewed when its token has run out, without WeChat', async () => {
    const page = await phone('kate')
    await says(page, '初次光临')
    const [before, first] = [await sandbox.asked(LOGIN), await stored(page)]
    await wakeLater(page, async () => (await stored(page)) !== first)
    expect(await stored(page)).toContain('refresh_token')
    await says(page, '欢迎回来')
    expect(await sandbox.asked(LOGIN)).toBe(before)
  })

  it('that has expired for good is replaced by a silent login', async () => {
    const page = await phone('leo')
    await says(page, '初次光临')
    const id = await userId('leo')
    await ask(report, `update auth.sessions set not_after = now() - interval '1 minute' where user_id = $1`, [id])
    const note = page.locator('.note', { hasText: '登录已失效，已自动重新登录' })
    await wakeLater(page, () => note.isVisible())
    expect(await userId('leo')).toBe(id)
    await keepScreenshot(page, 'login-zh-again')
  })

  it('that was revoked from another phone is replaced by a silent login', async () => {
    const first = await phone('mia')
    await says(first, '初次光临')
    const second = await phone('mia')
    await second.locator('.in').waitFor()
    await leave(second, '退出所有设备')
    await says(second, '已在所有设备上退出')
    await comeBack(first)
    await says(first, '登录已失效，已自动重新登录')
  })

  it('that was revoked is replaced at the next launch, too', async () => {
    const page = await phone('nina')
    await says(page, '初次光临')
    await ask(report, 'delete from auth.sessions where user_id = $1', [await userId('nina')])
    await page.reload()
    await says(page, '登录已失效，已自动重新登录')
    await page.locator('.bind').tap()
    await says(page, '手机号已绑定')
  })
})
