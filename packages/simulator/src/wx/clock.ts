/** Time of the simulated phone: runs with the machine's clock or stands still until advanced, and stops for the app while it is suspended. */
import type { Host } from './host.ts'

interface Timer {
  due: number
  readonly run: () => void
  readonly every: number | null
  /** App timers stop in the background; the phone's own (timeouts, the grace period) do not. */
  readonly app: boolean
  handle: unknown
}

type ClockHost = Pick<Host, 'now' | 'setTimeout' | 'clearTimeout'>

export class Clock {
  readonly #host: ClockHost
  readonly #timers = new Map<number, Timer>()
  #frozenAt: number | null = null
  #suspended = false
  #nextId = 1

  constructor(host: ClockHost) {
    this.#host = host
  }

  now(): number {
    return this.#frozenAt ?? this.#host.now()
  }

  get frozen(): boolean {
    return this.#frozenAt !== null
  }

  /** Starts a timer; `every` repeats it. */
  start(run: () => void, delay: number, options: { app: boolean; every?: boolean }): number {
    const wait = Number.isFinite(delay) && delay > 0 ? delay : 0
    const id = this.#nextId++
    const every = options.every ? Math.max(wait, 1) : null
    const timer: Timer = { due: this.now() + wait, run, every, app: options.app, handle: null }
    this.#timers.set(id, timer)
    this.#arm(id, timer)
    return id
  }

  stop(id: number): void {
    const timer = this.#timers.get(id)
    if (!timer) return
    this.#disarm(timer)
    this.#timers.delete(id)
  }

  /** Freezes the clock at a moment, or with null lets it run again. */
  set(moment: number | null): void {
    const before = this.now()
    this.#frozenAt = moment
    const shift = this.now() - before
    // A jump of the wall clock does not fire timers: they count elapsed time.
    for (const [id, timer] of this.#timers) {
      timer.due += shift
      this.#disarm(timer)
      this.#arm(id, timer)
    }
  }

  /** Moves a frozen clock forward, running what comes due in order. Freezes a running clock first. */
  async advance(ms: number): Promise<void> {
    if (this.#frozenAt === null) this.set(this.#host.now())
    const target = this.now() + ms
    for (;;) {
      await this.#settle()
      const next = this.#earliest(target)
      if (next === null) break
      this.#frozenAt = Math.max(this.now(), next[1].due)
      this.#fire(...next)
    }
    this.#frozenAt = target
    await this.#settle()
  }

  suspend(): void {
    this.#suspended = true
    for (const timer of this.#timers.values()) if (timer.app) this.#disarm(timer)
  }

  /** Timers that came due meanwhile run once, now. */
  resume(): void {
    this.#suspended = false
    for (const [id, timer] of this.#timers) this.#arm(id, timer)
  }

  /** Forgets the app's timers, when the app is destroyed. */
  clearApp(): void {
    for (const [id, timer] of this.#timers) if (timer.app) this.stop(id)
  }

  #settle(): Promise<void> {
    return new Promise((resolve) => void this.#host.setTimeout(resolve, 0))
  }

  #earliest(limit: number): [number, Timer] | null {
    let found: [number, Timer] | null = null
    for (const [id, timer] of this.#timers) {
      if (timer.due > limit || (timer.app && this.#suspended)) continue
      if (found === null || timer.due < found[1].due) found = [id, timer]
    }
    return found
  }

  #fire(id: number, timer: Timer): void {
    timer.handle = null
    if (timer.every === null) this.#timers.delete(id)
    else {
      timer.due = this.now() + timer.every
      this.#arm(id, timer)
    }
    timer.run()
  }

  #arm(id: number, timer: Timer): void {
    if (timer.handle !== null || this.#frozenAt !== null || (timer.app && this.#suspended)) return
    // Hosts overflow past 2^31 - 1 ms and would fire at once.
    const wait = Math.min(Math.max(timer.due - this.now(), 0), 0x7fffffff)
    timer.handle = this.#host.setTimeout(() => this.#fire(id, timer), wait)
  }

  #disarm(timer: Timer): void {
    if (timer.handle !== null) this.#host.clearTimeout(timer.handle)
    timer.handle = null
  }
}
