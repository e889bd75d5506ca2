/** `teahouse start` from the outside: the one line, one server per data dir, and an orderly end. */
import { mkdir, readFile, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { isAlive, postgresProcesses, postmasterOf } from '../support/processes.ts'
import {
  repository,
  runTeahouse,
  type StartOptions,
  startServer,
  type TestServer,
  temporaryFolder,
} from '../support/server.ts'
import { until } from '../support/until.ts'

const KEYS = [
  'url',
  'consoleUrl',
  'databaseUrl',
  'anonKey',
  'serviceKey',
  'publishableKey',
  'secretKey',
  'jwtSecret',
  'wechatSandboxUrl',
  'appId',
  'serverSecret',
]

const servers: TestServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()))
})
const start = async (options: StartOptions = {}): Promise<TestServer> => {
  const server = await startServer(options)
  servers.push(server)
  return server
}

const query = async (url: string, text: string): Promise<readonly Record<string, unknown>[]> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

describe('a started server', () => {
  it('has said exactly one line, serves requests, and leaves nothing behind when it is told to stop', async () => {
    const server = await start()
    const { report, dataDir, pid } = server
    expect(Object.keys(report).sort()).toEqual([...KEYS].sort())
    expect(new URL(report.url).hostname).toBe('127.0.0.1')
    expect(report.anonKey).toMatch(/^eyJ[\w-]+\.[\w-]+\.[\w-]+$/)
    expect(report.secretKey).toMatch(/^sb_secret_/)

    const database = new URL(report.databaseUrl)
    expect([database.protocol, database.hostname]).toEqual(['postgresql:', '127.0.0.1'])
    const [row] = await query(
      report.databaseUrl,
      "select rolsuper, current_setting('wal_level') as wal_level from pg_roles where rolname = current_user",
    )
    expect(row).toEqual({ rolsuper: true, wal_level: 'logical' })
    database.password = 'wrong'
    await expect(query(database.href, 'select 1')).rejects.toMatchObject({ code: '28P01' })

    expect(await (await fetch(`${report.url}/health`)).json()).toEqual({ status: 'ok' })
    for (const line of server.logs().trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('level')
    for (const secret of [
      report.serviceKey,
      report.secretKey,
      report.jwtSecret,
      decodeURIComponent(new URL(report.databaseUrl).password),
    ]) {
      expect(server.logs()).not.toContain(secret)
    }

    expect(postgresProcesses(dataDir).length).toBeGreaterThan(0)
    expect(await server.stop()).toEqual({ code: 0, signal: null })
    expect(server.output()).toBe(`${JSON.stringify(report)}\n`)
    expect(postgresProcesses(dataDir)).toEqual([])
    expect(isAlive(pid)).toBe(false)
  })

  it('is found through npx in the checkout, as the documentation says', async () => {
    const {
      report,
      pid: launcher,
      dataDir,
    } = await start({ command: ['npx', '--no-install', 'teahouse'], cwd: repository })
    const { pid }: { pid: number } = JSON.parse(await readFile(join(dataDir, 'run.json'), 'utf8'))
    expect(pid).not.toBe(launcher)
    expect((await fetch(`${report.url}/health`)).status).toBe(200)
    // To npx, which keeps it to itself.
    process.kill(launcher, 'SIGTERM')
    await until('the server behind npx has ended', () => !isAlive(pid) && postgresProcesses(dataDir).length === 0)
  })

  it('takes its settings from the environment, and a flag before them', async () => {
    const secret = 'an own secret of thirty-two bytes or more'
    const other = await temporaryFolder()
    const env = {
      TEAHOUSE_JWT_SECRET: secret,
      TEAHOUSE_HOST: '::1',
      TEAHOUSE_DATA_DIR: other.path,
      TEAHOUSE_PORT: 'nonsense',
    }
    const { report, dataDir } = await start({ env })
    expect(report.jwtSecret).toBe(secret)
    expect(report.url).toMatch(/^http:\/\/\[::1\]:\d+$/)
    expect(dataDir).not.toBe(other.path)
    expect((await fetch(`${report.url}/health`)).status).toBe(200)
    await other.remove()
  })

  it('stops when it is told to while it still starts, and leaves a data dir on which the next one starts', async () => {
    const folder = await temporaryFolder()
    const dataDir = join(folder.path, 'data')
    const starting = startServer({ dataDir }).then(
      () => 'started',
      (error: Error) => error.message,
    )
    const pid = await until('PostgreSQL is coming up', async () => postmasterOf(dataDir), { within: 50_000, every: 2 })
    const server = Number(/^PPid:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1])
    process.kill(server, 'SIGTERM')
    expect(await starting).toMatch(/^teahouse start ended with 0\n/)
    await until('nothing of it is left', () => postgresProcesses(dataDir).length === 0 && !isAlive(server))
    await start({ dataDir })
    await servers[0]?.stop()
    await folder.remove()
  })
})

describe('a data dir', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  beforeAll(async () => {
    folder = await temporaryFolder()
  })
  afterAll(() => folder.remove())

  it('belongs to one server: a second one is refused in one line, and the first one goes on', async () => {
    const first = await start()
    for (const args of [[], ['--database-url', 'postgresql://postgres@127.0.0.1:1/postgres']]) {
      const second = await runTeahouse(['start', '--port', '0', '--json', '--data-dir', first.dataDir, ...args])
      expect(second).toMatchObject({ code: 1, stdout: '' })
      expect(second.stderr).toMatch(
        new RegExp(`^teahouse: the data folder .* is in use by process ${first.pid}; .*--data-dir\n$`),
      )
    }
    expect((await fetch(`${first.report.url}/health`)).status).toBe(200)
  })

  it('may lie below folders that only their owner may enter', async () => {
    const closed = join(folder.path, 'closed')
    await mkdir(closed, { mode: 0o700 })
    const { report, dataDir, stop } = await start({ dataDir: join(closed, 'deep', 'data') })
    expect((await stat(dataDir)).mode & 0o777).toBe(0o700)
    expect(await query(report.databaseUrl, 'select 1 as one')).toEqual([{ one: 1 }])
    for (const file of ['jwt-secret', 'run.json']) expect((await stat(join(dataDir, file))).mode & 0o777).toBe(0o600)
    await stop()
  })
})

describe('a start that cannot be', () => {
  it.each([
    [['--prot', '1'], "teahouse: unknown option '--prot' (Did you mean --port?)\n"],
    [['--port', 'x'], 'teahouse: --port should be a number from 0 to 65535, not "x"\n'],
    [['--port'], "teahouse: option '--port <PORT>' argument missing\n"],
    [['--jwt-secret', 'short'], 'teahouse: --jwt-secret needs at least 32 bytes, it has 5\n'],
    [['extra'], "teahouse: too many arguments for 'start'. Expected 0 arguments but got 1.\n"],
  ])('is refused in one clear line: %j', async (args, line) => {
    expect(await runTeahouse(['start', ...args])).toEqual({ code: 1, signal: null, stdout: '', stderr: line })
  })

  it('names the port that is taken, and takes PostgreSQL down with it', async () => {
    const folder = await temporaryFolder()
    const taken = createServer().listen(0, '127.0.0.1')
    await until('it listens', () => taken.listening)
    const address = taken.address()
    const port = typeof address === 'object' ? address?.port : null
    const ran = await runTeahouse(['start', '--port', String(port), '--data-dir', folder.path])
    expect(ran.code).toBe(1)
    expect(ran.stderr).toContain(`teahouse: port ${port} of 127.0.0.1 is in use; choose another with --port\n`)
    expect(postgresProcesses(folder.path)).toEqual([])
    taken.close()
    await folder.remove()
  })
})
