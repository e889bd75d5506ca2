/** Messages between the server and a function's process: four bytes of length, little end first, then JSON. The other side is runtime/function-process.mjs. */
import type { FailureReason, HttpEvent } from './invocation.ts'

export interface LoadMessage {
  readonly type: 'load'
  readonly folder: string
  readonly entry: string
  /** Variables that its code sees from its first line on. */
  readonly env: Readonly<Record<string, string>>
  readonly limits: { readonly reply: number }
}

export interface CallMessage {
  readonly type: 'call'
  readonly id: string
  readonly name: string
  readonly version: string
  readonly memory: number
  /** Milliseconds since 1970. */
  readonly deadline: number
  readonly event: string
  readonly http: HttpEvent | null
  readonly env: Readonly<Record<string, string>>
}

/** What a process says. It is written by code that the server does not trust, so every field is looked at before it is used. */
export type Said =
  | { readonly type: 'ready' | 'loaded' | 'tainted' }
  | { readonly type: 'load_failed'; readonly name: string; readonly message: string; readonly stack: string }
  | { readonly type: 'log'; readonly id: string | null; readonly level: string; readonly text: string }
  | {
      readonly type: 'done'
      readonly id: string
      readonly json?: string
      readonly status?: number
      readonly headers?: readonly (readonly [string, string])[]
      readonly body?: string
    }
  | {
      readonly type: 'failed'
      readonly id: string
      readonly reason: FailureReason
      readonly name: string
      readonly message: string
      readonly stack: string
    }

const HEAD = 4

export const frame = (message: LoadMessage | CallMessage): Buffer => {
  const body = Buffer.from(JSON.stringify(message))
  const bytes = Buffer.allocUnsafe(HEAD + body.length)
  bytes.writeUInt32LE(body.length)
  body.copy(bytes, HEAD)
  return bytes
}

export class FrameError extends Error {}

/** Collects what arrives until frames are whole. Throws FrameError for what is none. */
export class FrameReader {
  readonly #max: number
  #chunks: Buffer[] = []
  #length = 0

  /** `max` is the largest frame, bytes. */
  constructor(max: number) {
    this.#max = max
  }

  read(chunk: Buffer): readonly Said[] {
    this.#chunks.push(chunk)
    this.#length += chunk.length
    const said: Said[] = []
    for (;;) {
      const size = this.#sizeOfNext()
      if (size === null || this.#length < HEAD + size) return said
      const all = Buffer.concat(this.#chunks)
      said.push(parse(all.subarray(HEAD, HEAD + size)))
      const rest = all.subarray(HEAD + size)
      this.#chunks = rest.length === 0 ? [] : [rest]
      this.#length = rest.length
    }
  }

  #sizeOfNext(): number | null {
    if (this.#length < HEAD) return null
    let [first = Buffer.alloc(0)] = this.#chunks
    if (first.length < HEAD) {
      first = Buffer.concat(this.#chunks)
      this.#chunks = [first]
    }
    const size = first.readUInt32LE(0)
    if (size > this.#max) throw new FrameError('too_large')
    return size
  }
}

const parse = (bytes: Buffer): Said => {
  try {
    // Its members are checked where they are used.
    const said = JSON.parse(bytes.toString('utf8')) as Said
    if (typeof said === 'object' && said !== null && typeof said.type === 'string') return said
  } catch {
    // Not JSON: told below.
  }
  throw new FrameError('not a message')
}
