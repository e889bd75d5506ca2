/** The feed of several nodes on one database: every node tells everything once and in order, whoever leads. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { startTestCluster } from '../../test/postgres.ts'
import { eventually } from '../../test/realtime.ts'
import { toClientConfig } from '../../test/shared-clusters.ts'
import type { Bus } from '../bus/bus.ts'
import { PostgresTransport } from '../bus/postgres.ts'
import { nodeName, SharedBus } from '../bus/shared.ts'
import { Pool } from '../db/pool.ts'
import { prepareDatabase } from '../db/prepare/prepare.ts'
import { systemClock } from '../kernel/clock.ts'
import { randomIds } from '../kernel/ids.ts'
import type { Change } from './change.ts'
import { Feed } from './feed.ts'
import { append, trimLog } from './shared-log.sql.ts'
import type { SourceKind } from './source.ts'

interface Node {
  readonly feed: Feed
  readonly bus: Bus
  readonly changes: Change[]
  readonly resyncs: string[]
}

const versions = process.env.TEAHOUSE_SOAK === '1' ? (['18', '15'] as const) : (['18'] as const)

describe.each(versions)('nodes that share a feed on PostgreSQL %s', (version) => {
  let database: TestDatabase
  const open: Node[] = []

  beforeAll(async () => {
    database = await createTestDatabase(version)
    await database.sql(`
      create table item (id int primary key, body text);
      alter publication supabase_realtime add table item;`)
  })
  afterEach(async () => {
    await Promise.all(open.splice(0).map((node) => stop(node)))
    await database.sql('truncate item')
  })
  afterAll(() => database.drop())

  const stop = async ({ feed, bus }: Node): Promise<void> => {
    await feed.stop()
    await bus.stop()
  }

  const join = async (source: SourceKind = 'log'): Promise<Node> => {
    const { connection, owner } = database
    const node = nodeName(randomIds)
    const onError = () => {}
    const transport = new PostgresTransport({ connection, clock: systemClock, node })
    const bus = new SharedBus({ transport, clock: systemClock, node, onError })
    await bus.start()
    const changes: Change[] = []
    const resyncs: string[] = []
    const feed = new Feed({ connection, pool: owner, clock: systemClock, ids: randomIds, bus, source, onError })
    feed.listen({
      changes: (batch) => void changes.push(...batch.filter(({ op }) => op === 'INSERT')),
      resync: (reason) => resyncs.push(reason),
    })
    const joined = { feed, bus, changes, resyncs }
    open.push(joined)
    await feed.start()
    await feed.ready()
    return joined
  }

  const ids = ({ changes }: Node) => changes.map((change) => ('new' in change ? Number(change.new?.[0]) : 0))
  const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1)
  const insert = (from: number, to: number, body = 'x') =>
    database.sql(`insert into item select i, '${body}' from generate_series(${from}, ${to}) i`)
  const leaderOf = (nodes: readonly Node[]) => nodes.find(({ feed }) => feed.state === 'streaming')

  it('tell everything once and in order on each of them, and one leads', async () => {
    const nodes = [await join(), await join(), await join()]
    for (let round = 0; round < 10; round++) await insert(round * 10 + 1, round * 10 + 10)
    await eventually(() => nodes.every(({ changes }) => changes.length >= 100), 'all changes')
    for (const node of nodes) expect(ids(node)).toEqual(upTo(100))
    expect(nodes.map(({ feed }) => feed.state).sort()).toEqual(['standby', 'standby', 'streaming'])
    expect(new Set(nodes.map(({ feed }) => feed.epoch)).size).toBe(1)
    const [first, second] = nodes
    const seen = first?.changes[49]?.watermark ?? ''
    expect(second?.feed.since(second.feed.epoch, seen)?.length).toBe(50)
  })

  it('go on without loss or repetition when the leader stops, and when its connection is cut', async () => {
    const nodes = [await join(), await join()]
    await insert(1, 20)
    const leader = leaderOf(nodes)
    const other = nodes.find((node) => node !== leader)
    if (leader === undefined || other === undefined) throw new Error('nobody leads')
    await database.sql(
      `select pg_terminate_backend(active_pid) from pg_replication_slots where database = current_database() and active`,
    )
    await insert(21, 40)
    await eventually(() => nodes.every(({ changes }) => changes.length >= 40), 'forty changes')
    await stop(leaderOf(nodes) ?? leader)
    await insert(41, 60)
    const left = nodes.find(({ feed }) => feed.state !== 'stopped') ?? other
    await eventually(() => left.changes.length >= 60, 'sixty changes')
    expect(ids(left)).toEqual(upTo(60))
    expect(nodes.flatMap(({ resyncs }) => resyncs)).toEqual([])
  })

  it('all say so when the slot is lost', async () => {
    const nodes = [await join(), await join()]
    await eventually(async () => {
      await database.sql(
        `select pg_terminate_backend(active_pid) from pg_replication_slots where database = current_database() and active`,
      )
      await database.sql(
        `select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database() and slot_name like 'teahouse%' and not active`,
      )
      return nodes.every(({ resyncs }) => resyncs.length > 0)
    }, 'a resync on every node')
    const settled = async () => {
      const [row] = await database.owner.many<{ epoch: string }>({
        name: 'test.epoch',
        text: `select epoch from teahouse.feed_epoch, pg_replication_slots where database = current_database() and active`,
        values: [],
      })
      return leaderOf(nodes) !== undefined && nodes.every(({ feed }) => feed.epoch === row?.epoch)
    }
    await eventually(settled, 'everyone is in the new epoch')
    await insert(1, 5)
    await eventually(() => nodes.every(({ changes }) => changes.length >= 5), 'changes go on')
    for (const node of nodes) expect(ids(node)).toEqual(upTo(5))
  })

  it('let nobody append who was replaced', async () => {
    await join()
    const { owner } = database
    const entry = { last: 'f', prev: '', payload: '{}' }
    expect(await owner.run(append({ name: 'feed', term: randomIds.uuid() }, entry))).toBe(0)
  })

  it('are told of a gap when the log forgot what they had not read, and of nothing else', async () => {
    const nodes = [await join(), await join()]
    await insert(1, 3)
    await eventually(() => nodes.every(({ changes }) => changes.length === 3), 'three changes')
    // As if the other one had been away while the leader went on: the log is cut behind its position.
    await database.sql(`update teahouse.feed_leader set trimmed = last || 'x', last = last || 'x' where name = 'feed'`)
    const other = nodes.find((node) => node !== leaderOf(nodes))
    await eventually(() => other?.resyncs.length === 1, 'a resync')
    expect(other?.resyncs).toEqual(['this node was away for too long'])
    expect(leaderOf(nodes)?.resyncs).toEqual([])
    await insert(4, 6)
    await eventually(() => nodes.every(({ changes }) => changes.length === 6), 'changes go on')
  })

  it('keep the log within its bounds', async () => {
    await join()
    const [leader] = await database.owner.many<{ term: string }>({
      name: 'test.term',
      text: `select term from teahouse.feed_leader`,
      values: [],
    })
    const size = async () => {
      const [row] = await database.owner.many<{ bytes: string }>({
        name: 'test.size',
        text: `select coalesce(sum(bytes), 0)::text as bytes from teahouse.feed_log`,
        values: [],
      })
      return Number(row?.bytes)
    }
    for (let round = 0; round < 5; round++) {
      const before = await size()
      await insert(round * 10 + 1, round * 10 + 10, 'x'.repeat(1000))
      // What comes together is one entry, and an entry is kept or trimmed as a whole.
      await eventually(async () => (await size()) > before, 'it is in the log')
    }
    await database.owner.run(trimLog({ name: 'feed', term: leader?.term ?? '' }, 30_000, 10))
    expect(await size()).toBeLessThanOrEqual(30_000)
    expect(await size()).toBeGreaterThan(0)
  })
  it('share what triggers wrote down as well, and begin anew when they go over from one source to the other', async () => {
    const before = await join()
    const { epoch } = before.feed
    await stop(before)
    const nodes = [await join('outbox'), await join('outbox')]
    expect(nodes.map(({ feed }) => feed.epoch === epoch)).toEqual([false, false])
    await insert(1, 500)
    await database.sql(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'teahouse-feed-feed' and datname = current_database()`,
    )
    await insert(501, 520)
    await eventually(() => nodes.every(({ changes }) => changes.length >= 520), 'all changes')
    const leader = leaderOf(nodes)
    const other = nodes.find((node) => node !== leader)
    if (leader === undefined || other === undefined) throw new Error('nobody leads')
    await stop(leader)
    await insert(521, 540)
    await eventually(() => other.changes.length >= 540, 'the other one leads')
    expect(ids(other)).toEqual(upTo(540))
    expect(ids(leader)).toEqual(upTo(520))
    expect(nodes.flatMap(({ resyncs }) => resyncs)).toEqual([])
  })
})

if (process.env.TEAHOUSE_SOAK === '1') {
  describe('nodes that share a feed when PostgreSQL is killed', () => {
    it('lose nothing without a word, and repeat nothing', async () => {
      const cluster = await startTestCluster({ settings: { fsync: true } })
      const connection = toClientConfig(cluster.ownerUrl)
      const owner = new Pool({ connection, max: 5, applicationName: 'test' })
      await prepareDatabase(owner, connection, randomIds)
      await owner.script('create table item (id int primary key); alter publication supabase_realtime add table item')
      const nodes = await Promise.all(
        [1, 2, 3].map(async () => {
          const node = nodeName(randomIds)
          const transport = new PostgresTransport({ connection, clock: systemClock, node })
          const bus = new SharedBus({ transport, clock: systemClock, node, onError: () => {} })
          await bus.start()
          const feed = new Feed({ connection, pool: owner, clock: systemClock, ids: randomIds, bus, onError: () => {} })
          const told: number[] = []
          const resyncs: string[] = []
          feed.listen({
            changes: (batch) =>
              void told.push(...batch.flatMap((change) => (change.op === 'INSERT' ? [Number(change.new?.[0])] : []))),
            resync: (reason) => resyncs.push(reason),
          })
          await feed.start()
          await feed.ready()
          return { feed, bus, told, resyncs }
        }),
      )
      let acknowledged = 0
      for (let round = 0; round < 5; round++) {
        for (let count = 0; count < 50; count++) {
          await owner.many({ name: 'test.insert', text: 'insert into item values ($1)', values: [acknowledged + 1] })
          acknowledged++
        }
        const killed = cluster.pid
        if (killed !== null) process.kill(killed, 'SIGKILL')
        const isBack = () =>
          cluster.pid !== null &&
          cluster.pid !== killed &&
          owner.script('select 1').then(
            () => true,
            () => false,
          )
        await eventually(isBack, 'PostgreSQL is back', 60_000)
      }
      await eventually(
        () => nodes.every(({ told }) => told.at(-1) === acknowledged),
        'the newest on every node',
        60_000,
      )
      for (const { told, resyncs } of nodes) {
        expect(told).toEqual([...new Set(told)].sort((a, b) => a - b))
        if (resyncs.length === 0) expect(told.length).toBe(acknowledged)
      }
      process.stdout.write(`resyncs after 5 kills: ${nodes.map(({ resyncs }) => resyncs.length)}\n`)
      for (const { feed, bus } of nodes) {
        await feed.stop()
        await bus.stop()
      }
      await owner.end()
      await cluster.stop()
    }, 180_000)
  })
}
