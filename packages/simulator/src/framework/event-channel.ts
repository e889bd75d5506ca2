/** The channel between a page and the page it opened. */
import { type AppFunction, functionOf } from '../wx/call.ts'

export class EventChannel {
  readonly #listeners = new Map<string, { readonly run: AppFunction; readonly once: boolean }[]>()
  #peer: EventChannel | null = null

  /** Two ends: what one emits, the other hears. */
  static pair(): readonly [EventChannel, EventChannel] {
    const [one, other] = [new EventChannel(), new EventChannel()]
    one.#peer = other
    other.#peer = one
    return [one, other]
  }

  on(name: string, listener: unknown): void {
    this.#add(name, listener, false)
  }

  once(name: string, listener: unknown): void {
    this.#add(name, listener, true)
  }

  off(name: string, listener?: unknown): void {
    const left = listener === undefined ? [] : (this.#listeners.get(name) ?? []).filter((one) => one.run !== listener)
    this.#listeners.set(name, left)
  }

  emit(name: string, ...args: unknown[]): void {
    const peer = this.#peer
    if (!peer) return
    for (const { run, once } of [...(peer.#listeners.get(name) ?? [])]) {
      if (once) peer.off(name, run)
      run(...args)
    }
  }

  #add(name: string, listener: unknown, once: boolean): void {
    const run = functionOf(listener)
    if (run) this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), { run, once }])
  }
}
