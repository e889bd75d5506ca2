/** scroll-view: controlled positions, thresholds, scroll-into-view and the refresher. */
import { make } from '../dom.ts'
import type { Behavior, Control, Spec } from './control.ts'

const REFRESH_OPEN = 50

/** Tells once when an edge comes within the threshold, and again after it was left. */
class Edges {
  readonly #control: Control
  #upper = true
  #lower = false

  constructor(control: Control) {
    this.#control = control
  }

  check(): void {
    const { element } = this.#control
    const upper = this.#control.number('upperThreshold', 50)
    const lower = this.#control.number('lowerThreshold', 50)
    const vertical = this.#control.flag('scrollY')
    const position = vertical ? element.scrollTop : element.scrollLeft
    const left = vertical
      ? element.scrollHeight - element.clientHeight - position
      : element.scrollWidth - element.clientWidth - position
    if (position <= upper && !this.#upper) this.#control.emit('scrolltoupper', { direction: vertical ? 'top' : 'left' })
    if (left <= lower && !this.#lower) this.#control.emit('scrolltolower', { direction: vertical ? 'bottom' : 'right' })
    this.#upper = position <= upper
    this.#lower = left <= lower
  }
}

/** Pulling the content down to refresh. */
class Refresher {
  readonly #control: Control
  readonly #dots = make('div', { class: 'sim-refresher', children: [make('i'), make('i'), make('i')] })
  #start: number | null = null
  #pulled = 0
  #triggered = false

  constructor(control: Control) {
    this.#control = control
    const { element } = control
    element.prepend(this.#dots)
    element.addEventListener('touchstart', (event) => {
      const can = control.flag('refresherEnabled') && element.scrollTop <= 0
      this.#start = can ? (event.touches[0]?.clientY ?? null) : null
    })
    element.addEventListener('touchmove', (event) => {
      if (this.#start === null || this.#triggered) return
      this.#pulled = Math.max(0, ((event.touches[0]?.clientY ?? 0) - this.#start) / 2)
      this.#show(this.#pulled)
      control.emit('refresherpulling', { deltaY: this.#pulled, dy: this.#pulled })
    })
    element.addEventListener('touchend', () => this.#release())
  }

  update(): void {
    const wanted = this.#control.flag('refresherTriggered')
    if (wanted === this.#triggered) return
    this.#triggered = wanted
    this.#show(wanted ? REFRESH_OPEN : 0)
    this.#control.emit(wanted ? 'refresherrefresh' : 'refresherrestore', { dy: 0 })
  }

  #release(): void {
    if (this.#start === null) return
    this.#start = null
    if (this.#pulled >= this.#control.number('refresherThreshold', 45)) {
      this.#show(REFRESH_OPEN)
      this.#triggered = true
      this.#control.set('refresherTriggered', true)
      this.#control.emit('refresherrefresh', { dy: this.#pulled })
    } else if (this.#pulled > 0) {
      this.#show(0)
      this.#control.emit('refresherabort', { dy: this.#pulled })
    }
    this.#pulled = 0
  }

  #show(height: number): void {
    this.#dots.style.height = `${height}px`
  }
}

/** The position of a child inside the scrolled content. */
function offsetIn(element: HTMLElement, id: string): { top: number; left: number } | null {
  const child = id === '' ? null : element.querySelector<HTMLElement>(`[id="${CSS.escape(id)}"]`)
  if (!child) return null
  const [inner, outer] = [child.getBoundingClientRect(), element.getBoundingClientRect()]
  return { top: inner.top - outer.top + element.scrollTop, left: inner.left - outer.left + element.scrollLeft }
}

function setup(control: Control): Behavior {
  const { element } = control
  const edges = new Edges(control)
  const refresher = new Refresher(control)
  const applied = { scrollTop: undefined as unknown, scrollLeft: undefined as unknown, scrollIntoView: '' as unknown }
  let last = { top: 0, left: 0 }
  element.addEventListener('scroll', () => {
    const { scrollTop, scrollLeft, scrollHeight, scrollWidth } = element
    control.emit('scroll', {
      scrollTop,
      scrollLeft,
      scrollHeight,
      scrollWidth,
      deltaX: last.left - scrollLeft,
      deltaY: last.top - scrollTop,
    })
    last = { top: scrollTop, left: scrollLeft }
    edges.check()
  })
  const scrollTo = (position: ScrollToOptions) => {
    const behavior = control.flag('scrollWithAnimation') ? 'smooth' : 'instant'
    element.scrollTo({ ...position, behavior })
  }
  const follow = (name: 'scrollTop' | 'scrollLeft' | 'scrollIntoView', run: (value: unknown) => void) => {
    const value = control.get(name)
    if (value === applied[name]) return
    applied[name] = value
    // The children of the same setData are not there yet; by the next frame they are.
    window.requestAnimationFrame(() => run(value))
  }
  return {
    update: () => {
      element.toggleAttribute('scroll-x', control.flag('scrollX'))
      element.toggleAttribute('scroll-y', control.flag('scrollY'))
      element.toggleAttribute('enable-flex', control.flag('enableFlex'))
      element.toggleAttribute('no-scrollbar', control.get('showScrollbar') === false)
      refresher.update()
      follow('scrollTop', (value) => scrollTo({ top: Number.parseFloat(String(value)) || 0 }))
      follow('scrollLeft', (value) => scrollTo({ left: Number.parseFloat(String(value)) || 0 }))
      follow('scrollIntoView', (value) => {
        const offset = offsetIn(element, String(value ?? ''))
        if (offset)
          scrollTo(control.flag('scrollX') && !control.flag('scrollY') ? { left: offset.left } : { top: offset.top })
      })
    },
  }
}

/** The component of this file. */
export const scrollSpecs: Readonly<Record<string, Spec>> = {
  'scroll-view': {
    properties: {
      scrollX: Boolean,
      scrollY: Boolean,
      upperThreshold: { type: Number, value: 50 },
      lowerThreshold: { type: Number, value: 50 },
      scrollTop: { type: null, value: undefined },
      scrollLeft: { type: null, value: undefined },
      scrollIntoView: String,
      scrollIntoViewOffset: Number,
      scrollWithAnimation: Boolean,
      scrollAnchoring: Boolean,
      enableBackToTop: Boolean,
      enableFlex: Boolean,
      enablePassive: null,
      enhanced: Boolean,
      bounces: { type: Boolean, value: true },
      showScrollbar: { type: Boolean, value: true },
      pagingEnabled: Boolean,
      fastDeceleration: Boolean,
      refresherEnabled: Boolean,
      refresherThreshold: { type: Number, value: 45 },
      refresherDefaultStyle: String,
      refresherBackground: String,
      refresherTriggered: Boolean,
      usingSticky: Boolean,
      type: String,
      reverse: Boolean,
      clip: Boolean,
    },
    setup,
  },
}
