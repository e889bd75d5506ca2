/** The functions of wx that touch the current page and the bars. */
import { asyncApi, numberOf, optionsOf, stringOf } from '../wx/call.ts'
import type { Phone } from '../wx/phone.ts'
import type { Pages } from './page-view.ts'
import type { Screen, TabBar } from './screen.ts'

/** Builds them. */
export function createPageApi(phone: Phone, pages: Pages, screen: Screen): Record<string, unknown> {
  return { ...navigationBar(phone, pages), ...scrolling(phone, pages), ...tabBarApi(phone, pages, screen) }
}

function navigationBar(phone: Phone, pages: Pages) {
  const loading = (name: string, on: boolean) =>
    asyncApi(name, phone, (_, settle) => {
      pages.current?.frame.setLoading(on)
      settle.ok()
    })
  return {
    setNavigationBarTitle: asyncApi('setNavigationBarTitle', phone, (options, settle) => {
      pages.current?.frame.setTitle(stringOf(options.title))
      settle.ok()
    }),
    setNavigationBarColor: asyncApi('setNavigationBarColor', phone, (options, settle) => {
      const front = stringOf(options.frontColor).toLowerCase()
      if (front !== '#ffffff' && front !== '#000000') return settle.fail(`invalid frontColor "${front}"`)
      pages.current?.frame.setColors(front, stringOf(options.backgroundColor))
      settle.ok()
    }),
    showNavigationBarLoading: loading('showNavigationBarLoading', true),
    hideNavigationBarLoading: loading('hideNavigationBarLoading', false),
    hideHomeButton: asyncApi('hideHomeButton', phone, (_, settle) => settle.ok()),
    setBackgroundColor: asyncApi('setBackgroundColor', phone, (options, settle) => {
      const color = stringOf(options.backgroundColor)
      if (color && pages.current) pages.current.frame.viewport.style.background = color
      settle.ok()
    }),
    setBackgroundTextStyle: asyncApi('setBackgroundTextStyle', phone, (_, settle) => settle.ok()),
  }
}

function scrolling(phone: Phone, pages: Pages) {
  return {
    pageScrollTo: asyncApi('pageScrollTo', phone, (options, settle) => {
      const scroll = pages.current?.frame.scroll
      if (!scroll) return settle.fail('no page')
      const selector = stringOf(options.selector)
      const target = selector ? pages.current?.component.querySelector?.(selector) : null
      const node = target?.$$ as HTMLElement | undefined
      const offset = node
        ? node.getBoundingClientRect().top - scroll.getBoundingClientRect().top + scroll.scrollTop
        : null
      if (selector && offset === null) return settle.fail(`selector "${selector}" not found`)
      const top = (offset ?? numberOf(options.scrollTop, 0)) + numberOf(options.offsetTop, 0)
      scroll.scrollTo({ top, behavior: numberOf(options.duration, 300) > 0 ? 'smooth' : 'instant' })
      settle.ok()
    }),
    startPullDownRefresh: asyncApi('startPullDownRefresh', phone, (_, settle) => {
      pages.current?.pullDown.start()
      settle.ok()
    }),
    stopPullDownRefresh: asyncApi('stopPullDownRefresh', phone, (_, settle) => {
      pages.current?.pullDown.stop()
      settle.ok()
    }),
  }
}

function tabBarApi(phone: Phone, pages: Pages, screen: Screen) {
  const onBar = (name: string, run: (bar: TabBar, options: Readonly<Record<string, unknown>>) => string | undefined) =>
    asyncApi(name, phone, (options, settle) => {
      const bar = screen.tabBar
      const reason = bar?.visible || (bar && /TabBar$/.test(name)) ? run(bar, options) : 'not TabBar page'
      if (reason) return settle.fail(reason)
      pages.layout()
      settle.ok()
    })
  const onItem = (
    name: string,
    run: (bar: TabBar, index: number, options: Readonly<Record<string, unknown>>) => void,
  ) =>
    onBar(name, (bar, options) => {
      const index = numberOf(options.index, -1)
      if (index < 0 || index >= bar.count) return 'tabbar item not found'
      run(bar, index, options)
      return undefined
    })
  return {
    showTabBar: onBar('showTabBar', (bar) => void bar.setHidden(false)),
    hideTabBar: onBar('hideTabBar', (bar) => void bar.setHidden(true)),
    setTabBarStyle: onBar('setTabBarStyle', (bar, options) => void bar.setStyle(optionsOf(options))),
    setTabBarItem: onItem('setTabBarItem', (bar, index, options) => {
      const part: Record<string, string> = {}
      for (const key of ['text', 'iconPath', 'selectedIconPath'])
        if (typeof options[key] === 'string') part[key] = stringOf(options[key])
      bar.setItem(index, part)
    }),
    setTabBarBadge: onItem('setTabBarBadge', (bar, index, options) => bar.setBadge(index, stringOf(options.text))),
    removeTabBarBadge: onItem('removeTabBarBadge', (bar, index) => bar.setBadge(index, null)),
    showTabBarRedDot: onItem('showTabBarRedDot', (bar, index) => bar.setBadge(index, '')),
    hideTabBarRedDot: onItem('hideTabBarRedDot', (bar, index) => bar.setBadge(index, null)),
  }
}
