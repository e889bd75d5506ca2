/** Who may do what: presets, security rules, the refusal of queries that reach beyond a rule, and the row-level security below both. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { alice, bob, nobody, parse, server, startTestEngine, type TestEngine } from '../../../test/document-engine.ts'
import { rowsAs } from '../../db/scope.ts'
import { equalValues } from '../../expr/bson/compare.ts'
import { Long } from '../../expr/bson/value.ts'
import type { Caller } from '../../identity/caller.ts'
import { compare, compute } from '../../policy/rules/values.ts'
import { ident, sql } from '../../sql/sql.ts'
import { fromJson } from './ejson.ts'
import { fromStored, toStored } from './stored.ts'

let engine: TestEngine
let documents: TestEngine['documents']

beforeAll(async () => {
  engine = await startTestEngine()
  documents = engine.documents
})
afterAll(() => engine.stop())

const change = (who: Caller, collection: string, query: unknown, update: unknown) =>
  documents.update(who, { collection, query: parse(query), update: parse(update), multi: true })
const remove = (who: Caller, collection: string, query: unknown) =>
  documents.remove(who, { collection, query: parse(query), multi: true })
const denied = { reason: 'permission_denied', code: 'forbidden' }

/** As PostgREST would: plain SQL under the caller's role. */
const asSql = (who: Caller, collection: string) =>
  rowsAs(
    engine.db.requests,
    { role: who.role, claims: who.claimsText, searchPath: '"public"' },
    sql('test.rows')`
    select _id from ${ident('cloud', collection)} order by _id`,
  )

describe('presets', () => {
  const rows = async (preset: 'READONLY' | 'PRIVATE' | 'ADMINWRITE' | 'ADMINONLY') => {
    const name = preset.toLowerCase()
    await documents.collections.create(server, name, preset)
    await engine.add(server, name, { _id: 'hers', _openid: 'alice' }, { _id: 'his', _openid: 'bob' }, { _id: 'ours' })
    return name
  }

  it('READONLY: everyone reads, creators write', async () => {
    const name = await rows('READONLY')
    expect(await engine.find(bob, name, {})).toHaveLength(3)
    expect(await engine.find(nobody, name, {})).toHaveLength(3)
    expect(await change(alice, name, {}, { $set: { x: 1 } })).toMatchObject({ matched: 1, updated: 1 })
    expect(await remove(bob, name, { _id: 'hers' })).toBe(0)
    await engine.add(bob, name, { _id: 'new' })
    expect(await engine.find(bob, name, { _id: 'new' })).toEqual([{ _id: 'new', _openid: 'bob' }])
    await expect(engine.add(nobody, name, { _id: 'x' })).rejects.toMatchObject(denied)
  })

  it('PRIVATE: only creators read and write', async () => {
    const name = await rows('PRIVATE')
    expect(await engine.find(alice, name, {})).toEqual([{ _id: 'hers', _openid: 'alice' }])
    expect(await engine.find(nobody, name, {})).toEqual([])
    expect(await documents.count(bob, { collection: name, query: parse({ _id: 'hers' }) })).toBe(0)
    expect(await asSql(alice, name)).toEqual([{ _id: 'hers' }])
  })

  it('ADMINWRITE: everyone reads, nobody writes', async () => {
    const name = await rows('ADMINWRITE')
    expect(await engine.find(bob, name, {})).toHaveLength(3)
    await expect(engine.add(alice, name, { _id: 'x' })).rejects.toMatchObject(denied)
    await expect(change(alice, name, {}, { $set: { x: 1 } })).rejects.toMatchObject(denied)
  })

  it('ADMINONLY: nobody reads', async () => {
    const name = await rows('ADMINONLY')
    await expect(engine.find(alice, name, {})).rejects.toMatchObject(denied)
    expect(await asSql(alice, name)).toEqual([])
    expect(await engine.find(server, name, {})).toHaveLength(3)
  })

  it('keep the owner what it is', async () => {
    await expect(engine.add(alice, 'readonly', { _openid: 'bob' })).rejects.toMatchObject(denied)
    await expect(change(alice, 'readonly', { _id: 'hers' }, { $set: { _openid: 'bob' } })).rejects.toMatchObject(denied)
    await engine.db.sql(
      `set role authenticated; set request.jwt.claims = '{"sub":"alice"}'; insert into cloud.readonly (_id, _openid, doc) values ('sly', 'bob', '{"_openid": "bob"}')`,
    )
    expect(await engine.find(server, 'readonly', { _id: 'sly' })).toEqual([{ _id: 'sly', _openid: 'alice' }])
  })

  it('can be named in Chinese, and changed by SQL at once', async () => {
    await engine.db.sql(`select cloud.create_collection('zh', '仅创建者可读写')`)
    await engine.add(server, 'zh', { _id: 'a', _openid: 'bob' })
    expect(await engine.find(alice, 'zh', {})).toEqual([])
    await engine.db.sql(`select cloud.set_permission('zh', '所有用户可读')`)
    expect(await engine.find(alice, 'zh', {})).toHaveLength(1)
    await engine.db.sql(`select cloud.set_permission('zh', '{"read": false}')`)
    await expect(engine.find(alice, 'zh', {})).rejects.toMatchObject(denied)
  })
})

describe('security rules', () => {
  const collection = async (name: string, rule: object, ...docs: readonly unknown[]) => {
    await documents.collections.create(server, name, rule)
    await engine.add(server, name, ...docs)
    return name
  }

  it('refuse a query that could reach beyond them, and allow one that cannot', async () => {
    const name = await collection('rooms', { read: 'doc.p_b == auth.openid || doc.p_s == auth.openid', write: false }, { _id: '1', p_b: 'alice', p_s: 'bob' }, { _id: '2', p_b: 'carol', p_s: 'dave' }) // biome-ignore format: one collection
    await expect(engine.find(alice, name, {})).rejects.toMatchObject(denied)
    await expect(engine.find(alice, name, { _id: '1' })).rejects.toMatchObject(denied)
    await expect(engine.find(alice, name, { p_b: 'carol' })).rejects.toMatchObject(denied)
    expect(await engine.find(alice, name, { p_b: '{openid}' })).toMatchObject([{ _id: '1' }])
    expect(await engine.find(bob, name, { $or: [{ p_b: 'bob' }, { p_s: 'bob' }] })).toMatchObject([{ _id: '1' }])
    await expect(engine.add(alice, name, { p_b: 'alice' })).rejects.toMatchObject(denied)
    expect(await asSql(bob, name)).toEqual([{ _id: '1' }])
    await expect(engine.find(nobody, name, { p_b: 'alice' })).rejects.toMatchObject(denied)
  })

  it('compare, combine and look into lists', async () => {
    const name = await collection(
      'posts',
      { read: "doc.age >= 18 && doc.state in ['open', 'new'] && auth.openid in doc.members && doc.hidden != true" },
      { _id: 'a', age: 20, state: 'open', members: ['alice'] },
    )
    const good = { age: { $gt: 20 }, state: 'new', members: 'alice', hidden: false }
    expect(await engine.find(alice, name, good)).toEqual([])
    for (const missing of Object.keys(good)) {
      const weaker = Object.fromEntries(Object.entries(good).filter(([key]) => key !== missing))
      await expect(engine.find(alice, name, weaker), missing).rejects.toMatchObject(denied)
    }
    await expect(engine.find(alice, name, { ...good, age: { $gt: 17 } })).rejects.toMatchObject(denied)
    expect(await asSql(alice, name)).toEqual([{ _id: 'a' }])
    expect(await asSql(bob, name)).toEqual([])
  })

  it('see the data of a write, and the document before it', async () => {
    const name = await collection(
      'goods',
      {
        read: true,
        create: 'request.data.price > 0 && request.data.name.length < 5',
        update: 'doc._openid == auth.openid && request.data.price > 0',
        delete: false,
      },
      { _id: 'g', _openid: 'alice', price: 1, name: 'tea' },
    )
    await expect(engine.add(bob, name, { price: 0, name: 'x' })).rejects.toMatchObject(denied)
    await expect(engine.add(bob, name, { price: 1, name: 'too long' })).rejects.toMatchObject(denied)
    const [id] = await engine.add(bob, name, { price: 2, name: 'cup' })
    const mine = { _id: 'g', _openid: '{openid}' }
    await expect(change(alice, name, { _id: 'g' }, { $set: { price: 3 } })).rejects.toMatchObject(denied)
    await expect(change(alice, name, mine, { $set: { price: -3 } })).rejects.toMatchObject(denied)
    expect(await change(alice, name, mine, { $set: { price: 3 } })).toMatchObject({ updated: 1 })
    expect(await change(bob, name, mine, { $set: { price: 3 } })).toMatchObject({ updated: 0 })
    await expect(remove(bob, name, { _id: id })).rejects.toMatchObject(denied)
  })

  it('may let somebody write who may not read', async () => {
    const name = await collection('box', { read: false, create: true, update: "doc.open == true", delete: 'doc.open == true' }, { _id: 'a', open: true }, { _id: 'b', open: false }) // biome-ignore format: one collection
    await expect(engine.find(alice, name, { open: true })).rejects.toMatchObject(denied)
    expect(await change(alice, name, { open: true }, { $set: { open: false, by: 'alice' } })).toMatchObject({
      updated: 1,
    })
    expect(await engine.find(server, name, { by: 'alice' })).toMatchObject([{ _id: 'a', open: false }])
    expect(await remove(alice, name, { open: true })).toBe(0)
    await engine.add(alice, name, { _id: 'c', open: true })
    expect(await remove(alice, name, { open: true })).toBe(1)
  })

  it('look up other documents, by what the query fixes', async () => {
    await collection('members', { read: false }, { _id: 'r1-alice', level: 2 })
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the rule language has templates of its own
    const name = await collection('chat', { read: 'get(`database.members.${doc.room}-${auth.openid}`).level >= 2' }, { _id: 'm', room: 'r1', text: 'hi' }) // biome-ignore format: one collection
    expect(await engine.find(alice, name, { room: 'r1' })).toMatchObject([{ text: 'hi' }])
    await expect(engine.find(alice, name, {})).rejects.toMatchObject(denied)
    await expect(engine.find(bob, name, { room: 'r1' })).rejects.toMatchObject(denied)
    expect(await asSql(alice, name)).toEqual([{ _id: 'm' }])
    expect(await asSql(bob, name)).toEqual([])
  })

  it('compute in the database as they are computed here', async () => {
    const values = [null, true, false, 0, 1, -2.5, 'a', 'b', '', '1', { $date: 1 }, { $date: 5 }, [1, 'a'], [], { a: 1 }, { x: null }, { $numberLong: '9007199254740993' }].map((each) => fromJson(each)) // biome-ignore format: one list
    const signs = ['==', '!=', '<', '<=', '>', '>=', 'in', '+', '-', '*', '%']
    const cases = values.flatMap((a) => values.flatMap((b) => signs.map((sign) => ({ a, sign, b }))))
    const rows = await engine.db.owner.many<{ answer: string | null }>(sql('test.rules')`
      select case when c.sign in ('+', '-', '*', '%') then bson.rule_compute(c.a, c.sign, c.b) else to_jsonb(bson.rule_compare(c.a, c.sign, c.b)) end::text as answer
        from unnest(${cases.map((each) => toStored(each.a))}::jsonb[], ${cases.map((each) => each.sign)}::text[], ${cases.map((each) => toStored(each.b))}::jsonb[]) with ordinality as c(a, sign, b, place)
       order by c.place`)
    const wrong = cases.filter(({ a, sign, b }, place) => {
      // Sums beyond 2^53 are exact in the database only.
      if ([a, b].some((each) => each instanceof Long) && ['+', '-', '*', '%'].includes(sign)) return false
      const ours = ['+', '-', '*', '%'].includes(sign) ? compute(a, sign, b) : compare(a, sign, b)
      const theirs = rows[place]?.answer ?? null
      return !equalValues(ours ?? null, theirs === null ? null : fromStored(theirs))
    })
    expect(wrong.map(({ a, sign, b }) => `${toStored(a)} ${sign} ${toStored(b)}`)).toEqual([])
  })

  it('are refused when they cannot be read', async () => {
    for (const read of [
      'doc.',
      'doc.x ===',
      '(doc.x',
      'process.exit()',
      'doc.x == "',
      '',
      'x'.repeat(1025),
      'require("fs")',
    ])
      await expect(documents.collections.create(server, 'broken', { read }), read).rejects.toMatchObject({
        reason: 'invalid_param',
      })
    await expect(documents.collections.create(server, 'broken', JSON.parse('{"raed": true}'))).rejects.toMatchObject({ reason: 'invalid_param' }) // biome-ignore format: one sentence
    expect((await documents.collections.list(server)).map((each) => each.name)).not.toContain('broken')
  })

  it('are managed by the service role only', async () => {
    await expect(documents.collections.create(alice, 'mine')).rejects.toMatchObject(denied)
    await expect(documents.collections.list(alice)).rejects.toMatchObject(denied)
    await expect(documents.transactions.start(alice)).rejects.toMatchObject(denied)
  })
})

describe('names', () => {
  it('of collections are checked, and unknown ones are refused', async () => {
    await expect(engine.find(alice, 'nowhere', {})).rejects.toMatchObject({
      reason: 'collection_not_exist',
      code: 'not_found',
    })
    await expect(documents.collections.create(server, 'rooms')).rejects.toMatchObject({ reason: 'collection_exists' })
    for (const name of ['', 'a b', 'a"b', 'x'.repeat(61)])
      await expect(documents.collections.create(server, name), name).rejects.toBeInstanceOf(Error)
    await documents.collections.drop(server, 'rooms')
    await expect(engine.find(server, 'rooms', {})).rejects.toMatchObject({ reason: 'collection_not_exist' })
  })
})
