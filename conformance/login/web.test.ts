/** Login by QR code on a web page, in Chromium: the server's authorize, the sandbox's page, the way back, and the session of supabase-js. */
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createClient } from '@supabase/supabase-js'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { launchBrowser } from '../support/phone.ts'
import { startServer, type TestServer, temporaryFolder } from '../support/server.ts'

let server: TestServer
let browser: Browser
let site: Server
let siteUrl: string
let folder: Awaited<ReturnType<typeof temporaryFolder>>

/** The website that people log in to: an empty page, and the one that the server may send them back to. */
beforeAll(async () => {
  site = createServer((_, response) => void response.setHeader('content-type', 'text/html').end('<title>site</title>'))
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
  siteUrl = `http://127.0.0.1:${(site.address() as AddressInfo).port}/`
  folder = await temporaryFolder()
  await mkdir(join(folder.path, 'supabase'))
  await writeFile(join(folder.path, 'supabase', 'config.toml'), `[auth]\nsite_url = "${siteUrl}"\n`)
  ;[server, browser] = await Promise.all([startServer({ args: ['--dev'], cwd: folder.path }), launchBrowser()])
})
afterAll(async () => {
  await browser?.close()
  await server?.stop()
  site?.closeAllConnections()
  site?.close()
  await folder?.remove()
})

describe('wechat_qr', () => {
  it('brings somebody who scanned the code back to the site, logged in', async () => {
    const client = createClient(server.report.url, server.report.anonKey, {
      auth: { persistSession: false },
      // Node.js 20 has no WebSocket of its own.
      realtime: { transport: WebSocket as never },
    })
    const { data } = await client.auth.signInWithOAuth({
      provider: 'wechat_qr' as never,
      options: { redirectTo: siteUrl },
    })
    const page = await browser.newPage()
    await page.goto(data.url ?? '')
    await page.locator('#user').fill('alice')
    await page.locator('[data-action=scan]').click()
    await page.locator('#state', { hasText: /Scanned|扫描成功/ }).waitFor()
    await page.locator('[data-action=confirm]').click()
    await page.waitForURL(`${siteUrl}**`)
    const fragment = new URLSearchParams(new URL(page.url()).hash.slice(1))
    expect(Object.fromEntries(new URL(page.url()).searchParams)).toEqual({})
    const session = await client.auth.setSession({
      access_token: fragment.get('access_token') ?? '',
      refresh_token: fragment.get('refresh_token') ?? '',
    })
    expect(session.error).toBeNull()
    expect(session.data.user?.app_metadata).toMatchObject({ provider: 'wechat_qr' })
    await page.close()
  })
})
