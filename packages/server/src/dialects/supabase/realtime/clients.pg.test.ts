/** The official client against the realtime endpoint. */

import type { WebSocketLikeConstructor } from '@supabase/realtime-js'
import { createClient, type RealtimeChannel, type SupabaseClient } from '@supabase/supabase-js'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { createTestDatabase, type Major, type TestDatabase } from '../../../../test/database.ts'
import { eventually, type RealtimeServer, startRealtimeServer } from '../../../../test/realtime.ts'

const ALICE = '11111111-1111-4111-8111-111111111111'
const BOB = '22222222-2222-4222-8222-222222222222'

describe.each<Major>(['18', '15'])('supabase-js on PostgreSQL %s', (version) => {
  let database: TestDatabase
  let server: RealtimeServer
  const clients: SupabaseClient[] = []

  const connect = (key = server.keys.anonKey, vsn?: string): SupabaseClient => {
    // The transport's type is the browser's; ws is what the client's own documentation names for Node.
    const transport = WebSocket as unknown as WebSocketLikeConstructor
    const client = createClient(server.url, key, {
      realtime: { transport, ...(vsn && { vsn }) },
      auth: { persistSession: false },
    })
    clients.push(client)
    return client
  }

  const signedIn = async (sub: string): Promise<SupabaseClient> => {
    const client = connect()
    await client.realtime.setAuth(await server.token({ sub }))
    return client
  }

  const subscribe = (channel: RealtimeChannel): Promise<RealtimeChannel> =>
    new Promise((resolve, reject) => {
      channel.subscribe((status, error) => {
        if (status === 'SUBSCRIBED') resolve(channel)
        else if (status !== 'CLOSED') reject(new Error(`${status} ${error?.message ?? ''}`))
      })
    })

  beforeAll(async () => {
    database = await createTestDatabase(version)
    await database.sql(`
      create table messages (id bigint generated always as identity primary key, text text, author uuid, tags text[], at timestamptz default now());
      create table notes (id int primary key, owner uuid not null, body text);
      alter table notes enable row level security;
      create policy own on notes for select to authenticated using ((select auth.uid()) = owner);
      alter publication supabase_realtime add table messages, notes;
    `)
    server = await startRealtimeServer(database)
  })

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.realtime.disconnect()))
  })

  afterAll(async () => {
    await server.stop()
    await database.drop()
  })

  it.each(['1.0.0', '2.0.0'])('tells inserts, updates and deletes of a public table (protocol %s)', async (vsn) => {
    const seen: unknown[] = []
    const client = connect(server.keys.anonKey, vsn)
    await subscribe(
      client
        .channel('room')
        .on('postgres_changes', { event: '*', schema: 'public', table: 'messages' }, (payload) => seen.push(payload)),
    )
    await database.sql(
      `insert into messages (text, tags) values ('你好', '{a,"b c"}'); update messages set text = 'x'; delete from messages;`,
    )
    await eventually(() => seen.length === 3, 'three changes')
    expect(seen).toMatchObject([
      {
        eventType: 'INSERT',
        schema: 'public',
        table: 'messages',
        new: { text: '你好', tags: ['a', 'b c'], author: null },
        old: {},
        errors: null,
      },
      { eventType: 'UPDATE', new: { text: 'x' } },
      { eventType: 'DELETE', new: {} },
    ])
    const [, update, remove] = seen as { old: Record<string, unknown> }[]
    expect(Object.keys(update?.old ?? {})).toEqual(['id'])
    expect(Object.keys(remove?.old ?? {})).toEqual(['id'])
  })

  it('tells only rows that row-level security admits, deletes too', async () => {
    const alice: unknown[] = []
    const bob: unknown[] = []
    for (const [sub, seen] of [
      [ALICE, alice],
      [BOB, bob],
    ] as const) {
      const client = await signedIn(sub)
      await subscribe(
        client
          .channel('notes')
          .on('postgres_changes', { event: '*', schema: 'public', table: 'notes' }, (p) =>
            seen.push([p.eventType, p.new, p.old]),
          ),
      )
    }
    await database.sql(`
      insert into notes values (1, '${ALICE}', 'a'), (2, '${BOB}', 'b');
      update notes set body = 'c' where id = 1;
      delete from notes;`)
    await eventually(() => alice.length === 3 && bob.length === 2, 'own changes')
    expect(alice).toEqual([
      ['INSERT', { id: 1, owner: ALICE, body: 'a' }, {}],
      ['UPDATE', { id: 1, owner: ALICE, body: 'c' }, { id: 1 }],
      ['DELETE', {}, { id: 1 }],
    ])
    expect(bob.map((each) => (each as unknown[])[0])).toEqual(['INSERT', 'DELETE'])
    expect(server.services.live.stats().queries).toBe(0)
  })

  it('relays broadcasts between protocols, text and bytes', async () => {
    const old = connect(server.keys.anonKey, '1.0.0')
    const young = connect(server.keys.anonKey, '2.0.0')
    const seen: unknown[] = []
    const a = await subscribe(
      old.channel('talk').on('broadcast', { event: '*' }, (p) => seen.push(['old', p.event, p.payload])),
    )
    const b = await subscribe(
      young
        .channel('talk', { config: { broadcast: { ack: true, self: true } } })
        .on('broadcast', { event: '*' }, (p) => seen.push(['young', p.event, p.payload])),
    )
    expect(await b.send({ type: 'broadcast', event: 'hi', payload: { text: '你好' } })).toBe('ok')
    await a.send({ type: 'broadcast', event: 'yo', payload: { n: 1 } })
    await b.send({ type: 'broadcast', event: 'bytes', payload: new Uint8Array([1, 2, 3]).buffer })
    await eventually(() => seen.length === 5, 'five deliveries')
    expect(seen).toContainEqual(['old', 'hi', { text: '你好' }])
    expect(seen).toContainEqual(['young', 'hi', { text: '你好' }])
    expect(seen).toContainEqual(['young', 'yo', { n: 1 }])
    expect(seen).toContainEqual(['old', 'bytes', { base64: 'AQID' }])
  })

  it('keeps presence of everybody and notices who leaves', async () => {
    const one = connect()
    const two = connect()
    const a = one.channel('lobby', { config: { presence: { key: 'one' } } })
    const b = two.channel('lobby', { config: { presence: { key: 'two' } } })
    for (const channel of [a, b]) channel.on('presence', { event: 'sync' }, () => {})
    await subscribe(a)
    await subscribe(b)
    expect(await a.track({ name: '甲' })).toBe('ok')
    expect(await b.track({ name: '乙' })).toBe('ok')
    const names = (channel: RealtimeChannel) => Object.keys(channel.presenceState()).sort().join()
    await eventually(() => names(a) === 'one,two' && names(b) === 'one,two', 'both see both')
    await a.track({ name: '丙' })
    await eventually(() => JSON.stringify(b.presenceState().one)?.includes('丙'), 'the change is seen')
    expect(b.presenceState().one).toHaveLength(1)
    await two.realtime.disconnect()
    await eventually(() => names(a) === 'one', 'the leave is seen')
  })

  it('leaves and joins again', async () => {
    const client = connect()
    const channel = await subscribe(client.channel('again'))
    expect(await channel.unsubscribe()).toBe('ok')
    await subscribe(client.channel('again'))
  })

  it('sends broadcasts over HTTP and from SQL', async () => {
    const client = connect()
    const seen: unknown[] = []
    await subscribe(client.channel('news').on('broadcast', { event: '*' }, (p) => seen.push([p.event, p.payload])))
    const other = connect()
    expect(await other.channel('news').httpSend('flash', { n: 1 })).toEqual({ success: true })
    expect(await other.channel('news').send({ type: 'broadcast', event: 'slow', payload: { n: 2 } })).toBe('ok')
    await database.sql(`select realtime.send('{"n": 3}', 'sql', 'news', false)`)
    await eventually(() => seen.length === 3, 'three broadcasts')
    expect(seen).toMatchObject([
      ['flash', { n: 1 }],
      ['slow', { n: 2 }],
      ['sql', { n: 3 }],
    ])
  })

  it('lets policies decide about private channels', async () => {
    await database.sql(`
      create policy read on realtime.messages for select to authenticated using (realtime.topic() = 'secret' and auth.uid() = '${ALICE}');
      create policy write on realtime.messages for insert to authenticated with check (realtime.topic() = 'secret' and extension = 'broadcast');`)
    const config = { config: { private: true, broadcast: { ack: true } } }
    const bob = await signedIn(BOB)
    await expect(subscribe(bob.channel('secret', config))).rejects.toThrow(/permissions/)
    const alice = await signedIn(ALICE)
    const channel = await subscribe(alice.channel('secret', config))
    expect(await channel.send({ type: 'broadcast', event: 'x', payload: {} })).toBe('ok')
    const outside = connect()
    const seen: unknown[] = []
    await subscribe(outside.channel('secret').on('broadcast', { event: '*' }, (p) => seen.push(p)))
    await channel.send({ type: 'broadcast', event: 'y', payload: {} })
    const fence = await subscribe(outside.channel('fence', { config: { broadcast: { self: true } } }))
    await fence.send({ type: 'broadcast', event: 'z', payload: {} })
    expect(seen).toEqual([])
  })
})
