/** Started once for the whole test run: one PostgreSQL 18 and one 15, each with a prepared template database that tests clone in milliseconds. */
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { Pool } from '../src/db/pool.ts'
import { prepareDatabase } from '../src/db/prepare/prepare.ts'
import { randomIds } from '../src/kernel/ids.ts'
import { startTestCluster } from './postgres.ts'

export const TEMPLATE = 'teahouse_template'

/** Where the shared servers listen: superuser URLs by major version. */
export type ClusterUrls = Readonly<Record<'15' | '18', string>>

declare module 'vitest' {
  export interface ProvidedContext {
    clusters: ClusterUrls
  }
}

interface Shared {
  readonly urls: ClusterUrls
  readonly stop: () => Promise<void>
}

// Several vitest projects run this file in one process, each in a module world of its own; the process is what they share.
const holder = process as NodeJS.Process & { teahouseClusters?: { shared: Promise<Shared>; users: number } }

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  holder.teahouseClusters ??= { shared: startBoth(), users: 0 }
  const entry = holder.teahouseClusters
  entry.users += 1
  const { urls, stop } = await entry.shared
  project.provide('clusters', urls)
  return async () => {
    entry.users -= 1
    if (entry.users > 0) return
    delete holder.teahouseClusters
    await stop()
  }
}

const startBoth = async (): Promise<Shared> => {
  const clusters = await Promise.all([startTestCluster({ version: 18 }), startTestCluster({ version: 15 })])
  const [eighteen, fifteen] = clusters
  await Promise.all(clusters.map((cluster) => makeTemplate(cluster.ownerUrl)))
  return {
    urls: { 18: eighteen.ownerUrl, 15: fifteen.ownerUrl },
    stop: async () => {
      await Promise.all(clusters.map((cluster) => cluster.stop()))
    },
  }
}

const makeTemplate = async (url: string): Promise<void> => {
  const admin = new pg.Client({ connectionString: url })
  await admin.connect()
  await admin.query(`create database ${TEMPLATE}`)
  const connection = { connectionString: withDatabase(url, TEMPLATE) }
  const owner = new Pool({ connection, max: 2, applicationName: 'template' })
  await prepareDatabase(owner, toClientConfig(connection.connectionString), randomIds)
  await owner.end()
  await admin.query(`alter database ${TEMPLATE} with is_template true allow_connections false`)
  await admin.end()
}

/** The same server, another database. */
export const withDatabase = (url: string, database: string): string => {
  const parsed = new URL(url)
  parsed.pathname = `/${database}`
  return parsed.href
}

/** A URL taken apart, so that user and password can be replaced. */
export const toClientConfig = (url: string): pg.ClientConfig => {
  const parsed = new URL(url)
  return {
    host: parsed.hostname,
    port: Number(parsed.port),
    user: decodeURIComponent(parsed.username),
    password: decodeURIComponent(parsed.password),
    database: parsed.pathname.slice(1),
  }
}
