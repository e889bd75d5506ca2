/** The log: one JSON line per event on stderr, readable lines on a terminal, and no secret in either. */
import { type Logger, pino } from 'pino'

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

/** Header and field names whose values never reach the log. */
const SECRETS = [
  'apikey',
  'authorization',
  'cookie',
  'password',
  'token',
  'access_token',
  'refresh_token',
  'session_key',
  'secret',
  'code',
  'phone',
]

const redact = {
  paths: [...SECRETS, ...SECRETS.map((name) => `*.${name}`), ...SECRETS.map((name) => `req.headers.${name}`)],
  censor: '[redacted]',
}

/** Query parameters carry keys and tokens too: what is logged of a URL is its path. */
export const pathOf = (url: string): string => url.split('?', 1)[0] ?? ''

const LEVEL_NAMES: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' }

/** A destination that prints `info  message key=value` for people. */
const forPeople = (write: (text: string) => void) => ({
  write: (line: string) => {
    const { level, time: _time, msg, pid: _pid, hostname: _hostname, ...fields } = JSON.parse(line)
    const rest = Object.entries(fields).map(
      ([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
    )
    write(`${(LEVEL_NAMES[level] ?? String(level)).padEnd(5)} ${msg}${rest.join('')}\n`)
  },
})

export interface LogOptions {
  readonly level: string
  readonly stream: NodeJS.WriteStream
}

/** The process's logger. */
export const createLog = ({ level, stream }: LogOptions): RootLog => {
  const options = { level, redact, serializers: { error: pino.stdSerializers.err } }
  return stream.isTTY
    ? pino(
        options,
        forPeople((text) => stream.write(text)),
      )
    : pino(options, stream)
}

/** Discards everything; for tests. */
export const silentLog: RootLog = pino({ level: 'silent' })
