/** The published, unmodified supabase-wechat-stable-v2 in Node realms. */
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type MockSupabase, startMockSupabase } from '../testing/mock-supabase.ts'
import { until } from '../testing/until.ts'
import { createRealm, type Realm } from './realm.ts'

// Hoisted by the workspace; a dependency of the conformance package.
const baseDir = fileURLToPath(new URL('../../../../conformance', import.meta.url))

interface Channel {
  on(kind: string, filter: object, run: (payload: { new: { text: string } }) => void): Channel
  subscribe(run: (status: string) => void): Channel
}

interface Client {
  from(table: string): {
    select(columns: string): PromiseLike<{ data: { data?: unknown[] } & unknown[]; error: unknown }>
    insert(row: object): PromiseLike<{ error: unknown }>
  }
  channel(name: string): Channel
  removeAllChannels(): Promise<unknown>
}

let server: MockSupabase
beforeAll(async () => {
  server = await startMockSupabase()
})
afterAll(() => server.stop())

const open = async (): Promise<{ realm: Realm; client: Client }> => {
  const realm = await createRealm({ baseDir, entry: 'supabase-wechat-stable-v2' })
  const { createClient } = realm.require('supabase-wechat-stable-v2') as {
    createClient(url: string, key: string): Client
  }
  return { realm, client: createClient(server.url, 'anon-key') }
}

test('one realm inserts, another hears of it through its channel', async () => {
  const [alice, bob] = [await open(), await open()]
  const heard: string[] = []
  let status = ''
  bob.client
    .channel('room')
    .on('postgres_changes', { event: 'INSERT', schema: 'public', table: 'messages' }, ({ new: row }) =>
      heard.push(row.text),
    )
    .subscribe((next) => {
      status = next
    })
  await until(() => status === 'SUBSCRIBED', 'the subscription')
  const { error } = await alice.client.from('messages').insert({ text: '茶' })
  expect(error).toBeNull()
  await until(() => heard.length > 0, 'the change')
  expect(heard).toEqual(['茶'])
  const rows = await bob.client.from('messages').select('*')
  expect(rows.data).toHaveLength(1)
  const request = server.seen.find((one) => one.method === 'GET')
  expect(request?.headers['apikey']).toBe('anon-key')
  expect(request?.headers['referer']).toBe('https://servicewechat.com/touristappid/devtools/page-frame.html')
  alice.realm.close()
  bob.realm.close()
  await until(() => server.connections() === 0, 'the sockets to close')
})

test('the realm has no globals of browsers or Node', async () => {
  const { realm } = await open()
  for (const name of [
    'window',
    'document',
    'fetch',
    'WebSocket',
    'URL',
    'TextEncoder',
    'Buffer',
    'process',
    'Response',
    'localStorage',
  ])
    expect(realm.evaluate(`typeof ${name}`), name).toBe('undefined')
  expect(() => realm.evaluate('Response')).toThrow('Response is not defined')
  expect(() => realm.evaluate('eval("1")')).toThrow()
  expect(() => realm.evaluate('new Function("return 1")()')).toThrow()
  realm.close()
})
