/** Starts the product as its users do: the real command in a process of its own, on a folder and ports of its own. For tests and benches; knows no test framework. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { StartReport } from '../../packages/server/src/config/start-report.ts'

export type { StartReport } from '../../packages/server/src/config/start-report.ts'

/** The checkout that is under test. */
export const repository = fileURLToPath(new URL('../..', import.meta.url))

/** The command as npm links it. */
export const teahouseBin = join(repository, 'packages', 'server', 'bin', 'teahouse.js')

export interface StartOptions {
  /** Flags after `start --port 0 --json --data-dir …`; a later one wins. */
  readonly args?: readonly string[]
  /** Added to a clean environment: no setting of the machine reaches the server. */
  readonly env?: Readonly<Record<string, string>>
  /** A folder that outlives this server, for starting on it again. By default a fresh one, removed when the server ended. */
  readonly dataDir?: string
  /** Working directory: where supabase/config.toml is looked for. By default an empty folder. */
  readonly cwd?: string
  /** How long the start may take, milliseconds. */
  readonly within?: number
  /** Instead of `node packages/server/bin/teahouse.js`. */
  readonly command?: readonly [string, ...string[]]
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface TestServer {
  readonly report: StartReport
  readonly pid: number
  readonly dataDir: string
  /** Everything on stderr so far: JSON lines. */
  logs(): string
  /** Everything on stdout so far. */
  output(): string
  /** Resolves when the process has ended, however that came. */
  readonly ended: Promise<Exit>
  /** SIGTERM, then waits for the end. Safe to call twice, and after `kill9`. */
  stop(): Promise<Exit>
  /** SIGKILL, then waits for the end. A data dir of the test's own stays. */
  kill9(): Promise<Exit>
}

/** A new empty folder that nobody else may look into; `remove` takes it away with all in it. */
export const temporaryFolder = async (): Promise<{ readonly path: string; remove(): Promise<void> }> => {
  const path = await mkdtemp(join(tmpdir(), 'teahouse-conformance-'))
  // PostgreSQL may still be unlinking its files.
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }) }
}

const INHERITED = ['PATH', 'HOME', 'USER', 'LANG', 'TMPDIR', 'SHELL']

const environment = (added: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(INHERITED.map((name) => [name, process.env[name]])),
  ...added,
})

// Whatever a test forgot, or a run that is cut short: no server outlives the process that started it.
const living = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL')
})

interface Running {
  readonly child: ChildProcess
  readonly output: () => string
  readonly logs: () => string
  readonly ended: Promise<Exit>
}

const launch = (
  [file, ...first]: readonly [string, ...string[]],
  args: readonly string[],
  options: { cwd: string; env: NodeJS.ProcessEnv },
): Running => {
  const child = spawn(file, [...first, ...args], { ...options, stdio: ['pipe', 'pipe', 'pipe'] })
  living.add(child)
  let output = ''
  let logs = ''
  child.stdin.on('error', () => {})
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    logs += text
  })
  const ended = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject)
    // `close`, not `exit`: by then every line has arrived.
    child.once('close', (code, signal) => {
      living.delete(child)
      resolve({ code, signal })
    })
  })
  return { child, output: () => output, logs: () => logs, ended }
}

/** The first line of stdout, or a rejection that shows what the server said instead. */
const firstLine = (running: Running, within: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const fail = (how: string) => reject(new Error(`teahouse start ${how}\n${running.logs()}${running.output()}`))
    const timer = setTimeout(() => fail(`said nothing within ${within} ms`), within)
    const look = () => {
      const end = running.output().indexOf('\n')
      if (end < 0) return
      clearTimeout(timer)
      resolve(running.output().slice(0, end))
    }
    running.child.stdout?.on('data', look)
    running.ended.then(({ code, signal }) => {
      clearTimeout(timer)
      fail(`ended with ${signal ?? code}`)
    }, reject)
  })

/** Starts a server and resolves once it accepts requests. Call `stop` when done. */
export const startServer = async (options: StartOptions = {}): Promise<TestServer> => {
  const own = await temporaryFolder()
  const dataDir = options.dataDir ?? join(own.path, 'data')
  const args = ['start', '--port', '0', '--json', '--data-dir', dataDir, ...(options.args ?? [])]
  const running = launch(options.command ?? [process.execPath, teahouseBin], args, {
    cwd: options.cwd ?? own.path,
    env: environment(options.env),
  })
  const ended = running.ended.finally(() => own.remove())
  ended.catch(() => {})
  const end = async (signal: NodeJS.Signals): Promise<Exit> => {
    running.child.kill(signal)
    return ended
  }
  try {
    // Our own start report: the shape is what its test checks.
    const report = JSON.parse(await firstLine(running, options.within ?? 60_000)) as StartReport
    return {
      report,
      pid: running.child.pid ?? 0,
      dataDir,
      logs: running.logs,
      output: running.output,
      ended,
      stop: () => end('SIGTERM'),
      kill9: () => end('SIGKILL'),
    }
  } catch (error) {
    await end('SIGKILL')
    throw error
  }
}

export interface Ran extends Exit {
  readonly stdout: string
  readonly stderr: string
}

/** Runs one command (`teahouse sql -c …`) to its end. */
export const runTeahouse = async (
  args: readonly string[],
  options: Pick<StartOptions, 'cwd' | 'env'> & { readonly input?: string } = {},
): Promise<Ran> => {
  const running = launch([process.execPath, teahouseBin], args, {
    cwd: options.cwd ?? tmpdir(),
    env: environment(options.env),
  })
  running.child.stdin?.end(options.input ?? '')
  const exit = await running.ended
  return { ...exit, stdout: running.output(), stderr: running.logs() }
}
