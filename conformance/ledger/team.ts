/** The stage of three nodes: real servers on one PostgreSQL and one NATS server, each with networks of its own that the run can break. */
import { startNats, type TestNats } from '../../packages/server/test/nats.ts'
import type { TestCluster } from '../../packages/server/test/postgres.ts'
import { startServer, type TestServer, temporaryFolder } from '../support/server.ts'
import { Network } from './network.ts'
import type { Random } from './random.ts'
import { createSchema } from './schema.ts'
import { connectTo, dropSlots, type Place, type Stage, takePlace, withClient } from './stage.ts'

const NODES = 3
const SECRET = 'one secret for all nodes of the ledgers'

/** One server of several. */
export interface TeamNode {
  /** Between it and PostgreSQL. */
  readonly database: Network
  /** Between it and the bus. */
  readonly bus: Network
  kill(): Promise<void>
  start(): Promise<void>
  /** Stops its clock without ending it: it neither works nor notices. */
  pause(): void
  resume(): void
}

interface Member extends TeamNode {
  readonly clients: Network
  /** Null while it is dead. */
  server(): TestServer | null
  logs(): string
  stop(): Promise<void>
}

const openNode = async ({ cluster, url: direct }: Place, nats: TestNats): Promise<Member> => {
  const folder = await temporaryFolder()
  const toDatabase = await Network.start(() => cluster.port)
  const toBus = await Network.start(() => nats.port)
  const url = new URL(direct)
  url.port = String(toDatabase.port)
  let server: TestServer | null = null
  let earlier = ''
  let port = 0
  const clients = await Network.start(() => port)
  const start = async () => {
    const bus = `nats://127.0.0.1:${toBus.port}`
    const args = ['--database-url', url.href, '--bus-url', bus, '--jwt-secret', SECRET]
    server = await startServer({ dataDir: `${folder.path}/data`, args, within: 90_000 })
    port = Number(new URL(server.report.url).port)
  }
  await start()
  return {
    database: toDatabase,
    bus: toBus,
    clients,
    start,
    server: () => server,
    logs: () => earlier + (server?.logs() ?? ''),
    kill: async () => {
      const dying = server
      server = null
      await dying?.kill9()
      earlier += dying?.logs() ?? ''
    },
    pause: () => void (server !== null && process.kill(server.pid, 'SIGSTOP')),
    resume: () => void (server !== null && process.kill(server.pid, 'SIGCONT')),
    stop: async () => {
      await clients.stop()
      await server?.stop()
      await Promise.all([toDatabase.stop(), toBus.stop(), folder.remove()])
    },
  }
}

/** Three nodes; whoever connects or asks comes to one of them by chance. */
export const teamStage = async (shared: TestCluster | null, random: Random): Promise<Stage> => {
  const [place, nats] = await Promise.all([takePlace(shared), startNats()])
  const databaseUrl = () => place.url
  const nodes: Member[] = []
  for (let count = 0; count < NODES; count++) nodes.push(await openNode(place, nats))
  const report = nodes[0]?.server()?.report
  if (report === undefined) throw new Error('no node started')
  await withClient(databaseUrl(), createSchema)
  const some = (): Member | undefined => nodes[random.between(0, NODES - 1)]
  const living = (): readonly TestServer[] => nodes.flatMap((node) => node.server() ?? [])
  return {
    report,
    nodes,
    clients: { stall: () => {}, cut: () => {}, open: () => {} },
    database: null,
    socketUrl: () => `http://127.0.0.1:${some()?.clients.port}`,
    restUrl: () => living()[random.between(0, living().length - 1)]?.report.url ?? report.url,
    databaseUrl,
    killServer: async () => {},
    startServer: async () => {},
    killPostgres: () => place.killPostgres(),
    dropSlot: () => withClient(databaseUrl(), dropSlots),
    healthy: async () => {
      const answers = await Promise.all(
        living().map((server) => fetch(`${server.report.url}/health`, { signal: AbortSignal.timeout(2_000) })),
      )
      return answers.length === NODES && answers.every(({ status }) => status === 200)
    },
    logs: () => nodes.map((node) => node.logs()).join('\n---\n'),
    connect: () => connectTo(databaseUrl()),
    stop: async () => {
      for (const node of nodes) node.resume()
      await Promise.all(nodes.map((node) => node.stop()))
      await nats.stop()
      await place.leave()
    },
  }
}
