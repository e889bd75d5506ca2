/** Running a program to its end and waiting for conditions, shared by the files of this folder. Not the supervised postmaster: that is supervisor.ts. */
import { type ChildProcess, type SpawnOptions, type StdioOptions, spawn } from 'node:child_process'
import { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from './error.ts'

/** A program with everything that decides how it is started. */
export interface Launch {
  readonly file: string
  readonly args: readonly string[]
  readonly options: Pick<SpawnOptions, 'uid' | 'gid' | 'cwd' | 'env'>
}

/** How a program ended. `failure` is set when it could not be started at all. */
export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  readonly failure: string | null
}

const outputLimit = 64 * 1024

/** What the child is given: text on its input, and files of ours as its descriptors 3, 4, …. */
export interface ChildInput {
  readonly input?: string
  readonly handles?: readonly (number | null)[]
}

/** Runs a program to its end; never throws. */
export function runToEnd(launch: Launch, io: ChildInput = {}): Promise<Ended> {
  return new Promise((resolve) => {
    let stdout = ''
    let stderr = ''
    const end = (code: number | null, failure: string | null) => resolve({ code, stdout, stderr, failure })
    const extra = (io.handles ?? []).map((handle) => handle ?? 'ignore')
    const child = trySpawn(launch, ['pipe', 'pipe', 'pipe', ...extra])
    if (child instanceof Error) return end(null, child.message)
    child.once('error', (error) => end(null, messageOf(error)))
    child.once('close', (code) => end(code, null))
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout = (stdout + text).slice(-outputLimit)
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-outputLimit)
    })
    // A program that ends without reading its input closes the pipe; its exit code tells the story.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(io.input ?? '')
  })
}

/** Starts a program. Some refusals of the system are thrown by `spawn`, others come as its `error` event; the former are returned here. */
export function trySpawn(launch: Launch, stdio: StdioOptions, more: { detached?: boolean } = {}): ChildProcess | Error {
  try {
    return spawn(launch.file, launch.args, { ...launch.options, ...more, stdio })
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

/** One line that says why a program failed: its last words, or how it could not be started. */
export function reasonOf(ended: Ended): string {
  if (ended.failure !== null) return ended.failure
  const words = `${ended.stdout}\n${ended.stderr}`
    .trim()
    .split('\n')
    .filter((line) => line.trim() !== '')
  const telling = words.findLast((line) => /\b(error|fatal|panic|could not|cannot)\b/i.test(line)) ?? words.at(-1)
  return telling?.trim() ?? `exit code ${ended.code}`
}

/** Polls until the condition holds; false when the time is over first. */
export async function waitUntil(condition: () => boolean, options: { ms: number; everyMs?: number }): Promise<boolean> {
  const end = performance.now() + options.ms
  while (!condition()) {
    if (performance.now() >= end) return condition()
    await delay(options.everyMs ?? 10)
  }
  return true
}

/** Lets this process end while a child's pipe is still open. */
export function unrefStream(stream: unknown): void {
  // Node's pipes to children are sockets; the types only promise streams.
  if (stream instanceof Socket) stream.unref()
}
