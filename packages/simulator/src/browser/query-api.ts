/** createSelectorQuery, createIntersectionObserver, createAnimation and the contexts that components give. */
import { arrayOf, flagOf, functionOf, numberOf, optionsOf, stringOf } from '../wx/call.ts'
import type { Phone } from '../wx/phone.ts'
import { createAnimation } from './animation.ts'
import { domOf, type WxElement } from './glass.ts'
import type { Pages } from './page-view.ts'

interface Scope extends WxElement {
  getShadowRoot?(): {
    querySelector(selector: string): WxElement | null
    querySelectorAll(selector: string): WxElement[]
  } | null
}

/** The tree element behind a component or page instance. */
const nodeOf = (instance: unknown): Scope | null =>
  (instance as { _$?: Scope } | null)?._$ ?? (instance as Scope | null)

type Fields = Readonly<Record<string, unknown>>

interface Job {
  readonly read: () => unknown
  readonly done: unknown
}

/** Rectangles are relative to the page's viewport. */
function rectOf(element: HTMLElement) {
  const rect = element.getBoundingClientRect()
  const view = element.closest('.sim-viewport')?.getBoundingClientRect()
  const [left, top] = [rect.left - (view?.left ?? 0), rect.top - (view?.top ?? 0)]
  return { left, top, right: left + rect.width, bottom: top + rect.height, width: rect.width, height: rect.height }
}

function scrollOf(element: HTMLElement) {
  const { scrollLeft, scrollTop, scrollWidth, scrollHeight } = element
  return { scrollLeft, scrollTop, scrollWidth, scrollHeight }
}

function describe(node: WxElement, fields: Fields): object {
  const element = domOf(node)
  const { left, top, right, bottom, width, height } = rectOf(element)
  const style = arrayOf(fields.computedStyle).length > 0 ? getComputedStyle(element) : null
  return {
    ...(fields.id ? { id: node.id } : {}),
    ...(fields.dataset ? { dataset: { ...node.dataset } } : {}),
    ...(fields.rect ? { left, top, right, bottom } : {}),
    ...(fields.size ? { width, height } : {}),
    ...(fields.scrollOffset ? scrollOf(element) : {}),
    ...(fields.node || fields.context ? { node: element, context: contextOf(element) } : {}),
    ...Object.fromEntries(arrayOf(fields.properties).map((name) => [String(name), node.data?.[String(name)]])),
    ...Object.fromEntries(
      arrayOf(fields.computedStyle).map((name) => [String(name), style?.[String(name) as 'color']]),
    ),
  }
}

/** What video and scroll-view let the app do. */
function contextOf(element: HTMLElement): object {
  const video = element.querySelector('video')
  if (video)
    return {
      play: () => void video.play(),
      pause: () => video.pause(),
      stop: () => {
        video.pause()
        video.currentTime = 0
      },
      seek: (position: number) => {
        video.currentTime = position
      },
    }
  return {
    scrollTo: (options: unknown) =>
      element.scrollTo({
        top: numberOf(optionsOf(options).top, element.scrollTop),
        left: numberOf(optionsOf(options).left, element.scrollLeft),
      }),
  }
}

class SelectorQuery {
  readonly #phone: Phone
  readonly #pages: Pages
  #scope: Scope | null
  readonly #jobs: Job[] = []

  constructor(phone: Phone, pages: Pages) {
    this.#phone = phone
    this.#pages = pages
    this.#scope = pages.current?.component ?? null
  }

  in(instance: unknown): this {
    this.#scope = nodeOf(instance)
    return this
  }

  select(selector: string) {
    const scope = this.#scope
    return this.#nodesRef((fields) => {
      const node = scope?.getShadowRoot?.()?.querySelector(selector) ?? null
      return node ? describe(node, fields) : null
    })
  }

  selectAll(selector: string) {
    const scope = this.#scope
    return this.#nodesRef((fields) =>
      (scope?.getShadowRoot?.()?.querySelectorAll(selector) ?? []).map((node) => describe(node, fields)),
    )
  }

  selectViewport() {
    return this.#nodesRef((fields) => {
      const frame = this.#pages.current?.frame
      if (!frame) return null
      const [width, height] = [frame.viewport.clientWidth, frame.viewport.clientHeight]
      return {
        id: '',
        dataset: {},
        ...(fields.rect ? { left: 0, top: 0, right: width, bottom: height } : {}),
        ...(fields.size ? { width, height } : {}),
        ...(fields.scrollOffset ? scrollOf(frame.scroll) : {}),
      }
    })
  }

  exec(callback?: unknown): void {
    this.#phone.deliver(() => {
      const results = this.#jobs.map(({ read, done }) => {
        const result = read()
        functionOf(done)?.(result)
        return result
      })
      functionOf(callback)?.(results)
    })
  }

  #nodesRef(read: (fields: Fields) => unknown) {
    const add = (fields: Fields, done: unknown) => {
      this.#jobs.push({ read: () => read(fields), done })
      return this
    }
    return {
      boundingClientRect: (done?: unknown) => add({ id: true, dataset: true, rect: true, size: true }, done),
      scrollOffset: (done?: unknown) => add({ id: true, dataset: true, scrollOffset: true }, done),
      fields: (fields: unknown, done?: unknown) => add(optionsOf(fields), done),
      node: (done?: unknown) => add({ node: true }, done),
      context: (done?: unknown) => add({ context: true }, done),
    }
  }
}

class PageObserver {
  readonly #pages: Pages
  readonly #scope: Scope | null
  readonly #options: Fields
  #margins = '0px'
  #root: HTMLElement | null = null
  #observer: IntersectionObserver | null = null

  constructor(pages: Pages, instance: unknown, options: Fields) {
    this.#pages = pages
    this.#scope = nodeOf(instance) ?? pages.current?.component ?? null
    this.#options = options
  }

  relativeTo(selector: string, margins?: unknown): this {
    const node = this.#scope?.getShadowRoot?.()?.querySelector(selector)
    this.#root = node ? domOf(node) : null
    return this.#setMargins(margins)
  }

  relativeToViewport(margins?: unknown): this {
    this.#root = this.#pages.current?.frame.viewport ?? null
    return this.#setMargins(margins)
  }

  observe(selector: string, callback: unknown): void {
    const threshold = arrayOf(this.#options.thresholds).map(Number)
    this.#observer = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) {
          const element = entry.target as HTMLElement & { __wxElement?: WxElement }
          functionOf(callback)?.({
            id: element.__wxElement?.id ?? '',
            dataset: { ...element.__wxElement?.dataset },
            intersectionRatio: entry.intersectionRatio,
            intersectionRect: entry.intersectionRect.toJSON(),
            boundingClientRect: entry.boundingClientRect.toJSON(),
            relativeRect: entry.rootBounds?.toJSON() ?? {},
            time: entry.time,
          })
        }
      },
      { root: this.#root, rootMargin: this.#margins, threshold: threshold.length > 0 ? threshold : [0] },
    )
    const root = this.#scope?.getShadowRoot?.()
    const all = root?.querySelectorAll(selector) ?? []
    for (const node of flagOf(this.#options.observeAll) ? all : all.slice(0, 1)) this.#observer.observe(domOf(node))
  }

  disconnect(): void {
    this.#observer?.disconnect()
  }

  #setMargins(raw: unknown): this {
    const margins = optionsOf(raw)
    this.#margins = ['top', 'right', 'bottom', 'left'].map((side) => `${numberOf(margins[side], 0)}px`).join(' ')
    return this
  }
}

/** Builds the query functions. */
export function createQueryApi(phone: Phone, pages: Pages): Record<string, unknown> {
  return {
    createSelectorQuery: () => new SelectorQuery(phone, pages),
    createIntersectionObserver: (instance: unknown, options?: unknown) =>
      new PageObserver(pages, instance, optionsOf(options)),
    createAnimation: (options?: unknown) => createAnimation(optionsOf(options)),
    createVideoContext: (id: string, instance?: unknown) => {
      const scope = instance ? nodeOf(instance) : (pages.current?.component as Scope | undefined)
      const node = scope?.getShadowRoot?.()?.querySelector(`#${stringOf(id)}`)
      return node ? contextOf(domOf(node)) : {}
    },
  }
}

/** `this.createSelectorQuery()` and `this.createIntersectionObserver()` of components measure as the ones of wx do. */
export function useOwnQueries(callerPrototype: object, wx: Record<string, unknown>): void {
  const call = (name: string, ...args: unknown[]): unknown => functionOf(wx[name])?.(...args)
  Object.assign(callerPrototype, {
    createSelectorQuery(this: object) {
      return (call('createSelectorQuery') as SelectorQuery).in(this)
    },
    createIntersectionObserver(this: object, options?: unknown) {
      return call('createIntersectionObserver', this, options)
    },
  })
}
