/** A running app: core, loader, App, pages and router wired together. The browser and the Node realm add their page factory. */
import { type Core, strictWx, type Wx } from '../wx/create.ts'
import { createTimers } from '../wx/timers.ts'
import { AppHolder, type ShowOptions } from './app.ts'
import type { Bundle } from './bundle.ts'
import { Loader, type ModuleSource } from './loader.ts'
import { type PageFactory, parseTarget, Router, type Target } from './router.ts'

/** The globals an app sees besides the language's own. */
export type AppGlobals = Record<string, unknown>

export interface Runtime {
  readonly core: Core
  readonly wx: Wx
  readonly app: AppHolder
  readonly router: Router
  readonly loader: Loader
  readonly globals: AppGlobals
  /** Runs app.js and opens the first page. */
  launch(url?: string): void
}

export interface RuntimeParts {
  readonly core: Core
  readonly bundle: Bundle
  readonly source: ModuleSource
  readonly factory: PageFactory
  /** Page, Component and Behavior. */
  readonly constructors: AppGlobals
  /** Loads every page's and component's script. */
  readonly loadComponents: (loader: Loader) => void
}

/** Wires a runtime; nothing of the app has run yet. */
export function createRuntime(parts: RuntimeParts): Runtime {
  const { core, bundle } = parts
  const { phone } = core
  const app = new AppHolder(phone)
  const router = new Router(phone, bundle, parts.factory, (target) => reportMissing(core, app, target))
  const loader = new Loader(parts.source)
  Object.assign(core.wx, router.api(), {
    getLaunchOptionsSync: () => app.launchOptions ?? phone.showOptions,
    getEnterOptionsSync: () => phone.showOptions,
  })
  const wx = strictWx(core)
  const globals: AppGlobals = {
    ...createTimers(phone),
    ...parts.constructors,
    wx,
    App: app.register,
    getApp: app.getApp,
    getCurrentPages: router.getCurrentPages,
  }
  phone.hooks.hide = () => {
    router.top?.hide()
    app.call('onHide')
  }
  phone.hooks.show = () => {
    app.call('onShow', phone.showOptions)
    router.top?.show()
  }
  const launch = (url = '') => {
    const target = parseTarget(url || phone.settings.launchPath || bundle.entryPage, '')
    const options: ShowOptions = {
      path: target.route,
      query: target.query,
      scene: 1001,
      shareTicket: undefined,
      referrerInfo: {},
    }
    if (loader.resolve('/', '/app')) phone.guard(() => loader.load('/app.js'))
    // Before the pages' scripts: they may use at their top level what onLaunch prepares.
    app.launch(options)
    parts.loadComponents(loader)
    phone.guard(() => router.start(target))
  }
  return { core, wx, app, router, loader, globals, launch }
}

/** A launch into a page that is not there: the app may deal with it, else its first page opens. */
function reportMissing(core: Core, app: AppHolder, target: Target): boolean {
  const result = { path: target.route, query: target.query, isEntryPage: true }
  core.phone.host.log('error', `page "${target.route}" is not found`)
  const handled = app.has('onPageNotFound')
  app.call('onPageNotFound', result)
  core.pageNotFound.emitNow(result)
  return handled
}
