/** Phones for people in a test: Chromium contexts with a language, a screen and a place for their screenshots. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { repository } from './server.ts'

export { launchBrowser } from '../../packages/simulator/src/testing/browser.ts'

/** Screenshots of a run, for people to look at. */
export const OUTPUT = join(repository, 'test-output')

export interface Person {
  readonly user: string
  readonly language: 'zh-CN' | 'en-US'
}

/** Opens the simulated mini-program for one person, filling a small phone. */
export const openPhone = async (browser: Browser, url: string, { user, language }: Person): Promise<Page> => {
  const context = await browser.newContext({
    viewport: { width: 375, height: 667 },
    deviceScaleFactor: 2,
    hasTouch: true,
    isMobile: true,
    locale: language,
  })
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  await page.goto(`${url}?${new URLSearchParams({ bare: '1', user })}`)
  await page.locator('wx-page').first().waitFor()
  return page
}

/** Keeps what the phone shows as test-output/<name>.png. */
export const keepScreenshot = async (page: Page, name: string): Promise<void> => {
  await mkdir(OUTPUT, { recursive: true })
  await page.screenshot({ path: join(OUTPUT, `${name}.png`) })
}
