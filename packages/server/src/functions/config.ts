/** A function's config.json: limits, timers, permissions. The names are those of WeChat's file, with limits beside them. */
import { Cron } from 'croner'
import { AppError } from '../kernel/errors.ts'
import { isObject, type JsonObject, parseJson } from '../kernel/json.ts'

export interface Timer {
  readonly name: string
  /** Seven fields: second, minute, hour, day, month, weekday, year. In Beijing time, as WeChat reads them. */
  readonly cron: string
}

export interface FunctionConfig {
  /** File that is loaded, inside the folder. */
  readonly entry: string
  /** Seconds that one invocation may take. */
  readonly timeout: number
  /** MB of heap; buffers and everything else together may take as much again. */
  readonly memory: number
  /** Invocations at once on one node; null for what the node allows. */
  readonly concurrency: number | null
  readonly timers: readonly Timer[]
  /** APIs of WeChat that the function may call, for example `subscribeMessage.send`; null for all. */
  readonly openapi: readonly string[] | null
  /** Whether a request over HTTP must bring a key or a token. */
  readonly verifyJwt: boolean
}

export const FUNCTION_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,59}$/
export const TIME_ZONE = 'Asia/Shanghai'

const DEFAULTS = { timeout: 20, memory: 256 } as const
const LIMITS = { timeout: 900, memory: 4096, concurrency: 1000 } as const

/** Reads config.json and package.json of a function (null where there is none). Throws AppError `bad_request` that names the mistake. */
export const readFunctionConfig = (name: string, file: string | null, packageFile: string | null): FunctionConfig => {
  const config = objectOf(name, 'config.json', file)
  const main = objectOf(name, 'package.json', packageFile).main
  const wrong = (what: string): AppError => new AppError('bad_request', `config.json of ${name}: ${what}`)
  const number = (key: 'timeout' | 'memory' | 'concurrency'): number | null => {
    const value = config[key]
    if (value === undefined || value === null) return null
    if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= LIMITS[key]) return value
    throw wrong(`${key} is a whole number from 1 to ${LIMITS[key]}`)
  }
  return {
    entry: entryOf(main),
    timeout: number('timeout') ?? DEFAULTS.timeout,
    memory: number('memory') ?? DEFAULTS.memory,
    concurrency: number('concurrency'),
    timers: timersOf(config.triggers, wrong),
    openapi: openapiOf(config.permissions, wrong),
    verifyJwt: config.verify_jwt !== false,
  }
}

const objectOf = (name: string, file: string, text: string | null): JsonObject => {
  if (text === null || text.trim() === '') return {}
  const parsed = parseJson(text)
  if (isObject(parsed)) return parsed
  throw new AppError('bad_request', `${file} of ${name} is not a JSON object`)
}

const entryOf = (main: unknown): string => {
  const entry = typeof main === 'string' && main !== '' ? main.replace(/^\.\//, '') : 'index.js'
  if (entry.startsWith('/') || entry.split('/').includes('..')) {
    throw new AppError('bad_request', `The entry ${entry} is outside of the function's folder`)
  }
  return entry
}

const timersOf = (triggers: unknown, wrong: (what: string) => AppError): readonly Timer[] => {
  if (triggers === undefined || triggers === null) return []
  if (!Array.isArray(triggers)) throw wrong('triggers is a list')
  const timers = triggers.map((each: unknown): Timer => {
    if (!isObject(each) || typeof each.name !== 'string' || typeof each.config !== 'string') {
      throw wrong('a trigger has a name, a type and a config')
    }
    if (each.type !== 'timer') throw wrong(`trigger ${each.name}: only timers are known`)
    return { name: each.name, cron: checkedCron(each.config, (what) => wrong(`trigger ${each.name}: ${what}`)) }
  })
  if (new Set(timers.map((each) => each.name)).size !== timers.length) throw wrong('two triggers have the same name')
  return timers
}

const checkedCron = (text: string, wrong: (what: string) => AppError): string => {
  const cron = text.trim()
  if (cron.split(/\s+/).length !== 7) throw wrong(`"${text}" does not have the seven fields second … year`)
  try {
    nextRun(cron, new Date(0))
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error))
  }
  return cron
}

/** When a timer fires next after `from`; null when it never does. */
export const nextRun = (cron: string, from: Date): Date | null =>
  new Cron(cron, { paused: true, timezone: TIME_ZONE }).nextRun(from)

const openapiOf = (permissions: unknown, wrong: (what: string) => AppError): readonly string[] | null => {
  if (!isObject(permissions) || permissions.openapi === undefined) return null
  const names = permissions.openapi
  if (Array.isArray(names) && names.every((each) => typeof each === 'string')) return names
  throw wrong('permissions.openapi is a list of names')
}
