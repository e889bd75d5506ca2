/**
 * MD5 of large bodies in threads of their own. It is most of what an upload costs (about 160 of 380 ms of processor time for 100 MB), and
 * where the event loop does it every other request waits.
 *
 * Bytes are handed over in shared memory, so nothing is copied or cloned on the way; who fills a piece anew waits until it has been read.
 */
import { createHash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'

/** Takes bytes in order. Every hasher ends with `digest` or `drop`. */
export interface Hasher {
  /** Resolves once the bytes have been read and may change. */
  update(bytes: Uint8Array): Promise<void>
  /** In hex. */
  digest(): Promise<string>
  drop(): void
}

/** As text: a file of its own would have one name in the sources and another once built. */
const PROGRAM = `
const { parentPort } = require('node:worker_threads')
const { createHash } = require('node:crypto')
const hashes = new Map()
parentPort.on('message', ({ id, bytes, end }) => {
  if (end === 'drop') return void hashes.delete(id)
  if (!hashes.has(id)) hashes.set(id, createHash('md5'))
  const hash = hashes.get(id)
  if (bytes !== undefined) hash.update(bytes)
  if (end === 'digest') hashes.delete(id)
  parentPort.postMessage({ id, md5: end === 'digest' ? hash.digest('hex') : null })
})`

interface Answer {
  readonly id: number
  readonly md5: string | null
}

interface Waiting {
  readonly resolve: (md5: string | null) => void
  readonly reject: (error: Error) => void
}

/** One thread. Answers come in the order of the questions of each hasher. */
class Lane {
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting[]>()
  #count = 0
  failed = false

  constructor() {
    this.#worker = new Worker(PROGRAM, {
      eval: true,
      name: 'teahouse-hash',
      resourceLimits: { maxOldGenerationSizeMb: 16 },
    })
    // A server that has nothing else to do may end.
    this.#worker.unref()
    this.#worker.on('message', ({ id, md5 }: Answer) => this.#waiting.get(id)?.shift()?.resolve(md5))
    this.#worker.once('error', (error) => this.#fail(error))
    this.#worker.once('exit', () => this.#fail(new Error('the hashing thread ended')))
  }

  /** How many hashers are at work. */
  get load(): number {
    return this.#waiting.size
  }

  hasher(): Hasher {
    this.#count += 1
    const id = this.#count
    const waiting: Waiting[] = []
    this.#waiting.set(id, waiting)
    const ask = (message: object): Promise<string | null> =>
      new Promise((resolve, reject) => {
        if (this.failed) {
          reject(new Error('the hashing thread ended'))
          return
        }
        waiting.push({ resolve, reject })
        this.#worker.postMessage({ id, ...message })
      })
    return {
      update: async (bytes) => void (await ask({ bytes })),
      digest: async () => (await ask({ end: 'digest' }).finally(() => this.#waiting.delete(id))) ?? '',
      drop: () => {
        if (this.#waiting.delete(id)) this.#worker.postMessage({ id, end: 'drop' })
      },
    }
  }

  #fail(error: Error): void {
    this.failed = true
    for (const waiting of this.#waiting.values()) for (const { reject } of waiting.splice(0)) reject(error)
    this.#waiting.clear()
  }
}

/** One core is left to the event loop; with a single one, threads would only take turns. */
const MOST_LANES = Math.min(4, availableParallelism() - 1)
const lanes: Lane[] = []

/** A hasher on the thread with the least to do. Threads start with the first large body, not with the server. */
export const createHasher = (): Hasher => {
  if (MOST_LANES < 1) return inlineHasher()
  const living = lanes.filter(({ failed }) => !failed)
  const [idlest] = living.sort((left, right) => left.load - right.load)
  if (idlest !== undefined && (idlest.load === 0 || living.length >= MOST_LANES)) return idlest.hasher()
  try {
    const lane = new Lane()
    lanes.splice(0, lanes.length, ...living, lane)
    return lane.hasher()
  } catch {
    // A process that may start no threads, by Node's permissions for example, hashes by itself.
    return inlineHasher()
  }
}

/** Without threads. */
export const inlineHasher = (): Hasher => {
  const hash = createHash('md5')
  return {
    update: async (bytes) => void hash.update(bytes),
    digest: async () => hash.digest('hex'),
    drop: () => {},
  }
}
