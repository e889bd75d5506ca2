/** Starts a project in the page: builds the phone, loads the app, opens its first page, and shows tests the controls. */
import { component as adapterComponent } from 'glass-easel-miniprogram-adapter'
import type { Bundle } from '../framework/bundle.ts'
import { type AppGlobals, createRuntime, type Runtime } from '../framework/runtime.ts'
import { type Core, createCore } from '../wx/create.ts'
import type { DeviceInfo, Host } from '../wx/host.ts'
import type { SettingsInput } from '../wx/settings.ts'
import { registerBuiltins } from './builtin/register.ts'
import { exposeControls } from './controls.ts'
import { type DevicePreset, NAVIGATION_BAR, presetOf, TAB_BAR } from './device.ts'
import { Environment, useJsonSetData } from './environment.ts'
import { Gestures } from './gestures.ts'
import { usePlainEvents, useReady } from './glass.ts'
import { createMediaUrl } from './media-url.ts'
import { proxiedNetwork } from './network.ts'
import { chooseFiles, compressImage, imageSize, Overlays } from './overlays.ts'
import { createPageApi } from './page-api.ts'
import { Pages } from './page-view.ts'
import { openPersistence } from './persistence.ts'
import { createQueryApi, useOwnQueries } from './query-api.ts'
import { createSource, type ModuleMaker } from './sandbox.ts'
import { Screen } from './screen.ts'
import { addStyles } from './styles.ts'
import { wechatHooks } from './wechat.ts'
import { wxsDate, wxsRegExp, wxsTypes } from './wxs.ts'

interface AppPackage {
  readonly bundle: Bundle
  readonly modules: Readonly<Record<string, ModuleMaker>>
  readonly templates: (getRegExp: unknown, getDate: unknown) => Readonly<Record<string, unknown>>
}

interface SimulatorWindow {
  __teahouse_app?: (app: AppPackage) => void
  __teahouse_settings?: SettingsInput
  /** True when there is a WeChat sandbox to ask. */
  __teahouse_wechat?: boolean
}

const page = window as unknown as SimulatorWindow

page.__teahouse_app = (app) => {
  const ready = () => void start(app).catch((error: unknown) => console.error(error))
  if (document.body) ready()
  else document.addEventListener('DOMContentLoaded', ready)
}

async function start(app: AppPackage): Promise<void> {
  const query = new URLSearchParams(location.search)
  const user = query.get('user') ?? 'user'
  const device = presetOf(query.get('device'))
  const { bundle } = app
  addStyles()
  document.documentElement.dataset.style = bundle.style
  for (const problem of bundle.problems)
    console[problem.level === 'error' ? 'error' : 'warn'](`${problem.file}: ${problem.message}`)
  const persistence = await openPersistence(bundle.appId, user)
  const screen = new Screen(bundle, device)
  const parts: { pages: Pages | null; overlays: Overlays | null } = { pages: null, overlays: null }
  const host = createHost({ user, device, persistence, bundle, parts })
  const core = createCore(host, { appId: bundle.appId, ...page.__teahouse_settings })
  const mediaUrl = createMediaUrl(core.files)
  const overlays = new Overlays(screen.overlays, (path) => mediaUrl(path, ''))
  parts.overlays = overlays
  const runtime = assemble(app, core, screen, overlays, mediaUrl, parts)
  exposeControls(runtime, persistence)
  listenReload()
  runtime.launch(query.get('path') ?? '')
}

function assemble(
  app: AppPackage,
  core: Core,
  screen: Screen,
  overlays: Overlays,
  mediaUrl: (path: string, from: string) => string,
  parts: { pages: Pages | null },
): Runtime {
  const { bundle } = app
  const { phone } = core
  wxsTypes()
  usePlainEvents()
  useReady(readyTurns(phone))
  const environment = new Environment(phone, bundle, app.templates(wxsRegExp, wxsDate))
  useJsonSetData(adapterComponent.ComponentCaller.prototype, phone)
  const pages = new Pages(phone, bundle, environment, screen)
  parts.pages = pages
  registerBuiltins({
    core,
    pages,
    overlays,
    environment,
    mediaUrl,
    classPrefix: (path) => bundle.styles[path]?.scope ?? '',
  })
  Object.assign(core.wx, createPageApi(phone, pages, screen), createQueryApi(phone, pages))
  useOwnQueries(adapterComponent.ComponentCaller.prototype, core.wx)
  const globals: { current: AppGlobals } = { current: {} }
  const runtime = createRuntime({
    core,
    bundle,
    source: createSource(app.modules, () => globals.current, phone),
    factory: pages,
    constructors: environment.constructors,
    loadComponents: (loader) => environment.loadAll(loader),
  })
  globals.current = runtime.globals
  screen.onBack = () => runtime.router.back(1)
  screen.onTab = (index) => {
    const item = bundle.tabBar?.list[index]
    if (!item) return
    pages.current?.call('onTabItemTap', { index, pagePath: item.pagePath, text: item.text })
    const switchTab = core.wx.switchTab
    if (typeof switchTab === 'function') switchTab({ url: `/${item.pagePath}`, fail: () => {} })
  }
  new Gestures().listen()
  window.addEventListener('unhandledrejection', ({ reason, promise }) =>
    phone.onUnhandledRejection.emit({ reason, promise }),
  )
  return runtime
}

interface HostParts {
  readonly user: string
  readonly device: DevicePreset
  readonly persistence: Host['persistence']
  readonly bundle: Bundle
  readonly parts: { readonly pages: Pages | null; readonly overlays: Overlays | null }
}

function createHost({ user, device, persistence, bundle, parts }: HostParts): Host {
  const token = document.querySelector<HTMLMetaElement>('meta[name=sim-token]')?.content ?? ''
  let clipboard = ''
  return {
    network: proxiedNetwork(token),
    persistence,
    hooks: page.__teahouse_wechat ? wechatHooks(token, user) : {},
    user,
    now: () => Date.now(),
    setTimeout: (run, delay) => window.setTimeout(run, delay),
    clearTimeout: (handle) => window.clearTimeout(handle as number),
    turn: createTurns(),
    log: (level, ...rest) => console[level](...rest),
    device: () => deviceInfo(device, bundle, parts.pages),
    ui: {
      showToast: (call) => parts.overlays?.showToast(call),
      hideToast: () => parts.overlays?.hideToast(),
      showModal: (call, done) => parts.overlays?.showModal(call, done),
      showActionSheet: (items, color, done) => parts.overlays?.showActionSheet(items, color, done),
      previewImage: (urls, current) => parts.overlays?.previewImage(urls, current),
      chooseFiles,
      imageSize: (bytes, done) => void imageSize(bytes).then(done),
      compressImage: (bytes, quality, width, done) => void compressImage(bytes, quality, width).then(done),
      clipboard: {
        get: () => clipboard,
        set: (text) => {
          clipboard = text
        },
      },
    },
  }
}

/** One delivery for all that was attached together. */
function readyTurns(phone: Core['phone']): (run: () => void) => void {
  let batch: (() => void)[] = []
  return (run) => {
    if (batch.length === 0)
      phone.deliver(() => {
        const ready = batch
        batch = []
        for (const one of ready) phone.guard(one)
      })
    batch.push(run)
  }
}

/** Turns by message: timers of a page are held back by milliseconds. */
function createTurns(): (run: () => void) => void {
  const channel = new MessageChannel()
  const waiting: (() => void)[] = []
  channel.port1.onmessage = () => waiting.shift()?.()
  return (run) => {
    waiting.push(run)
    channel.port2.postMessage(null)
  }
}

function deviceInfo(device: DevicePreset, bundle: Bundle, pages: Pages | null): DeviceInfo {
  const config = pages?.current?.config ?? { ...bundle.window, ...bundle.components[bundle.entryPage] }
  const route = pages?.current?.route ?? bundle.entryPage
  const isTab = bundle.tabBar?.list.some((item) => item.pagePath === route) === true
  const bars = config.navigationStyle === 'custom' ? 0 : device.statusBar + NAVIGATION_BAR
  const { innerWidth, innerHeight, devicePixelRatio } = window
  return {
    brand: 'devtools',
    model: device.model,
    system: 'iOS 17.0',
    platform: 'devtools',
    pixelRatio: devicePixelRatio,
    screenWidth: innerWidth,
    screenHeight: innerHeight,
    windowWidth: innerWidth,
    windowHeight: innerHeight - bars - (isTab ? TAB_BAR + device.safeBottom : 0),
    statusBarHeight: device.statusBar,
    safeBottom: device.safeBottom,
    language: new URLSearchParams(location.search).get('language') ?? phoneLanguage(navigator.language),
    theme: 'light',
  }
}

/** The browser's language as WeChat names it: `zh_CN`, `zh_TW`, `en`. */
const phoneLanguage = (tag: string): string => (/^zh/i.test(tag) ? tag.replace('-', '_') : (tag.split('-')[0] ?? 'en'))

/** Reloads when the project was built again. */
function listenReload(): void {
  const events = new EventSource('/__sim/events')
  events.onmessage = () => location.reload()
}
