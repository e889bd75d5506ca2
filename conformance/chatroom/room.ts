/** The chat room as a person uses it. */
import type { Browser, Page } from 'playwright-core'
import { openPhone, type Person } from '../support/phone.ts'

export interface Guest {
  readonly page: Page
  /** The name of the role that the person plays. */
  readonly name: string
  say(text: string): Promise<void>
  sendPicture(path: string): Promise<void>
  /** Texts on the screen that the server has, in order. */
  shown(): Promise<readonly string[]>
  /** Of those, the person's own. */
  ownSent(): Promise<readonly string[]>
}

/** Picks a role and enters the room. */
export const enter = async (browser: Browser, url: string, person: Person): Promise<Guest> => {
  const page = await openPhone(browser, url, person)
  const name = (await page.locator('.role .name').innerText()).trim()
  await page.locator('.enter').tap()
  await page.locator('.hint').waitFor()
  const texts = (selector: string) => page.locator(selector).allInnerTexts()
  return {
    page,
    name,
    say: async (text) => {
      await page.locator('.bar input').fill(text)
      await page.locator('.send').tap()
    },
    sendPicture: async (path) => {
      const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.locator('.add').tap()])
      await chooser.setFiles(path)
    },
    shown: () => texts('.bubble.sent'),
    ownSent: () => texts('.mine .bubble.sent'),
  }
}
