/** Document collections through the instant API: `Accept-Profile: cloud`, under the collection's own permission. */
import fastify, { type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { alice, nobody, parse, server, startTestEngine, type TestEngine } from '../../../../test/document-engine.ts'
import { CatalogService } from '../../../db/catalog/service.ts'
import type { Caller } from '../../../identity/caller.ts'
import { systemClock } from '../../../kernel/clock.ts'
import { restDialect } from './plugin.ts'

let engine: TestEngine
let catalog: CatalogService
let app: FastifyInstance
let who: Caller = alice

beforeAll(async () => {
  engine = await startTestEngine()
  await engine.documents.collections.create(server, 'rooms', 'READONLY')
  await engine.documents.collections.createIndex(server, 'rooms', { name: 'n', unique: false, fields: [{ field: 'n', direction: 1 }] }) // biome-ignore format: one index
  await engine.add(server, 'rooms', { _id: 'r1', _openid: 'bob', n: 1, at: { $date: 5 } })
  catalog = new CatalogService({ pool: engine.db.owner, connection: engine.db.connection, clock: systemClock })
  await catalog.start()
  app = fastify()
  app.addHook('onRequest', async (request) => {
    request.caller = who
  })
  void app.register(restDialect({ pool: engine.db.requests, catalog, config: { schemas: ['public', 'cloud'] } }), { prefix: '/rest/v1' }) // biome-ignore format: one plugin
})
afterAll(async () => {
  await app.close()
  await catalog.stop()
  await engine.stop()
})

const profile = { 'accept-profile': 'cloud', 'content-profile': 'cloud', prefer: 'return=representation' }

it('shows documents as rows, without what only the server needs', async () => {
  const answer = await app.inject({ url: '/rest/v1/rooms?doc->>n=eq.1', headers: profile })
  expect(answer.json()).toEqual([{ _id: 'r1', _openid: 'bob', doc: { n: 1, at: { $date: 5 } } }])
})

it('writes documents that belong to who wrote them', async () => {
  const answer = await app.inject({
    method: 'POST',
    url: '/rest/v1/rooms',
    headers: profile,
    payload: { _id: 'r2', _openid: 'bob', doc: { n: 2 } },
  })
  expect([answer.statusCode, answer.json()]).toEqual([201, [{ _id: 'r2', _openid: 'alice', doc: { n: 2 } }]])
  expect(await engine.find(nobody, 'rooms', { n: { $gt: 1 } })).toEqual([{ _id: 'r2', _openid: 'alice', n: 2 }])
  const others = await app.inject({
    method: 'PATCH',
    url: '/rest/v1/rooms?_id=eq.r1',
    headers: profile,
    payload: { doc: {} },
  })
  expect(others.json()).toEqual([])
  who = nobody
  const refused = await app.inject({ method: 'POST', url: '/rest/v1/rooms', headers: profile, payload: { doc: {} } })
  expect(refused.statusCode).toBe(401)
  await engine.documents.update(alice, {
    collection: 'rooms',
    query: parse({ _id: 'r2' }),
    update: parse({ $inc: { n: 5 } }),
  })
  const read = await app.inject({ url: '/rest/v1/rooms?select=_id,n:doc->n&order=_id', headers: profile })
  expect(read.json()).toEqual([{ _id: 'r1', n: 1 }, { _id: 'r2', n: 7 }]) // biome-ignore format: two rooms
})
