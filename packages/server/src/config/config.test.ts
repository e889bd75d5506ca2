/** Every setting: where it may come from, which source wins, and what is said when it is wrong. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DEMO_SECRET } from '../identity/demo-keys.ts'
import { type Flags, readConfig, readConfigFile, type Sources } from './config.ts'
import { START_OPTIONS, variableOf } from './options.ts'

const read = (sources: Partial<Sources> = {}) =>
  readConfig({ flags: {}, env: {}, file: {}, cwd: '/srv/app', ...sources })
const SECRET = 'a secret of at least thirty-two bytes'

/** For every flag: a text, another text, and what they become. */
const CASES = {
  port: [['8001', 8001], ['0', 0], (config) => config.port],
  host: [['0.0.0.0', '0.0.0.0'], ['::1', '::1'], (config) => config.host],
  'data-dir': [['data', '/srv/app/data'], ['/var/tea', '/var/tea'], (config) => config.dataDir],
  'database-url': [
    ['postgres://a/b', 'postgres://a/b'],
    ['postgresql://c/d', 'postgresql://c/d'],
    (config) => config.databaseUrl,
  ],
  'bus-url': [
    ['nats://u:p@a:4222, nats://b', 'nats://u:p@a:4222,nats://b'],
    ['postgres', 'postgres'],
    (config) => config.busUrl,
  ],
  'jwt-secret': [[SECRET, SECRET], [`${SECRET}2`, `${SECRET}2`], (config) => config.jwtSecret],
  'previous-jwt-secrets': [
    [`${SECRET}, ${SECRET}2`, [SECRET, `${SECRET}2`]],
    [SECRET, [SECRET]],
    (config) => config.previousJwtSecrets,
  ],
  'external-url': [
    ['https://api.example.com/', 'https://api.example.com'],
    ['http://192.168.1.2:8000', 'http://192.168.1.2:8000'],
    (config) => config.externalUrl,
  ],
  'smtp-url': [
    ['smtps://u:p@a', { url: 'smtps://u:p@a', from: 'no-reply@localhost' }],
    ['smtp://b:25?from=x%40y.z', { url: 'smtp://b:25?from=x%40y.z', from: 'x@y.z' }],
    (config) => config.auth.smtp,
  ],
  'log-level': [['debug', 'debug'], ['error', 'error'], (config) => config.logLevel],
  'storage-url': [
    ['s3://k:s@a.example/files', 'https://a.example'],
    ['s3://k:s@b.example:9000/files?tls=false', 'http://b.example:9000'],
    (config) => config.storage.s3?.endpoint ?? null,
  ],
  'trusted-proxies': [
    ['10.0.0.0/8, ::1', ['10.0.0.0/8', '::1']],
    ['127.0.0.1', ['127.0.0.1']],
    (config) => config.trustedProxies,
  ],
  'request-limit': [['500', 500], ['0', null], (config) => config.requestLimit],
  'no-prepare': [['true', false], ['false', true], (config) => config.prepare],
  json: [['1', true], ['off', false], (config) => config.json],
  dev: [['1', true], ['off', false], (config) => config.dev],
} as const satisfies Partial<
  Record<
    string,
    readonly [readonly [string, unknown], readonly [string, unknown], (config: ReturnType<typeof read>) => unknown]
  >
>

describe('settings', () => {
  it('have the documented defaults', () => {
    expect(read()).toMatchObject({
      host: '127.0.0.1',
      port: 8000,
      dataDir: '/srv/app/.teahouse',
      databaseUrl: null,
      busUrl: 'local',
      jwtSecret: null,
      logLevel: 'info',
      trustedProxies: [],
      prepare: true,
      json: false,
      api: { schemas: ['public', 'cloud'], extraSearchPath: ['public', 'extensions'], maxRows: null },
      storage: { fileSizeLimit: 50 * 1024 * 1024 },
    })
  })

  for (const [flag, [[first, firstValue], [second, secondValue], pick]] of Object.entries(CASES)) {
    it(`--${flag} is read from the flag, else from ${variableOf(flag)}`, () => {
      const flags: Flags = { [flag]: first }
      expect(pick(read({ flags }))).toEqual(firstValue)
      expect(pick(read({ env: { [variableOf(flag)]: second } }))).toEqual(secondValue)
      expect(pick(read({ flags, env: { [variableOf(flag)]: second } }))).toEqual(firstValue)
      expect(pick(read({ env: { [variableOf(flag)]: '' } }))).toEqual(pick(read()))
    })
  }

  it('are all covered by the table above, or go together and are covered in wechat.test.ts', () => {
    const known = new Set([...Object.keys(CASES), 'lan', 'wechat-appid', 'wechat-secret', 'wechat-api-base'])
    expect(START_OPTIONS.map(({ flag }) => flag).filter((flag) => !known.has(flag))).toEqual([])
  })

  it('come from the tables of supabase/config.toml where Supabase has a key', () => {
    const file = {
      api: { schemas: ['public', 'shop'], extra_search_path: ['extensions'], max_rows: 500 },
      storage: { file_size_limit: '5MiB' },
    }
    expect(read({ file })).toMatchObject({
      api: { schemas: ['public', 'shop'], extraSearchPath: ['extensions'], maxRows: 500 },
      storage: { fileSizeLimit: 5 * 1024 * 1024 },
    })
    for (const [size, bytes] of [
      ['7', 7],
      ['2kb', 2000],
      ['1 GiB', 1024 ** 3],
      [1234, 1234],
    ] as const) {
      expect(read({ file: { storage: { file_size_limit: size } } }).storage.fileSizeLimit).toBe(bytes)
    }
  })

  it('may stand in the environment where the file says env(NAME)', () => {
    const file = { api: { schemas: ['env(SCHEMA)', 'public'] } }
    expect(read({ file, env: { SCHEMA: 'shop' } }).api.schemas).toEqual(['shop', 'public'])
  })
})

it('the nodes of an own database hear each other, also when nobody said how', () => {
  expect(read({ flags: { 'database-url': 'postgres://a/b' } }).busUrl).toBe('postgres')
  expect(read({ flags: { 'database-url': 'postgres://a/b', 'bus-url': 'local' } }).busUrl).toBe('local')
})

describe('a wrong setting', () => {
  const said = (sources: Partial<Sources>): string => {
    try {
      read(sources)
      return 'accepted'
    } catch (error) {
      return error instanceof Error ? error.message : ''
    }
  }

  it.each([
    [{ port: 'abc' }, '--port should be a number from 0 to 65535, not "abc"'],
    [{ port: '65536' }, '--port should be a number from 0 to 65535, not "65536"'],
    [{ port: '-1' }, '--port should be a number from 0 to 65535, not "-1"'],
    [{ port: '８０' }, '--port should be a number from 0 to 65535, not "８０"'],
    [{ host: 'a b' }, '--host should be an address or a name, not "a b"'],
    [{ host: '' }, '--host should be an address or a name, not ""'],
    [{ 'log-level': 'loud' }, '--log-level should be one of debug, info, warn, error, not "loud"'],
    [
      { 'trusted-proxies': '10.0.0.0/8,proxy' },
      '--trusted-proxies should be addresses or networks such as 10.0.0.0/8, not "proxy"',
    ],
    [
      { 'trusted-proxies': '10.0.0.0/33' },
      '--trusted-proxies should be addresses or networks such as 10.0.0.0/8, not "10.0.0.0/33"',
    ],
    [{ 'request-limit': '-1' }, '--request-limit should be a whole number, 0 for no limit, not "-1"'],
    [{ 'request-limit': 'much' }, '--request-limit should be a whole number, 0 for no limit, not "much"'],
    [{ 'bus-url': 'redis://x' }, '--bus-url should be postgres, local, or look like nats://user:password@host:4222'],
    [{ 'jwt-secret': 'short' }, '--jwt-secret needs at least 32 bytes, it has 5'],
  ] as const)('%j is named by its flag', (flags, message) => {
    expect(said({ flags })).toBe(message)
  })

  it('is named by its variable when it came from there', () => {
    expect(said({ env: { TEAHOUSE_PORT: 'abc' } })).toBe('TEAHOUSE_PORT should be a number from 0 to 65535, not "abc"')
    expect(said({ env: { TEAHOUSE_NO_PREPARE: 'maybe' } })).toBe(
      'TEAHOUSE_NO_PREPARE should be true or false, not "maybe"',
    )
  })

  it('is named by its key when it came from the file', () => {
    expect(said({ file: { api: { max_rows: 'many' } } })).toBe(
      'api.max_rows in supabase/config.toml should be a whole number',
    )
    expect(said({ file: { api: { max_rows: -1 } } })).toContain('api.max_rows')
    expect(said({ file: { api: { schemas: 'public' } } })).toBe(
      'api.schemas in supabase/config.toml should be a list of strings',
    )
    expect(said({ file: { api: 7 } })).toBe('[api] in supabase/config.toml should be a table')
    expect(said({ file: { storage: { file_size_limit: 'huge' } } })).toBe(
      'storage.file_size_limit in supabase/config.toml should be a size such as "50MiB"',
    )
  })

  it('is not repeated when it holds a secret', () => {
    for (const url of ['mysql://u:hunter2@h/d', 'postgres://[:hunter2', 'hunter2']) {
      expect(said({ flags: { 'database-url': url } })).toBe(
        '--database-url should look like postgresql://user:password@host:5432/database',
      )
    }
    expect(said({ flags: { 'jwt-secret': 'hunter2' } })).not.toContain('hunter2')
  })

  it('is the secret of the public examples', () => {
    for (const flags of [{ 'jwt-secret': DEMO_SECRET }, { 'jwt-secret': DEMO_SECRET, dev: true }]) {
      expect(said({ flags })).toContain('--jwt-secret is the secret of Supabase')
    }
  })
})

describe('supabase/config.toml', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'teahouse-config-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('is optional', async () => {
    expect(await readConfigFile(folder)).toEqual({})
    await writeFile(join(folder, 'file'), '')
    expect(await readConfigFile(join(folder, 'file'))).toEqual({})
  })

  it('is read, and the place of a mistake in it is told', async () => {
    await mkdir(join(folder, 'supabase'))
    const path = join(folder, 'supabase', 'config.toml')
    await writeFile(path, '# mine\n[api]\nschemas = ["public"]\nmax_rows = 1000\n[api.tls]\nenabled = false\n')
    expect(await readConfigFile(folder)).toEqual({
      api: { schemas: ['public'], max_rows: 1000, tls: { enabled: false } },
    })
    await writeFile(path, '[api]\nschemas = [\n')
    await expect(readConfigFile(folder)).rejects.toThrow(/config\.toml is not valid TOML \(line \d+, column \d+\)$/)
  })

  it('is not passed over when it is there and cannot be read', async () => {
    await mkdir(join(folder, 'other', 'supabase', 'config.toml'), { recursive: true })
    await expect(readConfigFile(join(folder, 'other'))).rejects.toThrow(/config\.toml cannot be read \(EISDIR\)/)
  })
})
