/** Indexes: found by the planner as the request role, unique with missing as null, through arrays, around places; and tables as collections. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { alice, bob, parse, server, startTestEngine, type TestEngine } from '../../../test/document-engine.ts'
import { runAs } from '../../db/scope.ts'
import { frag, statement } from '../../sql/sql.ts'
import { MetadataStore } from './metadata.ts'
import { parseQuery } from './parse-query.ts'
import { orderSql, planQuery } from './plan.ts'
import type { OrderBy } from './requests.ts'
import { collectionTarget } from './target.ts'

let engine: TestEngine
let documents: TestEngine['documents']

beforeAll(async () => {
  engine = await startTestEngine()
  documents = engine.documents
})
afterAll(() => engine.stop())

const index = (collection: string, name: string, fields: Record<string, 1 | -1 | '2dsphere'>, unique = false) =>
  documents.collections.createIndex(server, collection, {
    name,
    unique,
    fields: Object.entries(fields).map(([field, direction]) => ({ field, direction })),
  })

/** The plan of a find, as `authenticated`. */
const explain = async (collection: string, query: unknown, order: readonly OrderBy[] = []): Promise<string> => {
  const meta = await new MetadataStore(engine.db.owner).find(collection)
  if (meta === null) throw new Error('no collection')
  const target = collectionTarget(meta)
  const plan = planQuery(target, parseQuery(parse(query)))
  const text = frag`explain select d._id from ${target.from} where ${plan.where} order by ${orderSql(target, order)} limit 20`
  const scope = { role: 'authenticated', claims: alice.claimsText, searchPath: '"public"' }
  const [result] = await runAs(engine.db.requests, scope, [statement('test.explain', text)])
  return (result?.rows ?? []).map((row) => row[0]).join('\n')
}

describe('indexes', () => {
  beforeAll(async () => {
    await documents.collections.create(server, 'chatroom', 'READONLY')
    // Enough rows that reading them all costs more than looking.
    await engine.db.sql(`
      insert into cloud.chatroom (_id, _openid, doc)
      select 'm' || n, 'u' || n % 100,
             jsonb_build_object('groupId', 'g' || n % 20, 'sendTimeTS', 1700000000000 + n, 'tags', jsonb_build_array('t' || n % 300, 'x'),
                                'at', jsonb_build_object('type', 'Point', 'coordinates', jsonb_build_array(113 + (n % 100) / 100.0, 23 + (n / 100 % 20) / 100.0 + 0.15)))
        from generate_series(1, 2000) as n`)
    await index('chatroom', 'group', { groupId: 1, sendTimeTS: -1 })
    await index('chatroom', 'tags', { tags: 1 })
    await index('chatroom', 'place', { at: '2dsphere' })
    await engine.db.sql('analyze cloud.chatroom')
  })

  it('serve equality, ranges and order behind row-level security', async () => {
    const latest = await explain('chatroom', { groupId: 'g7', sendTimeTS: { $gt: 1700000000000 } }, [
      { field: 'sendTimeTS', direction: -1 },
    ])
    expect(latest).toMatch(/Index (Only )?Scan.*\n(.*\n)*?\s*Index Cond: .*\$k/)
    expect(latest).not.toContain('Seq Scan')
    expect(latest).not.toMatch(/^\s*Sort Key/m)
    expect(await explain('chatroom', { _openid: 'u7' })).toMatch(/Index Cond: .*_openid/)
    expect(await explain('chatroom', { _id: 'm7' })).toMatch(/Index Cond: .*_id/)
    expect(await explain('chatroom', { groupId: { $in: ['g1', 'g2'] }, sendTimeTS: 1700000000001 })).toMatch(
      /Index Cond: .*\$k/,
    )
  })

  it('serve elements of arrays, through a side table', async () => {
    const plan = await explain('chatroom', { tags: 't7' })
    expect(plan).not.toContain('Seq Scan')
    expect(plan).toMatch(/Index Cond: .*_id = ANY/)
    expect(await documents.count(bob, { collection: 'chatroom', query: parse({ tags: 't7' }) })).toBe(7)
    await documents.update(server, {
      collection: 'chatroom',
      query: parse({ _id: 'm7' }),
      update: parse({ $pull: { tags: 't7' } }),
    })
    expect(await documents.count(bob, { collection: 'chatroom', query: parse({ tags: 't7' }) })).toBe(6)
  })

  it('serve places', async () => {
    const near = {
      at: { $nearSphere: { $geometry: { type: 'Point', coordinates: [113.5, 23.25] }, $maxDistance: 1500 } },
    }
    const close = {
      at: { $nearSphere: { $geometry: { type: 'Point', coordinates: [113.5, 23.25] }, $maxDistance: 50 } },
    }
    expect(await explain('chatroom', close)).toMatch(/Index Cond: .*\$k/)
    const found = await engine.find(bob, 'chatroom', near, { limit: 3 })
    expect(found[0]).toMatchObject({ at: { coordinates: [113.5, 23.25] } })
    const region = { type: 'Polygon', coordinates: [[[113.005, 23.155], [113.035, 23.155], [113.035, 23.175], [113.005, 23.175], [113.005, 23.155]]] } // biome-ignore format: one square
    expect(
      await documents.count(bob, {
        collection: 'chatroom',
        query: parse({ at: { $geoWithin: { $geometry: region } } }),
      }),
    ).toBe(6)
  })

  it('notice the first array without being told', async () => {
    await documents.collections.create(server, 'flip', 'READONLY')
    await index('flip', 'a', { a: 1 })
    await engine.add(server, 'flip', { _id: '1', a: 'x' })
    expect(await engine.find(bob, 'flip', { a: 'x' })).toHaveLength(1)
    await engine.db.sql(`insert into cloud.flip (_id, doc) values ('2', '{"a": ["x", "y"]}')`)
    expect(await engine.find(bob, 'flip', { a: 'x' })).toHaveLength(2)
    expect(await engine.find(bob, 'flip', {}, { order: [{ field: 'a', direction: -1 }] })).toMatchObject([
      { _id: '2' },
      { _id: '1' },
    ])
    await engine.add(server, 'flip', { _id: '3', a: 'z'.repeat(3000) }, { _id: '4', a: `${'z'.repeat(2999)}a` })
    expect(await engine.find(bob, 'flip', { a: 'z'.repeat(3000) })).toMatchObject([{ _id: '3' }])
    expect(await engine.find(bob, 'flip', {}, { order: [{ field: 'a', direction: 1 }] })).toMatchObject([{ _id: '1' }, { _id: '2' }, { _id: '4' }, { _id: '3' }]) // biome-ignore format: one order
    await documents.collections.dropIndex(server, 'flip', 'a')
    expect(await engine.find(bob, 'flip', { a: 'x' })).toHaveLength(2)
  })
})

describe('unique indexes', () => {
  it('refuse a second document with the same key; missing and null are one key', async () => {
    await documents.collections.create(server, 'users', 'READONLY')
    await index('users', 'phone', { phone: 1 }, true)
    await index('users', 'pair', { 'a.b': 1, c: 1 }, true)
    await engine.add(server, 'users', { _id: '1', phone: '138', a: { b: 1 } })
    const duplicate = { reason: 'duplicate_key', code: 'conflict' }
    await expect(engine.add(server, 'users', { phone: '138', a: 2 })).rejects.toMatchObject({ ...duplicate, message: 'E11000 duplicate key error collection: users index: phone' }) // biome-ignore format: one error
    await engine.add(server, 'users', { _id: '2', c: 1 })
    await expect(engine.add(server, 'users', { phone: null, c: 2 })).rejects.toMatchObject(duplicate)
    await engine.add(server, 'users', { _id: '3', phone: ['139', '140'], c: 3 })
    await expect(engine.add(server, 'users', { phone: '140', c: 4 })).rejects.toMatchObject(duplicate)
    await expect(engine.add(server, 'users', { _id: '1', phone: 'x', c: 5 })).rejects.toMatchObject({ ...duplicate, message: 'E11000 duplicate key error collection: users index: _id_' }) // biome-ignore format: one error
    const claim = (phone: string, _id: string) => documents.update(server, { collection: 'users', query: parse({ _id }), update: parse({ $set: { phone } }) }) // biome-ignore format: one sentence
    await expect(claim('139', '1')).rejects.toMatchObject(duplicate)
    expect(await claim('138', '1')).toMatchObject({ matched: 1, updated: 0 })
    await documents.remove(server, { collection: 'users', query: parse({ _id: '3' }) })
    expect(await claim('139', '1')).toMatchObject({ updated: 1 })
  })

  it('let one of many win', async () => {
    const tries = await Promise.allSettled(
      Array.from({ length: 8 }, (_, n) => engine.add(server, 'users', { phone: 'same', c: `n${n}` })),
    )
    expect(tries.filter((each) => each.status === 'fulfilled')).toHaveLength(1)
  })
})

describe('a relational table', () => {
  beforeAll(async () => {
    await engine.db.sql(`
      create table public.goods (id int primary key, name text not null, price numeric, made timestamptz, tags text[], info jsonb, _openid text);
      alter table public.goods enable row level security;
      create policy all_read on public.goods for select using (true);
      create policy own on public.goods for all using (_openid = auth.openid()) with check (_openid = auth.openid())`)
  })

  it('is a collection: columns are fields, the key is _id', async () => {
    await engine.add(alice, 'goods', {
      _id: 1,
      name: 'tea',
      price: 2.5,
      made: { $date: 1700000000000 },
      tags: ['a', 'b'],
      info: { x: 1 },
    })
    await engine.add(server, 'goods', { _id: 2, name: 'cup', _openid: 'bob' })
    expect(await engine.find(bob, 'goods', { price: { $gt: 2 } })).toEqual([
      {
        _id: 1,
        _openid: 'alice',
        id: 1,
        name: 'tea',
        price: 2.5,
        made: { $date: 1700000000000 },
        tags: ['a', 'b'],
        info: { x: 1 },
      },
    ])
    expect(
      await engine.find(bob, 'goods', { tags: 'b', 'info.x': 1, made: { $lt: { $date: 1800000000000 } } }),
    ).toHaveLength(1)
    expect(await engine.find(bob, 'goods', {}, { order: [{ field: 'name', direction: 1 }] })).toMatchObject([
      { _id: 2 },
      { _id: 1 },
    ])
    const raise = (who: typeof alice, _id: number) => documents.update(who, { collection: 'goods', query: parse({ _id }), update: parse({ $inc: { price: 1 }, $push: { tags: 'c' } }) }) // biome-ignore format: one sentence
    expect(await raise(bob, 1)).toMatchObject({ matched: 0 })
    expect(await raise(alice, 1)).toMatchObject({ updated: 1 })
    expect(await engine.find(bob, 'goods', { _id: 1 })).toMatchObject([{ price: 3.5, tags: ['a', 'b', 'c'] }])
    await expect(engine.add(alice, 'goods', { _id: 3, nothing: 1 })).rejects.toMatchObject({ reason: 'invalid_param' })
    await expect(engine.add(alice, 'goods', { _id: 3 })).rejects.toMatchObject({ reason: 'invalid_value' })
    expect(await documents.remove(bob, { collection: 'goods', query: parse({}), multi: true })).toBe(1)
    expect(await documents.count(server, { collection: 'goods', query: parse({}) })).toBe(1)
  })
})
