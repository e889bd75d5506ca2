/** The bus of a node that is alone: what is published is heard on this node, and that is all. */
import type { Bus, BusChannel, BusHandler } from './bus.ts'
import { Handlers } from './handlers.ts'

export const createLocalBus = (onError: (error: unknown) => void, node = 'local'): Bus => {
  const handlers = new Handlers(onError)
  return {
    node,
    kind: 'local',
    publish: <T>(channel: BusChannel<T>, subject: string, value: T) => handlers.tell(channel.name, subject, value),
    subscribe: <T>(channel: BusChannel<T>, subject: string, handler: BusHandler<T>) =>
      handlers.add(channel, subject, handler),
    peers: () => [],
    onPeers: () => () => {},
    start: async () => {},
    stop: async () => handlers.clear(),
  }
}
