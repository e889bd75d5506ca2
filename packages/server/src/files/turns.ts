/** One at a time for each name within this process; whoever comes asks the one before to make way. Between nodes, epochs in the database do the same. */

interface Turn {
  readonly stop: AbortController
  readonly done: Promise<unknown>
}

export class Turns {
  readonly #last = new Map<string, Turn>()

  /** Runs `work` after everyone who came before. Its signal is aborted when the next one waits. */
  async take<T>(name: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const previous = this.#last.get(name)
    previous?.stop.abort()
    const stop = new AbortController()
    const result = (async () => {
      await previous?.done
      return work(stop.signal)
    })()
    const turn = { stop, done: result.catch(() => {}) }
    this.#last.set(name, turn)
    try {
      return await result
    } finally {
      if (this.#last.get(name) === turn) this.#last.delete(name)
    }
  }
}
