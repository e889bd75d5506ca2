/** Pages on the screen: creation on glass-easel, their life-cycle, scrolling, pull-down and reach-bottom. */
import type { Bundle, ComponentConfig, WindowConfig } from '../framework/bundle.ts'
import { EventChannel } from '../framework/event-channel.ts'
import type { PageFactory, PageHandle, Query } from '../framework/router.ts'
import { functionOf, optionsOf } from '../wx/call.ts'
import type { Phone } from '../wx/phone.ts'
import type { Environment } from './environment.ts'
import type { WxElement } from './glass.ts'
import { PullDown } from './pull-down.ts'
import type { PageFrame, Screen } from './screen.ts'

type Instance = Record<string, unknown>

/** A page with all its parts. */
export interface PageView extends PageHandle {
  readonly instance: Instance
  readonly frame: PageFrame
  readonly config: WindowConfig
  readonly component: WxElement
  readonly pullDown: PullDown
  call(name: string, ...args: unknown[]): void
}

type PageParts = Pick<PageView, 'route' | 'channel' | 'frame' | 'config' | 'component' | 'instance'>

const REACH_BOTTOM = 50

export class Pages implements PageFactory {
  readonly #phone: Phone
  readonly #bundle: Bundle
  readonly #environment: Environment
  readonly #screen: Screen
  readonly #live = new Set<PageView>()
  #stack: readonly PageHandle[] = []

  constructor(phone: Phone, bundle: Bundle, environment: Environment, screen: Screen) {
    this.#phone = phone
    this.#bundle = bundle
    this.#environment = environment
    this.#screen = screen
    window.addEventListener('resize', () => this.layout())
  }

  /** The page on top. */
  get current(): PageView | null {
    return (this.#stack.at(-1) as PageView | undefined) ?? null
  }

  create(route: string, query: Query, channel: EventChannel | null): PageView {
    const own: ComponentConfig | undefined = this.#bundle.components[route]
    const config: WindowConfig = { ...this.#bundle.window, ...own }
    const frame = this.#screen.addPage(route, config)
    const root = this.#environment.associated.createRoot('wx-page', this.#environment.space, `/${route}`)
    const component = root.getComponent() as unknown as WxElement
    const instance = root.get() as unknown as Instance
    const placeholder = document.createElement('div')
    frame.scroll.append(placeholder)
    Object.assign(instance, { route, options: query, getOpenerEventChannel: () => channel ?? new EventChannel() })
    ;(component.$$ as HTMLElement).setAttribute('is', route)
    const view = this.#viewOf(
      { route, channel, frame, config, component, instance },
      {
        load: () => {
          root.attach(frame.scroll as never, placeholder as never)
          view.call('onLoad', query)
        },
        release: () => root.release(),
      },
    )
    this.#live.add(view)
    this.#listenScroll(view)
    return view
  }

  changed(stack: readonly PageHandle[], tab: number): void {
    this.#stack = stack
    this.#screen.tabBar?.select(tab)
    this.current?.frame.setBack(stack.length > 1 ? 'back' : 'none')
    const title = this.current?.frame.root.querySelector('.sim-title')?.textContent
    if (title) document.title = title
    this.layout()
  }

  layout(): void {
    this.#screen.layout([...this.#live], this.current?.frame ?? null)
  }

  #viewOf(parts: PageParts, life: { load: () => void; release: () => void }): PageView {
    const { instance, component, frame, config } = parts
    const call = (name: string, ...args: unknown[]) => {
      const hook = functionOf(instance[name])
      if (hook) this.#phone.guard(() => Reflect.apply(hook, instance, args))
    }
    const pullDown = new PullDown(frame, config.backgroundTextStyle ?? 'dark', () => call('onPullDownRefresh'))
    if (config.enablePullDownRefresh) pullDown.enable()
    let ready = false
    const view: PageView = {
      ...parts,
      pullDown,
      call,
      load: life.load,
      show: () => {
        frame.root.style.display = ''
        call('onShow')
        component.triggerPageLifetime?.('show', [])
        if (ready) return
        ready = true
        this.#phone.deliver(() => call('onReady'))
      },
      hide: () => {
        call('onHide')
        component.triggerPageLifetime?.('hide', [])
      },
      destroy: () => {
        call('onUnload')
        this.#live.delete(view)
        this.#phone.guard(life.release)
        frame.root.remove()
      },
    }
    return view
  }

  #listenScroll(view: PageView): void {
    const { scroll } = view.frame
    const distance = view.config.onReachBottomDistance ?? REACH_BOTTOM
    let atBottom = false
    scroll.addEventListener('scroll', () => {
      view.call('onPageScroll', { scrollTop: scroll.scrollTop })
      const left = scroll.scrollHeight - scroll.clientHeight - scroll.scrollTop
      const now = left <= distance
      if (now && !atBottom) view.call('onReachBottom')
      atBottom = now
    })
  }
}

/** True when the page of a view has a handler. */
export const hasHook = (view: PageView, name: string): boolean => functionOf(optionsOf(view.instance)[name]) !== null
