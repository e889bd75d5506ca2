/** A request's body cut into slices that are stored one by one: a connection that breaks costs the last slice at most, and usually nothing. */
import type { Readable } from 'node:stream'
import type { Clock } from '../kernel/clock.ts'
import { tooLarge } from './errors.ts'
import { metered } from './metered.ts'

export interface SlicesOptions {
  readonly clock: Clock
  /** A slice ends with the chunk that fills it. */
  readonly bytes: number
  /** A slice ends after this time too, so that a slow phone does not lose minutes. */
  readonly milliseconds: number
  /** The most that may come in all. */
  readonly limit: number
  /** Ends the current slice and everything after it. */
  readonly signal: AbortSignal
}

type Next = IteratorResult<Uint8Array> | 'halted'

/** `while (await slices.more()) store(slices.slice())`. What broke off is in `failure` afterwards; the bytes before it were given out. */
export class Slices {
  readonly #options: SlicesOptions
  readonly #chunks: AsyncIterator<Uint8Array>
  #waiting: Promise<IteratorResult<Uint8Array>> | null = null
  #chunk: Uint8Array | null = null
  #over = false
  #halt = () => {}
  #received = 0
  failure: unknown = null

  constructor(source: Readable, options: SlicesOptions) {
    this.#options = options
    this.#chunks = metered(source, Number.POSITIVE_INFINITY)[Symbol.asyncIterator]()
    options.signal.addEventListener('abort', () => this.#halt(), { once: true })
  }

  /** Waits for the first byte of the next slice. */
  async more(): Promise<boolean> {
    while (this.#chunk === null && !this.#over && !this.#options.signal.aborted) await this.#fill()
    return this.#chunk !== null && !this.#options.signal.aborted
  }

  /** Lets go of the source: what still comes is somebody else's business. */
  close(): void {
    void this.#chunks.return?.()
  }

  async *slice(): AsyncIterable<Uint8Array> {
    const { clock, bytes, milliseconds, limit, signal } = this.#options
    let late = false
    let size = 0
    const cancel = clock.after(milliseconds, () => {
      late = true
      this.#halt()
    })
    try {
      while (this.#chunk !== null) {
        const chunk = this.#chunk
        this.#chunk = null
        size += chunk.length
        this.#received += chunk.length
        if (this.#received > limit) throw tooLarge()
        yield chunk
        if (size >= bytes || late || signal.aborted || this.#over) return
        await this.#fill()
      }
    } finally {
      cancel()
    }
  }

  async #fill(): Promise<void> {
    this.#waiting ??= this.#chunks.next().catch((error: unknown) => {
      this.failure = error
      return { done: true, value: undefined }
    })
    const waiting = this.#waiting
    // One reaction per chunk, not a race with a promise that lives as long as the request and remembers every racer.
    const next = await new Promise<Next>((resolve) => {
      this.#halt = () => resolve('halted')
      void waiting.then(resolve)
    })
    if (next === 'halted') return
    this.#waiting = null
    if (next.done) this.#over = true
    else if (next.value.length > 0) this.#chunk = next.value
  }
}
