/** The shipped official client in a page of Chromium, against the real server: what the Node realm cannot show. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { buildSdk } from '../../packages/sdk/scripts/bundle.js'
import { startServer, type TestServer } from '../support/server.ts'
import { inChromium } from './checks-app.ts'
import { ask, schema } from './supabase-app.ts'

let server: TestServer
beforeAll(async () => {
  await buildSdk()
  server = await startServer({ args: ['--dev'] })
  await ask(server.report, schema)
})
afterAll(() => server?.stop())

it('logs in by WeChat, hears a row, uploads and downloads a file, changes a row of its own', async () => {
  const { url, anonKey, wechatSandboxUrl } = server.report
  const path = `pages/official/official?url=${encodeURIComponent(url)}&key=${anonKey}`
  const shown = await inChromium(
    path,
    async (page) => {
      await page.locator('.state', { hasText: 'SUBSCRIBED' }).waitFor()
      await page.locator('.row', { hasText: 'secret changed' }).waitFor()
      await ask(server.report, `insert into public.notes (text) values ('由别处写下')`)
      await page.locator('.row', { hasText: '由别处写下' }).waitFor()
      return page.locator('.file').innerText()
    },
    { wechat: { url: wechatSandboxUrl ?? '' } },
  )
  expect(shown).toBe('2000 image/png')
})
