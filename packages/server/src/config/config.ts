/** The settings of one server, read once from flags, environment and supabase/config.toml (in that order) into a type that cannot be wrong. */
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { parse as parseToml, TomlError } from 'smol-toml'
import { parseS3Address, type S3Address } from '../files/stores/s3-address.ts'
import { DEMO_SECRET } from '../identity/demo-keys.ts'
import { MIN_SECRET_BYTES } from '../identity/keys.ts'
import { AppError } from '../kernel/errors.ts'
import { isObject, type Json, type JsonObject } from '../kernel/json.ts'
import { type AuthConfig, authConfigOf } from './auth-config.ts'
import { START_OPTIONS, type StartFlag, variableOf } from './options.ts'
import { type WechatConfig, wechatOf } from './wechat.ts'

export interface Config {
  readonly host: string
  readonly port: number
  readonly dataDir: string
  /** Null for the embedded server. */
  readonly databaseUrl: string | null
  /** `local`, `postgres`, or where NATS is. */
  readonly busUrl: string
  /** Null to generate one and keep it in the data dir. */
  readonly jwtSecret: string | null
  readonly previousJwtSecrets: readonly string[]
  /** How others reach this server, without a slash at the end; null for its own address. */
  readonly externalUrl: string | null
  /** The folder that holds `supabase/`. */
  readonly project: string
  readonly logLevel: LogLevel
  readonly trustedProxies: readonly string[]
  /** Points that one network address may spend in ten seconds; null for no limit. */
  readonly requestLimit: number | null
  readonly prepare: boolean
  readonly json: boolean
  /** A WeChat sandbox and demo keys, for this machine alone. */
  readonly dev: boolean
  /** With `dev`: for the network of this machine, without demo keys. */
  readonly lan: boolean
  readonly wechat: WechatConfig
  readonly api: ApiConfig
  readonly storage: StorageConfig
  readonly auth: AuthConfig
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
  /** Where files are kept; null for the data dir. */
  readonly s3: S3Address | null
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
  const the = (flag: StartFlag): Given => given(sources, flag)
  const file = withVariables(sources.file, sources.env)
  const config: Config = {
    host: hostOf(the('host')),
    port: portOf(the('port')),
    dataDir: resolve(sources.cwd, the('data-dir').text),
    databaseUrl: databaseUrlOf(the('database-url')),
    busUrl: busUrlOf(the('bus-url'), the('database-url')),
    jwtSecret: secretOf(the('jwt-secret')),
    previousJwtSecrets: listOf(the('previous-jwt-secrets')).map(
      (text) => secretOf({ ...the('previous-jwt-secrets'), text }) ?? '',
    ),
    externalUrl: externalUrlOf(the('external-url'), file),
    project: sources.cwd,
    logLevel: levelOf(the('log-level')),
    trustedProxies: proxiesOf(the('trusted-proxies')),
    requestLimit: requestLimitOf(the('request-limit')),
    prepare: !isOn(the('no-prepare')),
    json: isOn(the('json')),
    dev: isOn(the('dev')),
    lan: isOn(the('lan')),
    wechat: wechatOf({
      dev: isOn(the('dev')),
      appid: the('wechat-appid').text,
      secret: the('wechat-secret').text,
      apiBase: the('wechat-api-base').text,
    }),
    api: apiOf(tableOf(file, 'api')),
    storage: storageOf(tableOf(file, 'storage'), the('storage-url')),
    auth: authConfigOf({
      table: tableOf(file, 'auth').values,
      smtpUrl: the('smtp-url').text,
      dev: isOn(the('dev')),
    }),
  }
  requirePrivacy(config)
  if (config.jwtSecret === DEMO_SECRET) {
    throw invalid(
      `${the('jwt-secret').name} is the secret of Supabase's public examples: anyone could sign keys. With --dev, the keys that go with it are good on this machine without it`,
    )
  }
  return config
}

/** Development hands out identities: never on an address that others reach, unless the operator says that these others are meant. */
const requirePrivacy = ({ dev, lan, host }: Config): void => {
  if (lan && !dev) throw invalid('--lan goes with --dev')
  if (dev && !lan && !isLoopback(host))
    throw invalid(
      `--dev is for this machine only, not for ${host}. For other devices of a trusted network: --dev --lan`,
    )
}

/** A setting as it was given: its text (empty when it was not), and the name under which the operator knows it. */
interface Given {
  readonly name: string
  readonly text: string
}

/** The flag, else the variable, else the default. An empty variable is none: compose files write those for what is not set. */
const given = ({ flags, env }: Sources, flag: StartFlag): Given => {
  const byFlag = flags[flag]
  if (byFlag !== undefined) return { name: `--${flag}`, text: String(byFlag) }
  const variable = variableOf(flag)
  const byVariable = env[variable]
  if (byVariable !== undefined && byVariable !== '') return { name: variable, text: byVariable }
  const spec = START_OPTIONS.find((each) => each.flag === flag)
  return { name: `--${flag}`, text: spec !== undefined && 'fallback' in spec ? spec.fallback : '' }
}

/** Whether only this machine can reach an address. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127(\.\d+){3}$/.test(host)

const VARIABLE = /^env\((\w+)\)$/

/** Supabase's way of keeping secrets out of the file: a text `env(NAME)` stands for the variable. */
const withVariables = (file: JsonObject, env: Sources['env']): JsonObject => {
  const replace = (value: Json | undefined): Json | undefined => {
    if (typeof value === 'string') {
      const name = VARIABLE.exec(value)?.[1]
      return name === undefined ? value : (env[name] ?? '')
    }
    if (Array.isArray(value)) return value.map((each: Json) => replace(each) ?? null)
    return isObject(value) ? replaceAll(value) : value
  }
  const replaceAll = (table: JsonObject): JsonObject =>
    Object.fromEntries(Object.entries(table).map(([key, value]) => [key, replace(value)]))
  return replaceAll(file)
}

const OFF = ['', '0', 'false', 'no', 'off']
const ON = ['1', 'true', 'yes', 'on']

const isOn = ({ name, text }: Given): boolean => {
  const word = text.toLowerCase()
  if (ON.includes(word)) return true
  if (OFF.includes(word)) return false
  throw invalid(`${name} should be true or false, not "${text}"`)
}

const hostOf = ({ name, text }: Given): string => {
  if (isIP(text) !== 0 || /^[\w.-]+$/.test(text)) return text
  throw invalid(`${name} should be an address or a name, not "${text}"`)
}

const portOf = ({ name, text }: Given): number => {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw invalid(`${name} should be a number from 0 to 65535, not "${text}"`)
}

const requestLimitOf = ({ name, text }: Given): number | null => {
  if (!/^\d{1,9}$/.test(text)) throw invalid(`${name} should be a whole number, 0 for no limit, not "${text}"`)
  return Number(text) === 0 ? null : Number(text)
}

// The text is not repeated in errors here and below: it holds a secret.
const databaseUrlOf = ({ name, text }: Given): string | null => {
  if (text === '') return null
  if (!/^postgres(ql)?:\/\//.test(text) || !URL.canParse(text)) {
    throw invalid(`${name} should look like postgresql://user:password@host:5432/database`)
  }
  return text
}

/** An own database may have several nodes, and one that is not told of the others must hear them all the same. Holds a password, too. */
const busUrlOf = ({ name, text }: Given, database: Given): string => {
  if (text === '') return database.text === '' ? 'local' : 'postgres'
  if (text === 'local' || text === 'postgres') return text
  const addresses = text.split(',').map((each) => each.trim())
  if (addresses.every((each) => /^(nats|tls):\/\//.test(each) && URL.canParse(each))) return addresses.join(',')
  throw invalid(`${name} should be postgres, local, or look like nats://user:password@host:4222`)
}

// Nor here: it holds one too.
const s3Of = ({ name, text }: Given): S3Address | null => {
  if (text === '') return null
  const address = parseS3Address(text)
  if (address === null) throw invalid(`${name} should look like s3://key:secret@host:9000/bucket?region=us-east-1`)
  return address
}

const secretOf = ({ name, text }: Given): string | null => {
  if (text === '') return null
  const bytes = Buffer.byteLength(text)
  if (bytes < MIN_SECRET_BYTES) throw invalid(`${name} needs at least ${MIN_SECRET_BYTES} bytes, it has ${bytes}`)
  return text
}

/** The flag, else what Supabase's file calls `external_url`. */
const externalUrlOf = ({ name, text }: Given, file: JsonObject): string | null => {
  const inFile = tableOf(file, 'auth').values.external_url ?? tableOf(file, 'api').values.external_url
  const url = text === '' && typeof inFile === 'string' ? inFile : text
  if (url === '') return null
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw invalid(`${name} should be an address such as https://api.example.com`)
  }
  return url.replace(/\/+$/, '').replace(/\/auth\/v1$/, '')
}

const listOf = ({ text }: Given): readonly string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')

const levelOf = ({ name, text }: Given): LogLevel => {
  const level = LOG_LEVELS.find((each) => each === text)
  if (level === undefined) throw invalid(`${name} should be one of ${LOG_LEVELS.join(', ')}, not "${text}"`)
  return level
}

const isNetwork = (text: string): boolean => {
  const [address = '', bits, ...more] = text.split('/')
  const version = isIP(address)
  if (version === 0 || more.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
}

const proxiesOf = ({ name, text }: Given): readonly string[] => {
  const list = text.split(',').map((part) => part.trim())
  const proxies = list.filter((part) => part !== '')
  const wrong = proxies.find((part) => !isNetwork(part))
  if (wrong === undefined) return proxies
  throw invalid(`${name} should be addresses or networks such as 10.0.0.0/8, not "${wrong}"`)
}

/** One table of the file, which remembers its name for errors. */
interface Table {
  readonly name: string
  readonly values: JsonObject
}

const tableOf = (file: JsonObject, name: string): Table => {
  const values = file[name] ?? {}
  if (!isObject(values)) throw invalid(`[${name}] in supabase/config.toml should be a table`)
  return { name, values }
}

const unfit = ({ name }: Table, key: string, wanted: string): AppError =>
  invalid(`${name}.${key} in supabase/config.toml should be ${wanted}`)

const apiOf = (table: Table): ApiConfig => ({
  schemas: stringsOf(table, 'schemas') ?? ['public', 'cloud'],
  extraSearchPath: stringsOf(table, 'extra_search_path') ?? ['public', 'extensions'],
  maxRows: numberOf(table, 'max_rows') ?? null,
})

const DEFAULT_FILE_SIZE_LIMIT = 50 * 1024 * 1024

const storageOf = (table: Table, url: Given): StorageConfig => ({
  s3: s3Of(url),
  fileSizeLimit: bytesOf(table, 'file_size_limit') ?? DEFAULT_FILE_SIZE_LIMIT,
})

const stringsOf = (table: Table, key: string): readonly string[] | undefined => {
  const value = table.values[key]
  if (value === undefined) return undefined
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value
  throw unfit(table, key, 'a list of strings')
}

const numberOf = (table: Table, key: string): number | undefined => {
  const value = table.values[key]
  if (value === undefined) return undefined
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value
  throw unfit(table, key, 'a whole number')
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

const bytesOf = (table: Table, key: string): number | undefined => {
  const value = table.values[key]
  if (value === undefined) return undefined
  const [, digits = '', unit = ''] = /^(\d+) ?([A-Za-z]*)$/.exec(String(value)) ?? []
  const factor = UNITS[unit.toUpperCase()]
  if (digits === '' || factor === undefined) throw unfit(table, key, 'a size such as "50MiB"')
  return Number(digits) * factor
}

/** Reads supabase/config.toml below `cwd`; an empty object when there is none. */
export const readConfigFile = async (cwd: string): Promise<JsonObject> => {
  const path = resolve(cwd, 'supabase', 'config.toml')
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    // Node's own errors carry a code.
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return {}
    throw new AppError('bad_request', `${path} cannot be read (${code})`, { cause })
  }
  try {
    // TOML has dates beyond JSON; none of the settings read here is one.
    return parseToml(text) as JsonObject
  } catch (cause) {
    const where = cause instanceof TomlError ? ` (line ${cause.line}, column ${cause.column})` : ''
    throw new AppError('bad_request', `${path} is not valid TOML${where}`, { cause })
  }
}
