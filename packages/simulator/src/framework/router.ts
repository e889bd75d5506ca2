/** The page stack and the functions that move it. What a page is made of is the view's business. */
import {
  asyncApi,
  functionOf,
  numberOf,
  type Options,
  optionsOf,
  type Settle,
  stringOf,
  wrongParameter,
} from '../wx/call.ts'
import type { Phone } from '../wx/phone.ts'
import type { Bundle } from './bundle.ts'
import { EventChannel } from './event-channel.ts'
import { directoryOf, joinPath } from './loader.ts'

export type Query = Readonly<Record<string, string>>

/** A page on the stack. `instance` is what getCurrentPages shows. */
export interface PageHandle {
  readonly route: string
  readonly instance: object
  readonly channel: EventChannel | null
  /** Attaches the page and runs its onLoad; it is on the stack already, where its own code finds it. */
  load(): void
  show(): void
  hide(): void
  destroy(): void
}

/** Makes pages, not loaded yet: in the browser on glass-easel, in Node as plain objects. */
export interface PageFactory {
  create(route: string, query: Query, channel: EventChannel | null): PageHandle
  /** The stack changed; `tab` is the index of the shown tab, or -1. */
  changed(stack: readonly PageHandle[], tab: number): void
}

export interface Target {
  readonly route: string
  readonly query: Query
}

/** `pages/a/b?x=1`, relative to the current page or absolute. Values stay as they are: the page decodes. */
export function parseTarget(url: string, current: string): Target {
  const [path = '', search = ''] = url.split('?', 2)
  const route = joinPath(`/${directoryOf(current)}`, path)
    .slice(1)
    .replace(/\.html$/, '')
  const query: Record<string, string> = {}
  for (const pair of search.split('&')) {
    const equals = pair.indexOf('=')
    if (pair !== '') query[equals < 0 ? pair : pair.slice(0, equals)] = equals < 0 ? '' : pair.slice(equals + 1)
  }
  return { route, query }
}

export class Router {
  readonly #phone: Phone
  readonly #bundle: Bundle
  readonly #factory: PageFactory
  /** Tab pages stay alive when another tab is shown. */
  readonly #tabs = new Map<string, PageHandle>()
  readonly notFound: (target: Target) => boolean
  #stack: PageHandle[] = []

  constructor(phone: Phone, bundle: Bundle, factory: PageFactory, notFound: (target: Target) => boolean) {
    this.#phone = phone
    this.#bundle = bundle
    this.#factory = factory
    this.notFound = notFound
  }

  get stack(): readonly PageHandle[] {
    return this.#stack
  }

  get top(): PageHandle | null {
    return this.#stack.at(-1) ?? null
  }

  readonly getCurrentPages = (): object[] => this.#stack.map((page) => page.instance)

  tabIndex(route: string): number {
    return this.#bundle.tabBar?.list.findIndex((item) => item.pagePath === route) ?? -1
  }

  /** Opens the first page. */
  start(target: Target): void {
    const known = this.#bundle.pages.includes(target.route)
    if (!known && this.notFound(target)) return
    this.#reset(known ? target : { route: this.#bundle.entryPage, query: {} })
  }

  /** The navigation functions of wx. They move in a later turn: a page that leaves in its onLoad is shown first. */
  api() {
    const later = (name: string, run: (options: Options, settle: Settle) => void) =>
      asyncApi(name, this.#phone, (options, settle) => this.#phone.deliver(() => run(options, settle)))
    const moving = (name: string, move: (target: Target, options: Options) => object | string) =>
      later(name, (options, settle) => this.#move(name, options, settle, move))
    return {
      navigateTo: moving('navigateTo', (target, options) => this.#open(target, options)),
      redirectTo: moving('redirectTo', (target) => this.#redirect(target)),
      reLaunch: moving('reLaunch', (target) => this.#relaunch(target)),
      switchTab: moving('switchTab', (target) => this.#switchTab(target)),
      navigateBack: later('navigateBack', (options, settle) => {
        const planned = this.#phone.takeFailure('navigateBack')
        if (planned) return settle.fail(planned.reason)
        if (this.#stack.length < 2) return settle.fail('cannot navigate back at first page.')
        this.back(numberOf(options.delta, 1))
        settle.ok()
      }),
    }
  }

  back(delta: number): void {
    const count = Math.min(Math.max(Math.floor(delta), 1), this.#stack.length - 1)
    for (let left = count; left > 0; left--) this.#drop(this.#stack.pop())
    this.top?.show()
    this.#tell()
  }

  #move(name: string, options: Options, settle: Settle, move: (target: Target, options: Options) => object | string) {
    const refusal = this.#phone.takeFailure(name)?.reason ?? wrongParameter(options, 'url', 'String')
    if (refusal) return settle.fail(refusal)
    const target = parseTarget(stringOf(options.url), this.top?.route ?? '')
    if (!this.#bundle.pages.includes(target.route)) return settle.fail(`page "${target.route}" is not found`)
    const result = move(target, options)
    if (typeof result === 'string') settle.fail(result)
    else settle.ok(result)
  }

  #open(target: Target, options: Options): object | string {
    if (this.tabIndex(target.route) >= 0) return 'can not navigateTo a tabbar page'
    if (this.#stack.length >= this.#phone.settings.limits.pageStack) return 'webview count limit exceed'
    const [opener, opened] = EventChannel.pair()
    for (const [name, listener] of Object.entries(optionsOf(options.events)))
      if (functionOf(listener)) opener.on(name, listener)
    this.top?.hide()
    this.#push(target, opened)
    return { eventChannel: opener }
  }

  #redirect(target: Target): object | string {
    if (this.tabIndex(target.route) >= 0) return 'can not redirectTo a tabbar page'
    this.#drop(this.#stack.pop())
    this.#push(target, null)
    return {}
  }

  #relaunch(target: Target): object {
    this.#reset(target)
    return {}
  }

  #reset(target: Target): void {
    for (const page of this.#stack.reverse()) page.destroy()
    for (const page of this.#tabs.values()) if (!this.#stack.includes(page)) page.destroy()
    this.#tabs.clear()
    this.#stack = []
    this.#push(target, null)
  }

  #switchTab(target: Target): object | string {
    if (this.tabIndex(target.route) < 0) return 'can not switch to no-tabBar page'
    if (this.top?.route === target.route) return {}
    const wasTop = this.#stack.length === 1
    while (this.#stack.length > 1) this.#drop(this.#stack.pop())
    const below = this.#stack.pop()
    if (!below || !this.#tabs.has(below.route)) this.#drop(below)
    else if (wasTop) below.hide()
    const kept = this.#tabs.get(target.route)
    if (kept) {
      this.#stack = [kept]
      this.#tell()
      kept.show()
    } else this.#push({ route: target.route, query: {} }, null)
    return {}
  }

  #push(target: Target, channel: EventChannel | null): void {
    const page = this.#factory.create(target.route, target.query, channel)
    if (this.tabIndex(target.route) >= 0) this.#tabs.set(target.route, page)
    this.#stack.push(page)
    this.#tell()
    page.load()
    page.show()
  }

  /** A page leaves for good; tab pages leave only when the app relaunches. */
  #drop(page: PageHandle | undefined): void {
    if (!page) return
    if (this.#tabs.get(page.route) === page) this.#tabs.delete(page.route)
    page.destroy()
  }

  #tell(): void {
    this.#factory.changed(this.#stack, this.tabIndex(this.top?.route ?? ''))
  }
}
