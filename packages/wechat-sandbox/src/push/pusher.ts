/** Sends events to an app's push address: up to three times more, until the receiver says `success`. */
import type { Clock } from '../kernel/clock.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { Random } from '../kernel/random.ts'
import type { AppSettings, Limits, PushSettings } from '../settings.ts'
import { pushRequest, verifyUrl } from './message.ts'

/** What became of an event. */
export interface Push {
  readonly appid: string
  readonly event: JsonObject
  attempts: number
  /** `none`: the app has no push address. */
  state: 'waiting' | 'delivered' | 'failed' | 'none'
  /** Why the last attempt failed. */
  problem: string | null
}

const RETRIES = 3
const RETRY_AFTER = 1_000
const MOST = 1_000

export class Pusher {
  readonly #clock: Clock
  readonly #random: Random
  readonly #limits: Limits
  readonly #cancels = new Set<() => void>()
  #pushes: Push[] = []

  constructor(clock: Clock, random: Random, limits: Limits) {
    this.#clock = clock
    this.#random = random
    this.#limits = limits
  }

  /** Calls `work` later; cancelled when the sandbox is reset or stops. */
  later(ms: number, work: () => Promise<void>): void {
    const cancel = this.#clock.after(ms, () => {
      this.#cancels.delete(cancel)
      // Failures of a push end in its record; nothing else may throw there.
      void work()
    })
    this.#cancels.add(cancel)
  }

  async send(app: AppSettings, event: JsonObject): Promise<Push> {
    const push: Push = { appid: app.appid, event, attempts: 0, state: 'waiting', problem: null }
    this.#pushes = [...this.#pushes, push].slice(-MOST)
    if (app.push === null) push.state = 'none'
    else await this.#attempt(push, app.push)
    return push
  }

  /** Asks the address for the echo, as the platform's console does when it is saved. Null when it answered right. */
  async verify(settings: PushSettings): Promise<string | null> {
    const { url, echo } = verifyUrl(settings, this.#seconds(), this.#random)
    const answer = await this.#fetch(url, {})
    return answer === echo
      ? null
      : `the address answered ${JSON.stringify(answer.slice(0, 200))} instead of the echostr`
  }

  pushes(): readonly Push[] {
    return this.#pushes
  }

  /** Drops what is planned and what is recorded. */
  clear(): void {
    for (const cancel of this.#cancels) cancel()
    this.#cancels.clear()
    this.#pushes = []
  }

  async #attempt(push: Push, settings: PushSettings): Promise<void> {
    push.attempts += 1
    const at = this.#seconds()
    const { url, contentType, body } = pushRequest(settings, { appid: push.appid, event: push.event, at }, this.#random)
    const answer = await this.#fetch(url, { method: 'POST', headers: { 'content-type': contentType }, body })
    if (answer === 'success' || answer === '') {
      push.state = 'delivered'
      return
    }
    push.problem = `answered ${JSON.stringify(answer.slice(0, 200))}`
    if (push.attempts > RETRIES) push.state = 'failed'
    else this.later(RETRY_AFTER, () => this.#attempt(push, settings))
  }

  /** The text of the answer; a refused or slow connection becomes text too, because it only ends in a record. */
  async #fetch(url: string, init: RequestInit): Promise<string> {
    try {
      const response = await fetch(url, {
        ...init,
        signal: AbortSignal.timeout(this.#limits.pushPatience),
        redirect: 'error',
      })
      const text = await response.text()
      return response.ok ? text.trim() : `HTTP ${response.status}`
    } catch (error) {
      return `no answer: ${error instanceof Error ? error.message : String(error)}`
    }
  }

  #seconds(): number {
    return Math.floor(this.#clock.now() / 1000)
  }
}
