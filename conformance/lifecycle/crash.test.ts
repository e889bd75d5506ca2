/** Sudden deaths: of the server, of PostgreSQL, of both. What was answered stays, and everything comes back by itself. */
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresProcesses, postmasterOf } from '../support/processes.ts'
import { startServer, type TestServer, temporaryFolder } from '../support/server.ts'
import { until } from '../support/until.ts'

const run = async (server: TestServer, text: string): Promise<readonly Record<string, unknown>[]> => {
  const client = new pg.Client({ connectionString: server.report.databaseUrl })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

const health = async ({ report }: TestServer): Promise<Response> => fetch(`${report.url}/health`)

describe('after kill -9', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let dataDir = ''
  let server: TestServer

  beforeAll(async () => {
    folder = await temporaryFolder()
    dataDir = join(folder.path, 'data')
    server = await startServer({ dataDir })
    await run(server, 'create table public.ledger (id int primary key)')
  })
  afterAll(async () => {
    await server.stop()
    await folder.remove()
  })

  it('of the server, the next start has the same keys and every committed row', async () => {
    const before = server.report
    await run(server, 'insert into public.ledger values (1)')
    await server.kill9()
    server = await startServer({ dataDir })
    const { url: _url, ...kept } = before
    expect(server.report).toMatchObject(kept)
    expect(await run(server, 'select id from public.ledger')).toEqual([{ id: 1 }])
  })

  it('of the server and of PostgreSQL at once, the next start recovers too', async () => {
    await run(server, 'insert into public.ledger values (2)')
    const postmaster = postmasterOf(dataDir)
    await Promise.all([server.kill9(), Promise.resolve(process.kill(postmaster, 'SIGKILL'))])
    // Recovery takes under a second; the rest is for machines that do other things as well.
    server = await startServer({ dataDir, within: 15_000 })
    expect(await run(server, 'select id from public.ledger order by id')).toEqual([{ id: 1 }, { id: 2 }])
  })

  it('of PostgreSQL, the server says 503 and when to come back, and is well again within five seconds', async () => {
    expect((await health(server)).status).toBe(200)
    await run(server, 'insert into public.ledger values (3)')
    process.kill(postmasterOf(dataDir), 'SIGKILL')
    const began = performance.now()
    const away = await until(
      'the outage is seen',
      async () => {
        const response = await health(server)
        return response.status === 200 ? null : response
      },
      { every: 1 },
    )
    expect([away.status, away.headers.get('retry-after')]).toEqual([503, '1'])
    await until('it is well again', async () => (await health(server)).status === 200)
    expect(performance.now() - began).toBeLessThan(5_000)
    const rows = await until('it answers', () => run(server, 'select count(*)::int as count from public.ledger'))
    expect(rows).toEqual([{ count: 3 }])
  })

  it('of PostgreSQL again and again, the server stays, and stops in order', async () => {
    for (let round = 0; round < 3; round += 1) {
      const before = postmasterOf(dataDir)
      process.kill(before, 'SIGKILL')
      await until('PostgreSQL is another', () => postmasterOf(dataDir) !== before)
      await until('it is well again', async () => (await health(server)).status === 200)
    }
    expect(await server.stop()).toEqual({ code: 0, signal: null })
    expect(postgresProcesses(dataDir)).toEqual([])
  })
})
