/** App() and getApp(): the one application object and its life-cycle. */
import { functionOf, optionsOf } from '../wx/call.ts'
import type { Phone } from '../wx/phone.ts'

export type AppObject = Record<string, unknown>

/** Options of a launch or a return to the foreground. */
export interface ShowOptions {
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly scene: number
  readonly shareTicket: undefined
  readonly referrerInfo: object
}

export class AppHolder {
  readonly #phone: Phone
  #app: AppObject | null = null
  launchOptions: ShowOptions | null = null

  constructor(phone: Phone) {
    this.#phone = phone
    phone.onError.on((text: unknown) => this.call('onError', text))
    phone.onUnhandledRejection.on((result: unknown) => this.call('onUnhandledRejection', result))
  }

  /** App(): keeps the object; its hooks run at launch. */
  readonly register = (definition: unknown): void => {
    const app: AppObject = this.#app ?? {}
    Object.assign(app, optionsOf(definition))
    this.#app = app
  }

  readonly getApp = (options?: unknown): AppObject | undefined => {
    if (!this.#app && optionsOf(options).allowDefault === true) this.#app = {}
    return this.#app ?? undefined
  }

  launch(options: ShowOptions): void {
    this.launchOptions = options
    this.#phone.showOptions = options
    if (!this.#app) this.#app = {}
    this.call('onLaunch', options)
    this.call('onShow', options)
    this.#phone.onShow.emitNow(options)
  }

  has(name: string): boolean {
    return functionOf(this.#app?.[name]) !== null
  }

  call(name: string, ...args: unknown[]): void {
    const app = this.#app
    const hook = functionOf(app?.[name])
    if (hook) this.#phone.guard(() => Reflect.apply(hook, app, args))
  }
}
