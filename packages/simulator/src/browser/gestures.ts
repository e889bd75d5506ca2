/** Touches, taps and long presses from the DOM's touch and mouse events, in WeChat's shapes. */
import { dispatch, domOf, type WxElement, wxElementAt } from './glass.ts'

const TAP_DISTANCE = 10
const LONG_PRESS = 350

interface Point {
  readonly identifier: number
  readonly clientX: number
  readonly clientY: number
}

interface Press {
  readonly target: WxElement
  readonly startX: number
  readonly startY: number
  moved: boolean
  consumed: boolean
  timer: number | null
}

const TOUCH = { bubbles: true, composed: true }

/** Coordinates relative to the page's own top left corner, as WeChat gives them. */
function shape(point: Point, target: WxElement) {
  const view = domOf(target).closest?.('.sim-viewport')?.getBoundingClientRect()
  const scroll = domOf(target).closest?.('.sim-scroll')
  const clientX = point.clientX - (view?.left ?? 0)
  const clientY = point.clientY - (view?.top ?? 0)
  return {
    identifier: Math.max(point.identifier, 0),
    clientX,
    clientY,
    pageX: clientX,
    pageY: clientY + (scroll?.scrollTop ?? 0),
  }
}

/** Fields and players work with the browser's own clicks. */
const isNative = (where: EventTarget | null) =>
  (where as Element | null)?.closest?.('input,textarea,select,video') !== null

/** A tap elsewhere takes the keyboard away. */
function blurOthers(where: EventTarget | null): void {
  const active = document.activeElement
  if (active instanceof HTMLElement && active !== document.body && !active.contains(where as Node | null)) active.blur()
}

/** Controls that are disabled take no taps. */
const isDisabled = (target: WxElement) => domOf(target).closest?.('wx-button[disabled]') !== null

export class Gestures {
  readonly #presses = new Map<number, Press>()
  #hovered: { element: WxElement; name: string } | null = null
  #touching = false

  /** Listens on the document. Touches silence the mouse events that browsers make of them. */
  listen(): void {
    const options = { capture: true, passive: false }
    const touch = (name: 'touchstart' | 'touchmove' | 'touchend' | 'touchcancel') =>
      document.addEventListener(
        name,
        (event) => {
          this.#touching = true
          const changed = Array.from(event.changedTouches)
          const all = Array.from(event.touches)
          if (this.#handle(name, event.target, changed, all) && event.cancelable) event.preventDefault()
        },
        options,
      )
    for (const name of ['touchstart', 'touchmove', 'touchend', 'touchcancel'] as const) touch(name)
    this.#listenMouse()
  }

  #listenMouse(): void {
    const mouse = (type: 'mousedown' | 'mousemove' | 'mouseup', name: 'touchstart' | 'touchmove' | 'touchend') =>
      document.addEventListener(
        type,
        (event) => {
          if (this.#touching || (type === 'mousedown' && event.button !== 0)) return
          if (type === 'mousemove' && !this.#presses.has(-1)) return
          const point = { identifier: -1, clientX: event.clientX, clientY: event.clientY }
          this.#handle(name, event.target, [point], type === 'mouseup' ? [] : [point])
        },
        { capture: true },
      )
    mouse('mousedown', 'touchstart')
    mouse('mousemove', 'touchmove')
    mouse('mouseup', 'touchend')
  }

  /** Returns true when the browser should not do its own part: scroll, or click. */
  #handle(name: string, where: EventTarget | null, changed: readonly Point[], all: readonly Point[]): boolean {
    let caught = false
    for (const point of changed) {
      const target = this.#presses.get(point.identifier)?.target ?? wxElementAt(where)
      if (!target) continue
      const touches = all.map((one) => shape(one, target))
      const changedTouches = [shape(point, target)]
      const extra = { touches, changedTouches }
      if (name === 'touchstart') this.#begin(point, target, extra)
      if (name === 'touchmove') this.#move(point)
      const { clientX, clientY } = changedTouches[0] ?? { clientX: 0, clientY: 0 }
      const result = dispatch(target, name, { x: clientX, y: clientY }, { ...TOUCH, extra })
      caught = caught || (result.caught && name === 'touchmove')
      if (name === 'touchend' && this.#end(point, extra) && !isNative(where)) {
        // Without the click that browsers make of a tap: it would land on what the tap has opened.
        caught = true
        blurOthers(where)
      }
      if (name === 'touchcancel') this.#cancel(point)
    }
    return caught
  }

  #begin(point: Point, target: WxElement, extra: Record<string, unknown>): void {
    const press: Press = {
      target,
      startX: point.clientX,
      startY: point.clientY,
      moved: false,
      consumed: false,
      timer: null,
    }
    press.timer = window.setTimeout(() => this.#longPress(press, extra), LONG_PRESS)
    this.#presses.set(point.identifier, press)
    this.#hover(target)
  }

  /** A long press that somebody listens to takes the place of the tap. */
  #longPress(press: Press, extra: Record<string, unknown>): void {
    if (press.moved) return
    const detail = { x: press.startX, y: press.startY }
    press.consumed = dispatch(press.target, 'longpress', detail, { ...TOUCH, extra }).handled
    dispatch(press.target, 'longtap', detail, { ...TOUCH, extra })
  }

  #move(point: Point): void {
    const press = this.#presses.get(point.identifier)
    if (!press) return
    const distance = Math.max(Math.abs(point.clientX - press.startX), Math.abs(point.clientY - press.startY))
    if (distance <= TAP_DISTANCE) return
    press.moved = true
    this.#unhover()
  }

  /** Says whether it was a tap. */
  #end(point: Point, extra: Record<string, unknown>): boolean {
    const press = this.#presses.get(point.identifier)
    this.#cancel(point)
    if (!press || press.moved || press.consumed || isDisabled(press.target)) return false
    const at = shape(point, press.target)
    dispatch(press.target, 'tap', { x: at.pageX, y: at.pageY }, { ...TOUCH, extra })
    return true
  }

  #cancel(point: Point): void {
    const press = this.#presses.get(point.identifier)
    if (press?.timer) window.clearTimeout(press.timer)
    this.#presses.delete(point.identifier)
    this.#unhover()
  }

  /** `hover-class` of the nearest element that has one. */
  #hover(target: WxElement): void {
    this.#unhover()
    for (let node: HTMLElement | null = domOf(target); node; node = node.parentElement) {
      const element = wxElementAt(node)
      if (!element || domOf(element) !== node) continue
      const name = element.data?.hoverClass
      if (typeof name !== 'string' || name === '' || name === 'none') continue
      if (node.hasAttribute('disabled')) return
      element.toggleNodeClass(name, true, 3)
      this.#hovered = { element, name }
      return
    }
  }

  #unhover(): void {
    const hovered = this.#hovered
    this.#hovered = null
    if (hovered) window.setTimeout(() => hovered.element.toggleNodeClass(hovered.name, false, 3), 60)
  }
}
