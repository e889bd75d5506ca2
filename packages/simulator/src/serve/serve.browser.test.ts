/** The command and the server: one line of JSON, reload on change, the phone's controls, users apart. */
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { launchBrowser, openPhone } from '../testing/browser.ts'
import { until } from '../testing/until.ts'
import { startSimulator } from './server.ts'

const fixture = fileURLToPath(new URL('../../fixtures/features', import.meta.url))
const bin = fileURLToPath(new URL('../../bin/teahouse-simulator.js', import.meta.url))
let browser: Browser
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())

const serve = async (dir = fixture, watch = false) => {
  const simulator = await startSimulator({ dir, watch })
  onTestFinished(() => simulator.stop())
  return simulator
}

test('the command prints one line, serves, and ends well on SIGTERM', async () => {
  const child = spawn(process.execPath, [bin, fixture, '--port', '0', '--json'])
  let out = ''
  child.stdout.on('data', (chunk) => {
    out += String(chunk)
  })
  await until(() => out.includes('\n'), 'the line', 60_000)
  const { url } = JSON.parse(out) as { url: string }
  expect(await (await fetch(`${url}?bare=1`)).text()).toContain('<title>features</title>')
  child.kill('SIGTERM')
  expect(await new Promise((done) => child.on('exit', done))).toBe(0)
  expect(out.trim().split('\n')).toHaveLength(1)
})

test('a page reloads when a file changes', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'simulator-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  cpSync(fixture, dir, { recursive: true })
  writeFileSync(join(dir, 'package.json'), '{}')
  const { url } = await serve(dir, true)
  const phone = await openPhone(browser, url, { path: 'pages/detail/detail' })
  writeFileSync(join(dir, 'mini/pages/detail/detail.wxml'), '<view id="fresh">new</view>')
  await phone.page.locator('#fresh').waitFor()
  await phone.close()
})

test('the frame holds the phone, and its buttons reach it', async () => {
  const { url } = await serve()
  const page = await browser.newPage()
  await page.goto(`${url}?user=carol`)
  await page.frameLocator('iframe').locator('#greeting').waitFor()
  await page.locator('#background').click()
  await page.locator('#state', { hasText: 'background' }).waitFor()
  await page.locator('#foreground').click()
  await page.locator('#state', { hasText: 'foreground' }).waitFor()
  await page.locator('#network').selectOption('none')
  const frame = page.frames().find((one) => one.url().includes('bare=1'))
  const type = await frame?.evaluate(() => Reflect.get(window, '__simulator').wx.getNetworkType())
  expect(type).toMatchObject({ networkType: 'none' })
  await page.close()
})

test('users in one browser have storage and files of their own, kept over a reload', async () => {
  const { url } = await serve()
  const context = await browser.newContext()
  const open = async (user: string) => {
    const page = await context.newPage()
    await page.goto(`${url}?bare=1&user=${user}`)
    await page.locator('#greeting').waitFor()
    return page
  }
  const read = () => {
    const { wx } = Reflect.get(window, '__simulator')
    const manager = wx.getFileSystemManager()
    const path = `${wx.env.USER_DATA_PATH}/note`
    return [
      wx.getStorageSync('name'),
      manager.readdirSync(wx.env.USER_DATA_PATH).length > 0 ? manager.readFileSync(path, 'utf8') : '',
    ]
  }
  const [alice, bob] = [await open('alice'), await open('bob')]
  await alice.evaluate(() => {
    const { wx } = Reflect.get(window, '__simulator')
    wx.setStorageSync('name', 'alice')
    wx.getFileSystemManager().writeFileSync(`${wx.env.USER_DATA_PATH}/note`, '茶')
  })
  expect(await bob.evaluate(read)).toEqual(['', ''])
  await until(async () => {
    await alice.reload()
    await alice.locator('#greeting').waitFor()
    return (await alice.evaluate(read))[1] === '茶'
  }, 'the file to be there again')
  expect(await alice.evaluate(read)).toEqual(['alice', '茶'])
  await context.close()
})

test('time can be stopped and moved in the page', async () => {
  const { url } = await serve()
  const phone = await openPhone(browser, url)
  const state = await phone.page.evaluate(async () => {
    const simulator = Reflect.get(window, '__simulator')
    simulator.setClock(0)
    simulator.goBackground()
    await simulator.advance(5_000)
    const suspended = simulator.state
    simulator.goForeground()
    await simulator.advance(0)
    return [suspended, simulator.state, simulator.getApp().globalData.log.slice(-3)]
  })
  expect(state).toEqual(['suspended', 'foreground', ['show', 'index show', 'card page show']])
  await phone.close()
})

test('the proxy serves only its own page, and only by a name that is ours', async () => {
  const { url } = await serve()
  const status = (path: string, headers: Record<string, string> = {}) =>
    new Promise<number>((done, fail) => {
      const call = request(new URL(path, url), { headers }, (response) => {
        response.resume()
        done(response.statusCode ?? 0)
      })
      call.on('error', fail).end()
    })
  expect(await status('/__sim/http')).toBe(403)
  expect(await status('/', { host: 'evil.example' })).toBe(403)
  expect(await status('/__app/app.js')).toBe(200)
  expect(await status('/__app/..%2f..%2fpackage.json')).toBe(404)
  expect(await status('/__app/node_modules/x')).toBe(404)
})
