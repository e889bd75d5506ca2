/** Chromium for tests, and a phone in it for each user. */
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Starts the system's Chromium. */
export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: '/usr/bin/chromium', args: ARGUMENTS })

export interface Phone {
  readonly page: Page
  /** Console errors and warnings so far. */
  readonly complaints: string[]
  close(): Promise<void>
}

/** A phone that fills a small touch screen. `path` is a page of the app with its query. */
export async function openPhone(
  browser: Browser,
  url: string,
  options: { user?: string; path?: string } = {},
): Promise<Phone> {
  const context: BrowserContext = await browser.newContext({
    viewport: { width: 375, height: 667 },
    hasTouch: true,
    isMobile: true,
  })
  const page = await context.newPage()
  page.setDefaultTimeout(5_000)
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  const query = new URLSearchParams({ bare: '1', user: options.user ?? 'alice', path: options.path ?? '' })
  await page.goto(`${url}?${query}`)
  await page.locator('wx-page').first().waitFor()
  return { page, complaints, close: () => context.close() }
}
