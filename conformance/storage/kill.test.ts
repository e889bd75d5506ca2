/**
 * The server, or the S3 server that keeps its files, is killed at random points of plain, resumable and multipart uploads: what was
 * acknowledged is whole, every object has its bytes, and after the sweep all bytes have an object.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Pool } from '../../packages/server/src/db/pool.ts'
import type { BlobStore } from '../../packages/server/src/files/blob-store.ts'
import { createCollector } from '../../packages/server/src/files/collector.ts'
import { createDiskStore } from '../../packages/server/src/files/stores/disk.ts'
import { createS3Store } from '../../packages/server/src/files/stores/s3.ts'
import { parseS3Address } from '../../packages/server/src/files/stores/s3-address.ts'
import { systemClock } from '../../packages/server/src/kernel/clock.ts'
import { randomIds } from '../../packages/server/src/kernel/ids.ts'
import { createLog } from '../../packages/server/src/observe/log.ts'
import { type StartReport, startServer, type TestServer, temporaryFolder } from '../support/server.ts'
import { until } from '../support/until.ts'
import { type Chance, chanceOf } from './support/chance.ts'
import { BUCKET, faultsOf, type Ledger, uploadAll } from './support/uploads.ts'

const SOAK = process.env.TEAHOUSE_SOAK === '1'
const SEED = Number(process.env.TEAHOUSE_SEED ?? 20_261_121)
const UPLOADS = SOAK ? 200 : 36
const LANES = 6
const WEEKS = 30 * 24 * 3_600_000

let folder: Awaited<ReturnType<typeof temporaryFolder>>
const spawned = new Set<ChildProcess>()
/** The server that is up: one whose test failed must not go on without it. */
let up: TestServer | null = null
beforeAll(async () => {
  folder = await temporaryFolder()
})
afterAll(async () => {
  await up?.kill9()
  for (const child of spawned) child.kill('SIGKILL')
  await folder.remove()
})

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** What dies: killed without a word, and started again on what it left. */
interface Victim {
  kill(): Promise<unknown>
  start(): Promise<unknown>
}

/** Uploads everything while the victim is killed at `kills` random requests, each a moment after the request went out. */
const uploadThroughKills = async (
  report: StartReport,
  victim: Victim,
  { chance, kills }: { readonly chance: Chance; readonly kills: number },
): Promise<Ledger> => {
  // A plain upload is one request, the others are five and more.
  const expected = UPLOADS * 4
  const points = Array.from({ length: kills }, () => chance.between(5, expected - 10)).sort((a, b) => a - b)
  let sent = 0
  let rising: Promise<void> | null = null
  const fall = async (): Promise<void> => {
    // Not a wait for anything: somewhere in the few milliseconds that a request takes is where it dies.
    await delay(chance.between(0, 30))
    await victim.kill()
    await victim.start()
    rising = null
  }
  return uploadAll({
    report,
    chance,
    uploads: UPLOADS,
    lanes: LANES,
    up: async () => {
      while (sent >= (points[0] ?? Number.POSITIVE_INFINITY) || rising !== null) await (rising ?? delay(5))
    },
    sending: () => {
      sent += 1
      if (rising === null && sent >= (points[0] ?? Number.POSITIVE_INFINITY)) {
        points.shift()
        rising = fall()
      }
    },
  })
}

/** The product's own sweep, a month ahead of everything: what is unfinished has expired, and what no row names is old. */
const sweep = async (
  { databaseUrl }: StartReport,
  store: BlobStore,
): Promise<{ readonly bytes: number; readonly rows: number }> => {
  const owner = new Pool({ connection: { connectionString: databaseUrl }, max: 2, applicationName: 'sweep' })
  const clock = { ...systemClock, now: () => Date.now() + WEEKS }
  const log = createLog({ level: 'error', stream: process.stderr })
  const collector = createCollector({ owner, store, clock, ids: randomIds, log })
  const versions = () =>
    owner.many<{ version: string }>({
      name: 'test',
      text: 'select version from storage.objects union all select version from teahouse.upload_part',
      values: [],
    })
  const stored = async () => {
    const ids: string[] = []
    for await (const { id } of store.list(Number.POSITIVE_INFINITY)) ids.push(id)
    return ids.sort()
  }
  try {
    await collector.start()
    const named = await until(
      'the bytes are those that rows name',
      async () => {
        const rows = (await versions()).map(({ version }) => version).sort()
        const ids = await stored()
        if (ids.join() !== rows.join()) throw new Error(`${ids.length} blobs, ${rows.length} rows`)
        return { rows: rows.length, bytes: ids.length }
      },
      { within: 20_000 },
    )
    return named
  } finally {
    await collector.stop()
    await owner.end()
  }
}

const makeBucket = async ({ url, serviceKey }: StartReport): Promise<void> => {
  const headers = { apikey: serviceKey, authorization: `Bearer ${serviceKey}` }
  const made = await fetch(`${url}/storage/v1/bucket`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ name: BUCKET }),
  })
  expect(await made.json()).toEqual({ name: BUCKET })
}

const say = (what: string, kills: number, { acknowledged, interrupted, contents }: Ledger, objects: number): void => {
  const { plain, tus, s3 } = acknowledged
  process.stdout.write(
    `${what}: ${kills} kills (seed ${SEED}) during ${UPLOADS} uploads; acknowledged ${plain} plain, ${tus} resumable, ${s3} multipart; ` +
      `${interrupted} requests cut off; ${objects} objects of ${contents.size} names, all whole; no bytes without a row after the sweep\n`,
  )
}

it('the server: nothing acknowledged is lost, nothing is listed without its bytes, and the sweep leaves nothing else', async () => {
  const kills = SOAK ? 25 : 3
  const dataDir = join(folder.path, 'data')
  const port = await freePort()
  // The same address and secrets in every life: clients go on with what they have.
  const start = () => startServer({ dataDir, args: ['--port', String(port)] })
  let server: TestServer = await start()
  up = server
  const { report } = server
  await makeBucket(report)
  const victim: Victim = {
    kill: () => server.kill9(),
    start: async () => {
      server = await start()
      up = server
    },
  }
  const ledger = await uploadThroughKills(report, victim, { chance: chanceOf(SEED), kills })
  expect(await faultsOf(server.report, ledger)).toEqual([])
  const { rows } = await sweep(server.report, createDiskStore({ folder: join(dataDir, 'files') }))
  expect(await readdir(join(dataDir, 'files', 'unfinished'))).toEqual([])
  // What is left after the sweep is what it was before.
  expect(await faultsOf(server.report, ledger)).toEqual([])
  // Resumable and multipart uploads go on until they are whole.
  expect(ledger.acknowledged.tus + ledger.acknowledged.s3).toBe(UPLOADS - Math.ceil(UPLOADS / 3))
  expect(ledger.interrupted).toBeGreaterThan(0)
  say('server killed', kills, ledger, rows)
  expect((await server.stop()).code).toBe(0)
}, 600_000)

/**
 * s3rver writes its notes on an object in place: killed there, it leaves an empty one, and every listing fails from then on. A service that
 * people keep files in forgets the object instead, which nobody was told of.
 */
const forgetHalves = async (bucket: string): Promise<void> => {
  const entries = await readdir(bucket, { recursive: true, withFileTypes: true }).catch(() => [])
  for (const { name, parentPath } of entries) {
    if (!name.endsWith('_metadata.json')) continue
    const notes = join(parentPath, name)
    if ((await stat(notes)).size > 0) continue
    await rm(notes)
    await rm(notes.replace(/metadata\.json$/, 'object'), { force: true })
  }
}

/** An S3-compatible server in a process of its own, so that it can be killed. */
const s3Server = async (directory: string): Promise<Victim & { readonly port: number }> => {
  const port = await freePort()
  const program = join(createRequire(import.meta.url).resolve('s3rver/package.json'), '..', 'bin', 's3rver.js')
  const args = [program, '-d', directory, '-a', '127.0.0.1', '-p', String(port), '-s', '--configure-bucket', 'blobs']
  let child: ChildProcess | null = null
  return {
    port,
    kill: async () => {
      const dying = child
      if (dying === null) return
      const gone = once(dying, 'exit')
      dying.kill('SIGKILL')
      await gone
      spawned.delete(dying)
    },
    start: async () => {
      await forgetHalves(join(directory, 'blobs'))
      child = spawn(process.execPath, args, { stdio: 'ignore' })
      spawned.add(child)
      await until(
        'the S3 server listens',
        async () => {
          const socket = connect(port, '127.0.0.1')
          await once(socket, 'connect')
          socket.destroy()
          return true
        },
        { within: 30_000 },
      )
    },
  }
}

it('the S3 server that keeps the files: the same', async () => {
  const kills = SOAK ? 12 : 2
  const s3 = await s3Server(join(folder.path, 's3'))
  await s3.start()
  const line = `s3://S3RVER:S3RVER@127.0.0.1:${s3.port}/blobs/tea?tls=false`
  const server = await startServer({ env: { TEAHOUSE_STORAGE_URL: line } })
  up = server
  await makeBucket(server.report)
  const ledger = await uploadThroughKills(server.report, s3, { chance: chanceOf(SEED + 1), kills })
  expect(await faultsOf(server.report, ledger)).toEqual([])
  const address = parseS3Address(line)
  if (address === null) throw new Error('not an address')
  const { rows } = await sweep(server.report, createS3Store(address))
  expect(await faultsOf(server.report, ledger)).toEqual([])
  expect(ledger.acknowledged.tus + ledger.acknowledged.s3).toBe(UPLOADS - Math.ceil(UPLOADS / 3))
  expect(ledger.interrupted).toBeGreaterThan(0)
  say('S3 server killed', kills, ledger, rows)
  expect((await server.stop()).code).toBe(0)
  await s3.kill()
}, 600_000)
