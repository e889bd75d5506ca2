/** A TCP proxy for tests that cut, freeze and heal a connection: what a network does to programs that did nothing wrong. */
import { type AddressInfo, createServer, type Socket, connect as tcpConnect } from 'node:net'

export interface TestProxy {
  readonly port: number
  /** Connections that are open now. */
  readonly open: number
  /** Closes every connection, and every new one at once, until `heal`. */
  cut(): void
  /** Nothing gets through any more, and nobody is told, until `heal`. */
  freeze(): void
  heal(): void
  stop(): Promise<void>
}

export const startProxy = async (target: { readonly host: string; readonly port: number }): Promise<TestProxy> => {
  const pairs = new Set<readonly [Socket, Socket]>()
  let state: 'open' | 'cut' | 'frozen' = 'open'
  const server = createServer((inner) => {
    if (state === 'cut') {
      inner.destroy()
      return
    }
    const outer = tcpConnect(target)
    const pair = [inner, outer] as const
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      inner.destroy()
      outer.destroy()
    }
    for (const socket of pair) {
      socket.setNoDelay(true)
      socket.on('error', end)
      socket.on('close', end)
    }
    inner.pipe(outer)
    outer.pipe(inner)
    if (state === 'frozen') freezePair(pair)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // An address of a listening TCP server is never a string or null.
  const { port } = server.address() as AddressInfo
  const destroyAll = () => {
    for (const [inner, outer] of [...pairs]) {
      inner.destroy()
      outer.destroy()
    }
  }
  return {
    port,
    get open() {
      return pairs.size
    },
    cut: () => {
      state = 'cut'
      destroyAll()
    },
    freeze: () => {
      state = 'frozen'
      for (const pair of pairs) freezePair(pair)
    },
    heal: () => {
      if (state === 'frozen') for (const [inner, outer] of pairs) thaw(inner, outer)
      state = 'open'
    },
    stop: async () => {
      destroyAll()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const freezePair = ([inner, outer]: readonly [Socket, Socket]): void => {
  inner.unpipe(outer)
  outer.unpipe(inner)
  inner.pause()
  outer.pause()
}

const thaw = (inner: Socket, outer: Socket): void => {
  inner.pipe(outer)
  outer.pipe(inner)
}
