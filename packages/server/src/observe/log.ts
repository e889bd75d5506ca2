/** The log: one JSON line per event on stderr, readable lines on a terminal, and no secret in either. */
import { type Logger, type LoggerOptions, pino } from 'pino'
import { redactFields, scrubText } from './redact.ts'

/** What services need of a logger; pino's own shape. */
export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  child(bindings: object): Log
}

/** The logger that the process makes once; the HTTP server needs the whole of it. */
export type RootLog = Logger

/** Query parameters carry keys and tokens too: what is logged of a URL is its path. */
export const pathOf = (url: string): string => url.split('?', 1)[0] ?? ''

const LEVEL_NAMES: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' }

interface Line {
  readonly level: number
  readonly msg?: string
  readonly [field: string]: unknown
}

/** `info  message key=value`, with the stack of an error below it. */
const lineForPeople = (text: string): string => {
  // Written by pino a moment ago.
  const { level, time: _time, msg = '', pid: _pid, hostname: _hostname, ...fields } = JSON.parse(text) as Line
  const stacks: string[] = []
  const rest = Object.entries(fields).map(([key, value]) => {
    if (typeof value === 'object' && value !== null && 'stack' in value) {
      const { stack, ...others } = value
      stacks.push(`      ${String(stack).replaceAll('\n', '\n      ')}\n`)
      return ` ${key}=${JSON.stringify(others)}`
    }
    return ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`
  })
  return `${(LEVEL_NAMES[level] ?? String(level)).padEnd(5)} ${msg}${rest.join('')}\n${stacks.join('')}`
}

export interface LogOptions {
  readonly level: string
  readonly stream: { write(text: string): unknown; readonly isTTY?: boolean }
}

const asIs = (value: unknown): unknown => value

/** Every line passes here, whichever library wrote it. */
const rules: LoggerOptions = {
  formatters: { log: redactFields },
  // The fields are made safe above; the HTTP server's own serializers would look for what is gone by then.
  serializers: { req: asIs, res: asIs, err: asIs },
  hooks: {
    logMethod(args, method) {
      const [first, ...others] = args as readonly unknown[]
      const named = first instanceof Error ? [{ err: first }, first.message, ...others] : [first, ...others]
      // Same arguments in the same order; only text was replaced.
      method.apply(this, named.map((each) => (typeof each === 'string' ? scrubText(each) : each)) as typeof args)
    },
  },
}

/** The process's logger. */
export const createLog = ({ level, stream }: LogOptions): RootLog => {
  const options = { ...rules, level }
  const people = { write: (text: string) => stream.write(lineForPeople(text)) }
  return withSafeBindings(pino(options, stream.isTTY ? people : stream))
}

/** What a child is bound to is written once, when the child is made, and passes no formatter of the parent's. Its own children inherit this. */
const withSafeBindings = (log: RootLog): RootLog => {
  const { child } = log
  const safeChild = function (this: RootLog, bindings: object, options?: object) {
    return child.call(this, redactFields(bindings), options)
  }
  // The same function as before, for the same arguments; pino's own type has a parameter for custom levels, of which there are none.
  return Object.assign(log, { child: safeChild as typeof child })
}

/** Discards everything; for tests. */
export const silentLog: RootLog = pino({ level: 'silent' })
