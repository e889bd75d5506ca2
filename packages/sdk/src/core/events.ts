/** Event and EventTarget, as far as objects outside a document need them: no capture, no bubbling. */
import { later } from './platform.ts'

export type Listener = ((event: Event) => unknown) | { handleEvent(event: Event): unknown }

export interface ListenerOptions {
  readonly once?: boolean
  readonly signal?: { readonly aborted: boolean; addEventListener(type: 'abort', listener: () => void): void }
}

/** What an event carries besides its type. */
export interface EventInit {
  readonly cancelable?: boolean
  readonly [name: string]: unknown
}

/** An event. Message, close and progress events are this class with more properties. */
export class Event {
  readonly type: string
  readonly bubbles: boolean = false
  readonly cancelable: boolean
  readonly timeStamp: number = Date.now()
  defaultPrevented = false
  target: Emitter | null = null
  currentTarget: Emitter | null = null
  /** Set by stopImmediatePropagation. */
  _stopped = false

  constructor(type: string, init: EventInit = {}) {
    this.type = String(type)
    this.cancelable = init.cancelable === true
  }

  preventDefault(): void {
    if (this.cancelable) this.defaultPrevented = true
  }

  stopPropagation(): void {}

  stopImmediatePropagation(): void {
    this._stopped = true
  }
}

/** An event with more properties: `message` with data, `close` with code. */
export function eventWith<Extra extends object>(type: string, extra: Extra): Event & Extra {
  return Object.assign(new Event(type), extra)
}

interface Entry {
  readonly _type: string
  readonly _listener: Listener
  readonly _once: boolean
  _gone: boolean
}

/**
 * Listeners by type, and `on<type>` properties. Declared by another name than it is known by, as all classes that others
 * extend: the step to ES5 would take a class with a global's name for the global, and wrap it in 1 KB of care.
 */
class Emitter {
  private _listeners: Entry[] = []

  addEventListener(type: string, listener: Listener | null, options?: ListenerOptions | boolean): void {
    const { once = false, signal } = typeof options === 'object' && options !== null ? options : {}
    if (!listener || signal?.aborted) return
    if (this._listeners.some((entry) => entry._type === type && entry._listener === listener)) return
    this._listeners.push({ _type: type, _listener: listener, _once: once, _gone: false })
    signal?.addEventListener('abort', () => this.removeEventListener(type, listener))
  }

  removeEventListener(type: string, listener: Listener | null): void {
    this._listeners = this._listeners.filter((entry) => {
      if (entry._type !== type || entry._listener !== listener) return true
      entry._gone = true
      return false
    })
  }

  /** Calls everyone; an exception of one does not keep the event from the others. */
  dispatchEvent(event: Event): boolean {
    event.target = this
    event.currentTarget = this
    const handler: unknown = Reflect.get(this, `on${event.type}`)
    if (typeof handler === 'function') guard(() => handler.call(this, event))
    for (const entry of this._listeners.slice()) {
      if (entry._type !== event.type || entry._gone || event._stopped) continue
      const { _listener: listener } = entry
      if (entry._once) this.removeEventListener(entry._type, listener)
      guard(() => (typeof listener === 'function' ? listener.call(this, event) : listener.handleEvent(event)))
    }
    event.currentTarget = null
    return !event.defaultPrevented
  }
}

/** Runs app code; what it throws is reported by the platform, as an uncaught exception of a timer is. */
export function guard(run: () => unknown): void {
  try {
    run()
  } catch (error) {
    later(() => {
      throw error
    }, 0)
  }
}

export { Emitter as EventTarget }
