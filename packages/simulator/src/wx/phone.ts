/** The simulated phone: foreground and background, network on and off, injected failures, and the delivery of callbacks into the app. */
import { type Delivery, Listeners } from './call.ts'
import { Clock } from './clock.ts'
import type { Host } from './host.ts'
import type { Settings } from './settings.ts'

export type NetworkType = 'wifi' | '2g' | '3g' | '4g' | '5g' | 'none' | 'unknown'
export type PhoneState = 'foreground' | 'background' | 'suspended' | 'destroyed'

/** A planned failure of the next call of an API. */
export interface PlannedFailure {
  readonly reason: string
  readonly errno?: number
}

/** Something that does not survive the suspension of the app: an open socket, a running request. */
export interface Interruptible {
  interrupt(reason: 'interrupted' | 'offline'): void
}

export class Phone implements Delivery {
  readonly host: Host
  settings: Settings
  readonly clock: Clock
  readonly onShow: Listeners
  readonly onHide: Listeners
  readonly onError: Listeners
  readonly onUnhandledRejection: Listeners
  readonly onNetworkStatusChange: Listeners
  /** The framework's own life-cycle, before the app's listeners. */
  readonly hooks = { show: () => {}, hide: () => {}, destroy: () => {} }
  readonly #interruptibles = new Set<Interruptible>()
  readonly #failures = new Map<string, PlannedFailure[]>()
  #queue: (() => void)[] = []
  #flushing = false
  #state: PhoneState = 'foreground'
  #network: NetworkType = 'wifi'
  #graceTimer: number | null = null

  constructor(host: Host, settings: Settings) {
    this.host = host
    this.settings = settings
    this.clock = new Clock(host)
    this.onShow = new Listeners(this)
    this.onHide = new Listeners(this)
    this.onError = new Listeners(this)
    this.onUnhandledRejection = new Listeners(this)
    this.onNetworkStatusChange = new Listeners(this)
  }

  get state(): PhoneState {
    return this.#state
  }

  get networkType(): NetworkType {
    return this.#network
  }

  get online(): boolean {
    return this.#network !== 'none'
  }

  /** Runs in a later turn; held back while the app is suspended, dropped when it is gone. */
  deliver(run: () => void): void {
    if (this.#state === 'destroyed') return
    this.#queue.push(run)
    this.#scheduleFlush()
  }

  /** An exception of the app: the console, then `wx.onError`. */
  report(error: unknown): void {
    this.host.log('error', error)
    const text = error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error)
    if (this.onError.size > 0) this.deliver(() => this.onError.emitNow(text))
  }

  /** Runs app code that must not break its caller. */
  guard<T>(run: () => T): T | undefined {
    try {
      return run()
    } catch (error) {
      this.report(error)
      return undefined
    }
  }

  track(thing: Interruptible): () => void {
    this.#interruptibles.add(thing)
    return () => void this.#interruptibles.delete(thing)
  }

  /** Why no network call can be made now, or null when one can. */
  networkRefusal(): { reason: string; errno: number } | null {
    if (this.#state === 'suspended') return { reason: 'interrupted', errno: 600003 }
    if (!this.online) return { reason: 'net::ERR_INTERNET_DISCONNECTED', errno: 600001 }
    return null
  }

  /** Plans failures; `takeFailure` uses them up in order. */
  failNext(api: string, failure: Partial<PlannedFailure> = {}, times = 1): void {
    const list = this.#failures.get(api) ?? []
    for (let count = 0; count < times; count++) list.push({ reason: 'system error', ...failure })
    this.#failures.set(api, list)
  }

  takeFailure(api: string): PlannedFailure | null {
    return this.#failures.get(api)?.shift() ?? null
  }

  setNetwork(type: NetworkType): void {
    if (type === this.#network) return
    this.#network = type
    if (type === 'none') this.#interruptAll('offline')
    this.onNetworkStatusChange.emit({ isConnected: type !== 'none', networkType: type })
  }

  goBackground(): void {
    if (this.#state !== 'foreground') return
    this.#state = 'background'
    this.guard(this.hooks.hide)
    this.onHide.emitNow({})
    const { backgroundGrace, backgroundDestroy } = this.settings.limits
    this.#graceTimer = this.clock.start(
      () => {
        this.#suspend()
        this.#graceTimer = this.clock.start(() => this.destroy(), backgroundDestroy, { app: false })
      },
      backgroundGrace,
      { app: false },
    )
  }

  /** Callbacks held back arrive first, then onShow: messages reach a woken thread in their order. */
  goForeground(): void {
    if (this.#state !== 'background' && this.#state !== 'suspended') return
    if (this.#graceTimer !== null) this.clock.stop(this.#graceTimer)
    const wasSuspended = this.#state === 'suspended'
    this.#state = 'foreground'
    if (wasSuspended) this.clock.resume()
    this.#scheduleFlush()
    this.deliver(() => {
      this.guard(this.hooks.show)
      this.onShow.emitNow(this.showOptions)
    })
  }

  /** The options of the last launch or show. */
  showOptions: object = { path: '', query: {}, scene: 1001, referrerInfo: {} }

  /** The system took the app away: nothing of it runs any more. */
  destroy(): void {
    if (this.#state === 'destroyed') return
    this.#interruptAll('interrupted')
    this.#state = 'destroyed'
    this.#queue = []
    this.clock.clearApp()
    this.hooks.destroy()
  }

  #suspend(): void {
    this.#interruptAll('interrupted')
    this.#state = 'suspended'
    this.clock.suspend()
  }

  #interruptAll(reason: 'interrupted' | 'offline'): void {
    for (const thing of [...this.#interruptibles]) thing.interrupt(reason)
  }

  #scheduleFlush(): void {
    if (this.#flushing || this.#queue.length === 0 || this.#state === 'suspended') return
    this.#flushing = true
    // One callback a turn, as a phone sends them into the app's thread: promises settle in between.
    this.host.turn(() => {
      this.#flushing = false
      const run = this.#state === 'suspended' ? undefined : this.#queue.shift()
      if (run) this.guard(run)
      this.#scheduleFlush()
    })
  }
}
