/** SQL decides as memory does: keys, queries with and without indexes, and orders, over random documents. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runs } from '../../../test/arbitraries.ts'
import { server, startTestEngine, type TestEngine } from '../../../test/document-engine.ts'
import { document, order, type Plain, query, update } from '../../../test/documents.ts'
import { pattern, patternText } from '../../../test/patterns.ts'
import { compareValues } from '../../expr/bson/compare.ts'
import { keyOf } from '../../expr/bson/key.ts'
import { matches } from '../../expr/bson/match.ts'
import { compareDocuments } from '../../expr/bson/order.ts'
import { matchesPattern, patternSql, readPattern } from '../../expr/bson/regex.ts'
import { type Doc, fieldOf, type Value } from '../../expr/bson/value.ts'
import { sql } from '../../sql/sql.ts'
import { docFromJsonText, fromJson } from './ejson.ts'
import { parseQuery } from './parse-query.ts'
import { orderTerms } from './reading.ts'
import { toStored } from './stored.ts'
import { applyUpdate, parseUpdate } from './update/apply.ts'

let engine: TestEngine
let documents: TestEngine['documents']
let all: Doc[] = []

beforeAll(async () => {
  engine = await startTestEngine()
  documents = engine.documents
  all = fc.sample(document, { seed: 7, numRuns: 150 }).map((plain, place) => docFromJsonText(JSON.stringify({ ...plain, _id: `d${String(place).padStart(3, '0')}` }))) // biome-ignore format: one sentence
  for (const name of ['plain', 'indexed']) {
    await documents.collections.create(server, name, 'ADMINONLY')
    await documents.insert(server, { collection: name, documents: all })
  }
  for (const [name, fields] of Object.entries({ a: ['a'], b: ['b', 'c'], n: ['b.a'], m: ['c.b', 'a'] })) {
    await documents.collections.createIndex(server, 'indexed', { name, unique: false, fields: fields.map((field) => ({ field, direction: 1 })) }) // biome-ignore format: one object
  }
})
afterAll(() => engine.stop())

const ids = (found: readonly Doc[]) => found.map((each) => fieldOf(each, '_id'))
const parsed = (plain: Plain): Doc => docFromJsonText(JSON.stringify(plain))

const SPECIAL = [
  { $numberLong: '9007199254740993' },
  { $numberLong: '9007199254740992' },
  { $numberLong: '-9007199254740993' },
  { $numberLong: '9223372036854775807' },
  { $numberLong: '-9223372036854775808' },
  { $numberLong: '5' },
  { $numberDouble: '5.0' },
  { $numberDouble: 'NaN' },
  { $numberDouble: 'Infinity' },
  { $numberDouble: '-Infinity' },
  { $numberDouble: '-0.0' },
  { $numberDouble: '1e300' },
  { $numberDouble: '9223372036854775808' },
  { $numberDouble: '5e-324' },
  { $date: 0 },
  { $date: -1 },
  { $date: 1700000000000 },
  { $binary: { base64: 'AAE=', subType: '00' } },
  { $binary: { base64: 'AAEC', subType: '00' } },
  { $regularExpression: { pattern: 'a', options: 'i' } },
  { $timestamp: { t: 1, i: 2 } },
  { $minKey: 1 },
  { $maxKey: 1 },
  '\u{10000}',
  '\uffff',
  [],
  {},
  [[]],
  [null],
  { a: null },
  { a: 1, b: 2 },
  { b: 1 },
]

describe('values in the database', () => {
  it('have the same keys, and the keys have the same order', async () => {
    const values: Value[] = [
      ...SPECIAL.map((each) => fromJson(each)),
      ...fc.sample(fc.oneof(document, fc.double({ noNaN: true }), fc.string().map((text) => text.replaceAll('\0', ''))), { seed: 3, numRuns: 200 }).map((each) => fromJson(each as never)), // biome-ignore format: one sentence
    ]
    const rows = await engine.db.owner.many<{ key: Buffer }>(sql('test.keys')`
      select bson.key(each.value) as key
        from unnest(${values.map(toStored)}::jsonb[]) with ordinality as each(value, place)
       order by each.place`)
    for (const [place, value] of values.entries())
      expect([toStored(value), rows[place]?.key.toString('hex')]).toEqual([
        toStored(value),
        keyOf(value).toString('hex'),
      ])
    const keyed = values.map((value) => ({ value, key: keyOf(value) }))
    const wrong = keyed.flatMap((a) =>
      keyed
        .filter((b) => Math.sign(Buffer.compare(a.key, b.key)) !== Math.sign(compareValues(a.value, b.value)))
        .map((b) => [toStored(a.value), toStored(b.value)]),
    )
    expect(wrong).toEqual([])
  })

  it('match patterns as memory does', async () => {
    const sources = fc.sample(pattern, { seed: 11, numRuns: 120 })
    const texts = fc.sample(patternText, { seed: 12, numRuns: 40 })
    for (const options of ['', 'im']) {
      const patterns = sources.map((source) => readPattern(source, options))
      const rows = await engine.db.owner.many<{ hits: boolean[] }>(sql('test.patterns')`
        select (select array_agg(t.text ~ p.pattern order by t.place) from unnest(${texts}::text[]) with ordinality as t(text, place)) as hits
          from unnest(${patterns.map(patternSql)}::text[]) with ordinality as p(pattern, place)
         order by p.place`)
      for (const [place, each] of patterns.entries())
        expect([each.source, options, rows[place]?.hits]).toEqual([each.source, options, texts.map((text) => matchesPattern(each, text))]) // biome-ignore format: one sentence
    }
  })

  it('answer queries as memory does, with and without indexes', async () => {
    await fc.assert(
      fc.asyncProperty(query, async (plain) => {
        const q = parsed(plain)
        const condition = parseQuery(q)
        const expected = ids(all.filter((each) => matches(condition, each)))
        for (const collection of ['plain', 'indexed'])
          expect([collection, ids(await documents.find(server, { collection, query: q, limit: null }))]).toEqual([collection, expected]) // biome-ignore format: one sentence
        expect(await documents.count(server, { collection: 'indexed', query: q })).toBe(expected.length)
      }),
      runs(50),
    )
  })

  it('are changed as memory changes them', async () => {
    await documents.collections.create(server, 'changed', 'ADMINONLY')
    let count = 0
    const top = fc.tuple(fc.constantFrom('a', 'b'), fc.constantFrom(1, -3, 0.5, 'x', null, 2_000_000_000)).map(([field, v]) => (typeof v === 'number' ? { $inc: { [field]: v } } : { $set: { [field]: v }, $unset: { c: '' } })) // biome-ignore format: one sentence
    await fc.assert(
      fc.asyncProperty(document, fc.oneof(update, top), async (plain, change) => {
        count += 1
        const before = docFromJsonText(JSON.stringify({ ...plain, _id: `c${count}` }))
        await documents.insert(server, { collection: 'changed', documents: [before] })
        const query = parsed({ _id: `c${count}` })
        const attempt = async (work: () => Promise<Doc> | Doc) => {
          try {
            return keyOf(await work()).toString('hex')
          } catch (error) {
            return String(error)
          }
        }
        const expected = await attempt(() =>
          applyUpdate(parseUpdate(parsed(change), 0), before, { inserting: false, now: 0 }),
        )
        const got = await attempt(async () => {
          await documents.update(server, { collection: 'changed', query, update: parsed(change) })
          return (await documents.find(server, { collection: 'changed', query, limit: 1 }))[0] ?? before
        })
        expect([JSON.stringify(change), got]).toEqual([JSON.stringify(change), expected])
      }),
      runs(70),
    )
  })

  it('are sorted as memory sorts them, page by page', async () => {
    await fc.assert(
      fc.asyncProperty(order, query, fc.nat(20), async (terms, plain, skip) => {
        const by = Object.entries(terms).map(([field, direction]) => ({ field, direction: direction === 1 ? (1 as const) : (-1 as const) })) // biome-ignore format: one sentence
        const condition = parseQuery(parsed(plain))
        const found = all.filter((each) => matches(condition, each))
        // Equal documents keep the order of insertion, or its reverse when the last field goes down.
        const start = by.at(-1)?.direction === -1 ? found.reverse() : found
        const expected = ids(start.sort(compareDocuments(orderTerms(by)))).slice(skip, skip + 10)
        for (const collection of ['plain', 'indexed'])
          expect([collection, ids(await documents.find(server, { collection, query: parsed(plain), order: by, skip, limit: 10 }))]).toEqual([collection, expected]) // biome-ignore format: one sentence
      }),
      runs(30),
    )
  })
})
