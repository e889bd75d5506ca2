/** Three generations of the official client in one channel: the mini-program one (protocol 1), supabase-js for Node 20, and the latest. */
import type { WebSocketLikeConstructor } from '@supabase/realtime-js'
import * as current from '@supabase/supabase-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { createTestDatabase, type TestDatabase } from '../../../../test/database.ts'
import { eventually, type RealtimeServer, startRealtimeServer } from '../../../../test/realtime.ts'

/** The part of a channel that all generations have. */
interface AnyChannel {
  on(type: string, filter: Record<string, unknown>, callback: (payload: Record<string, unknown>) => void): AnyChannel
  subscribe(callback: (status: string, error?: Error) => void): AnyChannel
  send(message: Record<string, unknown>): Promise<string>
  track(payload: Record<string, unknown>): Promise<string>
  untrack(): Promise<string>
  unsubscribe(): Promise<string>
  presenceState(): Record<string, readonly Record<string, unknown>[]>
}

interface AnyClient {
  channel(name: string, options?: unknown): AnyChannel
  readonly realtime: { disconnect(): unknown }
}

/** What the mini-program client uses of `wx`: a SocketTask over ws, and storage. */
const miniProgram = () => {
  const stored = new Map<string, unknown>()
  return {
    connectSocket: ({ url }: { url: string }) => {
      const socket = new WebSocket(url)
      return {
        get readyState() {
          return socket.readyState
        },
        onOpen: (callback: (result: unknown) => void) => void socket.on('open', () => callback({})),
        onClose: (callback: (result: unknown) => void) =>
          void socket.on('close', (code, reason) => callback({ code, reason: String(reason) })),
        onError: (callback: (result: unknown) => void) =>
          void socket.on('error', (error) => callback({ errMsg: error.message })),
        onMessage: (callback: (result: unknown) => void) =>
          void socket.on('message', (data, binary) => callback({ data: binary ? data : String(data) })),
        send: ({ data }: { data: string }) => socket.send(data),
        close: () => socket.close(1000),
      }
    },
    getStorageSync: (key: string) => stored.get(key) ?? '',
    setStorageSync: (key: string, value: unknown) => void stored.set(key, value),
    removeStorageSync: (key: string) => void stored.delete(key),
  }
}

let database: TestDatabase
let server: RealtimeServer
const clients: AnyClient[] = []

beforeAll(async () => {
  Object.assign(globalThis, { wx: miniProgram() })
  database = await createTestDatabase()
  await database.sql(
    'create table message (id bigint generated always as identity primary key, body text); alter publication supabase_realtime add table message',
  )
  server = await startRealtimeServer(database)
  const transport = WebSocket as unknown as WebSocketLikeConstructor
  const options = { realtime: { transport }, auth: { persistSession: false } }
  const { createClient: latest } = await import('supabase-js-latest')
  const { createClient: wechat } = await import('supabase-wechat-stable-v2')
  const { url, keys } = server
  // Three packages with three type worlds; AnyClient is what this test uses of each.
  clients.push(
    wechat(url, keys.anonKey) as unknown as AnyClient,
    current.createClient(url, keys.anonKey, options) as unknown as AnyClient,
    latest(url, keys.publishableKey, options) as unknown as AnyClient,
  )
})

afterAll(async () => {
  for (const client of clients) await client.realtime.disconnect()
  Reflect.deleteProperty(globalThis, 'wx')
  await server.stop()
  await database.drop()
})

const subscribed = (channel: AnyChannel): Promise<void> =>
  new Promise((resolve, reject) => {
    channel.subscribe((status, error) => {
      if (status === 'SUBSCRIBED') resolve()
      else if (status !== 'CLOSED') reject(new Error(`${status}: ${error?.message}`))
    })
  })

describe('three generations in one channel', () => {
  it('see each other, each change and each message, in every combination', async () => {
    const changes: unknown[][] = clients.map(() => [])
    const messages: string[][] = clients.map(() => [])
    const leaves: string[][] = clients.map(() => [])
    const channels = clients.map((client, index) =>
      client
        .channel('hall', { config: { broadcast: { ack: true, self: false }, presence: { key: `user-${index}` } } })
        .on('postgres_changes', { event: 'INSERT', schema: 'public', table: 'message' }, (payload) =>
          changes[index]?.push(payload.new),
        )
        .on('postgres_changes', { event: '*', schema: 'public' }, () => {})
        .on('broadcast', { event: '*' }, ({ event, payload }) =>
          messages[index]?.push(`${event} ${(payload as { from: string }).from}`),
        )
        .on('presence', { event: 'leave' }, ({ key }) => leaves[index]?.push(String(key)))
        .on('presence', { event: 'sync' }, () => {}),
    )
    await Promise.all(channels.map(subscribed))

    await database.sql(`insert into message (body) values ('大家好')`)
    await eventually(() => changes.every((list) => list.length === 1), 'everyone has the change')
    expect(changes).toEqual(clients.map(() => [{ id: 1, body: '大家好' }]))

    for (const [index, channel] of channels.entries()) {
      expect(await channel.send({ type: 'broadcast', event: 'hello', payload: { from: `用户${index}` } })).toBe('ok')
    }
    await eventually(() => messages.every((list) => list.length === 2), 'everyone has what the others said')
    expect(messages.map((list) => [...list].sort())).toEqual([
      ['hello 用户1', 'hello 用户2'],
      ['hello 用户0', 'hello 用户2'],
      ['hello 用户0', 'hello 用户1'],
    ])

    for (const [index, channel] of channels.entries()) expect(await channel.track({ name: `茶客${index}` })).toBe('ok')
    const everybody = (channel: AnyChannel) =>
      Object.entries(channel.presenceState())
        .map(([key, [first]]) => `${key} ${first?.name}`)
        .sort()
    const all = ['user-0 茶客0', 'user-1 茶客1', 'user-2 茶客2']
    await eventually(() => channels.every((channel) => everybody(channel).length === 3), 'everyone sees everyone')
    expect(channels.map(everybody)).toEqual([all, all, all])

    for (const [index, channel] of channels.entries()) await channel.track({ name: `新${index}` })
    const renamed = ['user-0 新0', 'user-1 新1', 'user-2 新2']
    await eventually(
      () => channels.every((channel) => everybody(channel).join() === renamed.join()),
      `everyone is renamed`,
    )
    expect(channels.map((channel) => Object.values(channel.presenceState()).map((metas) => metas.length))).toEqual([
      [1, 1, 1],
      [1, 1, 1],
      [1, 1, 1],
    ])

    expect(await channels[0]?.untrack()).toBe('ok')
    await eventually(
      () => channels.slice(1).every((channel) => everybody(channel).length === 2),
      'the untracked one is gone',
    )
    expect(await channels[2]?.unsubscribe()).toBe('ok')
    await eventually(() => everybody(channels[1] as AnyChannel).join() === 'user-1 新1', 'the one who left is gone')
    expect(server.errors).toEqual([])
  })
})
