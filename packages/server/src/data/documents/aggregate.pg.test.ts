/** Pipelines on a database: what is pushed down, joins under the caller's permissions, places, limits, and hostile documents. On the oldest PostgreSQL too. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { alice, bob, parse, server, startTestEngine, type TestEngine } from '../../../test/document-engine.ts'
import type { Caller } from '../../identity/caller.ts'
import { fromJson, toJson } from './ejson.ts'

for (const version of ['15', '18'] as const) {
  describe(`on PostgreSQL ${version}`, () => {
    let engine: TestEngine
    let documents: TestEngine['documents']
    const run = async (who: Caller, collection: string, ...stages: readonly Record<string, unknown>[]) => {
      const read = stages.flatMap((stage) =>
        Object.entries(stage).map(([name, value]) => ({ name, value: fromJson(value as never) })),
      )
      return (await documents.aggregate(who, { collection, stages: read })).map((doc) => toJson(doc, 'plain'))
    }

    beforeAll(async () => {
      engine = await startTestEngine(version)
      documents = engine.documents
      await documents.collections.create(server, 'orders', 'READONLY')
      await documents.collections.create(server, 'goods', 'READONLY')
      await documents.collections.create(server, 'secrets', 'PRIVATE')
      await engine.add(
        server,
        'orders',
        { _id: 'o1', of: 'g1', n: 2 },
        { _id: 'o2', of: ['g1', 'g2'], n: 5 },
        { _id: 'o3', n: 7 },
      )
      await engine.add(server, 'goods', { _id: 'g1', price: 3 }, { _id: 'g2', price: 4 }, { _id: 'g3' })
      await engine.add(
        server,
        'secrets',
        { _id: 's1', _openid: 'alice', of: 'g1' },
        { _id: 's2', _openid: 'bob', of: 'g1' },
      )
    })
    afterAll(() => engine.stop())

    it('match, sort, skip and limit as find does', async () => {
      const stages = [
        { $match: { n: { $gt: 1 } } },
        { $sort: { n: -1 } },
        { $skip: 1 },
        { $limit: 1 },
        { $match: { n: 5 } },
        { $project: { n: 1 } },
      ]
      expect(await run(bob, 'orders', ...stages)).toEqual([{ _id: 'o2', n: 5 }])
      expect(await run(bob, 'orders', { $limit: 2 }, { $match: { n: 7 } })).toEqual([])
      expect(await run(bob, 'orders', { $match: { $expr: { $gt: ['$n', 4] } } }, { $count: 'c' })).toEqual([{ c: 2 }])
      expect(await run(bob, 'orders', { $sample: { size: 2 } })).toHaveLength(2)
    })

    it('join by fields, also through arrays and for what is missing', async () => {
      const lookup = { $lookup: { from: 'goods', localField: 'of', foreignField: '_id', as: 'g' } }
      expect(await run(bob, 'orders', lookup, { $project: { 'g._id': 1 } })).toEqual([
        { _id: 'o1', g: [{ _id: 'g1' }] },
        { _id: 'o2', g: [{ _id: 'g1' }, { _id: 'g2' }] },
        { _id: 'o3', g: [] },
      ])
      expect(await run(bob, 'orders', { $match: { _id: 'o3' } }, { $lookup: { from: 'goods', localField: 'of', foreignField: 'price', as: 'g' } })).toEqual([{ _id: 'o3', n: 7, g: [{ _id: 'g3' }] }]) // biome-ignore format: one sentence
    })

    it('join by a pipeline with variables', async () => {
      const lookup = {
        $lookup: {
          from: 'goods',
          let: { id: '$of', n: '$n' },
          pipeline: [
            { $match: { $expr: { $and: [{ $eq: ['$_id', '$$id'] }, { $gt: ['$price', '$$n'] }] } } },
            { $project: { _id: 0, total: { $multiply: ['$price', '$$n'] } } },
          ],
          as: 'g',
        },
      }
      expect(await run(bob, 'orders', lookup, { $project: { g: 1 } })).toEqual([{ _id: 'o1', g: [{ total: 6 }] }, { _id: 'o2', g: [] }, { _id: 'o3', g: [] }]) // biome-ignore format: three documents
    })

    it('join only what the caller may see', async () => {
      const lookup = { $lookup: { from: 'secrets', localField: '_id', foreignField: 'of', as: 's' } }
      const [first] = await run(alice, 'goods', { $match: { _id: 'g1' } }, lookup)
      expect(first).toMatchObject({ s: [{ _id: 's1' }] })
      await documents.collections.setPermission(server, 'secrets', 'ADMINONLY')
      await expect(run(alice, 'goods', lookup)).rejects.toMatchObject({ reason: 'permission_denied' })
      await documents.collections.setPermission(server, 'secrets', 'PRIVATE')
    })

    it('measure distances', async () => {
      await documents.collections.create(server, 'places', 'READONLY')
      await documents.collections.createIndex(server, 'places', { name: 'at', unique: false, fields: [{ field: 'at', direction: '2dsphere' }] }) // biome-ignore format: one index
      const at = (longitude: number) => ({ type: 'Point', coordinates: [longitude, 0] })
      await engine.add(
        server,
        'places',
        { _id: 'far', at: at(2) },
        { _id: 'near', at: at(1) },
        { _id: 'away', at: at(9) },
        { _id: 'none' },
      )
      const geoNear = {
        $geoNear: {
          near: at(0),
          distanceField: 'd',
          key: 'at',
          maxDistance: 300_000,
          spherical: true,
          query: { _id: { $ne: 'x' } },
        },
      }
      const found = (await run(bob, 'places', geoNear)) as { _id: string; d: number }[]
      expect(found.map(({ _id, d }) => [_id, Math.round(d / 1000)])).toEqual([['near', 111], ['far', 223]]) // biome-ignore format: two places
      expect(await engine.find(bob, 'places', { at: { $nearSphere: { $geometry: at(8), $maxDistance: 2_000_000 } } })).toMatchObject([{ _id: 'away' }, { _id: 'far' }, { _id: 'near' }]) // biome-ignore format: one order
      expect(
        await engine.find(bob, 'places', { at: { $nearSphere: { $geometry: at(8) } } }, { limit: 1 }),
      ).toMatchObject([{ _id: 'away' }])
    })

    it('refuse documents that are too large', async () => {
      const big = { collection: 'goods', documents: [parse({ text: 'x'.repeat(16 * 1024 * 1024) })] }
      await expect(documents.insert(server, big)).rejects.toMatchObject({
        reason: 'document_too_large',
        code: 'too_large',
      })
    })

    it('refuse documents that cannot be stored', async () => {
      expect(() => parse({ text: 'a\0b' })).toThrow(expect.objectContaining({ reason: 'invalid_value' }))
      for (const bad of [
        { $set: 1 },
        { 'a.b': 1 },
        { a: { $x: 1 } },
        { _id: { x: 1 } },
        { _id: '' },
        JSON.parse('{"__proto__": 1}'),
      ])
        await expect(engine.add(server, 'goods', bad), JSON.stringify(bad)).rejects.toMatchObject({
          reason: 'invalid_param',
        })
      await expect(engine.add(server, 'goods', { _id: 'g1' })).rejects.toMatchObject({ reason: 'duplicate_key' })
    })

    it('keep numeric keys numbers', async () => {
      await documents.collections.create(server, 'numbered', 'READONLY')
      expect(await engine.add(server, 'numbered', { _id: 5, a: 1 }, { _id: 12 }, { _id: 'x' })).toEqual([5, 12, 'x'])
      expect(await engine.find(bob, 'numbered', { _id: 5 })).toEqual([{ _id: 5, a: 1 }])
      expect(await engine.find(bob, 'numbered', { _id: '5' })).toEqual([])
      expect(await engine.find(bob, 'numbered', { _id: { $gt: 6 } })).toEqual([{ _id: 12 }])
      expect(await engine.find(bob, 'numbered', {}, { order: [{ field: '_id', direction: -1 }] })).toMatchObject([
        { _id: 'x' },
        { _id: 12 },
        { _id: 5 },
      ])
      expect(
        await documents.update(server, { collection: 'numbered', query: parse({ _id: 5 }), update: parse({ a: 2 }) }),
      ).toMatchObject({ updated: 1 })
      expect(await engine.find(bob, 'numbered', { a: 2 })).toEqual([{ _id: 5, a: 2 }])
    })
  })
}
