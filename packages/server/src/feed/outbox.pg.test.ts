/** The outbox tells what the write-ahead log tells: both read the same random changes, and are compared. */
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runs } from '../../test/arbitraries.ts'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { eventually } from '../../test/realtime.ts'
import { systemClock } from '../kernel/clock.ts'
import { randomIds } from '../kernel/ids.ts'
import type { Change, Row } from './change.ts'
import { Feed, type FeedOptions } from './feed.ts'

const TABLES = `
  create table plain (id int primary key, body text, n numeric(10, 2), at timestamptz, doc jsonb, raw bytea, tags text[], f float8, i interval);
  create table full_table (id int primary key, body text);
  alter table full_table replica identity full;
  create table by_index (id int, code text not null unique, body text);
  alter table by_index replica identity using index by_index_code_key;
  create table parent (id int primary key);
  create table child (id int primary key, parent int references parent on delete cascade on update cascade);
  create table tree (id int, part int, body text, primary key (id, part)) partition by list (part);
  create table tree_1 partition of tree for values in (1);
  create table tree_2 (body text, part int not null, id int not null);
  alter table tree attach partition tree_2 for values in (2);
  create table branch (id int, part int, body text, primary key (id, part)) partition by list (part);
  create table branch_1 partition of branch for values in (1);
  create table branch_2 (body text, gone int, part int not null, id int not null);
  alter table branch_2 drop column gone;
  alter table branch attach partition branch_2 for values in (2);
  select teahouse.feed_watch('branch', 'told under the name of its root');
  create table made (id int primary key, n int, twice int generated always as (n * 2) stored);
  create table no_key (a int, b text);
  create table secret (id int primary key, owner uuid);
  alter table secret enable row level security;
  alter publication supabase_realtime add table plain, full_table, by_index, parent, child, tree, made, no_key, secret;`

/** A statement or a few in one transaction. */
const id = fc.integer({ min: 1, max: 6 })
const text = fc.constantFrom(
  `'x'`,
  `''`,
  `'a"b\\c,(d)'`,
  `'茶馆 🍵'`,
  `e'line\\nline\\ttab'`,
  'null',
  `repeat('long ', 1000)`,
  `(select string_agg(md5(i::text), '') from generate_series(1, 300) i)`,
)
const values = fc.constantFrom(
  `1.50, '2024-01-01 12:00:00.123456+08', '{"a": [1, "x"]}', '\\xdeadbeef', array['a', 'b,c', null], 'NaN', '1 mon 2 days'`,
  `-0.10, 'infinity', 'null', '', '{}', 1e300, '-1:02:03.5'`,
  'null, null, null, null, null, null, null',
)
const statement = fc.oneof(
  fc
    .tuple(id, text, values)
    .map(
      ([i, t, v]) => `insert into plain values (${i}, ${t}, ${v}) on conflict (id) do update set body = excluded.body`,
    ),
  fc.tuple(id, text).map(([i, t]) => `update plain set body = ${t} where id >= ${i}`),
  fc.tuple(id, id).map(([i, j]) => `update plain set id = id + 100 + ${j} where id = ${i}`),
  id.map((i) => `update plain set n = n + 1 where id = ${i}`),
  id.map((i) => `delete from plain where id >= ${i}`),
  fc.tuple(id, text).map(([i, t]) => `insert into full_table values (${i}, ${t}) on conflict do nothing`),
  fc.tuple(id, text).map(([i, t]) => `update full_table set body = ${t} where id <= ${i}`),
  id.map((i) => `delete from full_table where id = ${i}`),
  fc.tuple(id, text).map(([i, t]) => `insert into by_index values (${i}, 'c${i}', ${t}) on conflict do nothing`),
  id.map((i) => `update by_index set code = code || '${i}' where id = ${i}`),
  id.map((i) => `update by_index set id = id + 1 where id = ${i}`),
  id.map((i) => `delete from by_index where id = ${i}`),
  id.map(
    (i) =>
      `insert into parent values (${i}) on conflict do nothing; insert into child values (${i}, ${i}) on conflict do nothing`,
  ),
  id.map(
    (i) => `update parent set id = id + 100 where id = ${i} and not exists (select from parent where id = ${i} + 100)`,
  ),
  id.map((i) => `delete from parent where id <= ${i}`),
  fc
    .tuple(id, fc.integer({ min: 1, max: 2 }), text)
    .map(([i, p, t]) => `insert into tree values (${i}, ${p}, ${t}) on conflict do nothing`),
  fc
    .tuple(id, id)
    .map(([i, j]) => `insert into tree_2 (id, part, body) values (${i}, 2, '${j}') on conflict do nothing`),
  id.map(
    (i) =>
      `update tree set part = 3 - part where id = ${i} and not exists (select from tree t where t.id = tree.id and t.part = 3 - tree.part)`,
  ),
  id.map((i) => `delete from tree where id = ${i}`),
  fc
    .tuple(id, fc.integer({ min: 1, max: 2 }), text)
    .map(([i, p, t]) => `insert into branch values (${i}, ${p}, ${t}) on conflict do nothing`),
  id.map((i) => `insert into branch_2 (id, part, body) values (${i}, 2, 'leaf') on conflict do nothing`),
  id.map(
    (i) =>
      `update branch set part = 3 - part where id = ${i} and not exists (select from branch t where t.id = branch.id and t.part = 3 - branch.part)`,
  ),
  id.map((i) => `update branch set body = body || 'x', id = id + 10 where id = ${i}`),
  id.map((i) => `delete from branch where id = ${i}`),
  fc
    .tuple(id, id)
    .map(([i, n]) => `insert into made values (${i}, ${n}) on conflict (id) do update set n = excluded.n + 1`),
  fc.tuple(id, text).map(([i, t]) => `insert into no_key values (${i}, ${t})`),
  id.map((i) => `update no_key set a = a + 1 where a = ${i}`),
  id.map((i) => `delete from no_key where a = ${i}`),
  id.map(
    (i) => `insert into secret values (${i}, gen_random_uuid()) on conflict (id) do update set owner = excluded.owner`,
  ),
  id.map((i) => `delete from secret where id = ${i}`),
  fc.constantFrom('truncate plain', 'truncate parent, child', 'truncate full_table', 'truncate tree'),
  fc.constantFrom(
    'alter table plain add column if not exists extra text default $$d$$',
    'alter table plain drop column if exists extra',
    'alter table full_table rename column body to text',
    'alter table full_table rename column text to body',
    'alter table full_table replica identity default',
    'alter table full_table replica identity full',
    'alter table by_index alter column id type bigint',
    'alter table by_index alter column id type int',
  ),
)
const transaction = fc.array(statement, { minLength: 1, maxLength: 4 })

interface Told {
  readonly feed: Feed
  readonly changes: Change[]
}

const columnsOf = (change: Change) =>
  change.op === 'SCHEMA'
    ? []
    : change.relation.columns.map(({ name, typeOid, typeModifier, key }) => [name, typeOid, typeModifier, key])

/** What must be the same, table by table within each transaction: between tables of one transaction the log keeps an order that triggers cannot know. */
const comparable = (changes: readonly Change[]) => {
  const transactions: { tables: Map<string, unknown[]>; xid: number }[] = []
  for (const change of changes) {
    if (change.op === 'SCHEMA') continue
    let current = transactions.at(-1)
    if (current?.xid !== change.xid) {
      current = { xid: change.xid, tables: new Map() }
      transactions.push(current)
    }
    const { relation } = change
    const name = `${relation.schema}.${relation.name}`
    const rows = current.tables.get(name) ?? []
    current.tables.set(name, rows)
    const { oid, identity } = relation
    const row = change.op === 'TRUNCATE' ? {} : { new: change.new, old: change.old, oldIsFull: change.oldIsFull }
    rows.push({ op: change.op, oid, identity, columns: columnsOf(change), ...row })
  }
  return transactions.map(({ xid, tables }) => ({ xid, tables: [...tables].sort(([a], [b]) => (a < b ? -1 : 1)) }))
}

/** The log leaves out large values that did not change; triggers have them. */
const withoutUnchanged = (mine: readonly Change[], theirs: readonly Change[]): Change[] => {
  const key = (change: Change) => `${change.xid} ${change.op === 'SCHEMA' ? '' : change.relation.oid}`
  const queues = new Map<string, Change[]>()
  for (const change of theirs) queues.set(key(change), [...(queues.get(key(change)) ?? []), change])
  return mine.map((change) => {
    const other = queues.get(key(change))?.shift()
    if (change.op !== 'UPDATE' || other?.op !== 'UPDATE') return change
    const hide = (row: Row | null, like: Row | null) =>
      row?.map((cell, index) => (like?.[index] === undefined ? undefined : cell)) ?? null
    return { ...change, new: hide(change.new, other.new) }
  })
}

describe.each(['18', '15'] as const)('the outbox on PostgreSQL %s', (version) => {
  let database: TestDatabase
  let log: Told
  let outbox: Told
  let fences = 0

  const start = async (source: 'log' | 'outbox', extra: Partial<FeedOptions> = {}): Promise<Told> => {
    const { connection, owner } = database
    const changes: Change[] = []
    const feed = new Feed({
      connection,
      pool: owner,
      clock: systemClock,
      ids: randomIds,
      source,
      name: source,
      ...extra,
    })
    feed.listen({ changes: (batch) => void changes.push(...batch), resync: () => {} })
    await feed.start()
    await feed.ready()
    return { feed, changes }
  }

  beforeAll(async () => {
    database = await createTestDatabase(version)
    await database.sql(TABLES)
    await database.sql('create table fence (id int primary key); alter publication supabase_realtime add table fence')
    // The log's reader closes the outbox when it begins; so it begins first.
    log = await start('log')
    outbox = await start('outbox')
  })
  afterAll(async () => {
    await Promise.all([log.feed.stop(), outbox.feed.stop()])
    await database.drop()
  })

  const settle = async () => {
    const fence = String(++fences)
    await database.sql(`insert into fence values (${fence})`)
    const isFence = (change: Change) =>
      change.op === 'INSERT' && change.relation.name === 'fence' && change.new?.[0] === fence
    await eventually(() => [log, outbox].every(({ changes }) => changes.some(isFence)), 'the fence')
    const taken = [log, outbox].map(({ changes }) => changes.splice(0).filter((change) => !isFence(change)))
    return { fromLog: taken[0] ?? [], fromOutbox: taken[1] ?? [] }
  }

  it('tells the same changes as the log, whatever happens', async () => {
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    try {
      await fc.assert(
        fc.asyncProperty(
          fc.array(transaction, { minLength: 1, maxLength: 8 }),
          fc.nat(),
          async (transactions, pick) => {
            for (const [index, statements] of transactions.entries()) {
              await client.query('begin')
              for (const text of statements) {
                await client.query('savepoint s')
                // Some of them fail, and leave nothing behind.
                await client.query(text).then(
                  () => client.query(pick % 7 === index ? 'rollback to s' : 'release s'),
                  () => client.query('rollback to s'),
                )
              }
              await client.query(pick % 5 === index ? 'rollback' : 'commit')
            }
            const { fromLog, fromOutbox } = await settle()
            expect(comparable(withoutUnchanged(fromOutbox, fromLog))).toEqual(comparable(fromLog))
          },
        ),
        runs(8),
      )
    } finally {
      await client.end()
    }
  })

  // Where versions differ is what they write; how it is taken is the same.
  if (version === '15' && process.env.TEAHOUSE_SOAK !== '1') return

  it('tells transactions that overlap in an order that leads to the same rows, and skips none that commits late', async () => {
    const clients = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const client = new pg.Client({ connectionString: database.url })
        await client.connect()
        return client
      }),
    )
    await database.sql('truncate plain')
    await database.sql(`insert into plain (id, body) select i, 'start' from generate_series(1, 5) i`)
    await settle()
    // One that has its number first and commits last.
    const late = new pg.Client({ connectionString: database.url })
    await late.connect()
    await late.query(`begin; insert into full_table values (77, 'late')`)
    await Promise.all(
      clients.map(async (client, who) => {
        for (let round = 0; round < 30; round++) {
          const first = 1 + ((who + round) % 5)
          await client.query('begin; select pg_current_xact_id()')
          await client.query(`update plain set body = '${who}:${round}' where id = ${first}`)
          await client.query('commit')
        }
      }),
    )
    await late.query('commit')
    await Promise.all([...clients, late].map((client) => client.end()))
    const { fromLog, fromOutbox } = await settle()
    const final = (changes: readonly Change[]) =>
      Object.fromEntries(
        changes.flatMap((change) => (change.op === 'UPDATE' ? [[change.new?.[0], change.new?.[1]]] : [])),
      )
    expect(fromOutbox.length).toBe(fromLog.length)
    expect(final(fromOutbox)).toEqual(final(fromLog))
    const row = (id: string, changes: readonly Change[]) =>
      changes.flatMap((change) => (change.op === 'UPDATE' && change.new?.[0] === id ? [change.new?.[1]] : []))
    for (const each of ['1', '2', '3', '4', '5']) expect(row(each, fromOutbox)).toEqual(row(each, fromLog))
    expect(fromOutbox.some((change) => change.op === 'INSERT' && change.new?.[0] === '77')).toBe(true)
  })

  it('keeps what it was told after a large transaction in bounded pages, and leaves nothing behind', async () => {
    await database.sql(`insert into no_key select i, repeat('x', 100) from generate_series(1, 5000) i`)
    const sizes: number[] = []
    outbox.feed.listen({ changes: (batch) => void sizes.push(batch.length), resync: () => {} })
    const { fromOutbox } = await settle()
    expect(fromOutbox.map((change) => (change.op === 'INSERT' ? Number(change.new?.[0]) : 0))).toEqual(
      Array.from({ length: 5000 }, (_, index) => index + 1),
    )
    expect(Math.max(...sizes)).toBeLessThanOrEqual(500)
    await eventually(async () => {
      const lag = await outbox.feed.lag()
      return lag.bytes === 0
    }, 'the outbox is empty')
  })

  it('starts again where it was, and tells nothing twice when its connection is cut', async () => {
    for (let round = 0; round < 5; round++) {
      await database.sql(
        `insert into no_key select i, 'again' from generate_series(${round * 100 + 1}, ${round * 100 + 100}) i`,
      )
      await database.sql(
        `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'teahouse-feed-outbox' and datname = current_database()`,
      )
    }
    const { fromOutbox } = await settle()
    expect(fromOutbox.map((change) => (change.op === 'INSERT' ? Number(change.new?.[0]) : 0))).toEqual(
      Array.from({ length: 500 }, (_, index) => index + 1),
    )
  })

  it('records nothing when nobody has read for an hour, and says so when somebody does again', async () => {
    const { epoch } = outbox.feed
    const resyncs: string[] = []
    outbox.feed.listen({ changes: () => {}, resync: (reason) => resyncs.push(reason) })
    await outbox.feed.stop()
    await database.sql(`update teahouse.outbox_state set seen_at = now() - interval '2 hours'`)
    await database.sql(`insert into no_key values (1, 'nobody')`)
    const waiting = await database.owner.many({
      name: 'test.waiting',
      text: 'select 1 from teahouse.outbox',
      values: [],
    })
    expect(waiting).toEqual([])
    outbox = await start('outbox')
    expect(outbox.feed.epoch).not.toBe(epoch)
    await database.sql(`insert into no_key values (2, 'somebody')`)
    const { fromOutbox } = await settle()
    expect(fromOutbox.map((change) => (change.op === 'INSERT' ? change.new?.[1] : ''))).toEqual(['somebody'])
  })

  it('begins anew when somebody closed it, as a reset of the database does', async () => {
    const { epoch } = outbox.feed
    await database.sql('select teahouse.outbox_close()')
    await eventually(() => outbox.feed.epoch !== epoch, 'a new epoch', 20_000)
    await outbox.feed.ready()
    await database.sql(`insert into no_key values (3, 'anew')`)
    const { fromOutbox } = await settle()
    expect(fromOutbox.map((change) => (change.op === 'INSERT' ? change.new?.[1] : ''))).toEqual(['anew'])
  })

  it('takes its triggers away when the log is read instead', async () => {
    await outbox.feed.stop()
    await database.sql('select teahouse.outbox_close()')
    const left = await database.owner.many({
      name: 'test.triggers',
      text: `select tgname from pg_trigger where tgname like '00%'`,
      values: [],
    })
    expect(left).toEqual([])
    outbox = await start('outbox')
  })
})
