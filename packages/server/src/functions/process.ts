/** One process of a function: loads it, runs one invocation after the other, and is killed when it goes beyond a limit. */
import type { ChildProcess } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import type { Clock } from '../kernel/clock.ts'
import type { CallMessage, LoadMessage, Said } from './frames.ts'
import { FrameError, FrameReader, frame } from './frames.ts'
import { type Answer, type Failure, type FailureReason, failure } from './invocation.ts'
import type { Slot } from './launch.ts'
import { killTasks, memoryOf } from './tasks.ts'

const LOOK_EVERY_MS = 100
/** What a process may say besides its reply. */
const FRAME_SLACK = 1024 * 1024
const MAX_RAW = 65_536
const LOAD_MS = 30_000

export interface ProcessLog {
  /** Null when no invocation said it. */
  readonly invocation: string | null
  readonly level: string
  readonly text: string
}

export interface ProcessOptions {
  readonly child: ChildProcess
  readonly slot: Slot
  /** MB of heap. */
  readonly memory: number
  /** Bytes of a reply. */
  readonly maxReply: number
  readonly clock: Clock
  readonly log: (entry: ProcessLog) => void
}

interface Waiting {
  readonly id: string
  readonly settle: (answer: Answer) => void
}

const LEVELS = new Set(['debug', 'info', 'warn', 'error'])

export class FunctionProcess {
  readonly slot: Slot
  /** Resolves when nothing is left of it. */
  readonly ended: Promise<void>
  readonly #options: ProcessOptions
  readonly #reader: FrameReader
  #log: (entry: ProcessLog) => void
  #loading: ((said: Extract<Said, { type: 'load_failed' }> | null | 'ended') => void) | null = null
  #waiting: Waiting | null = null
  #tainted = false
  #dead = false
  /** What ended it, when it was us. */
  #reason: Failure | null = null
  #lastWords = ''

  constructor(options: ProcessOptions) {
    this.#options = options
    this.slot = options.slot
    this.#log = options.log
    // In base64, a body is a third longer.
    this.#reader = new FrameReader(options.maxReply * 2 + FRAME_SLACK)
    const { child } = options
    const output = child.stdio[4] as Readable | null
    output?.on('data', (chunk: Buffer) => this.#take(chunk))
    output?.on('error', () => {})
    for (const [stream, level] of [
      [child.stdout, 'info'],
      [child.stderr, 'error'],
    ] as const) {
      stream?.setEncoding('utf8').on('data', (text: string) => this.#hear(text, level))
    }
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => {
        this.#lastWords = error.message
        this.#end(resolve)
      })
      // `close` comes after everything that was said has been read.
      child.once('close', () => this.#end(resolve))
    })
  }

  /** Whether it can take another invocation. */
  get usable(): boolean {
    return !this.#dead && !this.#tainted && this.#waiting === null
  }

  get pid(): number {
    return this.#options.child.pid ?? -1
  }

  /** Null when the function is loaded, else why it is not. */
  async load(message: LoadMessage): Promise<Failure | null> {
    const answer = await new Promise<Extract<Said, { type: 'load_failed' }> | null | 'ended' | 'late'>((resolve) => {
      const cancel = this.#options.clock.after(LOAD_MS, () => resolve('late'))
      this.#loading = (said) => {
        cancel()
        resolve(said)
      }
      if (this.#dead) this.#loading('ended')
      else this.#write(frame(message))
    })
    this.#loading = null
    if (answer === null) return null
    if (answer === 'late')
      return failure('load_failed', `The function could not be loaded within ${LOAD_MS / 1000} seconds`)
    if (answer === 'ended') return this.#reason ?? this.#crash('load_failed')
    return failure('load_failed', answer.message, answer)
  }

  /** Runs one invocation. Never rejects. */
  async call(message: CallMessage, milliseconds: number): Promise<Answer> {
    if (this.#dead) return this.#reason ?? this.#crash('crashed')
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(milliseconds, () =>
        this.#stop(failure('timeout', `Invoking task timed out after ${seconds(milliseconds)} seconds`)),
      )
      const look = setInterval(() => this.#lookAtMemory(), LOOK_EVERY_MS)
      this.#waiting = {
        id: message.id,
        settle: (answer) => {
          cancel()
          clearInterval(look)
          this.#waiting = null
          resolve(answer)
        },
      }
      this.#write(frame(message))
    })
  }

  /** From now on, what it says is said to `log`. */
  redirect(log: (entry: ProcessLog) => void): void {
    this.#log = log
  }

  kill(): void {
    killTasks(this.slot, this.pid)
  }

  #write(bytes: Buffer): void {
    // Descriptor 3 is a pipe that we asked for.
    const input = this.#options.child.stdio[3] as Writable | null
    input?.write(bytes)
  }

  #lookAtMemory(): void {
    const { memory } = this.#options
    // Heap, buffers, and whatever it started; the system's own limit is for each process alone.
    const limit = 2 * memory + 128
    if (memoryOf(this.slot, this.pid) > limit) this.#stop(failure('memory', `The function used more than ${memory} MB`))
  }

  #stop(reason: Failure): void {
    this.#reason ??= reason
    this.kill()
  }

  #take(chunk: Buffer): void {
    try {
      for (const said of this.#reader.read(chunk)) this.#hearMessage(said)
    } catch (error) {
      const large = error instanceof FrameError && error.message === 'too_large'
      this.#stop(
        large
          ? failure('too_large', 'The reply is too large')
          : failure('crashed', 'The process said something that is no message'),
      )
    }
  }

  #hearMessage(said: Said): unknown {
    switch (said.type) {
      case 'loaded':
        return this.#loading?.(null)
      case 'load_failed':
        return this.#loading?.({
          ...said,
          message: String(said.message),
          name: String(said.name),
          stack: String(said.stack),
        })
      case 'tainted':
        this.#tainted = true
        return undefined
      case 'log':
        return this.#log({
          invocation: typeof said.id === 'string' ? said.id : null,
          level: LEVELS.has(said.level) ? said.level : 'info',
          text: String(said.text),
        })
      case 'done':
      case 'failed':
        if (said.id === this.#waiting?.id) this.#waiting.settle(answerOf(said))
        return undefined
      default:
        return undefined
    }
  }

  /** What was written past the console: by native code, by a child, or by a dying process. */
  #hear(text: string, level: string): void {
    this.#lastWords = (this.#lastWords + text).slice(-MAX_RAW)
    this.#log({ invocation: this.#waiting?.id ?? null, level, text: text.trimEnd().slice(0, MAX_RAW) })
  }

  #crash(reason: FailureReason): Failure {
    if (/heap out of memory|Array buffer allocation failed|std::bad_alloc|allocation failure/i.test(this.#lastWords)) {
      return failure('memory', `The function used more than ${this.#options.memory} MB`)
    }
    const { exitCode, signalCode } = this.#options.child
    return failure(reason, `The process of the function ended (${signalCode ?? `exit code ${exitCode ?? 'unknown'}`})`)
  }

  #end(resolve: () => void): void {
    if (this.#dead) return
    this.#dead = true
    // Whatever it had started must not live on.
    if (this.#options.child.pid !== undefined) this.kill()
    this.#loading?.('ended')
    this.#waiting?.settle(this.#reason ?? this.#crash('crashed'))
    resolve()
  }
}

const seconds = (milliseconds: number): number => Math.round(milliseconds / 100) / 10

const answerOf = (said: Extract<Said, { type: 'done' | 'failed' }>): Answer => {
  if (said.type === 'failed') {
    const reason = said.reason === 'too_large' ? 'too_large' : 'thrown'
    const outOfMemory = /Array buffer allocation failed/.test(String(said.message))
    return failure(outOfMemory ? 'memory' : reason, String(said.message), {
      name: String(said.name),
      stack: String(said.stack),
    })
  }
  if (said.json !== undefined) return { kind: 'result', json: String(said.json) }
  const status = Number(said.status)
  return {
    kind: 'response',
    status: Number.isInteger(status) && status >= 200 && status <= 599 ? status : 500,
    headers: Array.isArray(said.headers) ? said.headers.filter(isHeader) : [],
    body: Buffer.from(String(said.body ?? ''), 'base64'),
  }
}

const isHeader = (each: unknown): each is readonly [string, string] =>
  Array.isArray(each) &&
  typeof each[0] === 'string' &&
  /^[\w!#$%&'*+.^`|~-]+$/.test(each[0]) &&
  /^[\t\x20-\x7e\x80-\xff]*$/.test(String(each[1]))
