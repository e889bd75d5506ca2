/** Pulling a page down: the dots, the gesture, and start and stop. */
import { make } from './dom.ts'
import type { PageFrame } from './screen.ts'

const TRIGGER = 50
const OPEN = 60

export class PullDown {
  readonly #frame: PageFrame
  readonly #dots: HTMLElement
  readonly #refresh: () => void
  #startY: number | null = null
  #pulled = 0
  #running = false

  constructor(frame: PageFrame, style: 'dark' | 'light', refresh: () => void) {
    this.#frame = frame
    this.#refresh = refresh
    this.#dots = make('div', {
      class: `sim-pull sim-pull-${style}`,
      children: [make('i'), make('i'), make('i')],
    })
    frame.viewport.prepend(this.#dots)
  }

  enable(): void {
    const { scroll } = this.#frame
    scroll.addEventListener('touchstart', (event) => {
      this.#startY = scroll.scrollTop <= 0 ? (event.touches[0]?.clientY ?? null) : null
    })
    scroll.addEventListener('touchmove', (event) => {
      if (this.#startY === null || this.#running) return
      this.#pulled = Math.max(0, ((event.touches[0]?.clientY ?? 0) - this.#startY) / 2)
      this.#move(this.#pulled)
    })
    const release = () => {
      if (this.#startY === null) return
      this.#startY = null
      if (this.#pulled >= TRIGGER) this.start()
      else if (!this.#running) this.#move(0)
      this.#pulled = 0
    }
    scroll.addEventListener('touchend', release)
    scroll.addEventListener('touchcancel', release)
  }

  start(): void {
    if (this.#running) return
    this.#running = true
    this.#move(OPEN)
    this.#refresh()
  }

  stop(): void {
    this.#running = false
    this.#move(0)
  }

  #move(distance: number): void {
    // A transform would make the page the origin of fixed elements; a margin does not.
    this.#frame.scroll.style.marginTop = distance > 0 ? `${distance}px` : ''
    this.#dots.style.opacity = distance > 10 ? '1' : '0'
  }
}
