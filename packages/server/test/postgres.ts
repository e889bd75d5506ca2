/** Throwaway PostgreSQL clusters for tests, through the product's own supervisor: real servers that do not wait for the disk. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../src/db/embedded/embedded.ts'
import type { EmbeddedLog } from '../src/db/embedded/server-log.ts'
import type { Settings } from '../src/db/embedded/settings.ts'

/** A test's own server; `stop` removes its files too. */
export interface TestCluster extends EmbeddedPostgres {
  readonly dataDir: string
  /** Same as `ownerUrl`. */
  readonly url: string
  /** A URL of another database of this cluster, or for another role. */
  urlOf(target: { database?: string; user?: string; password?: string }): string
}

const fast: Settings = {
  fsync: false,
  full_page_writes: false,
  max_wal_size: '512MB',
  max_connections: 300,
  autovacuum_naptime: '10s',
}

/** Where Debian puts PostgreSQL 15. */
export const debian15 = '/usr/lib/postgresql/15'

/** A log that keeps quiet. */
export const silent: EmbeddedLog = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** Starts a throwaway cluster of the packaged version, or of Debian's PostgreSQL 15. */
export async function startTestCluster(
  options: { version?: 18 | 15; settings?: Settings; log?: EmbeddedLog } = {},
): Promise<TestCluster> {
  if (options.version === 15 && !existsSync(join(debian15, 'bin', 'postgres'))) {
    throw new Error(
      `PostgreSQL 15 is not installed in ${debian15}: run "npm test" once, or apt-get install postgresql-15`,
    )
  }
  const dataDir = mkdtempSync(join(tmpdir(), 'teahouse-test-'))
  const remove = () => rmSync(dataDir, { recursive: true, force: true })
  try {
    const server = await startEmbeddedPostgres({
      dataDir,
      log: options.log ?? silent,
      settings: { ...fast, ...options.settings },
      ...(options.version === 15 ? { binaries: { dir: debian15 } } : {}),
    })
    return testCluster(server, dataDir, remove)
  } catch (error) {
    remove()
    throw error
  }
}

function testCluster(server: EmbeddedPostgres, dataDir: string, remove: () => void): TestCluster {
  const urlOf: TestCluster['urlOf'] = ({ database = 'postgres', user = 'postgres', password = server.password }) => {
    const url = new URL(server.ownerUrl)
    url.username = user
    url.password = password
    url.pathname = `/${encodeURIComponent(database)}`
    return url.href
  }
  const cluster = { dataDir, url: server.ownerUrl, urlOf, stop: () => server.stop().finally(remove) }
  // Defined over the server rather than spread, so that `pid` stays live.
  return Object.defineProperties(Object.create(server), Object.getOwnPropertyDescriptors(cluster))
}
