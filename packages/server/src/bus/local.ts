/** The bus of a single node: a map of handlers. */
import type { Bus, BusChannel, BusHandler } from './bus.ts'

export const createLocalBus = (onError: (error: unknown) => void): Bus => {
  // One map for all kinds: a handler is only ever called with values of the channel under whose name it was stored.
  const handlers = new Map<string, Set<BusHandler<never>>>()
  const keyOf = (channel: { readonly name: string }, subject: string): string => `${channel.name}\0${subject}`

  return {
    publish<T>(channel: BusChannel<T>, subject: string, value: T): void {
      const found = handlers.get(keyOf(channel, subject))
      if (found === undefined) return
      for (const handler of found) {
        try {
          // See above: stored under this channel's name, so it takes this channel's values.
          ;(handler as BusHandler<T>)(value, subject)
        } catch (error) {
          onError(error)
        }
      }
    },
    subscribe<T>(channel: BusChannel<T>, subject: string, handler: BusHandler<T>): () => void {
      const key = keyOf(channel, subject)
      let found = handlers.get(key)
      if (found === undefined) {
        found = new Set()
        handlers.set(key, found)
      }
      found.add(handler)
      return () => {
        const current = handlers.get(key)
        current?.delete(handler)
        if (current?.size === 0) handlers.delete(key)
      }
    },
    stop: async () => handlers.clear(),
  }
}
