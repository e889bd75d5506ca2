/** The phone's screen: pages one over the other, each with its navigation bar, and the tab bar below. */
import type { Bundle, TabBarConfig, WindowConfig } from '../framework/bundle.ts'
import { type DevicePreset, NAVIGATION_BAR, TAB_BAR } from './device.ts'
import { make } from './dom.ts'

const BACK = 'M10 2 L3 10 L10 18'

/** One page's part of the screen. */
export interface PageFrame {
  readonly root: HTMLElement
  readonly viewport: HTMLElement
  readonly scroll: HTMLElement
  setTitle(text: string): void
  setColors(front: string, background: string): void
  setLoading(on: boolean): void
  setBack(kind: 'back' | 'home' | 'none'): void
}

export const isCustomNavigation = (config: WindowConfig): boolean => config.navigationStyle === 'custom'

/** The address of a picture of the code package. */
export const packageUrl = (path: string): string => `/__app/${path.replace(/^\/+/, '')}`

export class Screen {
  readonly root = make('div', { class: 'sim-screen' })
  readonly overlays = make('div', { class: 'sim-overlays' })
  readonly #pages = make('div', { class: 'sim-pages' })
  readonly #device: DevicePreset
  readonly #bundle: Bundle
  readonly tabBar: TabBar | null
  onBack: () => void = () => {}
  onTab: (index: number) => void = () => {}

  constructor(bundle: Bundle, device: DevicePreset) {
    this.#bundle = bundle
    this.#device = device
    const config = bundle.tabBar
    this.tabBar = config && config.custom !== true ? new TabBar(config, device, (index) => this.onTab(index)) : null
    this.root.append(this.#statusBar(), this.#pages)
    if (this.tabBar) this.root.append(this.tabBar.root)
    this.root.append(this.overlays)
    document.body.append(this.root)
    const style = document.documentElement.style
    style.setProperty('--sim-status', `${device.statusBar}px`)
    style.setProperty('--sim-safe-bottom', `${device.safeBottom}px`)
    style.setProperty('--sim-safe-top', `${device.statusBar}px`)
  }

  /** The height left for a page. */
  pageHeight(config: WindowConfig, isTab: boolean): number {
    const top = isCustomNavigation(config) ? 0 : this.#device.statusBar + NAVIGATION_BAR
    const bottom = isTab && this.tabBar?.visible ? TAB_BAR + this.#device.safeBottom : 0
    return window.innerHeight - top - bottom
  }

  addPage(route: string, config: WindowConfig): PageFrame {
    const frame = createPageFrame(route, config, () => this.onBack())
    this.#pages.append(frame.root)
    return frame
  }

  /** Shows one page and gives every page its measures. */
  layout(frames: readonly { frame: PageFrame; route: string; config: WindowConfig }[], shown: PageFrame | null): void {
    for (const { frame, route, config } of frames) {
      const isTab = this.#bundle.tabBar?.list.some((item) => item.pagePath === route) === true
      const height = this.pageHeight(config, isTab)
      frame.viewport.style.height = `${height}px`
      frame.root.style.setProperty('--sim-vh', `${height / 100}px`)
      frame.root.style.display = frame === shown ? '' : 'none'
    }
  }

  #statusBar(): HTMLElement {
    const time = make('span', { class: 'sim-clock', text: '9:41' })
    const signs = make('span', { class: 'sim-signs', text: '100%' })
    return make('div', { class: 'sim-status', children: [time, signs] })
  }
}

function svgArrow(): HTMLElement {
  const holder = make('span', { class: 'sim-arrow' })
  holder.innerHTML = `<svg width="12" height="20" viewBox="0 0 12 20"><path d="${BACK}" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/></svg>`
  return holder
}

function capsule(): HTMLElement {
  const dots = make('span', { class: 'sim-dots', text: '•••' })
  const ring = make('span', { class: 'sim-ring' })
  return make('div', { class: 'sim-capsule', children: [dots, ring] })
}

function createPageFrame(route: string, config: WindowConfig, back: () => void): PageFrame {
  const title = make('div', { class: 'sim-title', text: config.navigationBarTitleText ?? '' })
  const spinner = make('span', { class: 'sim-spinner sim-nav-loading', style: { display: 'none' } })
  const arrow = make('div', { class: 'sim-back', children: [svgArrow()], on: { click: back } })
  const bar = make('div', {
    class: 'sim-bar',
    children: [arrow, make('div', { class: 'sim-heading', children: [spinner, title] }), capsule()],
  })
  const navigation = make('div', { class: 'sim-navigation', children: [bar] })
  const scroll = make('div', { class: 'sim-scroll' })
  const viewport = make('div', { class: 'sim-viewport', children: [scroll] })
  const custom = isCustomNavigation(config)
  if (custom) navigation.classList.add('sim-custom')
  const root = make('div', { class: 'sim-page', attributes: { 'data-page': route }, children: [navigation, viewport] })
  viewport.style.background = '#fff'
  scroll.style.overflowY = config.disableScroll ? 'hidden' : 'auto'
  const setColors = (front: string, background: string) => {
    if (front) root.style.setProperty('--sim-nav-front', front)
    if (background) root.style.setProperty('--sim-nav-background', background)
  }
  setColors(
    config.navigationBarTextStyle === 'black' ? '#000000' : '#ffffff',
    config.navigationBarBackgroundColor ?? '#000000',
  )
  return {
    root,
    viewport,
    scroll,
    setTitle: (text) => {
      title.textContent = text
      document.title = text
    },
    setColors,
    setLoading: (on) => {
      spinner.style.display = on ? '' : 'none'
    },
    setBack: (kind) => {
      arrow.style.display = kind === 'none' ? 'none' : ''
    },
  }
}

/** The tab bar: items with badge and red dot, shown on tab pages only. */
export class TabBar {
  readonly root = make('div', { class: 'sim-tabbar' })
  readonly #config: TabBarConfig
  readonly #items: { text: HTMLElement; icon: HTMLImageElement; badge: HTMLElement }[]
  readonly #texts: { text: string; iconPath: string; selectedIconPath: string }[]
  #selected = -1
  #hidden = false
  #colors: { color: string; selectedColor: string }

  constructor(config: TabBarConfig, device: DevicePreset, select: (index: number) => void) {
    this.#config = config
    this.#colors = { color: config.color ?? '#7A7E83', selectedColor: config.selectedColor ?? '#3cc51f' }
    this.#texts = config.list.map((item) => ({
      text: item.text,
      iconPath: item.iconPath ?? '',
      selectedIconPath: item.selectedIconPath ?? '',
    }))
    this.root.style.paddingBottom = `${device.safeBottom}px`
    this.setStyle({ backgroundColor: config.backgroundColor ?? '#ffffff', borderStyle: config.borderStyle ?? 'black' })
    this.#items = config.list.map((_, index) => this.#addItem(index, select))
  }

  get visible(): boolean {
    return this.#selected >= 0 && !this.#hidden
  }

  get count(): number {
    return this.#config.list.length
  }

  select(index: number): void {
    this.#selected = index
    this.#draw()
  }

  setHidden(hidden: boolean): void {
    this.#hidden = hidden
    this.#draw()
  }

  setBadge(index: number, text: string | null): void {
    const badge = this.#items[index]?.badge
    if (!badge) return
    badge.textContent = text !== null && text.length > 4 ? '...' : (text ?? '')
    badge.className = `sim-badge${text === '' ? ' sim-dot' : ''}`
    badge.style.display = text === null ? 'none' : ''
  }

  setItem(index: number, part: Partial<{ text: string; iconPath: string; selectedIconPath: string }>): void {
    Object.assign(this.#texts[index] ?? {}, part)
    this.#draw()
  }

  setStyle(style: { color?: string; selectedColor?: string; backgroundColor?: string; borderStyle?: string }): void {
    if (style.color) this.#colors = { ...this.#colors, color: style.color }
    if (style.selectedColor) this.#colors = { ...this.#colors, selectedColor: style.selectedColor }
    if (style.backgroundColor) this.root.style.background = style.backgroundColor
    if (style.borderStyle) this.root.style.borderTopColor = style.borderStyle === 'white' ? '#fff' : '#0000001a'
    if (this.#items) this.#draw()
  }

  #addItem(index: number, select: (index: number) => void) {
    const icon = make('img', { attributes: { alt: '' } })
    const text = make('span')
    const badge = make('i', { class: 'sim-badge', style: { display: 'none' } })
    const item = make('div', { class: 'sim-tab', children: [icon, text, badge], on: { click: () => select(index) } })
    this.root.append(item)
    return { text, icon, badge }
  }

  #draw(): void {
    this.root.style.display = this.visible ? '' : 'none'
    this.#items.forEach(({ text, icon }, index) => {
      const {
        text: label,
        iconPath,
        selectedIconPath,
      } = this.#texts[index] ?? { text: '', iconPath: '', selectedIconPath: '' }
      const selected = index === this.#selected
      const path = selected ? selectedIconPath || iconPath : iconPath
      text.textContent = label
      text.style.color = selected ? this.#colors.selectedColor : this.#colors.color
      icon.style.display = path === '' ? 'none' : ''
      if (path !== '' && icon.getAttribute('src') !== packageUrl(path)) icon.src = packageUrl(path)
    })
  }
}
