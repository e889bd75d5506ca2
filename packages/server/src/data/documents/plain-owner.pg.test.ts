/** Documents where the owner is no superuser and nobody bypasses row-level security. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { asAdmin } from '../../../test/database.ts'
import { alice, bob, parse, server } from '../../../test/document-engine.ts'
import { startTestCluster, type TestCluster } from '../../../test/postgres.ts'
import { toClientConfig } from '../../../test/shared-clusters.ts'
import { CatalogService } from '../../db/catalog/service.ts'
import { Pool } from '../../db/pool.ts'
import { prepareDatabase } from '../../db/prepare/prepare.ts'
import { systemClock } from '../../kernel/clock.ts'
import { randomIds } from '../../kernel/ids.ts'
import { createDocuments, type Documents } from './documents.ts'

const name = 'plain'
let cluster: TestCluster
let owner: Pool
let requests: Pool
let catalog: CatalogService
let documents: Documents & { stop(): Promise<void> }

beforeAll(async () => {
  // A cluster of its own: roles are shared by all databases of a cluster.
  cluster = await startTestCluster({ version: 15 })
  await asAdmin(cluster.url, `create role ${name} login createrole password 'x'`)
  await asAdmin(cluster.url, `create database ${name} owner ${name}`)
  const connection = toClientConfig(cluster.urlOf({ database: name, user: name, password: 'x' }))
  owner = new Pool({ connection, max: 3, applicationName: 'plain owner' })
  const { login } = await prepareDatabase(owner, connection, randomIds)
  requests = new Pool({
    connection: login.connection,
    max: 5,
    applicationName: 'plain requests',
    serviceRole: login.serviceRole,
  })
  catalog = new CatalogService({ pool: owner, connection, clock: systemClock, onError: () => {} })
  await catalog.start()
  documents = createDocuments({ owner, requests, catalog, clock: systemClock, ids: randomIds, schemas: ['public'] })
})
afterAll(async () => {
  await documents.stop()
  await catalog.stop()
  await Promise.all([owner.end(), requests.end()])
  await cluster.stop()
})

it('serve everyone as they do elsewhere', async () => {
  await documents.collections.create(server, 'notes', 'PRIVATE')
  await documents.collections.create(server, 'open', {
    read: 'get(`database.notes.n1`).n == 1',
    write: 'doc._openid == auth.openid',
  })
  await documents.collections.createIndex(server, 'notes', {
    name: 'tags',
    unique: true,
    fields: [{ field: 'tags', direction: 1 }],
  })
  await documents.insert(alice, { collection: 'notes', documents: [parse({ _id: 'n1', n: 1, tags: ['a', 'b'] })] })
  await expect(documents.insert(bob, { collection: 'notes', documents: [parse({ tags: 'b' })] })).rejects.toMatchObject(
    { reason: 'duplicate_key' },
  )
  expect(await documents.find(bob, { collection: 'notes', query: parse({}), limit: 5 })).toEqual([])
  expect(await documents.find(server, { collection: 'notes', query: parse({ tags: 'a' }), limit: 5 })).toHaveLength(1)
  expect(
    await documents.update(server, {
      collection: 'notes',
      query: parse({ _id: 'n1' }),
      update: parse({ $set: { _openid: 'bob' } }),
    }),
  ).toMatchObject({ updated: 1 })
  expect(await documents.find(bob, { collection: 'notes', query: parse({ tags: 'a' }), limit: 5 })).toHaveLength(1)
  await documents.insert(bob, { collection: 'open', documents: [parse({ _id: 'o' })] })
  expect(await documents.count(alice, { collection: 'open', query: parse({}) })).toBe(1)
  const mine = parse({ _id: 'o', _openid: '{openid}' })
  expect(
    await documents.update(bob, { collection: 'open', query: mine, update: parse({ $push: { l: 1 } }) }),
  ).toMatchObject({ updated: 1 })
  expect(await documents.remove(bob, { collection: 'open', query: mine })).toBe(1)
  await documents.collections.drop(server, 'open')
})
