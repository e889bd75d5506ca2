/** What the sandbox's tests share: a clock that stands still, a started sandbox, and an app's server that calls it. */
import { onTestFinished } from 'vitest'
import type { JsonObject } from '../src/kernel/json.ts'
import { type Sandbox, type SandboxOptions, startSandbox } from '../src/sandbox.ts'

/** Time that moves only by `advance`, running what comes due. */
export class StandingClock {
  #now = 1_800_000_000_000
  #timers: { readonly due: number; readonly run: () => void }[] = []

  now(): number {
    return this.#now
  }

  after(ms: number, run: () => void): () => void {
    const timer = { due: this.#now + ms, run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer)
    }
  }

  advance(ms: number): void {
    this.#now += ms
    const due = this.#timers.filter((timer) => timer.due <= this.#now)
    this.#timers = this.#timers.filter((timer) => timer.due > this.#now)
    for (const timer of due) timer.run()
  }

  get waiting(): number {
    return this.#timers.length
  }
}

export const APPID = 'wx0000000000000001'
export const SECRET = 'the-secret-of-the-first-app'
export const MINUTE = 60_000

export interface Served {
  readonly sandbox: Sandbox
  readonly control: Sandbox['control']
  readonly clock: StandingClock
  /** GET with a query; the parsed answer. */
  get(path: string, query?: Readonly<Record<string, string>>): Promise<JsonObject>
  /** POST of JSON. */
  post(path: string, body: object | string, query?: Readonly<Record<string, string>>): Promise<JsonObject>
  /** jscode2session of the first app. */
  login(code: string, changes?: Readonly<Record<string, string>>): Promise<JsonObject>
  /** A fresh plain access token of the first app. */
  token(): Promise<string>
}

/** A sandbox on a free port that ends with the test. */
export const serve = async (options: Partial<SandboxOptions> = {}): Promise<Served> => {
  const clock = new StandingClock()
  const apps = [{ appid: APPID, secret: SECRET, openPlatform: 'ours' }]
  const sandbox = await startSandbox({ apps, clock, seed: 'test', ...options })
  onTestFinished(() => sandbox.stop())
  const address = (path: string, query: Readonly<Record<string, string>> = {}) =>
    `${sandbox.url}${path}?${new URLSearchParams(query)}`
  const get: Served['get'] = async (path, query) => objectOf(await fetch(address(path, query)))
  const post: Served['post'] = async (path, body, query) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const headers = { 'content-type': 'application/json' }
    return objectOf(await fetch(address(path, query), { method: 'POST', body: text, headers }))
  }
  const credentials = { appid: APPID, secret: SECRET }
  return {
    sandbox,
    control: sandbox.control,
    clock,
    get,
    post,
    login: (js_code, changes) =>
      get('/sns/jscode2session', { ...credentials, js_code, grant_type: 'authorization_code', ...changes }),
    token: async () =>
      String((await get('/cgi-bin/token', { ...credentials, grant_type: 'client_credential' })).access_token),
  }
}

/** Both APIs answer JSON objects; a test that gets anything else should fail on it. */
const objectOf = async (response: Response): Promise<JsonObject> => (await response.json()) as JsonObject
