/** The album in Chromium, on the real server: nine pictures, and a 25 MB video through a lost network and the background; with either client. */
import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import pg from 'pg'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildSdk } from '../../packages/sdk/scripts/bundle.js'
import { keepScreenshot, launchBrowser } from '../support/phone.ts'
import { startServer, type TestServer, temporaryFolder } from '../support/server.ts'
import { until } from '../support/until.ts'
import { type AlbumApp, enter, type Flavour, flavours, type Guest, migrate, serveAlbum } from './album-app.ts'
import { type Film, paintPictures, recordFilm } from './pictures.ts'

const MEGABYTE = 1024 * 1024

let server: TestServer
let browser: Browser
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let pictures: readonly string[]
let film: Film
const apps = new Map<Flavour, AlbumApp>()
const pages: Page[] = []

beforeAll(async () => {
  await buildSdk()
  ;[server, browser, folder] = await Promise.all([startServer({ args: ['--dev'] }), launchBrowser(), temporaryFolder()])
  await migrate(server.report)
  for (const flavour of flavours) apps.set(flavour, await serveAlbum(server.report, flavour))
  pictures = await paintPictures(browser, folder.path, 9)
  film = await recordFilm(browser, folder.path, 25 * MEGABYTE)
})
afterAll(async () => {
  await browser?.close()
  for (const app of apps.values()) await app.stop()
  await server?.stop()
  await rm(folder?.path ?? '', { recursive: true, force: true })
})

const ask = async (text: string): Promise<readonly Record<string, unknown>[]> => {
  const client = new pg.Client({ connectionString: server.report.databaseUrl })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

const unfinished = () => ask('select id from teahouse.upload where finished_at is null')

const films = () => ask(`select name from storage.objects where name like '%.webm' or name like '%.cover.jpg'`)

const open = async (flavour: Flavour, user: string, language: 'zh-CN' | 'en-US' = 'zh-CN'): Promise<Guest> => {
  const guest = await enter(browser, apps.get(flavour)?.url ?? '', { user, language })
  pages.push(guest.page)
  return guest
}

/** The next part waits: so many percent are stored, and it stays so. */
const held = async (guest: Guest): Promise<number> => {
  await until('a part waits', () => guest.parts.waiting > 0, { within: 20_000 })
  let seen: number | null = null
  // Progress is drawn ten times a second.
  return until(
    'the progress has settled',
    async () => {
      const before = seen
      seen = await guest.percent()
      return seen !== null && seen === before ? seen : null
    },
    { every: 150 },
  )
}

const drawn = (guest: Guest) =>
  until('every thumbnail is drawn', () =>
    guest.page
      .locator('.tile img')
      .evaluateAll((images) => images.every((one) => one instanceof HTMLImageElement && one.naturalWidth > 0)),
  )

describe.each(flavours)('through the %s client', (flavour) => {
  const look = flavour === 'official' ? keepScreenshot : async () => {}
  let alice: Guest
  let bob: Guest

  beforeAll(async () => {
    await ask('truncate public.photos')
    ;[alice, bob] = await Promise.all([open(flavour, 'alice'), open(flavour, 'bob', 'en-US')])
  })
  afterAll(async () => {
    for (const page of pages.splice(0)) await page.context().close()
  })

  it('nine pictures are uploaded, and both phones see their thumbnails', async () => {
    await bob.page.locator('.empty').waitFor()
    await look(alice.page, 'album-zh-empty')
    await alice.choose(pictures)
    await alice.page.locator('.upload').first().waitFor()
    await look(alice.page, 'album-zh-uploading')
    await until('alice has nine', async () => (await alice.tiles()) === 9, { within: 20_000 })
    await until('bob has nine', async () => (await bob.tiles()) === 9)
    await Promise.all([drawn(alice), drawn(bob)])
    // What the phone loads is small: the server made it so.
    const widths = await bob.page
      .locator('.tile img')
      .evaluateAll((images) => images.map((one) => (one instanceof HTMLImageElement ? one.naturalWidth : 0)))
    expect(widths).toEqual(Array(9).fill(240))
    expect(await alice.page.locator('.upload').count()).toBe(0)
    await look(alice.page, 'album-zh-pictures')
    await look(bob.page, 'album-en-pictures')
  })

  it('a 25 MB video arrives whole, through a lost network and the background', { timeout: 120_000 }, async () => {
    alice.parts.allow(3)
    await alice.choose([film.path])
    const first = await held(alice)
    expect(first).toBeGreaterThan(10)
    expect(first).toBeLessThan(50)
    await look(alice.page, 'album-zh-video')

    await alice.phone("setNetwork('none')")
    await alice.page.locator('.upload.waiting').waitFor()
    await alice.page.locator('.notice').waitFor()
    await look(alice.page, 'album-zh-offline')
    alice.parts.forget()
    alice.parts.allow(2)
    await alice.phone("setNetwork('wifi')")
    await alice.page.locator('.upload.sending').waitFor()
    const second = await held(alice)
    expect(second).toBeGreaterThan(first)
    expect(second).toBeLessThan(100)

    // Longer than the system lets anything run.
    await alice.phone('goBackground()')
    await alice.phone('advance(8000)')
    alice.parts.forget()
    alice.parts.allow(100)
    await alice.phone('setClock(null)')
    expect(await alice.percent()).toBe(second)
    await alice.phone('goForeground()')
    await until('it has arrived', async () => (await alice.page.locator('.upload').count()) === 0, { within: 60_000 })

    const [row] = await ask(`select path, size from public.photos where kind = 'video'`)
    expect(Number(row?.size)).toBe(film.size)
    const answer = await fetch(`${server.report.url}/storage/v1/object/public/album/${row?.path}`)
    expect(answer.headers.get('content-type')).toBe('video/webm')
    const bytes = Buffer.from(await answer.arrayBuffer())
    expect(bytes.length).toBe(film.size)
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(film.sha256)

    // In parts, none of them larger than what a phone can hold at once, and none twice.
    const ends = alice.parts.passed.slice(1).concat(film.size)
    const sizes = ends.map((end, at) => end - (alice.parts.passed[at] ?? 0))
    expect(sizes.length).toBeGreaterThan(6)
    expect(Math.min(...sizes)).toBeGreaterThan(0)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(4 * MEGABYTE)

    await until('bob sees it', async () => (await bob.tiles()) === 10)
    await drawn(bob)
    await look(bob.page, 'album-en-video')
  })

  it('what one added, they delete; others cannot, and see it go', async () => {
    await bob.page.locator('.tile').nth(3).tap()
    await bob.page.locator('.about').waitFor()
    expect(await bob.page.locator('.remove').count()).toBe(0)
    await until('the picture is drawn', () =>
      bob.page.locator('.picture img').evaluate((one) => one instanceof HTMLImageElement && one.naturalWidth > 0),
    )
    await look(bob.page, 'album-en-photo')
    await bob.phone('wx.navigateBack()')
    // The film.
    await alice.page.locator('.tile').first().tap()
    await alice.page.locator('.remove').waitFor()
    await until('the film can be played', () =>
      alice.page.locator('video').evaluate((one) => one instanceof HTMLVideoElement && one.readyState > 0),
    )
    await look(alice.page, 'album-zh-film')
    await alice.page.locator('.remove').tap()
    await alice.page.locator('.sim-modal-confirm').tap()
    await until('alice is back', async () => (await alice.tiles()) === 9)
    expect(await ask(`select id from public.photos where kind = 'video'`)).toEqual([])
    // Her own row is gone from the screen as soon as anybody's would be; the files follow.
    await until('its files are gone', async () => (await films()).length === 0)
    await until('bob sees it gone', async () => (await bob.tiles()) === 9)
  })
})

describe('an upload', () => {
  it('is paused, goes on, and is given up without leaving anything behind', async () => {
    const carol = await open('official', 'carol', 'en-US')
    carol.parts.allow(2)
    await carol.choose([film.path])
    const stored = await held(carol)
    await carol.page.locator('.pause').tap()
    await carol.page.locator('.upload.paused').waitFor()
    await keepScreenshot(carol.page, 'album-en-paused')
    carol.parts.forget()
    carol.parts.allow(1)
    await carol.page.locator('.pause').tap()
    expect(await held(carol)).toBeGreaterThan(stored)
    await carol.page.locator('.cancel').tap()
    await until('it is gone', async () => (await carol.page.locator('.upload').count()) === 0)
    await until('on the server, too', async () => (await unfinished()).length + (await films()).length === 0)
  })
})
