/**
 * From a stream into a file, with the MD5 of what passed.
 *
 * Bodies arrive in chunks of 64 KB at most. Writing each as it comes costs a trip to the thread pool per chunk, which on a busy machine was a
 * third of an upload's processor time; so they are gathered into pieces, and what is no larger than one piece is written at once. For 100 MB,
 * chunk by chunk with the hash in the event loop took 268 ms of processor time, all of it in the way of other requests but the writing; pieces
 * of 128, 256 and 512 KB with the hash beside them 304, 238 and 223 ms, of which the event loop has the copying alone.
 */
import { createHash } from 'node:crypto'
import type { StoredBlob } from '../blob-store.ts'
import type { WritableFile } from './file-system.ts'
import { createHasher, type Hasher } from './hashing.ts'

/** Two of these are what a large upload holds in memory, however slowly it comes. */
export const PIECE = 256 * 1024

/** Writes `source` and syncs it. The file is closed, whatever happens. */
export const writeFile = async (file: WritableFile, source: AsyncIterable<Uint8Array>): Promise<StoredBlob> => {
  try {
    const chunks = source[Symbol.asyncIterator]()
    const first: Uint8Array[] = []
    let size = 0
    try {
      for (;;) {
        const next = await chunks.next()
        if (next.done === true) return await writeSmall(file, first, size)
        first.push(next.value)
        size += next.value.length
        if (size > PIECE) return await writeLarge(file, first, chunks)
      }
    } catch (error) {
      await chunks.return?.()
      throw error
    }
  } finally {
    await file.close()
  }
}

const writeSmall = async (file: WritableFile, chunks: readonly Uint8Array[], size: number): Promise<StoredBlob> => {
  const [only, ...more] = chunks
  const bytes = only !== undefined && more.length === 0 ? only : Buffer.concat(chunks, size)
  await file.write(bytes)
  await file.sync()
  return { size, md5: createHash('md5').update(bytes).digest('hex') }
}

const writeLarge = async (
  file: WritableFile,
  first: readonly Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): Promise<StoredBlob> => {
  const pieces = new Pieces(file)
  try {
    for (const chunk of first) await pieces.take(chunk)
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) await pieces.take(next.value)
    return await pieces.finish()
  } catch (error) {
    await pieces.giveUp()
    throw error
  }
}

interface Piece {
  readonly bytes: Uint8Array
  /** Settles when the bytes were written and hashed. */
  busy: Promise<unknown>
}

/** Shared memory is expensive to get and zeroed each time; a few pieces wait for the next upload. */
const spare: Uint8Array[] = []
const MOST_SPARE = 8

const newPiece = (): Piece => ({
  bytes: spare.pop() ?? new Uint8Array(new SharedArrayBuffer(PIECE)),
  busy: Promise.resolve(),
})

/** Two pieces in turn: one fills while the other is written and hashed, both at once. */
class Pieces {
  readonly #file: WritableFile
  readonly #hasher: Hasher = createHasher()
  #filling = newPiece()
  #other = newPiece()
  #filled = 0
  #size = 0
  #writing: Promise<void> = Promise.resolve()

  constructor(file: WritableFile) {
    this.#file = file
  }

  async take(chunk: Uint8Array): Promise<void> {
    let at = 0
    while (at < chunk.length) {
      const part = chunk.subarray(at, at + PIECE - this.#filled)
      this.#filling.bytes.set(part, this.#filled)
      this.#filled += part.length
      at += part.length
      if (this.#filled === PIECE) await this.#flush()
    }
    this.#size += chunk.length
  }

  async finish(): Promise<StoredBlob> {
    await this.#flush()
    await Promise.all([this.#filling.busy, this.#other.busy])
    const [md5] = await Promise.all([this.#hasher.digest(), this.#file.sync()])
    this.#release()
    return { size: this.#size, md5 }
  }

  async giveUp(): Promise<void> {
    // Nobody may write into memory that a thread still reads.
    await Promise.allSettled([this.#writing, this.#filling.busy, this.#other.busy])
    this.#hasher.drop()
    this.#release()
  }

  /** Sends the filled piece off and waits until the other one may be filled. */
  async #flush(): Promise<void> {
    const piece = this.#filling
    const bytes = piece.bytes.subarray(0, this.#filled)
    this.#writing = this.#writing.then(() => this.#file.write(bytes))
    piece.busy = Promise.all([this.#writing, this.#hasher.update(bytes)])
    // Whoever waits for the piece hears of it; until then it must not count as unhandled.
    piece.busy.catch(() => {})
    this.#filling = this.#other
    this.#other = piece
    this.#filled = 0
    await this.#filling.busy
  }

  #release(): void {
    for (const { bytes } of [this.#filling, this.#other]) if (spare.length < MOST_SPARE) spare.push(bytes)
  }
}
