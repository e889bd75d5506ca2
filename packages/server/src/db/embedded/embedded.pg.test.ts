import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { debian15, silent } from '../../../test/postgres.ts'
import { type EmbeddedOptions, type EmbeddedPostgres, runningOwnerUrl, startEmbeddedPostgres } from './embedded.ts'

let dataDir = ''
let running: EmbeddedPostgres[] = []

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'teahouse-embedded-'))
  running = []
})
afterEach(async () => {
  await Promise.all(running.map((server) => server.stop()))
  rmSync(dataDir, { recursive: true })
})

async function start(options: Partial<EmbeddedOptions> = {}): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, log: silent, ...options })
  running.push(server)
  return server
}

async function ask(target: string | pg.ClientConfig, text: string): Promise<Record<string, unknown>> {
  const client = new pg.Client(target)
  await client.connect()
  try {
    const { rows } = await client.query<Record<string, unknown>>(text)
    return rows[0] ?? {}
  } finally {
    await client.end()
  }
}

const shows = [
  'fsync',
  'synchronous_commit',
  'wal_level',
  'max_slot_wal_keep_size',
  'ssl',
  'listen_addresses',
  'TimeZone',
  'data_checksums',
]
const shown = `select ${shows.map((name) => `current_setting('${name}') as "${name}"`).join(', ')}`

describe('an embedded server', () => {
  it.each([
    { major: 18, binaries: undefined, collation: { datlocprovider: 'b', datcollate: 'C', datctype: 'C' } },
    {
      major: 15,
      binaries: { dir: debian15 },
      collation: { datlocprovider: 'c', datcollate: 'C', datctype: 'C.UTF-8' },
    },
  ])('of version $major is made durable, closed and with the same text rules everywhere', async (expected) => {
    const server = await start({ binaries: expected.binaries })
    expect(server.major).toBe(expected.major)
    expect(await ask(server.ownerUrl, shown)).toEqual({
      fsync: 'on',
      synchronous_commit: 'on',
      wal_level: 'logical',
      max_slot_wal_keep_size: '2GB',
      ssl: 'off',
      listen_addresses: '127.0.0.1',
      TimeZone: 'UTC',
      data_checksums: 'on',
    })
    const text =
      "select lower('ÄÖ 茶') as lower, array(select x from unnest(array['b','B','茶','a']) x order by x) as sorted, "
    const database =
      "datlocprovider, datcollate, datctype, pg_encoding_to_char(encoding) as encoding from pg_database where datname = 'postgres'"
    expect(await ask(server.connection, text + database)).toEqual({
      lower: 'äö 茶',
      sorted: ['B', 'a', 'b', '茶'],
      encoding: 'UTF8',
      ...expected.collation,
    })
  })

  it('asks everyone for the secret, on the socket as on TCP, and keeps it to its owner', async () => {
    const server = await start()
    expect(server.connection.host).toBe(server.socketDir)
    expect(statSync(join(dataDir, 'postgres.secret')).mode & 0o777).toBe(0o600)
    expect(statSync(join(dataDir, 'postgres')).mode & 0o777).toBe(0o700)
    for (const host of [server.connection.host, '127.0.0.1']) {
      await expect(ask({ ...server.connection, host, password: 'postgres' }, 'select 1')).rejects.toMatchObject({
        code: '28P01',
      })
    }
    expect(readFileSync(join(dataDir, 'postgres.log'), 'utf8')).not.toContain(server.password)
  })

  it('comes back at the same address with its data, and leaves nothing behind', async () => {
    const first = await start()
    await ask(first.ownerUrl, 'create table kept as select 42 as answer')
    expect(await runningOwnerUrl(dataDir)).toBe(first.ownerUrl)
    await first.stop()
    expect(await runningOwnerUrl(dataDir)).toBeNull()
    expect(existsSync(join(dataDir, 'postgres', 'postmaster.pid'))).toBe(false)
    expect(first.socketDir === null || existsSync(first.socketDir)).toBe(false)
    const second = await start()
    expect(second.ownerUrl).toBe(first.ownerUrl)
    expect(await ask(second.connection, 'select answer from kept')).toEqual({ answer: 42 })
  })

  it('moves to another port when a stranger took its own, and says so when the port was asked for', async () => {
    const first = await start()
    await first.stop()
    const stranger = createServer()
    await new Promise<void>((resolve) => stranger.listen(first.port, '127.0.0.1', resolve))
    try {
      await expect(start({ port: first.port })).rejects.toMatchObject({ code: 'port_in_use' })
      const second = await start()
      expect(second.port).not.toBe(first.port)
      expect(await ask(second.ownerUrl, 'select 1 as one')).toEqual({ one: 1 })
    } finally {
      await new Promise((resolve) => stranger.close(resolve))
    }
  })

  it('takes settings, and an operator may overrule them in postgresql.conf', async () => {
    const first = await start({ settings: { work_mem: '6MB', 'teahouse.word': "it's" } })
    expect(
      await ask(first.ownerUrl, "select current_setting('work_mem') w, current_setting('teahouse.word') t"),
    ).toEqual({ w: '6MB', t: "it's" })
    await first.stop()
    writeFileSync(join(dataDir, 'postgres', 'postgresql.conf'), "work_mem = '7MB'\n", { flag: 'a' })
    const second = await start()
    expect(await ask(second.ownerUrl, "select current_setting('work_mem') w")).toEqual({ w: '7MB' })
  })

  it('gets a new secret when the old one was lost', async () => {
    const first = await start()
    await first.stop()
    rmSync(join(dataDir, 'postgres.secret'))
    const second = await start()
    expect(second.password).not.toBe(first.password)
    expect(await ask(second.ownerUrl, 'select 1 as one')).toEqual({ one: 1 })
  })

  it('stops at once although a transaction is open', async () => {
    const server = await start()
    const client = new pg.Client(server.connection)
    client.on('error', () => undefined)
    await client.connect()
    await client.query('begin')
    await client.query('create table unfinished (id int)')
    const began = performance.now()
    await server.stop()
    expect(performance.now() - began).toBeLessThan(3000)
    await client.end().catch(() => undefined)
  })

  it('refuses a second start, a strange folder and files of another version, each in one line', async () => {
    const server = await start()
    await expect(start()).rejects.toMatchObject({ code: 'locked' })
    await server.stop()
    const other = expect(start({ binaries: { dir: debian15 } })).rejects
    await other.toMatchObject({
      code: 'version_mismatch',
      message: expect.stringMatching(/^[^\n]*made by PostgreSQL 18[^\n]*teahouse backup FILE[^\n]*$/),
    })
    const strange = join(dataDir, 'strange')
    mkdirSync(join(strange, 'postgres', 'photos'), { recursive: true })
    await expect(start({ dataDir: strange })).rejects.toMatchObject({ code: 'data_dir_unusable' })
    expect(readdirSync(join(strange, 'postgres'))).toEqual(['photos'])
  })

  it('says in one line what PostgreSQL did not like, and can be started when that is mended', async () => {
    await expect(start({ settings: { max_connections: 'many' } })).rejects.toMatchObject({
      code: 'start_failed',
      message: expect.stringMatching(/^PostgreSQL did not start: [^\n]+postgres\.log\)$/),
    })
    expect((await start()).pid).toBeGreaterThan(0)
  })
})
