import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { silent } from '../../../test/postgres.ts'
import { locateBinaries } from './binaries.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded.ts'
import { waitUntil } from './process.ts'
import { chooseRunner, launch, openData, ownerOf } from './runner.ts'

// The supervisor as plain JavaScript, so that a process of its own can hold it and be killed.
let compiled = ''
let dataDir = ''
let server: EmbeddedPostgres | null = null
const started: ChildProcess[] = []
const soon = { ms: 5000 }

beforeAll(() => {
  compiled = mkdtempSync(join(tmpdir(), 'teahouse-compiled-'))
  writeFileSync(join(compiled, 'package.json'), '{"type":"module"}')
  const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')
  const options = [
    '--target',
    'es2023',
    '--module',
    'nodenext',
    '--types',
    'node',
    '--skipLibCheck',
    '--rewriteRelativeImportExtensions',
  ]
  const source = fileURLToPath(new URL('embedded.ts', import.meta.url))
  execFileSync(process.execPath, [compiler, '--ignoreConfig', '--outDir', compiled, ...options, source], {
    cwd: dirname(source),
  })
})
afterAll(() => rmSync(compiled, { recursive: true }))

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'teahouse-crash-'))
})
afterEach(async () => {
  await server?.stop()
  server = null
  for (const child of started.splice(0)) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
  rmSync(dataDir, { recursive: true, force: true, maxRetries: 20 })
})

const start = async () => {
  server = await startEmbeddedPostgres({ dataDir, log: silent, settings: { fsync: false } })
  return server
}

/** Starts the server in another process and returns that process and the address. */
async function startElsewhere(): Promise<{ holder: ChildProcess; url: string; pid: number }> {
  const program = `
    import { startEmbeddedPostgres } from ${JSON.stringify(join(compiled, 'embedded.js'))}
    const quiet = { info() {}, warn() {}, error() {} }
    const binaries = { dir: ${JSON.stringify(locateBinaries({ spare: compiled }).root)} }
    const server = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, log: quiet, binaries, settings: { fsync: false } })
    console.log(JSON.stringify({ url: server.ownerUrl, pid: server.pid }))
    setInterval(() => undefined, 60_000)`
  const holder = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  started.push(holder)
  if (holder.stdout === null) throw new Error('no output')
  const [line] = await once(createInterface(holder.stdout), 'line')
  return { holder, ...JSON.parse(String(line)) }
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client(url)
  client.on('error', () => undefined)
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !/^State:\s+Z/m.test(existsSync('/proc/self') ? readFileSync(`/proc/${pid}/status`, 'utf8') : '')
  } catch {
    return false
  }
}

/** The processes whose parent this is, by a word of their command line. */
function childrenOf(parent: number, word: string): number[] {
  const lines = execFileSync('ps', ['-axww', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\n')
  return lines.flatMap((line) => {
    const [, pid, ppid, args = ''] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? []
    return Number(ppid) === parent && args.includes(word) ? [Number(pid)] : []
  })
}

describe('when PostgreSQL is killed', () => {
  it('the supervisor starts it again at the same address, although a busy session outlives it', async () => {
    const { connection, ownerUrl, pid, ...events } = await start()
    const seen: string[] = []
    events.onExit((exit) => seen.push(`exit ${exit.signal}`))
    events.onRestart(() => seen.push('restart'))
    await query(ownerUrl, 'create table kept as select 1 as id')
    const busy = new pg.Client(connection)
    busy.on('error', () => undefined)
    await busy.connect()
    // Without a wait in it, a session does not notice that its postmaster is gone.
    const lost = busy.query('do $$ begin loop end loop; end $$').then(
      () => 'answered',
      () => 'lost',
    )
    if (pid === null) throw new Error('no postmaster')
    await waitUntil(() => childrenOf(pid, '[local] DO').length === 1, soon)
    const began = performance.now()
    process.kill(pid, 'SIGKILL')
    expect(await waitUntil(() => seen.includes('restart'), soon)).toBe(true)
    expect(seen).toEqual(['exit SIGKILL', 'restart'])
    expect(performance.now() - began).toBeLessThan(5000)
    expect(await lost).toBe('lost')
    expect(server?.pid).not.toBe(pid)
    expect(await query(ownerUrl, 'select id from kept')).toEqual([{ id: 1 }])
  })

  it('one of its sessions may die, and it recovers by itself', async () => {
    const { ownerUrl, pid, ...events } = await start()
    let exits = 0
    events.onExit(() => {
      exits += 1
    })
    await query(ownerUrl, 'create table kept as select 1 as id')
    const victim = new pg.Client(ownerUrl)
    victim.on('error', () => undefined)
    await victim.connect()
    const { rows } = await victim.query<{ pid: number }>('select pg_backend_pid() as pid')
    process.kill(Number(rows[0]?.pid), 'SIGKILL')
    let answer: unknown[] = []
    const end = performance.now() + soon.ms
    while (answer.length === 0 && performance.now() < end)
      answer = await query(ownerUrl, 'select id from kept').catch(() => [])
    expect(answer).toEqual([{ id: 1 }])
    expect(server?.pid).toBe(pid)
    expect(exits).toBe(0)
  })

  it('a stop while it is being started again leaves nothing running', async () => {
    const { pid, stop, ownerUrl, ...events } = await start()
    const exited = new Promise((resolve) => events.onExit(resolve))
    process.kill(Number(pid), 'SIGKILL')
    await exited
    await stop()
    expect(server?.pid).toBeNull()
    expect(childrenOf(process.pid, 'bin/postgres')).toEqual([])
    await expect(query(ownerUrl, 'select 1')).rejects.toThrow('ECONNREFUSED')
    expect((await start()).ownerUrl).toBe(ownerUrl)
  })
})

describe('when the process that holds the server is killed', () => {
  it('the watchdog shuts PostgreSQL down in order', async () => {
    const { holder, pid } = await startElsewhere()
    holder.kill('SIGKILL')
    expect(await waitUntil(() => !isAlive(pid), soon)).toBe(true)
    expect(existsSync(join(dataDir, 'postgres', 'postmaster.pid'))).toBe(false)
    await start()
    expect(readFileSync(join(dataDir, 'postgres.log'), 'utf8')).not.toMatch(/was interrupted|not properly shut down/)
  })

  it('and the watchdog with it, the next start ends the orphan and finds every committed row', async () => {
    const { holder, pid, url } = await startElsewhere()
    await query(url, 'create table kept as select 1 as id')
    const [watchdog = 0] = childrenOf(Number(holder.pid), 'teahouse-watchdog')
    process.kill(watchdog, 'SIGKILL')
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    expect(isAlive(pid)).toBe(true)
    const { ownerUrl } = await start()
    expect(isAlive(pid)).toBe(false)
    expect(ownerUrl).toBe(url)
    expect(await query(ownerUrl, 'select id from kept')).toEqual([{ id: 1 }])
  })

  it('nobody else gets its folder before, and anybody after', async () => {
    const { holder, pid } = await startElsewhere()
    await expect(start()).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringContaining(`process ${holder.pid};`),
    })
    expect(isAlive(pid)).toBe(true)
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    expect((await start()).pid).not.toBe(pid)
  })
})

describe('what an earlier life left', () => {
  it('is not believed when its pid is a stranger by now, and the stranger lives on', async () => {
    const { stop } = await start()
    await stop()
    const stranger = spawn('sleep', ['60'], { stdio: 'ignore' })
    started.push(stranger)
    writeFileSync(
      join(dataDir, 'postgres', 'postmaster.pid'),
      `${stranger.pid}\n${dataDir}/postgres\n1\n5432\n\n127.0.0.1\n`,
    )
    expect((await start()).pid).toBeGreaterThan(0)
    expect(isAlive(Number(stranger.pid))).toBe(true)
  })

  it('is left alone when it is a server that somebody started by hand', async () => {
    const { stop } = await start()
    await stop()
    const cluster = join(dataDir, 'postgres')
    const binaries = locateBinaries({ spare: dataDir })
    const runner = await chooseRunner({
      binaries,
      dataDir,
      dataOwner: ownerOf(cluster),
      homeOwner: ownerOf(dataDir),
      runAs: 'auto',
      copiesDir: join(dataDir, 'copies'),
    })
    const data = openData(cluster)
    const command = launch(runner, 'postgres', [
      '-D',
      data.path,
      '-c',
      'listen_addresses=',
      '-c',
      `unix_socket_directories=${dataDir}`,
    ])
    const stdio = ['ignore', 'ignore', 'ignore', data.handle ?? 'ignore'] as const
    const byHand = spawn(command.file, command.args, { ...command.options, stdio: [...stdio] })
    data.close()
    started.push(byHand)
    const isUp = () =>
      existsSync(join(cluster, 'postmaster.pid')) && /ready/.test(readFileSync(join(cluster, 'postmaster.pid'), 'utf8'))
    expect(await waitUntil(isUp, soon)).toBe(true)
    await expect(start()).rejects.toMatchObject({ code: 'foreign_postmaster' })
    expect(isAlive(Number(byHand.pid))).toBe(true)
    byHand.kill('SIGQUIT')
    await once(byHand, 'exit')
  })

  it('is removed when it is a half-made database', async () => {
    const { stop } = await start()
    await stop()
    rmSync(join(dataDir, 'postgres'), { recursive: true })
    writeFileSync(join(dataDir, 'postgres.new-0badcafe'), 'cut short')
    await start()
    expect(readdirSync(dataDir).filter((name) => name.includes('.new-'))).toEqual([])
  })
})
