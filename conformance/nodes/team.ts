/** Three real servers on one PostgreSQL, each behind lines that can be cut: to the database, and to NATS where that is the bus. */
import pg from 'pg'
import type { TestNats } from '../../packages/server/test/nats.ts'
import { startTestCluster, type TestCluster } from '../../packages/server/test/postgres.ts'
import { startProxy, type TestProxy } from '../../packages/server/test/proxy.ts'
import { startServer, type TestServer } from '../support/server.ts'

export interface Member {
  readonly server: TestServer
  /** Between this server and the database. */
  readonly database: TestProxy
  /** Between this server and what carries messages between the servers. */
  readonly bus: TestProxy
}

export interface Team {
  readonly members: readonly Member[]
  sql(text: string): Promise<pg.QueryResult>
  /** The member that reads the log for all. */
  leader(): Promise<Member>
  stop(): Promise<void>
}

export interface TeamOptions {
  /** Null for the database's own bus. */
  readonly nats: TestNats | null
  readonly size: number
  /** `outbox`: as a login that may not read the log. */
  readonly source: 'log' | 'outbox'
}

const SECRET = 'a secret that all servers of this team share'

const SCHEMA = `
  create table item (id int primary key, body text);
  alter table item enable row level security;
  create policy everyone on item for select using (true);
  alter publication supabase_realtime add table item;`

export const startTeam = async ({ nats, size, source }: TeamOptions): Promise<Team> => {
  // A PostgreSQL of its own: the passwords with which requests log in belong to the whole server.
  const cluster = await startTestCluster()
  const url = new URL(source === 'log' ? cluster.url : await plainOwner(cluster))
  const members: Member[] = []
  const stop = async () => {
    for (const { server, database, bus } of members) {
      await server.kill9()
      await Promise.all([database.stop(), bus.stop()])
    }
    await cluster.stop()
  }
  try {
    // The first one alone: it prepares the database for all.
    members.push(await startMember(url, nats))
    await query(url.href, SCHEMA)
    members.push(...(await Promise.all(Array.from({ length: size - 1 }, () => startMember(url, nats)))))
  } catch (error) {
    await stop()
    throw error
  }
  const sql = (text: string) => query(url.href, text)
  const leader = async (): Promise<Member> => {
    const { rows } = await sql(
      'select node.pid from teahouse.feed_leader as leader join teahouse.node as node on node.name = leader.node',
    )
    const found = members.find(({ server }) => server.pid === rows[0]?.pid)
    if (found === undefined) throw new Error('nobody leads')
    return found
  }
  return { members, sql, leader, stop }
}

const startMember = async (url: URL, nats: TestNats | null): Promise<Member> => {
  const database = await startProxy({ host: '127.0.0.1', port: Number(url.port) })
  const own = new URL(url)
  own.port = String(database.port)
  const bus = nats === null ? database : await startProxy({ host: '127.0.0.1', port: nats.port })
  const args = ['--database-url', own.href, '--jwt-secret', SECRET]
  if (nats !== null) args.push('--bus-url', `nats://127.0.0.1:${bus.port}`)
  return {
    server: await startServer({ args }),
    database,
    bus,
  }
}

/** A database whose owner may create roles, and may not replicate. */
const plainOwner = async (cluster: TestCluster): Promise<string> => {
  await query(cluster.url, "create role plain login createrole password 'plain'")
  await query(cluster.url, 'create database plain owner plain')
  return cluster.urlOf({ database: 'plain', user: 'plain', password: 'plain' })
}

const query = async (url: string, text: string): Promise<pg.QueryResult> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await client.query(text)
  } finally {
    await client.end()
  }
}
