/** `--database-url`: an operator's own PostgreSQL, old and new, as superuser and as a plain owner, and what is said when something is missing. */
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestCluster, type TestCluster } from '../../packages/server/test/postgres.ts'
import { runTeahouse, startServer, type TestServer, temporaryFolder } from '../support/server.ts'

const as = async (url: string, ...statements: readonly string[]): Promise<void> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  for (const statement of statements) await client.query(statement)
  await client.end()
}

const refusedStart = async (url: string): Promise<string> => {
  const folder = await temporaryFolder()
  const ran = await runTeahouse(['start', '--port', '0', '--json', '--data-dir', folder.path, '--database-url', url])
  await folder.remove()
  expect(ran).toMatchObject({ code: 1, stdout: '' })
  return ran.stderr
}

const warningsOf = (server: TestServer): readonly { msg: string; sql?: string }[] =>
  server
    .logs()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter((line) => line.level >= 40)

const withServer = async (url: string, look: (server: TestServer) => Promise<void>): Promise<void> => {
  const server = await startServer({ args: ['--database-url', url] })
  try {
    expect(server.report.databaseUrl).toBe(url)
    expect((await fetch(`${server.report.url}/health`)).status).toBe(200)
    await look(server)
  } finally {
    expect(await server.stop()).toEqual({ code: 0, signal: null })
  }
}

for (const version of [15, 18] as const) {
  describe(`an own PostgreSQL ${version}`, () => {
    let cluster: TestCluster
    let plainUrl = ''

    beforeAll(async () => {
      cluster = await startTestCluster({ version })
      await as(
        cluster.url,
        "create role plain login password 'plain'",
        'create database plain owner plain',
        'create database super',
      )
      plainUrl = cluster.urlOf({ database: 'plain', user: 'plain', password: 'plain' })
    })
    afterAll(() => cluster.stop())

    it('is refused to a plain owner without roles, with the SQL that makes them, and that SQL is enough', async () => {
      const said = await refusedStart(plainUrl)
      const [line, , hint = ''] = said.split('\n')
      expect(line).toBe(
        'teahouse: The roles anon, authenticated, service_role, authenticator do not exist, and "plain" may not create roles. Requests have no role to run as.',
      )
      expect(said).not.toContain(':plain@')
      await as(cluster.url, hint)
      await withServer(plainUrl, async (server) => {
        const warnings = warningsOf(server)
        for (const id of [/may not replicate/, /watch for schema changes/, /does not bypass/]) {
          expect(warnings.find(({ msg }) => id.test(msg))?.sql).toMatch(/;$/)
        }
      })
    })

    it('misses nothing as a superuser, and outlives the server', async () => {
      const url = cluster.urlOf({ database: 'super' })
      await withServer(url, async (server) => {
        expect(warningsOf(server)).toEqual([])
      })
      await as(url, 'select count(*) from auth.users')
    })

    it('names what a role that owns nothing needs', async () => {
      await as(cluster.url, 'create database foreign_land')
      const said = await refusedStart(cluster.urlOf({ database: 'foreign_land', user: 'plain', password: 'plain' }))
      expect(said).toContain('The role "plain" may not create schemas in the database "foreign_land".')
      expect(said).toContain('alter database "foreign_land" owner to "plain";')
    })
  })
}

describe('a database that cannot be used', () => {
  it('is told with its reason and without its password', async () => {
    const cluster = await startTestCluster({ settings: { wal_level: 'replica', max_wal_senders: 0 } })
    const wrong = (target: Parameters<TestCluster['urlOf']>[0]) => refusedStart(cluster.urlOf(target))
    expect(await wrong({ password: 'hunter2' })).toMatch(
      /^teahouse: The database postgres on 127\.0\.0\.1:\d+ cannot be reached: password authentication failed for user "postgres"\n$/,
    )
    expect(await wrong({ database: 'nowhere' })).toContain('database "nowhere" does not exist')
    expect(await refusedStart('postgresql://u:hunter2@127.0.0.1:1/x')).toBe(
      'teahouse: The database x on 127.0.0.1:1 cannot be reached: connect ECONNREFUSED 127.0.0.1:1\n',
    )
    await withServer(cluster.url, async (server) => {
      const warning = warningsOf(server).find(({ msg }) => msg.startsWith('wal_level is replica, not logical.'))
      expect(warning?.sql).toBe('alter system set wal_level = logical; -- then restart PostgreSQL')
    })
    await cluster.stop()
  })
})
