/** The album on a started server, through either client: what a person does by hand, and what the tests do to their phones. */
import { cp, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { startSimulator } from '../../packages/simulator/src/serve/server.ts'
import { openPhone, type Person } from '../support/phone.ts'
import { repository, runTeahouse, type StartReport, temporaryFolder } from '../support/server.ts'

/** The clients that the album is written for. */
export const flavours = ['official', 'stable'] as const
export type Flavour = (typeof flavours)[number]

const source = join(repository, 'examples', 'album')

export const migrate = async (report: StartReport): Promise<void> => {
  const ran = await runTeahouse(['migrate', source, '--database-url', report.databaseUrl])
  if (ran.code !== 0) throw new Error(`migrate failed: ${ran.stderr}`)
}

export interface AlbumApp {
  readonly url: string
  stop(): Promise<void>
}

/** Copies the example aside, fills in its three values, and serves it. */
export const serveAlbum = async (report: StartReport, flavour: Flavour): Promise<AlbumApp> => {
  const folder = await temporaryFolder()
  const project = join(folder.path, 'album')
  await cp(source, project, { recursive: true, filter: (path) => !path.includes('node_modules') })
  await symlink(join(repository, 'node_modules'), join(folder.path, 'node_modules'))
  const file = join(project, 'lib', 'supabase.js')
  const text = (await readFile(file, 'utf8'))
    .replace('url = ""', `url = "${report.url}"`)
    .replace('key = ""', `key = "${report.anonKey}"`)
    .replace('flavour = "official"', `flavour = "${flavour}"`)
  await writeFile(file, text)
  const simulator = await startSimulator({
    dir: project,
    watch: false,
    wechat: { url: report.wechatSandboxUrl ?? '', ...(report.appId === null ? {} : { appId: report.appId }) },
    onProblem: (problem) => process.stderr.write(`${problem}\n`),
  })
  const stop = async () => {
    await simulator.stop()
    await folder.remove()
  }
  return { url: simulator.url, stop }
}

/** The parts of uploads on their way from a phone: they pass as long as there is leave, and wait otherwise. So an upload has a middle that stays. */
export class Parts {
  /** Where in its file each part that passed begins. */
  readonly passed: number[] = []
  #leave = Number.POSITIVE_INFINITY
  readonly #waiting: (() => void)[] = []

  get waiting(): number {
    return this.#waiting.length
  }

  /** So many more may pass, and what waits goes first. */
  allow(count: number): void {
    this.#leave = count
    while (this.#leave > 0 && this.#waiting.length > 0) {
      this.#leave--
      this.#waiting.shift()?.()
    }
  }

  take(offset: number, pass: () => void): void {
    const go = () => {
      this.passed.push(offset)
      pass()
    }
    if (this.#leave-- > 0) go()
    else this.#waiting.push(go)
  }

  /** Whoever waited has been given up by the phone. */
  forget(): void {
    this.#waiting.length = 0
  }
}

export interface Guest {
  readonly page: Page
  readonly parts: Parts
  choose(files: readonly string[]): Promise<void>
  /** How far the only upload is, from 0 to 100; null when there is none. */
  percent(): Promise<number | null>
  tiles(): Promise<number>
  /** The phone itself: `__simulator` in its page. */
  phone(code: string): Promise<unknown>
}

/** Opens the album for one person and waits until they are in. */
export const enter = async (browser: Browser, url: string, person: Person): Promise<Guest> => {
  const page = await openPhone(browser, url, person)
  const parts = new Parts()
  await page.route(
    (address) => address.pathname === '/__sim/http',
    (route) => {
      const request = route.request()
      // The phone gave it up meanwhile: there is nobody to tell.
      const pass = () => void route.continue().catch(() => {})
      const call = callOf(request.headers()['x-sim-call'] ?? '')
      if (call.part !== null) parts.take(call.part, pass)
      else pass()
    },
  )
  await page.locator('.album.in').waitFor()
  return {
    page,
    parts,
    choose: async (files) => {
      const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.locator('.foot .main').tap()])
      await chooser.setFiles([...files])
    },
    percent: async () => {
      const texts = await page.locator('.upload .percent').allInnerTexts()
      return texts.length === 0 ? null : Number.parseInt(texts[0] ?? '', 10)
    },
    tiles: () => page.locator('.tile').count(),
    phone: (code) => page.evaluate(`__simulator.${code}`),
  }
}

/** Where the part of an upload begins that the phone asked the simulator to send; null for any other request. */
const callOf = (encoded: string): { readonly part: number | null } => {
  // Written by the simulator's own page.
  const { url, headers } = JSON.parse(Buffer.from(encoded, 'base64').toString('utf8')) as {
    url: string
    headers: readonly (readonly [string, string])[]
  }
  const header = (wanted: string) => headers.find(([name]) => name.toLowerCase() === wanted)?.[1]
  const isPart = url.includes('/upload/resumable/') && header('x-http-method-override') === 'PATCH'
  return { part: isPart ? Number(header('upload-offset')) : null }
}
