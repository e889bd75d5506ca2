/** The feed against real servers: order, completeness and honesty, also when Postgres or the slot goes away. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type Major, type TestDatabase } from '../../test/database.ts'
import { startTestCluster, type TestCluster } from '../../test/postgres.ts'
import { eventually } from '../../test/realtime.ts'
import { toClientConfig } from '../../test/shared-clusters.ts'
import { Pool } from '../db/pool.ts'
import { prepareDatabase } from '../db/prepare/prepare.ts'
import { systemClock } from '../kernel/clock.ts'
import { randomIds } from '../kernel/ids.ts'
import type { Change } from './change.ts'
import { Feed, type FeedOptions } from './feed.ts'

interface Watched {
  readonly feed: Feed
  readonly changes: Change[]
  readonly resyncs: string[]
  readonly errors: string[]
}

const open: Feed[] = []

const watch = async (
  owner: Pool,
  connection: FeedOptions['connection'],
  extra: Partial<FeedOptions> = {},
): Promise<Watched> => {
  const changes: Change[] = []
  const resyncs: string[] = []
  const errors: string[] = []
  const feed = new Feed({
    connection,
    pool: owner,
    clock: systemClock,
    ids: randomIds,
    onError: (error) => errors.push(error.message),
    ...extra,
  })
  open.push(feed)
  feed.listen({
    changes: (batch) => void changes.push(...batch.filter(({ op }) => op !== 'SCHEMA')),
    resync: (reason) => resyncs.push(reason),
  })
  await feed.start()
  await feed.ready()
  return { feed, changes, resyncs, errors }
}

const ids = (changes: readonly Change[]): number[] =>
  changes.flatMap((change) => (change.op === 'INSERT' ? [Number(change.new?.[0])] : []))

describe.each<Major>(['18', '15'])('the feed on PostgreSQL %s', (version) => {
  let database: TestDatabase

  beforeAll(async () => {
    database = await createTestDatabase(version)
    await database.sql(`
      create table item (id int primary key, body text);
      create table plain (a int);
      create table hidden (id int primary key);
      alter table item enable row level security;
      alter publication supabase_realtime add table item, plain;`)
  })
  afterEach(async () => {
    await Promise.all(open.splice(0).map((feed) => feed.stop()))
    await database.sql('truncate item, plain')
  })
  afterAll(() => database.drop())

  const resume = (extra?: Partial<FeedOptions>) => watch(database.owner, database.connection, extra)

  let fences = 0

  /** A feed whose listener has what earlier tests left behind it. */
  const start = async (extra?: Partial<FeedOptions>): Promise<Watched> => {
    const watched = await resume(extra)
    const fence = String(--fences)
    await database.sql(`insert into plain values (${fence})`)
    const isFence = (change: Change) => change.op === 'INSERT' && change.new?.[0] === fence
    await eventually(() => watched.changes.some(isFence), 'the fence')
    watched.changes.length = 0
    return watched
  }

  it('tells changes of published tables in commit order, with positions that sort as text', async () => {
    const { changes } = await start()
    await database.sql(
      `insert into item values (1, 'a'), (2, 'b'); update item set body = 'c' where id = 1; delete from item where id = 2; insert into hidden values (1) on conflict do nothing; truncate item;`,
    )
    await eventually(() => changes.length === 5, 'five changes')
    expect(
      changes.map((change) => [change.op, 'new' in change ? change.new : null, 'old' in change ? change.old : null]),
    ).toEqual([
      ['INSERT', ['1', 'a'], null],
      ['INSERT', ['2', 'b'], null],
      ['UPDATE', ['1', 'c'], ['1', 'a']],
      ['DELETE', null, ['2', 'b']],
      ['TRUNCATE', null, null],
    ])
    const marks = changes.map(({ watermark }) => watermark)
    expect([...marks].sort()).toEqual(marks)
    expect(new Set(marks).size).toBe(5)
  })

  it('carries tables that are published while it runs, and forgets those that are no longer', async () => {
    const { changes } = await start()
    await database.sql('create table late (id int primary key)')
    await database.sql('alter publication supabase_realtime add table late')
    await database.sql('insert into late values (1)')
    await eventually(() => changes.length === 1, 'the change of the new table')
    await database.sql('alter publication supabase_realtime drop table late')
    await database.sql(`insert into late values (2); insert into item values (7, 'fence')`)
    await eventually(() => changes.length > 1, 'the fence')
    expect(changes.map((change) => ('relation' in change ? change.relation.name : ''))).toEqual(['late', 'item'])
  })

  it('widens the replica identity where old rows decide, remembers the own one and gives it back', async () => {
    const identity = async (table: string) => {
      const [row] = await database.owner.many<{ now: string; own: string | null }>({
        name: 'test.identity',
        text: `select relreplident::text as now, (select own_identity::text from teahouse.feed_identity where relid = c.oid) as own from pg_class c where oid = '${table}'::regclass`,
        values: [],
      })
      return row
    }
    expect(await identity('item')).toEqual({ now: 'f', own: 'd' })
    expect(await identity('plain')).toEqual({ now: 'f', own: 'd' })
    await database.sql(
      'create table wide (id int primary key); alter table wide enable row level security; alter publication supabase_realtime add table wide',
    )
    expect(await identity('wide')).toEqual({ now: 'f', own: 'd' })
    await database.sql('alter table wide replica identity full')
    expect(await identity('wide')).toEqual({ now: 'f', own: 'f' })
    await database.sql('alter table wide replica identity default')
    expect(await identity('wide')).toEqual({ now: 'f', own: 'd' })
    await database.sql('alter publication supabase_realtime drop table wide')
    expect(await identity('wide')).toEqual({ now: 'd', own: null })
  })

  it('starts again where it was: nothing lost, nothing twice', async () => {
    const first = await start()
    await database.sql(`insert into item select i, 'x' from generate_series(1, 50) i`)
    await eventually(() => first.changes.length === 50, 'the first fifty')
    await first.feed.stop()
    await database.sql(`insert into item select i, 'x' from generate_series(51, 100) i`)
    const second = await resume()
    await eventually(() => second.changes.length >= 50, 'the second fifty')
    expect(ids(second.changes).filter((id) => id > 50)).toEqual(Array.from({ length: 50 }, (_, index) => index + 51))
    expect(second.resyncs).toEqual([])
  })

  it('survives its connection: nothing lost, nothing twice', async () => {
    const { changes, resyncs } = await start()
    for (let round = 0; round < 5; round++) {
      await database.sql(
        `insert into item select i, 'x' from generate_series(${round * 100 + 1}, ${round * 100 + 100}) i`,
      )
      await database.sql(
        `select pg_terminate_backend(active_pid) from pg_replication_slots where database = current_database() and active`,
      )
    }
    await eventually(() => changes.length >= 500, 'five hundred changes')
    expect(ids(changes)).toEqual(Array.from({ length: 500 }, (_, index) => index + 1))
    expect(resyncs).toEqual([])
  })

  it('says so when its slot is lost', async () => {
    const { feed, changes, resyncs } = await start()
    const { epoch } = feed
    await eventually(async () => {
      await database.sql(
        `select pg_terminate_backend(active_pid) from pg_replication_slots where database = current_database() and active`,
      )
      await database.sql(
        `select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database() and slot_name like 'teahouse%' and not active`,
      )
      return resyncs.length > 0
    }, 'a resync')
    expect(feed.epoch).not.toBe(epoch)
    await feed.ready()
    await database.sql(`insert into item values (1, 'after')`)
    await eventually(() => changes.some((change) => change.op === 'INSERT'), 'changes go on')
  })

  it('reads a large transaction in bounded batches, and slows down for a slow listener', async () => {
    const { feed, changes } = await start()
    let largest = 0
    let overlapping = 0
    let running = 0
    feed.listen({
      changes: async (batch) => {
        running++
        overlapping = Math.max(overlapping, running)
        largest = Math.max(largest, batch.length)
        await new Promise((resolve) => setImmediate(resolve))
        running--
      },
      resync: () => {},
    })
    await database.sql(`insert into item select i, repeat('x', 100) from generate_series(1, 20000) i`)
    await eventually(() => changes.length === 20_000, 'twenty thousand changes', 20_000)
    expect(overlapping).toBe(1)
    expect(largest).toBeLessThan(2000)
    expect(ids(changes)).toEqual(Array.from({ length: 20_000 }, (_, index) => index + 1))
  })

  it('fills large values that did not change from the old row', async () => {
    const { changes } = await start()
    await database.sql(`alter table item alter column body set storage external`)
    await database.sql(`insert into item values (1, repeat('x', 10000)); update item set id = 2;`)
    await eventually(() => changes.length === 2, 'two changes')
    const update = changes[1]
    expect(update?.op === 'UPDATE' && update.new?.[1]?.length).toBe(10_000)
  })

  it('keeps a bounded memory of changes for listeners that were away', async () => {
    const { feed, changes } = await start({ limits: { changes: 10, bytes: 1_000_000 } })
    await database.sql(`insert into item select i, 'x' from generate_series(1, 30) i`)
    await eventually(() => changes.length === 30, 'thirty changes')
    expect(ids(feed.since(feed.epoch, changes[24]?.watermark ?? '') ?? [])).toEqual([26, 27, 28, 29, 30])
    expect(feed.since(feed.epoch, changes[3]?.watermark ?? '')).toBe(null)
    expect(feed.since('another epoch', changes[29]?.watermark ?? '')).toBe(null)
  })

  it('lets the slot move on while nothing is published that changes', async () => {
    const { feed } = await start()
    await database.sql(`create table noise as select repeat('x', 1000) from generate_series(1, 2000)`)
    await eventually(async () => ((await feed.lag()).bytes ?? 1e9) < 100_000, 'the slot follows', 20_000)
  })

  it('has one leader; another takes over when it stops', async () => {
    const first = await start()
    const second = await resume()
    expect([first.feed.state, second.feed.state]).toEqual(['streaming', 'standby'])
    await first.feed.stop()
    await eventually(() => second.feed.state === 'streaming', 'the second leads')
    await database.sql(`insert into item values (5, 'x')`)
    await eventually(() => second.changes.length >= 1, 'the second tells')
  })
})

describe('the feed when PostgreSQL is killed', () => {
  let cluster: TestCluster
  let owner: Pool

  beforeAll(async () => {
    cluster = await startTestCluster({ settings: { fsync: true } })
    owner = new Pool({ connection: cluster.connection, max: 3, applicationName: 'test' })
    await prepareDatabase(owner, toClientConfig(cluster.ownerUrl), randomIds)
  })
  afterAll(async () => {
    await Promise.all(open.splice(0).map((feed) => feed.stop()))
    await owner.end()
    await cluster.stop()
  })

  it('goes on without loss or repetition', async () => {
    await owner.script('create table item (id int primary key); alter publication supabase_realtime add table item')
    const { changes, resyncs } = await watch(owner, cluster.connection)
    let acknowledged = 0
    for (let round = 0; round < 3; round++) {
      for (let count = 0; count < 20; count++) {
        await owner.script(`insert into item values (${acknowledged + 1})`)
        acknowledged++
      }
      const killed = cluster.pid
      if (killed !== null) process.kill(killed, 'SIGKILL')
      await eventually(
        () =>
          // A backend that outlived its postmaster still answers once.
          cluster.pid !== null &&
          cluster.pid !== killed &&
          owner.script('select 1').then(
            () => true,
            () => false,
          ),
        'PostgreSQL is back',
        30_000,
      )
    }
    await eventually(() => changes.length >= acknowledged, 'all that was acknowledged')
    expect(ids(changes)).toEqual(Array.from({ length: acknowledged }, (_, index) => index + 1))
    expect(resyncs).toEqual([])
  })
  it('says so when its slot kept more of the log than the operator allows', async () => {
    await Promise.all(open.splice(0).map((feed) => feed.stop()))
    await owner.script('create table kept (id int primary key); alter publication supabase_realtime add table kept')
    const first = await watch(owner, cluster.connection)
    const { epoch } = first.feed
    await first.feed.stop()
    await owner.script(`alter system set max_slot_wal_keep_size = '1MB'`)
    await owner.script('select pg_reload_conf()')
    await owner.script('insert into kept values (1)')
    const [row] = await owner.many<{ name: string }>({
      name: 'test.slot',
      text: `select slot_name as name from pg_replication_slots where slot_name like 'teahouse%'`,
      values: [],
    })
    await eventually(async () => {
      await owner.script('create table noise (); drop table noise; select pg_switch_wal()')
      await owner.script('checkpoint')
      const lost = await owner.many({
        name: 'test.lost',
        text: `select 1 from pg_replication_slots where slot_name = '${row?.name}' and wal_status = 'lost'`,
        values: [],
      })
      return lost.length > 0
    }, 'the slot is lost')
    const second = await watch(owner, cluster.connection)
    expect(second.resyncs).toEqual(['the change feed started anew'])
    expect(second.feed.epoch).not.toBe(epoch)
    await owner.script('insert into kept values (2)')
    await eventually(() => second.changes.length > 0, 'changes go on')
    expect(ids(second.changes)).toEqual([2])
    expect((await second.feed.lag()).retained).toBeLessThan(64 * 1024 * 1024)
  })
})
