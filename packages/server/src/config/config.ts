/** The settings of one server, read once from flags, environment and supabase/config.toml (in that order) into a type that cannot be wrong. */
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { parse as parseToml } from 'smol-toml'
import { AppError } from '../kernel/errors.ts'
import { isObject, type JsonObject } from '../kernel/json.ts'
import { START_OPTIONS, type StartFlag, variableOf } from './options.ts'

export interface Config {
  readonly host: string
  readonly port: number
  readonly dataDir: string
  /** Null for the embedded server. */
  readonly databaseUrl: string | null
  /** Null to generate one and keep it in the data dir. */
  readonly jwtSecret: string | null
  readonly logLevel: LogLevel
  readonly trustedProxies: readonly string[]
  readonly prepare: boolean
  readonly json: boolean
  readonly api: ApiConfig
  readonly storage: StorageConfig
}

/** The `[api]` table of supabase/config.toml. */
export interface ApiConfig {
  readonly schemas: readonly string[]
  readonly extraSearchPath: readonly string[]
  /** Largest number of rows in one answer; null for no limit. */
  readonly maxRows: number | null
}

/** The `[storage]` table of supabase/config.toml. */
export interface StorageConfig {
  /** Bytes. */
  readonly fileSizeLimit: number
}

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Flags as the command line parsed them; a switch is true or absent. */
export type Flags = Readonly<Partial<Record<StartFlag, string | boolean>>>

export interface Sources {
  readonly flags: Flags
  readonly env: Readonly<Record<string, string | undefined>>
  /** The parsed supabase/config.toml; empty when there is none. */
  readonly file: JsonObject
  readonly cwd: string
}

const invalid = (message: string): AppError => new AppError('bad_request', message)

/** Reads the sources. Throws AppError `bad_request` that names the setting and what it should be. */
export const readConfig = (sources: Sources): Config => {
  const text = (flag: StartFlag): string | null => given(sources, flag)
  const file = sources.file
  return {
    host: hostOf(text('host') ?? ''),
    port: portOf(text('port') ?? ''),
    dataDir: resolve(sources.cwd, text('data-dir') ?? ''),
    databaseUrl: databaseUrlOf(text('database-url')),
    jwtSecret: secretOf(text('jwt-secret')),
    logLevel: levelOf(text('log-level') ?? ''),
    trustedProxies: listOf(text('trusted-proxies')),
    prepare: !isOn(text('no-prepare')),
    json: isOn(text('json')),
    api: apiOf(tableOf(file, 'api')),
    storage: storageOf(tableOf(file, 'storage')),
  }
}

const given = ({ flags, env }: Sources, flag: StartFlag): string | null => {
  const value = flags[flag] ?? env[variableOf(flag)]
  if (value !== undefined) return String(value)
  const spec = START_OPTIONS.find((each) => each.flag === flag)
  return spec !== undefined && 'fallback' in spec ? spec.fallback : null
}

const isOn = (text: string | null): boolean =>
  text !== null && !['', '0', 'false', 'no', 'off'].includes(text.toLowerCase())

const hostOf = (text: string): string => {
  if (isIP(text) !== 0 || /^[\w.-]+$/.test(text)) return text
  throw invalid(`--host should be an address or a name, not "${text}"`)
}

const portOf = (text: string): number => {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw invalid(`--port should be a number from 0 to 65535, not "${text}"`)
}

const databaseUrlOf = (text: string | null): string | null => {
  if (text === null || text === '') return null
  if (!/^postgres(ql)?:\/\//.test(text) || !URL.canParse(text)) {
    throw invalid('--database-url should look like postgresql://user:password@host:5432/database')
  }
  return text
}

const secretOf = (text: string | null): string | null => {
  if (text === null || text === '') return null
  if (Buffer.byteLength(text) < 32) throw invalid('--jwt-secret needs at least 32 bytes')
  return text
}

const levelOf = (text: string): LogLevel => {
  const level = LOG_LEVELS.find((each) => each === text)
  if (level === undefined) throw invalid(`--log-level should be one of ${LOG_LEVELS.join(', ')}, not "${text}"`)
  return level
}

const listOf = (text: string | null): readonly string[] =>
  (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')

const tableOf = (file: JsonObject, name: string): JsonObject => {
  const table = file[name] ?? {}
  if (!isObject(table)) throw invalid(`[${name}] in supabase/config.toml should be a table`)
  return table
}

const apiOf = (table: JsonObject): ApiConfig => ({
  schemas: stringsOf(table, 'schemas') ?? ['public', 'cloud'],
  extraSearchPath: stringsOf(table, 'extra_search_path') ?? ['public', 'extensions'],
  maxRows: numberOf(table, 'max_rows') ?? null,
})

const DEFAULT_FILE_SIZE_LIMIT = 50 * 1024 * 1024

const storageOf = (table: JsonObject): StorageConfig => ({
  fileSizeLimit: bytesOf(table, 'file_size_limit') ?? DEFAULT_FILE_SIZE_LIMIT,
})

const stringsOf = (table: JsonObject, key: string): readonly string[] | undefined => {
  const value = table[key]
  if (value === undefined) return undefined
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value
  throw invalid(`${key} in supabase/config.toml should be a list of strings`)
}

const numberOf = (table: JsonObject, key: string): number | undefined => {
  const value = table[key]
  if (value === undefined) return undefined
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value
  throw invalid(`${key} in supabase/config.toml should be a whole number`)
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KIB: 1024,
  MIB: 1024 ** 2,
  GIB: 1024 ** 3,
}

const bytesOf = (table: JsonObject, key: string): number | undefined => {
  const value = table[key]
  if (value === undefined) return undefined
  const [, digits = '', unit = ''] = /^(\d+) ?([A-Za-z]*)$/.exec(String(value)) ?? []
  const factor = UNITS[unit.toUpperCase()]
  if (digits === '' || factor === undefined)
    throw invalid(`${key} in supabase/config.toml should be a size such as "50MiB"`)
  return Number(digits) * factor
}

/** Reads supabase/config.toml below `cwd`; an empty object when there is none. */
export const readConfigFile = async (cwd: string): Promise<JsonObject> => {
  const path = resolve(cwd, 'supabase', 'config.toml')
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch {
    return {}
  }
  try {
    // TOML has dates beyond JSON; none of the settings read here is one.
    return parseToml(text) as JsonObject
  } catch (cause) {
    throw new AppError('bad_request', `${path} is not valid TOML`, { cause })
  }
}
