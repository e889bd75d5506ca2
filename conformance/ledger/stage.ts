/** Where a run takes place: a real server, a real PostgreSQL, and networks between them that the run can break. */
import pg from 'pg'
import { startTestCluster, type TestCluster } from '../../packages/server/test/postgres.ts'
import { postmasterOf } from '../support/processes.ts'
import { type StartReport, startServer, type TestServer, temporaryFolder } from '../support/server.ts'
import { until } from '../support/until.ts'
import { Network } from './network.ts'
import { createSchema } from './schema.ts'
import type { TeamNode } from './team.ts'

export interface Stage {
  readonly report: StartReport
  /** Where subscribers' sockets go. */
  socketUrl(): string
  /** Where requests go: past the proxy, so that they and the sockets fail apart. */
  restUrl(): string
  /** Straight to PostgreSQL. */
  databaseUrl(): string
  /** Between subscribers and server. */
  readonly clients: Pick<Network, 'stall' | 'cut' | 'open'>
  /** Between server and PostgreSQL; null when the server runs its own. */
  readonly database: Network | null
  /** Where there are several servers; the commands about `the` server are then without meaning. */
  readonly nodes?: readonly TeamNode[]
  killServer(): Promise<void>
  startServer(): Promise<void>
  /** Kills PostgreSQL; whoever supervises it starts it again. */
  killPostgres(): Promise<void>
  /** Takes the feed's slot away, also from under its reader. */
  dropSlot(): Promise<void>
  healthy(): Promise<boolean>
  /** Everything that the server said on stderr, its earlier lives included. */
  logs(): string
  connect(): Promise<pg.Client>
  stop(): Promise<void>
}

export const connectTo = async (url: string): Promise<pg.Client> => {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  return client
}

export const withClient = async <T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> => {
  const client = await connectTo(url)
  try {
    return await work(client)
  } finally {
    await client.end().catch(() => {})
  }
}

export const RECOVERS_WITHIN = { within: 30_000, every: 50 }

interface StageOptions {
  readonly args: () => readonly string[]
  /** Straight to PostgreSQL; null: the server's own. */
  readonly url: string | null
  readonly database: Network | null
  readonly killPostgres: (server: TestServer) => Promise<void>
  readonly cleanUp: () => Promise<void>
}

const openStage = async (options: StageOptions): Promise<Stage> => {
  const folder = await temporaryFolder()
  const start = () => startServer({ dataDir: `${folder.path}/data`, args: options.args() })
  let server = await start()
  let earlier = ''
  const { report } = server
  const databaseUrl = () => options.url ?? server.report.databaseUrl
  const clients = await Network.start(() => Number(new URL(server.report.url).port))
  await withClient(databaseUrl(), createSchema)
  return {
    report,
    clients,
    database: options.database,
    socketUrl: () => `http://127.0.0.1:${clients.port}`,
    restUrl: () => server.report.url,
    databaseUrl,
    killServer: async () => {
      await server.kill9()
      earlier += server.logs()
    },
    startServer: async () => {
      server = await start()
    },
    killPostgres: () => options.killPostgres(server),
    dropSlot: () => withClient(databaseUrl(), dropSlots),
    healthy: async () =>
      (await fetch(`${server.report.url}/health`, { signal: AbortSignal.timeout(2_000) })).status === 200,
    logs: () => earlier + server.logs(),
    connect: () => connectTo(databaseUrl()),
    stop: async () => {
      await clients.stop()
      await server.stop()
      await options.database?.stop()
      await options.cleanUp()
      await folder.remove()
    },
  }
}

/** A slot that is being read can be dropped once its reader was ended, and before the reader is back. */
export const dropSlots = async (client: pg.Client): Promise<void> => {
  await until(
    'the slot is gone',
    async () => {
      const mine = `from pg_replication_slots where database = current_database()`
      await client.query(`select pg_terminate_backend(active_pid) ${mine} and active_pid is not null`)
      await client.query(`select pg_drop_replication_slot(slot_name) ${mine} and active_pid is null`)
      return (await client.query(`select 1 ${mine}`)).rows.length === 0
    },
    { within: 10_000, every: 1 },
  )
}

/** The server with its own PostgreSQL. */
export const embeddedStage = (): Promise<Stage> =>
  openStage({
    args: () => [],
    url: null,
    database: null,
    killPostgres: async ({ dataDir }) => {
      const before = postmasterOf(dataDir)
      process.kill(before, 'SIGKILL')
      await until('PostgreSQL is another', () => postmasterOf(dataDir) !== before, RECOVERS_WITHIN)
    },
    cleanUp: async () => {},
  })

/** A database of a run on a cluster, which is the run's own or outlives it. */
export interface Place {
  readonly cluster: TestCluster
  readonly name: string
  /** Straight to it. */
  readonly url: string
  killPostgres(): Promise<void>
  leave(): Promise<void>
}

let made = 0

/** A cluster that is killed often is started again ever more slowly: rounds that kill it come without one and get one of their own. */
export const takePlace = async (shared: TestCluster | null): Promise<Place> => {
  const cluster = shared ?? (await startTestCluster())
  const name = `ledger_${++made}`
  const url = cluster.urlOf({ database: name })
  await withClient(cluster.url, (client) => client.query(`create database ${name}`))
  return {
    cluster,
    name,
    url,
    killPostgres: async () => {
      const before = cluster.pid
      if (before !== null) process.kill(before, 'SIGKILL')
      await until('PostgreSQL is another', () => cluster.pid !== null && cluster.pid !== before, RECOVERS_WITHIN)
    },
    leave: async () => {
      if (shared === null) return cluster.stop()
      await withClient(url, dropSlots)
      await withClient(cluster.url, (client) => client.query(`drop database ${name} with (force)`))
    },
  }
}

/** The server on a PostgreSQL that others run, behind a network of its own. */
export const externalStage = async (shared: TestCluster | null): Promise<Stage> => {
  const place = await takePlace(shared)
  const { cluster, url } = place
  const database = await Network.start(() => cluster.port)
  const proxied = new URL(url)
  proxied.port = String(database.port)
  return openStage({
    args: () => ['--database-url', proxied.href],
    url,
    database,
    killPostgres: () => place.killPostgres(),
    cleanUp: () => place.leave(),
  })
}
