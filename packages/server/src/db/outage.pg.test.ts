/** A database that goes away: every caller hears `unavailable`, the process lives on, and the pool heals by itself. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../../../../conformance/support/until.ts'
import { startTestCluster, type TestCluster } from '../../test/postgres.ts'
import { AppError } from '../kernel/errors.ts'
import { sql } from '../sql/sql.ts'
import { Pool, ping } from './pool.ts'
import { runAs, type Scope, transactionAs } from './scope.ts'

const scope: Scope = { role: 'postgres', claims: '{}', searchPath: '"public"' }
const isUnavailable = (error: unknown): boolean =>
  error instanceof AppError && error.code === 'unavailable' && error.retryAfter === 1

describe('a database that is killed', () => {
  let cluster: TestCluster
  let pool: Pool
  const uncaught: unknown[] = []
  const note = (error: unknown) => uncaught.push(error)

  beforeAll(async () => {
    process.on('uncaughtException', note)
    cluster = await startTestCluster()
    pool = new Pool({ connection: cluster.connection, max: 4, applicationName: 'outage' })
  })
  afterAll(async () => {
    await pool.end()
    await cluster.stop()
    process.off('uncaughtException', note)
  })

  /** Resolves when another postmaster accepts connections: sessions of the dead one may answer for a moment longer. */
  const killPostgres = (): Promise<void> =>
    new Promise((resolve) => {
      const forget = cluster.onRestart(() => {
        forget()
        resolve()
      })
      if (cluster.pid !== null) process.kill(cluster.pid, 'SIGKILL')
    })
  const heals = async (restarted: Promise<void>): Promise<void> => {
    await restarted
    await until('the pool serves again', () => pool.run(ping), { within: 5_000 })
  }

  it('is told to every caller whose work it interrupts, and the pool heals within five seconds', async () => {
    await pool.run(sql('t')`create table ledger (id int primary key)`)
    const sleeping = [1, 2].map((id) =>
      runAs(pool, scope, [sql('t')`insert into ledger values (${id})`, sql('t')`select pg_sleep(600)`]).then(
        () => null,
        (error: unknown) => error,
      ),
    )
    let letGo = () => {}
    const held = new Promise<void>((resolve) => {
      letGo = resolve
    })
    // A transaction that is between two questions when the server dies: nobody waits for an answer then.
    const between = transactionAs(pool, scope, async (session) => {
      await session.run(ping)
      await held
      await session.run(ping)
    }).then(
      () => null,
      (error: unknown) => error,
    )
    await until('three connections are busy', () => pool.size.total - pool.size.idle === 3)
    const restarted = killPostgres()
    for (const each of sleeping) expect(isUnavailable(await each)).toBe(true)
    letGo()
    expect(isUnavailable(await between)).toBe(true)
    const began = performance.now()
    await heals(restarted)
    expect(performance.now() - began).toBeLessThan(5_000)
    const rows = await pool.many(sql('t')`select id from ledger`)
    expect(rows).toEqual([])
    expect(uncaught).toEqual([])
  })

  it('is noticed on idle connections, which are replaced', async () => {
    await Promise.all([1, 2, 3, 4].map(() => pool.run(ping)))
    const restarted = killPostgres()
    await until('idle connections are gone', () => pool.size.total === 0)
    await heals(restarted)
    expect(uncaught).toEqual([])
  })

  it('keeps what was committed before', async () => {
    await runAs(pool, scope, [sql('t')`insert into ledger values (7)`])
    await heals(killPostgres())
    expect(await pool.many(sql('t')`select id from ledger`)).toEqual([{ id: 7 }])
  })

  it('is `unavailable` too when it was never there', async () => {
    const nowhere = new Pool({ connection: { host: '127.0.0.1', port: 1 }, max: 1, applicationName: 'nowhere' })
    await expect(nowhere.run(ping)).rejects.toSatisfy(isUnavailable)
    await nowhere.end()
  })

  it('is not confused with other files and other errors', async () => {
    const missing = Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT', syscall: 'open' })
    await expect(pool.transaction(() => Promise.reject(missing))).rejects.toBe(missing)
  })
})
