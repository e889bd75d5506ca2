/** Members of one channel that speak different protocols see each other, and come back after the server was killed. */
import { createServer } from 'node:net'
import { createClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, expect, it } from 'vitest'
import WebSocket from 'ws'
import { startServer, type TestServer, temporaryFolder } from '../support/server.ts'
import { until } from '../support/until.ts'
import { closeAll, type Loose } from './tools.ts'
import { openPhone, type Phone } from './world.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let server: TestServer
let phone: Phone
const clients: Loose[] = []

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0))
    })
  })

const start = (port: string) => startServer({ dataDir: folder.path, args: ['--port', port] })

beforeAll(async () => {
  folder = await temporaryFolder()
  server = await start(String(await freePort()))
  phone = await openPhone(server.report)
})
afterAll(async () => {
  await closeAll(clients)
  phone.realm.close()
  await server.stop()
  await folder.remove()
})

const old = (): Loose => {
  const client = phone.open()
  clients.push(client)
  return client
}
const modern = (): Loose => {
  const client = createClient(server.report.url, server.report.anonKey, {
    auth: { persistSession: false },
    // Its own type of a WebSocket is narrower than the package's.
    realtime: { transport: WebSocket as never },
  })
  clients.push(client)
  return client
}
const joined = (channel: Loose): Promise<Loose> =>
  new Promise((resolve) => channel.subscribe((status: string) => status === 'SUBSCRIBED' && resolve(channel)))

it('broadcasts reach both protocols from both, also in a channel with a Chinese name (event names must be ASCII: 2.109 cuts others to bytes)', async () => {
  const heard: unknown[] = []
  const listen = (channel: Loose, who: string) =>
    channel.on('broadcast', { event: 'pour' }, ({ payload }: Loose) => heard.push(`${who} ${payload.cup}`))
  const first = await joined(listen(old().channel('茶馆'), 'old'))
  const second = await joined(listen(modern().channel('茶馆'), 'modern'))
  await first.send({ type: 'broadcast', event: 'pour', payload: { cup: '一' } })
  await until('the old one heard by the modern one', () => heard.includes('modern 一'))
  await second.send({ type: 'broadcast', event: 'pour', payload: { cup: '二' } })
  await until('the modern one heard by the old one', () => heard.includes('old 二'))
  expect(heard).toEqual(['modern 一', 'old 二'])
})

it('bytes reach modern members as bytes, and old ones as Base64 in an object', async () => {
  const heard = new Map<string, Loose>()
  const listen = (channel: Loose, who: string) =>
    channel.on('broadcast', { event: 'bytes' }, ({ payload }: Loose) => heard.set(who, payload))
  await joined(listen(old().channel('bytes'), 'old'))
  await joined(listen(modern().channel('bytes'), 'modern'))
  const sender = await joined(modern().channel('bytes'))
  await sender.send({ type: 'broadcast', event: 'bytes', payload: new Uint8Array([0, 255, 1]).buffer })
  await until('both', () => heard.size === 2)
  expect([...new Uint8Array(heard.get('modern'))]).toEqual([0, 255, 1])
  expect(heard.get('old').base64).toBe(Buffer.from([0, 255, 1]).toString('base64'))
})

it('presence of either is seen by the other, until it leaves', async () => {
  const [before, after] = [old(), modern()]
  const watched = (client: Loose, key: string) =>
    client.channel('tables', { config: { presence: { key } } }).on('presence', { event: 'sync' }, () => {})
  const first = await joined(watched(before, 'old'))
  const second = await joined(watched(after, 'modern'))
  await first.track({ table: 1 })
  await second.track({ table: 2 })
  const keys = (channel: Loose) => Object.keys(channel.presenceState()).sort().join()
  await until('both with both', () => keys(first) === 'modern,old' && keys(second) === 'modern,old')
  await first.untrack()
  await until('the leave', () => keys(second) === 'modern' && keys(first) === 'modern')
  await after.removeAllChannels()
  await until('the other leave', () => keys(first) === '')
})

it('members of both protocols find each other again after the server was killed', async () => {
  await closeAll(clients)
  const heard: string[] = []
  const joins = { old: 0, modern: 0 }
  const join = (client: Loose, who: 'old' | 'modern') => {
    const channel = client.channel('again')
    channel.on('broadcast', { event: 'e' }, ({ payload }: Loose) => heard.push(`${who} ${payload.n}`))
    channel.subscribe((status: string) => {
      if (status === 'SUBSCRIBED') joins[who] += 1
    })
    return channel
  }
  const [first, second] = [join(old(), 'old'), join(modern(), 'modern')]
  await until('both joined', () => joins.old > 0 && joins.modern > 0)
  const { port } = new URL(server.report.url)
  await server.kill9()
  server = await start(port)
  await until('both joined again', () => joins.old > 1 && joins.modern > 1, { within: 40_000 })
  await first.send({ type: 'broadcast', event: 'e', payload: { n: 1 } })
  await second.send({ type: 'broadcast', event: 'e', payload: { n: 2 } })
  await until('both messages', () => heard.includes('modern 1') && heard.includes('old 2'))
}, 90_000)
