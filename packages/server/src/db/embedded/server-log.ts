/** PostgreSQL's own log: every line into a file of bounded size, the important ones also to the product's log. */
import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs'

/** Where the supervisor reports; a pino logger fits. */
export interface EmbeddedLog {
  info(message: string): void
  warn(message: string): void
  error(message: string): void
}

const defaultLimit = 10 * 1024 * 1024
const rememberedLines = 20
const longestLine = 16 * 1024

// What an operator should see, by the words after the severity. Everything else stays in the file.
const telling =
  /was terminated by|not properly shut down|all server processes terminated|no space left|out of memory|invalidat\w+ .*slot|must be vacuumed/i
// The usual goodbyes of clients at shutdown and wrong passwords are no news.
const usual =
  /terminating (connection|walreceiver|autovacuum|background)|is (starting up|shutting down)|authentication failed|does not exist|connection to client lost/i

/** A bounded log file: `path`, and the previous one beside it as `path.1`. A log that cannot be written never stops the server. */
export class ServerLog {
  readonly #path: string
  readonly #log: EmbeddedLog
  readonly #limit: number
  #file: number | null = null
  #size = 0
  #rest = ''
  #recent: string[] = []

  constructor(path: string, log: EmbeddedLog, limit = defaultLimit) {
    this.#path = path
    this.#log = log
    this.#limit = limit
  }

  /** Takes what the server wrote. Writing is synchronous: lines are few, and a crash must not lose the last ones. */
  write(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n')
    this.#rest = (lines.pop() ?? '').slice(0, longestLine)
    for (const line of lines) this.#line(line)
  }

  /** The last line of this severity, without time and pid; empty when there was none since `forget`. */
  last(severity: RegExp): string {
    return this.#recent.findLast((line) => severity.test(line))?.replace(/^.*?(\w+): +/, '') ?? ''
  }

  /** The last line of any kind. */
  lastLine(): string {
    return this.#recent.at(-1) ?? ''
  }

  /** Forgets what an earlier start wrote. */
  forget(): void {
    this.#recent = []
  }

  close(): void {
    if (this.#rest !== '') this.write('\n')
    if (this.#file !== null) closeSync(this.#file)
    this.#file = null
  }

  #line(line: string): void {
    this.#recent = [...this.#recent.slice(1 - rememberedLines), line]
    this.#append(`${line}\n`)
    const words = line.replace(/^[\d-]+ [\d:.]+ \w+ /, '')
    if (/\bPANIC: /.test(line)) this.#log.error(`postgres: ${words}`)
    else if (/\bFATAL: /.test(line) && !usual.test(line)) this.#log.warn(`postgres: ${words}`)
    else if (/\b(LOG|WARNING): /.test(line) && telling.test(line)) this.#log.warn(`postgres: ${words}`)
  }

  #append(text: string): void {
    try {
      if (this.#file === null) {
        this.#file = openSync(this.#path, 'a', 0o600)
        this.#size = fstatSync(this.#file).size
      }
      writeSync(this.#file, text)
      this.#size += Buffer.byteLength(text)
      if (this.#size < this.#limit) return
      closeSync(this.#file)
      this.#file = null
      renameSync(this.#path, `${this.#path}.1`)
    } catch {
      // A full disk: the important lines still reach the product's log.
      this.#file = null
    }
  }
}
