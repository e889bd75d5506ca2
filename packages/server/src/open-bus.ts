/** Which bus this node uses, and its place among the nodes of its database. A part of the composition root. */
import { createHash, createHmac } from 'node:crypto'
import { hostname } from 'node:os'
import type { Bus } from './bus/bus.ts'
import { createLocalBus } from './bus/local.ts'
import { NatsTransport } from './bus/nats.ts'
import { databaseIdentity } from './bus/nodes.sql.ts'
import { Nodes } from './bus/nodes.ts'
import { PostgresTransport } from './bus/postgres.ts'
import { nodeName, SharedBus } from './bus/shared.ts'
import type { Transport } from './bus/transport.ts'
import type { Config } from './config/config.ts'
import type { Database } from './db/open.ts'
import type { Service } from './kernel/service.ts'
import type { World } from './world.ts'

export interface OpenedBus {
  readonly bus: Bus
  /** Starts after the bus. */
  readonly nodes: Service
}

/** `secrets` are those with which this node checks tokens. Nothing is started yet. */
export const openBus = async (
  config: Config,
  database: Database,
  secrets: readonly string[],
  { log, clock, ids }: World,
): Promise<OpenedBus> => {
  const node = nodeName(ids)
  const bus = await createBus(config, database, node, { log, clock, ids })
  const nodes = new Nodes({
    db: database.owner,
    bus,
    clock,
    log,
    facts: {
      name: node,
      host: hostname(),
      pid: process.pid,
      bus: bus.kind,
      files: config.storage.s3 === null ? 'disk' : 's3',
      secrets: secrets.map(digest),
    },
  })
  return { bus, nodes }
}

/** Nobody who reads the table learns a secret from it. */
const digest = (secret: string): string => createHmac('sha256', secret).update('node').digest('base64url').slice(0, 22)

const createBus = async (config: Config, database: Database, node: string, { log, clock }: World): Promise<Bus> => {
  const { busUrl } = config
  const onHandlerError = (error: unknown) => log.error({ error }, 'a message between services was not handled')
  if (busUrl === 'local') return createLocalBus(onHandlerError, node)
  const transport: Transport =
    busUrl === 'postgres'
      ? new PostgresTransport({ connection: database.connection, clock, node })
      : new NatsTransport({ url: busUrl, app: await appName(database), node })
  return new SharedBus({
    transport,
    clock,
    node,
    onError: (error) => log.warn({ error: error.message }, 'the bus between nodes was disturbed'),
  })
}

/** Several apps may share one NATS server; the nodes of one app share a database. */
const appName = async ({ owner }: Database): Promise<string> => {
  const row = await owner.maybeOne<{ identity: string }>(databaseIdentity())
  return createHash('sha256')
    .update(row?.identity ?? '')
    .digest('hex')
    .slice(0, 16)
}
