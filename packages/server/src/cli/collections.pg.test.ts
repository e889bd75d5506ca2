/** `teahouse collections` on a database: what it makes, lists and refuses. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import type { Config } from '../config/config.ts'
import {
  createCollection,
  createIndex,
  dropCollection,
  dropIndex,
  listCollections,
  setPermission,
} from './collections.ts'

let db: TestDatabase
let config: Config
const printed: string[] = []
const terminal = { out: (text: string) => printed.push(text), say: () => {} }
const list = async (): Promise<readonly string[]> => {
  printed.length = 0
  await listCollections(config, terminal)
  return [...printed]
}

beforeAll(async () => {
  db = await createTestDatabase()
  // Only what these commands look at.
  config = { databaseUrl: db.url, json: false } as unknown as Config
})
afterAll(() => db.drop())

it('makes, permits, indexes, lists and drops', async () => {
  await createCollection(config, 'rooms', 'READONLY')
  await createCollection(config, '聊天', '{"read": "doc.room == 1", "write": false}')
  await createIndex(config, { collection: 'rooms', name: 'pair', fields: ['p_b', '~p_s'], unique: true })
  await createIndex(config, { collection: 'rooms', name: 'at', fields: ['at:2dsphere'], unique: false })
  expect(await list()).toEqual(['rooms\tREADONLY\tpair at', '聊天\t{"read":"doc.room == 1","write":false}\t'])
  await setPermission(config, 'rooms', '仅创建者可读写')
  await dropIndex(config, 'rooms', 'pair')
  await dropCollection(config, '聊天')
  config = { ...config, json: true }
  expect((await list()).map((line) => JSON.parse(line))).toEqual([
    {
      name: 'rooms',
      permission: 'PRIVATE',
      indexes: [{ name: 'at', fields: [{ field: 'at', direction: '2dsphere' }], unique: false }],
    },
  ])
})

it('refuses with one clear line', async () => {
  await expect(createCollection(config, 'bad name', 'READONLY')).rejects.toMatchObject({ reason: 'invalid_value' })
  await expect(setPermission(config, 'rooms', '{"read": "doc."}')).rejects.toThrow('lacks a name')
  await expect(setPermission(config, 'rooms', '{"read"')).rejects.toThrow('not JSON')
  await expect(setPermission(config, 'rooms', 'EVERYONE')).rejects.toThrow('there is no permission')
  await expect(dropCollection(config, 'nothing')).rejects.toMatchObject({ reason: 'collection_not_exist' })
})
