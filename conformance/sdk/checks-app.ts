/** Runs the checks' mini-program in the two places where mini-programs run: the Node realm, and a page of Chromium. */
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { createRealm, type Realm, type RealmOptions } from '../../packages/simulator/src/realm/realm.ts'
import { startSimulator } from '../../packages/simulator/src/serve/server.ts'
import { launchBrowser } from '../support/phone.ts'

/** The app of the checks. */
export const appDir = fileURLToPath(new URL('./app', import.meta.url))

export interface CheckResult {
  readonly suite: string
  readonly name: string
  readonly error: string | null
}

/** Phones refuse PATCH, spell headers as they like, and give sockets no state that is documented. */
export const strictPhone = { patchMethod: 'refuse', socketReadyState: false, requestOverflow: 'fail' } as const

/** A realm of the app on a strict phone. */
export const openRealm = (options: Partial<RealmOptions> = {}): Promise<Realm> =>
  createRealm({ projectDir: appDir, ...options, settings: { ...strictPhone, ...options.settings } })

export async function runInRealm(peer: string): Promise<readonly CheckResult[]> {
  const realm = await openRealm({ settings: { headerCase: 'canonical' } })
  try {
    // The module of the app that answers this list.
    const { runAll } = realm.require('/checks/index') as { runAll(peer: string): Promise<readonly CheckResult[]> }
    return await runAll(peer)
  } finally {
    realm.close()
  }
}

/** What a page of Chromium shows while the app is open on a page of its own. */
export async function inChromium<Answer>(
  launchPath: string,
  look: (page: Page) => Promise<Answer>,
  more: Partial<Parameters<typeof startSimulator>[0]> = {},
): Promise<Answer> {
  const settings = { ...strictPhone, launchPath }
  const simulator = await startSimulator({ dir: appDir, watch: false, settings, ...more })
  const browser = await launchBrowser()
  try {
    const page = await browser.newPage()
    await page.goto(`${simulator.url}?bare=1`)
    return await look(page)
  } finally {
    await browser.close()
    await simulator.stop()
  }
}

export const runInChromium = (peer: string): Promise<readonly CheckResult[]> =>
  inChromium(`pages/run/run?peer=${encodeURIComponent(peer)}`, async (page) => {
    const report = page.locator('.report', { hasText: /.+/ })
    await report.waitFor({ state: 'attached', timeout: 50_000 })
    // Written by the app as this list.
    return JSON.parse((await report.textContent()) ?? '[]') as readonly CheckResult[]
  })
