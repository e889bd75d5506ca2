/** Who on this node listens to which subject of which channel. */
import type { BusChannel, BusHandler } from './bus.ts'

interface Subject {
  readonly decode: (bytes: Uint8Array) => unknown
  readonly handlers: Set<BusHandler<never>>
}

export class Handlers {
  // One map for all kinds: a handler is only ever called with values of the channel under whose name it was stored.
  readonly #subjects = new Map<string, Subject>()
  readonly #onError: (error: unknown) => void

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError
  }

  add<T>(channel: BusChannel<T>, subject: string, handler: BusHandler<T>): () => void {
    const key = keyOf(channel.name, subject)
    let found = this.#subjects.get(key)
    if (found === undefined) {
      found = { decode: (bytes) => channel.decode(bytes), handlers: new Set() }
      this.#subjects.set(key, found)
    }
    const { handlers } = found
    handlers.add(handler)
    return () => {
      handlers.delete(handler)
      if (handlers.size === 0 && this.#subjects.get(key)?.handlers === handlers) this.#subjects.delete(key)
    }
  }

  tell(channel: string, subject: string, value: unknown): void {
    const found = this.#subjects.get(keyOf(channel, subject))
    if (found !== undefined) this.#call(found, subject, value)
  }

  /** Bytes that nobody here listens to are not even decoded. */
  tellBytes(channel: string, subject: string, bytes: Uint8Array): void {
    const found = this.#subjects.get(keyOf(channel, subject))
    if (found === undefined) return
    try {
      this.#call(found, subject, found.decode(bytes))
    } catch (error) {
      this.#onError(error)
    }
  }

  clear(): void {
    this.#subjects.clear()
  }

  #call({ handlers }: Subject, subject: string, value: unknown): void {
    for (const handler of handlers) {
      try {
        // See above: stored under this channel's name, so it takes this channel's values.
        ;(handler as BusHandler<unknown>)(value, subject)
      } catch (error) {
        this.#onError(error)
      }
    }
  }
}

const keyOf = (channel: string, subject: string): string => `${channel}\0${subject}`
