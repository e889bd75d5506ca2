/** Documents on a real PostgreSQL: what clients of each kind can do, and what the planner does for them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { alice, bob, nobody, parse, server, startTestEngine, type TestEngine } from '../../../test/document-engine.ts'
import type { Caller } from '../../identity/caller.ts'
import { docFromJsonText, fromJson, toJson } from './ejson.ts'

let engine: TestEngine
let documents: TestEngine['documents']

beforeAll(async () => {
  engine = await startTestEngine()
  documents = engine.documents
})
afterAll(() => engine.stop())

const d = parse
const find = (who: Caller, collection: string, query: unknown, more: object = {}) =>
  engine.find(who, collection, query, more)
const add = (who: Caller, collection: string, ...docs: unknown[]) => engine.add(who, collection, ...docs)

describe('documents', () => {
  it('are added, found, changed and removed', async () => {
    await documents.collections.create(server, 'notes', 'READONLY')
    const [id] = await add(alice, 'notes', { text: 'hello', n: 1, tags: ['a', 'b'], at: { $date: 1700000000000 } })
    expect(id).toMatch(/^[0-9a-f]{32}$/)
    expect(await find(bob, 'notes', { tags: 'b' })).toEqual([
      { _id: id, _openid: 'alice', text: 'hello', n: 1, tags: ['a', 'b'], at: { $date: 1700000000000 } },
    ])
    const change = { collection: 'notes', query: d({ _id: id }), update: d({ $inc: { n: 2 }, $push: { tags: 'c' } }) }
    expect(await documents.update(bob, change)).toMatchObject({ matched: 0, updated: 0 })
    expect(await documents.update(alice, change)).toMatchObject({ matched: 1, updated: 1 })
    expect(await find(bob, 'notes', { n: { $gt: 2 } })).toMatchObject([{ n: 3, tags: ['a', 'b', 'c'] }])
    expect(await documents.count(nobody, { collection: 'notes', query: d({}) })).toBe(1)
    expect(await documents.remove(bob, { collection: 'notes', query: d({ _id: id }) })).toBe(0)
    expect(await documents.remove(alice, { collection: 'notes', query: d({ _id: id }) })).toBe(1)
  })

  it('keep every type', async () => {
    await documents.collections.create(server, 'types', 'ADMINONLY')
    const all = {
      int: { $numberInt: '5' },
      long: { $numberLong: '5' },
      big: { $numberLong: '9007199254740993' },
      stamp: { $numberLong: '1700000000000' },
      double: { $numberDouble: '5.0' },
      half: { $numberDouble: '0.5' },
      huge: { $numberDouble: '1e+30' },
      nan: { $numberDouble: 'NaN' },
      minus: { $numberDouble: '-0.0' },
      decimal: { $numberDecimal: '1.50' },
      date: { $date: { $numberLong: '-5' } },
      nothing: null,
      yes: true,
      binary: { $binary: { base64: 'AAEC', subType: '00' } },
      regex: { $regularExpression: { pattern: 'a.b', options: 'i' } },
      point: { type: 'Point', coordinates: [{ $numberInt: '113' }, { $numberDouble: '23.5' }] },
      list: [{ $numberDouble: '2.0' }, [], {}, [[{ $numberInt: '1' }]]],
      text: 'x 5.0, "y"',
      quote: { a: '5.00]' },
    }
    await documents.insert(server, {
      collection: 'types',
      documents: [docFromJsonText(JSON.stringify({ _id: 't', ...all }))],
    })
    const [found] = await documents.find(server, { collection: 'types', query: d({}), limit: 1 })
    const json = toJson(found ?? {}, 'canonical') as Record<string, unknown>
    // Whole exponents are written as Extended JSON writes them or not; the value is the same.
    expect({ ...json, huge: fromJson(json.huge as never) }).toEqual({ _id: 't', ...all, huge: 1e30 })
  })

  it('do not lose an increment', async () => {
    await documents.collections.create(server, 'counter', 'ADMINONLY')
    await add(server, 'counter', { _id: 'c', n: 0 })
    const change = { collection: 'counter', query: d({ _id: 'c' }), update: d({ $inc: { n: 1 } }) }
    await Promise.all(Array.from({ length: 40 }, () => documents.update(server, change)))
    expect(await find(server, 'counter', {})).toEqual([{ _id: 'c', n: 40 }])
  })

  it('are upserted once, however many try', async () => {
    const change = { collection: 'counter', query: d({ _id: 'u' }), update: d({ $inc: { n: 1 } }), upsert: true }
    const results = await Promise.all(Array.from({ length: 12 }, () => documents.update(server, change)))
    expect(results.filter((each) => each.upsertedId === 'u')).toHaveLength(1)
    expect(await find(server, 'counter', { _id: 'u' })).toEqual([{ _id: 'u', n: 12 }])
  })

  it('hand each job to one worker', async () => {
    await documents.collections.create(server, 'jobs', 'ADMINONLY')
    await add(server, 'jobs', ...Array.from({ length: 10 }, (_, n) => ({ _id: `j${n}`, open: true })))
    const claim = { collection: 'jobs', query: d({ open: true }), update: d({ $set: { open: false } }) }
    const claimed = await Promise.all(Array.from({ length: 12 }, () => documents.updateAndReturn(server, claim)))
    const ids = claimed.flatMap(({ document }) => (document === null ? [] : [document._id]))
    expect(new Set(ids).size).toBe(10)
    expect(ids).toHaveLength(10)
  })
})
