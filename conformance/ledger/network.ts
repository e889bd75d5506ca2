/** A TCP proxy of the test: a network that can be stalled, cut, and closed. */
import { connect, createServer, type Server, type Socket } from 'node:net'

interface Pair {
  readonly near: Socket
  readonly far: Socket
}

export class Network {
  readonly #server: Server
  readonly #pairs = new Set<Pair>()
  readonly #target: () => number
  #state: 'open' | 'stalled' | 'closed' = 'open'
  #port = 0

  private constructor(target: () => number) {
    this.#target = target
    this.#server = createServer({ pauseOnConnect: true }, (near) => this.#accept(near))
  }

  /** Listens on a free port; `target` says which port of this machine it leads to, at each connection anew. */
  static async start(target: () => number): Promise<Network> {
    const network = new Network(target)
    await new Promise<void>((resolve) => network.#server.listen(0, '127.0.0.1', resolve))
    const address = network.#server.address()
    network.#port = typeof address === 'object' && address !== null ? address.port : 0
    return network
  }

  get port(): number {
    return this.#port
  }

  /** Open connections. */
  get size(): number {
    return this.#pairs.size
  }

  /** Nothing passes any more, and nobody is told: packets that are dropped. New connections are accepted and wait as well. */
  stall(): void {
    this.#state = 'stalled'
    for (const { near, far } of this.#pairs) {
      near.pause()
      far.pause()
    }
  }

  /** Ends every connection at once with a reset. */
  cut(choose: () => boolean = () => true): void {
    for (const pair of [...this.#pairs]) if (choose()) this.#end(pair)
  }

  /** Cuts, and refuses whoever comes. */
  close(): void {
    this.#state = 'closed'
    this.cut()
  }

  /** Passes everything again. */
  open(): void {
    this.#state = 'open'
    for (const { near, far } of this.#pairs) {
      near.resume()
      far.resume()
    }
  }

  async stop(): Promise<void> {
    this.close()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #accept(near: Socket): void {
    if (this.#state === 'closed') {
      near.resetAndDestroy()
      return
    }
    const far = connect(this.#target(), '127.0.0.1')
    const pair = { near, far }
    this.#pairs.add(pair)
    this.#forward(pair, near, far)
    this.#forward(pair, far, near)
    if (this.#state === 'open') near.resume()
  }

  #forward(pair: Pair, from: Socket, to: Socket): void {
    from.setNoDelay(true)
    from.on('data', (bytes) => {
      if (!to.write(bytes)) from.pause()
    })
    to.on('drain', () => {
      if (this.#state !== 'stalled') from.resume()
    })
    // Whoever ends in order is let finish; whoever breaks breaks the other.
    from.on('end', () => to.end())
    from.on('error', () => this.#end(pair))
    from.on('close', () => {
      if (to.destroyed) this.#pairs.delete(pair)
    })
  }

  #end(pair: Pair): void {
    this.#pairs.delete(pair)
    for (const socket of [pair.near, pair.far]) if (!socket.destroyed) socket.resetAndDestroy()
  }
}
