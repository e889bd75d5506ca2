/** An upload's bytes on their way into a store: never more than the limit, however much the client sends or claims. */
import type { Readable } from 'node:stream'
import { tooLarge } from './errors.ts'

/**
 * Passes `source` through and throws once it exceeds `limit` bytes. Does not destroy the source: the answer still has to go out on its socket.
 *
 * By events, because a stream's own iterator joins what has piled up into a buffer of its own, a second copy of every byte, and each chunk
 * takes several promises on its way.
 */
export const metered = (source: Readable, limit: number): AsyncIterable<Uint8Array> => ({
  [Symbol.asyncIterator]: () => new Flow(source, limit),
})

/** What may pile up before the source has to wait. */
const WAITING = 128 * 1024

interface Waiter {
  readonly resolve: (result: IteratorResult<Uint8Array, undefined>) => void
  readonly reject: (error: unknown) => void
}

class Flow implements AsyncIterator<Uint8Array, undefined> {
  readonly #source: Readable
  readonly #limit: number
  readonly #chunks: Uint8Array[] = []
  #waiting = 0
  #size = 0
  #over = false
  #failure: unknown = null
  #waiter: Waiter | null = null

  constructor(source: Readable, limit: number) {
    this.#source = source
    this.#limit = limit
    if (source.readableEnded) this.#over = true
    else if (source.destroyed) this.#failure = source.errored ?? brokenOff()
    else source.on('end', this.#ended).on('error', this.#failed).on('close', this.#closed).on('data', this.#arrived)
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const chunk = this.#chunks.shift()
    if (chunk !== undefined) {
      this.#waiting -= chunk.length
      this.#size += chunk.length
      if (this.#size > this.#limit) return this.#refuse()
      if (this.#waiting < WAITING && this.#source.isPaused()) this.#source.resume()
      return Promise.resolve({ done: false, value: chunk })
    }
    if (this.#failure !== null) return Promise.reject(this.#failure)
    if (this.#over) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject }
    })
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#letGo()
    return { done: true, value: undefined }
  }

  async #refuse(): Promise<never> {
    this.#letGo()
    throw tooLarge()
  }

  /** Whoever answers decides what becomes of the rest. */
  #letGo(): void {
    this.#over = true
    this.#chunks.length = 0
    // An error that comes when nobody listens any more would end the process: that listener stays.
    this.#source.off('end', this.#ended).off('close', this.#closed).off('data', this.#arrived)
    if (!this.#source.destroyed) this.#source.pause()
  }

  /** Tells whoever waits, through the same door as everybody else. */
  #wake(): void {
    const waiter = this.#waiter
    this.#waiter = null
    if (waiter !== null) this.next().then(waiter.resolve, waiter.reject)
  }

  readonly #arrived = (chunk: Uint8Array): void => {
    this.#chunks.push(chunk)
    this.#waiting += chunk.length
    if (this.#waiting >= WAITING) this.#source.pause()
    this.#wake()
  }

  readonly #ended = (): void => {
    this.#over = true
    this.#wake()
  }

  readonly #failed = (error: unknown): void => {
    this.#failure ??= error
    this.#wake()
  }

  readonly #closed = (): void => {
    if (!this.#over) this.#failed(brokenOff())
  }
}

const brokenOff = (): Error =>
  Object.assign(new Error('The stream ended early'), { code: 'ERR_STREAM_PREMATURE_CLOSE' })
