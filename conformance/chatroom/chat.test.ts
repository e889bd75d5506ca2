/** The tutorial's chat room, end to end: the real client, the real mini-program, two people in Chromium, one server that gets killed. */
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type RunningExample, startExample } from '../support/example.ts'
import { keepScreenshot, launchBrowser } from '../support/phone.ts'
import { repository, runTeahouse, startServer, type TestServer, temporaryFolder } from '../support/server.ts'
import { until } from '../support/until.ts'
import { enter } from './room.ts'

const PICTURE = join(repository, 'conformance', 'chatroom', 'teapot.png')

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let server: TestServer
let example: RunningExample
let browser: Browser

beforeAll(async () => {
  folder = await temporaryFolder()
  server = await startServer({ dataDir: join(folder.path, 'data') })
  example = await startExample('chatroom', server.report)
  browser = await launchBrowser()
})

afterAll(async () => {
  await browser?.close()
  await example?.stop()
  await server?.stop()
  await folder?.remove()
})

// Whoever stays in the room is counted by the next test.
afterEach(async () => {
  await Promise.all(browser.contexts().map((context) => context.close()))
})

const stored = async (): Promise<readonly string[]> => {
  const { stdout, stderr } = await runTeahouse([
    'sql',
    '--json',
    '--database-url',
    server.report.databaseUrl,
    '-c',
    'select text from public.messages order by id',
  ])
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout).map((row: { text: string }) => row.text)
}

describe('the chat room', () => {
  it('carries text both ways, live, shows a picture and who is there', async () => {
    const alice = await enter(browser, example.url, { user: 'alice', language: 'zh-CN' })
    const bob = await enter(browser, example.url, { user: 'bob', language: 'zh-CN' })
    await until('both see two people', async () =>
      (await Promise.all([alice, bob].map(({ page }) => page.locator('.count').innerText()))).every(
        (text) => text === '2 人在座',
      ),
    )
    expect(await bob.page.locator('.face').count()).toBe(2)

    const requests: string[] = []
    bob.page.on('request', (request) => requests.push(request.url()))
    await alice.say('今天喝什么茶？')
    await bob.page.getByText('今天喝什么茶？').waitFor()
    // It came over the socket that was open already: nothing was asked for.
    expect(requests).toEqual([])
    await bob.say('来一壶正山小种，配一碟花生。')
    await alice.page.getByText('来一壶正山小种').waitFor()

    await alice.sendPicture(PICTURE)
    const picture = bob.page.locator('.picture img')
    await until('the picture is drawn', () =>
      picture.evaluate((image: HTMLImageElement) => image.complete && image.naturalWidth > 0),
    )
    await until('the picture is in view', () =>
      bob.page.locator('#end').evaluate((end) => end.getBoundingClientRect().top < innerHeight),
    )
    await bob.say('好看！')
    await alice.page.getByText('好看！').waitFor()
    await keepScreenshot(alice.page, 'chatroom-zh-alice')
    await keepScreenshot(bob.page, 'chatroom-zh-bob')
    await bob.page.context().close()
    await until('alice sees bob leave', async () => (await alice.page.locator('.count').innerText()) === '1 人在座')
  })

  it('speaks English on an English phone', async () => {
    const guest = await enter(browser, example.url, { user: 'carol', language: 'en-US' })
    expect(await guest.page.locator('.count').innerText()).toBe('1 person here')
    await guest.say('Good evening, everyone')
    await guest.page.locator('.mine .bubble.sent', { hasText: 'Good evening' }).waitFor()
    await keepScreenshot(guest.page, 'chatroom-en')
  })

  it('pages upwards through the history, each message once', async () => {
    await runTeahouse([
      'sql',
      '--database-url',
      server.report.databaseUrl,
      '-c',
      `insert into public.messages (username, text) select '旧客', 'old ' || n from generate_series(1, 75) as n`,
    ])
    const guest = await enter(browser, example.url, { user: 'dora', language: 'zh-CN' })
    await guest.page.getByText('old 75', { exact: true }).waitFor()
    expect((await guest.shown()).filter((text) => text.startsWith('old ')).length).toBe(30)
    const oldest = guest.page.getByText('old 1', { exact: true })
    await until(
      'the oldest page is there',
      async () => {
        await guest.page.locator('wx-scroll-view').evaluate((list) => list.scrollTo(0, 0))
        await guest.page.locator('wx-scroll-view').evaluate((list) => list.scrollTo(0, 200))
        return (await oldest.count()) === 1
      },
      { within: 15_000, every: 100 },
    )
    const old = (await guest.shown()).filter((text) => text.startsWith('old '))
    expect(old).toEqual(Array.from({ length: 75 }, (_, index) => `old ${index + 1}`))
  })

  it('loses nothing that was shown as sent when the server is killed, and the other side catches up', {
    timeout: 120_000,
  }, async () => {
    const alice = await enter(browser, example.url, { user: 'alice', language: 'zh-CN' })
    const bob = await enter(browser, example.url, { user: 'bob', language: 'zh-CN' })
    for (let n = 1; n <= 5; n += 1) await alice.say(`before ${n}`)
    await bob.page.getByText('before 5').waitFor()
    // Into the kill: some of these are answered, some are not.
    for (let n = 1; n <= 3; n += 1) await alice.say(`during ${n}`)
    await server.kill9()
    const { port } = new URL(server.report.url)
    server = await startServer({ dataDir: server.dataDir, args: ['--port', port] })
    await until(
      'what was cut off is known to have failed',
      async () => (await alice.page.locator('.sending').count()) === 0,
      { within: 70_000 },
    )
    const claimed = (await alice.ownSent()).filter((text) => /^(before|during) /.test(text))
    const kept = await stored()
    expect(claimed.filter((text) => !kept.includes(text))).toEqual([])
    // Both phones come back by themselves and read what they missed.
    await until(
      'both are in the room again',
      async () => (await bob.page.locator('.count').innerText()) === '2 人在座',
      { within: 60_000 },
    )
    await alice.say('after')
    await bob.page.getByText('after', { exact: true }).waitFor()
    const expected = (await stored()).filter((text) => /^(before|during|after)/.test(text))
    for (const guest of [alice, bob]) {
      expect((await guest.shown()).filter((text) => /^(before|during|after)/.test(text))).toEqual(expected)
    }
  })
})
