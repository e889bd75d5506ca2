/** swiper: items side by side, moved by touch, dots, time and the `current` property. */
import { make } from '../dom.ts'
import type { Behavior, Control, ControlElement, Spec } from './control.ts'

type ItemElement = ControlElement & { __swiperItem?: true }

class Swiper {
  readonly #control: Control
  readonly #dots = make('div', { class: 'sim-swiper-dots' })
  readonly #observer: MutationObserver
  #timer: number | null = null
  #current = 0
  #applied: unknown = undefined
  #drag: { x: number; y: number; by: number } | null = null

  constructor(control: Control) {
    this.#control = control
    const { element } = control
    element.append(this.#dots)
    this.#observer = new MutationObserver(() => this.#place())
    this.#observer.observe(element, { childList: true })
    element.addEventListener('touchstart', (event) => this.#begin(event))
    element.addEventListener('touchmove', (event) => this.#move(event))
    element.addEventListener('touchend', () => this.#end())
  }

  update(): void {
    const wanted = this.#control.get('current')
    if (wanted !== this.#applied) {
      this.#applied = wanted
      if (typeof wanted === 'number' && wanted !== this.#current) this.#go(wanted, '')
    }
    this.#place()
    this.#schedule()
  }

  stop(): void {
    this.#observer.disconnect()
    if (this.#timer !== null) window.clearInterval(this.#timer)
  }

  get #items(): ItemElement[] {
    return Array.from(this.#control.element.children).filter(
      (one): one is ItemElement => (one as ItemElement).__swiperItem === true,
    )
  }

  get #vertical(): boolean {
    return this.#control.flag('vertical')
  }

  /** Puts every item where it belongs for the current one. */
  #place(by = 0): void {
    const axis = this.#vertical ? 'Y' : 'X'
    const moving = by !== 0
    this.#items.forEach((item, index) => {
      item.style.position = 'absolute'
      item.style.transitionDuration = moving ? '0ms' : `${this.#control.number('duration', 500)}ms`
      item.style.transitionProperty = 'transform'
      item.style.transform = `translate${axis}(calc(${(index - this.#current) * 100}% + ${by}px))`
    })
    this.#drawDots()
  }

  #drawDots(): void {
    const shown = this.#control.flag('indicatorDots')
    const count = shown ? this.#items.length : 0
    while (this.#dots.children.length > count) this.#dots.lastChild?.remove()
    while (this.#dots.children.length < count) this.#dots.append(make('i'))
    Array.from(this.#dots.children).forEach((dot, index) => {
      const color = this.#control.text(index === this.#current ? 'indicatorActiveColor' : 'indicatorColor')
      ;(dot as HTMLElement).style.background = color
    })
    if (this.#control.element.lastChild !== this.#dots) this.#control.element.append(this.#dots)
  }

  #go(index: number, source: string): void {
    const count = this.#items.length
    const circular = this.#control.flag('circular')
    const next = count === 0 ? index : circular ? (index + count) % count : Math.min(Math.max(index, 0), count - 1)
    const changed = next !== this.#current
    this.#current = next
    this.#place()
    if (!changed) return
    const item = this.#items[next]?.__wxElement?.data?.itemId ?? ''
    const detail = { current: next, currentItemId: item, source }
    this.#applied = next
    this.#control.set('current', next)
    this.#control.emit('change', detail)
    window.setTimeout(() => this.#control.emit('animationfinish', detail), this.#control.number('duration', 500))
  }

  #schedule(): void {
    if (this.#timer !== null) window.clearInterval(this.#timer)
    this.#timer = null
    if (!this.#control.flag('autoplay')) return
    this.#timer = window.setInterval(
      () => {
        const last = this.#current === this.#items.length - 1
        this.#go(last ? 0 : this.#current + 1, 'autoplay')
      },
      this.#control.number('interval', 5000),
    )
  }

  #begin(event: TouchEvent): void {
    const touch = event.touches[0]
    this.#drag = touch ? { x: touch.clientX, y: touch.clientY, by: 0 } : null
  }

  #move(event: TouchEvent): void {
    const touch = event.touches[0]
    if (!touch || !this.#drag) return
    this.#drag.by = this.#vertical ? touch.clientY - this.#drag.y : touch.clientX - this.#drag.x
    this.#place(this.#drag.by)
    this.#control.emit('transition', this.#vertical ? { dx: 0, dy: -this.#drag.by } : { dx: -this.#drag.by, dy: 0 })
  }

  #end(): void {
    const by = this.#drag?.by ?? 0
    this.#drag = null
    const size = this.#vertical ? this.#control.element.clientHeight : this.#control.element.clientWidth
    if (Math.abs(by) > size * 0.2) this.#go(this.#current + (by < 0 ? 1 : -1), 'touch')
    else this.#place()
  }
}

function setup(control: Control): Behavior {
  const swiper = new Swiper(control)
  return { update: () => swiper.update(), detached: () => swiper.stop() }
}

/** The components of this file. */
export const swiperSpecs: Readonly<Record<string, Spec>> = {
  swiper: {
    properties: {
      indicatorDots: Boolean,
      indicatorColor: { type: String, value: 'rgba(0,0,0,.3)' },
      indicatorActiveColor: { type: String, value: '#000000' },
      autoplay: Boolean,
      current: { type: Number, value: 0 },
      interval: { type: Number, value: 5000 },
      duration: { type: Number, value: 500 },
      circular: Boolean,
      vertical: Boolean,
      previousMargin: String,
      nextMargin: String,
      snapToEdge: Boolean,
      displayMultipleItems: { type: Number, value: 1 },
      easingFunction: String,
    },
    setup,
  },
  'swiper-item': {
    properties: { itemId: String, skipHiddenItemLayout: Boolean },
    setup: (control) => {
      ;(control.element as ItemElement).__swiperItem = true
      return {}
    },
  },
}
