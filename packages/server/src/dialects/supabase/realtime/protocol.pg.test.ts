/** The wire itself: handshakes, joins, tokens, limits, and everything that a client must not send. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { createTestDatabase, type TestDatabase } from '../../../../test/database.ts'
import { eventually, type RealtimeServer, startRealtimeServer } from '../../../../test/realtime.ts'

const ALICE = '11111111-1111-4111-8111-111111111111'

interface Message {
  readonly topic: string
  readonly event: string
  readonly ref: string | null
  readonly payload: Record<string, unknown>
}

/** A bare protocol 1.0.0 socket. */
class Wire {
  readonly socket: WebSocket
  readonly seen: Message[] = []
  code: number | null = null

  constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('message', (data) => this.seen.push(JSON.parse(String(data))))
    socket.on('close', (code) => {
      this.code = code
    })
    socket.on('error', () => {})
  }

  send(event: string, payload: unknown = {}, extra: Record<string, unknown> = {}): void {
    this.socket.send(JSON.stringify({ topic: 'realtime:room', event, payload, ref: null, join_ref: '1', ...extra }))
  }

  /** The next message that fits, taken out. */
  async next(event: string, fits: (message: Message) => boolean = () => true): Promise<Message> {
    const at = () => this.seen.findIndex((message) => message.event === event && fits(message))
    await eventually(
      () => at() >= 0,
      `${event} among ${JSON.stringify(this.seen).slice(0, 500)} (closed: ${this.code})`,
      5000,
    )
    return this.seen.splice(at(), 1)[0] as Message
  }

  async ask(event: string, payload: unknown = {}, extra: Record<string, unknown> = {}): Promise<Message['payload']> {
    const ref = `r${Math.random()}`
    this.send(event, payload, { ref, ...extra })
    return (await this.next('phx_reply', (message) => message.ref === ref)).payload
  }

  join(config: unknown = {}, extra: Record<string, unknown> = {}): Promise<Message['payload']> {
    return this.ask('phx_join', { config, ...extra }, { join_ref: '1' })
  }

  bind(binding: Record<string, unknown>): Promise<Message['payload']> {
    return this.join({ postgres_changes: [{ event: '*', schema: 'public', table: 'note', ...binding }] })
  }
}

let database: TestDatabase
let server: RealtimeServer
const wires: Wire[] = []

const handshake = (query: string): Promise<{ status: number; body: string }> =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/realtime/v1/websocket?${query}`)
    socket.on('unexpected-response', (_request, response) => {
      let body = ''
      response.on('data', (part) => {
        body += part
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
    })
    socket.on('open', () => reject(new Error('it opened')))
    socket.on('error', () => {})
  })

const connect = async (key = server.keys.anonKey, base = server): Promise<Wire> => {
  const socket = new WebSocket(`${base.url.replace('http', 'ws')}/realtime/v1/websocket?apikey=${key}&vsn=1.0.0`)
  const wire = new Wire(socket)
  wires.push(wire)
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  return wire
}

beforeAll(async () => {
  database = await createTestDatabase()
  await database.sql(`
    create table note (id int primary key, owner uuid, body text, n int, secret text default 's');
    alter publication supabase_realtime add table note;
    create table unpublished (id int primary key);
    create table other (id int primary key, note int);
    alter publication supabase_realtime add table other;`)
  server = await startRealtimeServer(database)
})
afterEach(async () => {
  for (const wire of wires.splice(0)) wire.socket.terminate()
  await database.sql('truncate note, other')
})
afterAll(async () => {
  await server.stop()
  await database.drop()
})

describe('the handshake', () => {
  it.each([
    ['vsn=1.0.0', 401],
    ['apikey=&vsn=1.0.0', 401],
    ['apikey=nonsense&vsn=1.0.0', 401],
    ['apikey=sb_publishable_wrong&vsn=2.0.0', 401],
    ['apikey=x&vsn=3.0.0', 400],
  ])('refuses %s in HTTP and JSON', async (query, status) => {
    const answer = await handshake(query)
    expect(answer.status).toBe(status)
    expect(JSON.parse(answer.body)).toMatchObject({ message: expect.any(String) })
  })

  it('takes both kinds of keys', async () => {
    for (const key of [server.keys.anonKey, server.keys.publishableKey, server.keys.secretKey]) {
      expect(await (await connect(key)).join()).toMatchObject({ status: 'ok' })
    }
  })
})

describe('the socket', () => {
  it('answers heartbeats with an object', async () => {
    const wire = await connect()
    expect(await wire.ask('heartbeat', {}, { topic: 'phoenix' })).toEqual({ status: 'ok', response: {} })
  })

  it.each([
    ['an event nobody joined for', 'broadcast', {}, 'unmatched topic'],
    ['a join of a foreign topic', 'phx_join', { topic: 'room:1' }, 'unmatched topic'],
    ['a join without a name', 'phx_join', { topic: 'realtime:' }, 'TopicNameRequired'],
    ['a join with an endless name', 'phx_join', { topic: `realtime:${'x'.repeat(600)}` }, 'TopicNameRequired'],
    ['an unknown event of the phoenix topic', 'nonsense', { topic: 'phoenix' }, 'unmatched topic'],
  ])('answers %s with an error', async (_what, event, extra, reason) => {
    const answer = await (await connect()).ask(event, {}, extra)
    expect(answer).toMatchObject({ status: 'error', response: { reason: expect.stringContaining(reason) } })
  })

  it('answers an unknown event of a joined channel with an error', async () => {
    const wire = await connect()
    await wire.join()
    expect(await wire.ask('dance')).toMatchObject({
      status: 'error',
      response: { reason: 'UnhandledEventMessage: dance' },
    })
  })

  it.each([['not json'], ['[]'], ['{"topic":"a"}'], ['{"topic":{},"event":"x","ref":"1"}']])(
    'closes for %s, which nobody can be told about',
    async (text) => {
      const wire = await connect()
      wire.socket.send(text)
      await eventually(() => wire.code !== null, 'the close')
      expect(wire.code).toBe(1007)
    },
  )

  it('closes for bytes that are no message, and for messages that are too big', async () => {
    const wire = await connect()
    wire.socket.send(Buffer.from([9, 9, 9]))
    await eventually(() => wire.code === 1007, 'the close')
    const big = await connect()
    big.socket.send('x'.repeat(4 * 1024 * 1024))
    await eventually(() => big.code === 1009, 'the close')
  })

  it('tells a push with a wrong payload what is wrong', async () => {
    const wire = await connect()
    expect(await wire.ask('phx_join', 'nothing')).toMatchObject({
      status: 'error',
      response: { reason: expect.stringContaining('payload is an object') },
    })
    expect(await wire.join({ postgres_changes: 3 })).toMatchObject({
      status: 'error',
      response: { reason: expect.stringContaining('postgres_changes') },
    })
  })
})

describe('a channel', () => {
  it('is left with an answer and a close', async () => {
    const wire = await connect()
    await wire.join()
    expect(await wire.ask('phx_leave')).toEqual({ status: 'ok', response: {} })
    expect(await wire.next('phx_close')).toMatchObject({ ref: '1', payload: {} })
    expect(await wire.ask('phx_leave')).toEqual({ status: 'ok', response: {} })
  })

  it('is closed by a second join of its topic', async () => {
    const wire = await connect()
    await wire.join()
    expect(await wire.ask('phx_join', { config: {} }, { join_ref: '2' })).toMatchObject({ status: 'ok' })
    expect(await wire.next('phx_close')).toMatchObject({ ref: '1' })
    wire.send('phx_leave', {}, { join_ref: '1', ref: 'stale' })
    await wire.next('phx_reply', ({ ref }) => ref === 'stale')
    expect(
      await wire.ask('broadcast', { event: 'x', payload: {} }, { join_ref: '2' }).catch(() => 'no answer without ack'),
    ).toBe('no answer without ack')
  })

  it('sends the presence state after every join, to clients that do not ask for it', async () => {
    const wire = await connect()
    await wire.join()
    expect(await wire.next('presence_state')).toMatchObject({ payload: {} })
  })

  it('keeps several entries of one presence key apart, and drops each with its socket', async () => {
    const [watcher, phone, tablet] = [await connect(), await connect(), await connect()]
    await watcher.join()
    await watcher.next('presence_state')
    for (const device of [phone, tablet]) await device.join({ presence: { key: 'me' } })
    await phone.ask('presence', { type: 'presence', event: 'track', payload: { on: 'phone' } })
    await tablet.ask('presence', { type: 'presence', event: 'track', payload: { on: 'tablet', phx_ref: 'forged' } })
    const joins = async (device: string) =>
      watcher.next('presence_diff', ({ payload }) => JSON.stringify(payload.joins).includes(device))
    await joins('phone')
    expect(JSON.stringify(await joins('tablet'))).not.toContain('forged')
    const late = await connect()
    await late.join()
    expect((await late.next('presence_state')).payload).toMatchObject({
      me: { metas: [{ on: 'phone' }, { on: 'tablet' }] },
    })
    phone.socket.terminate()
    const left = await watcher.next('presence_diff', ({ payload }) => JSON.stringify(payload.leaves).includes('phone'))
    expect(JSON.stringify(left)).not.toContain('tablet')
    expect(await tablet.ask('presence', { type: 'presence', event: 'untrack' })).toMatchObject({ status: 'ok' })
    await watcher.next('presence_diff', ({ payload }) => JSON.stringify(payload.leaves).includes('tablet'))
  })

  it('refuses presence that is no object or too big, and events it does not know', async () => {
    const wire = await connect()
    await wire.join()
    for (const payload of [
      { event: 'track', payload: [] },
      { event: 'track', payload: { x: 'y'.repeat(70_000) } },
      { event: 'sit' },
      {},
    ]) {
      expect(await wire.ask('presence', { type: 'presence', ...payload })).toMatchObject({ status: 'error' })
    }
  })
})

describe('postgres_changes', () => {
  it('echoes bindings exactly, in order, with integers as ids', async () => {
    const wire = await connect()
    const bindings = [
      { event: 'INSERT', schema: 'public' },
      { event: '*', schema: 'public', table: 'note', filter: 'id=eq.1' },
      { event: '*', schema: '*' },
    ]
    const answer = await wire.join({ postgres_changes: bindings })
    const echoed = (answer.response as { postgres_changes: Record<string, unknown>[] }).postgres_changes
    expect(echoed.map(({ id, ...rest }) => rest)).toEqual(bindings)
    for (const { id } of echoed) expect(Number.isInteger(id)).toBe(true)
    expect((await wire.next('system')).payload).toEqual({
      extension: 'postgres_changes',
      status: 'ok',
      message: 'Subscribed to PostgreSQL',
      channel: 'room',
    })
    await database.sql(`insert into note (id) values (1)`)
    const change = (await wire.next('postgres_changes')).payload as { ids: number[]; data: Record<string, unknown> }
    expect([...change.ids].sort()).toEqual(echoed.map(({ id }) => id).sort())
    expect(change.data).toMatchObject({
      schema: 'public',
      table: 'note',
      type: 'INSERT',
      commit_timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      columns: [
        { name: 'id', type: 'int4' },
        { name: 'owner', type: 'uuid' },
        { name: 'body', type: 'text' },
        { name: 'n', type: 'int4' },
        { name: 'secret', type: 'text' },
      ],
      record: { id: 1, owner: null, body: null, n: null, secret: 's' },
      errors: null,
    })
    expect(change.data).not.toHaveProperty('old_record')
  })

  it.each([
    ['id=in.(1,3)', [1, 3]],
    ['n=gte.2', [2, 3]],
    ['n=neq.2', [1, 3]],
    ['n=not.eq.2,id=lt.3', [1]],
    ['body=like.a%', [1, 2]],
    ['body=ilike.A_', [2]],
    ['body=not.match.^a', [3]],
    ['body=imatch.^B', [3]],
    ['owner=is.null', [2, 3]],
    [`owner=eq.${ALICE.toUpperCase()}`, [1]],
    [`owner=isdistinct.${ALICE}`, [2, 3]],
  ])('filters by %s', async (filter, expected) => {
    const wire = await connect()
    await wire.bind({ filter, event: 'INSERT' })
    const fence = await connect()
    await fence.bind({ event: 'INSERT' })
    await wire.next('system')
    await database.sql(
      `insert into note (id, owner, body, n) values (1, '${ALICE}', 'a', 1), (2, null, 'ab', 2), (3, null, 'b', 3)`,
    )
    await fence.next('postgres_changes', ({ payload }) => JSON.stringify(payload).includes('"id":3'))
    await wire.ask('heartbeat', {}, { topic: 'phoenix' })
    expect(
      wire.seen
        .filter(({ event }) => event === 'postgres_changes')
        .map(({ payload }) => (payload.data as { record: { id: number } }).record.id),
    ).toEqual(expected)
  })

  it.each([
    [{ table: 'nonesuch' }, 'does not exist'],
    [{ table: 'unpublished' }, 'not in the publication'],
    [{ filter: 'nope=eq.1' }, 'invalid column for filter nope'],
    [{ filter: 'id=eq.abc' }, 'invalid input syntax for type integer'],
    [{ filter: 'id=foo.1' }, 'Error parsing'],
    [{ event: 'TRUNCATE' }, 'unknown event'],
    [{ select: ['nope'] }, 'invalid column for select nope'],
  ])('says in a system message why %j cannot work, and keeps the channel', async (binding, reason) => {
    const wire = await connect()
    expect(await wire.bind(binding)).toMatchObject({ status: 'ok' })
    expect((await wire.next('system')).payload).toMatchObject({
      extension: 'postgres_changes',
      status: 'error',
      message: expect.stringContaining(reason),
    })
  })

  it('starts to work when the table is published after the join', async () => {
    const wire = await connect()
    await database.sql('create table later (id int primary key)')
    await wire.bind({ table: 'later' })
    expect((await wire.next('system')).payload).toMatchObject({ status: 'error' })
    await database.sql('alter publication supabase_realtime add table later')
    expect((await wire.next('system')).payload).toMatchObject({ status: 'ok' })
    await database.sql('insert into later values (1)')
    await wire.next('postgres_changes')
  })

  it('shows only selected columns, and those that the role may read', async () => {
    await database.sql('revoke select on note from anon; grant select (id, body, n) on note to anon')
    const wire = await connect()
    await wire.bind({ select: ['body'] })
    await wire.next('system')
    await database.sql(`insert into note (id, body) values (1, 'x')`)
    expect((await wire.next('postgres_changes')).payload).toMatchObject({ data: { record: { id: 1, body: 'x' } } })
    const curious = await connect()
    await curious.bind({ filter: 'secret=eq.s' })
    expect((await curious.next('system')).payload).toMatchObject({
      status: 'error',
      message: expect.stringContaining('invalid column for filter secret'),
    })
    const blind = await connect()
    await blind.bind({})
    await database.sql('revoke select (id, body, n) on note from anon')
    await database.sql(`insert into note (id, body) values (2, 'y')`)
    const { data } = (await blind.next('postgres_changes')).payload as { data: Record<string, unknown> }
    expect(data).toMatchObject({ type: 'INSERT', errors: ['Error 401: Unauthorized'] })
    expect(data).not.toHaveProperty('record')
    await database.sql('grant select on note to anon')
  })

  it('obeys the operations, columns and rows that the publication publishes', async () => {
    await database.sql(`alter publication supabase_realtime drop table other`)
    await database.sql(`alter publication supabase_realtime add table other (id) where (id > 1)`)
    await database.sql(`alter publication supabase_realtime set (publish = 'insert, delete')`)
    const wire = await connect()
    await wire.bind({ table: 'other' })
    await wire.next('system')
    await database.sql(`insert into other values (1, 1), (2, 2); update other set note = 5; delete from other;`)
    expect((await wire.next('postgres_changes')).payload).toMatchObject({
      data: { type: 'INSERT', record: { id: 2 }, columns: [{ name: 'id' }] },
    })
    expect((await wire.next('postgres_changes')).payload).toMatchObject({
      data: { type: 'DELETE', old_record: { id: 2 } },
    })
    await wire.ask('heartbeat', {}, { topic: 'phoenix' })
    expect(wire.seen.filter(({ event }) => event === 'postgres_changes')).toEqual([])
    await database.sql(`alter publication supabase_realtime set (publish = 'insert, update, delete, truncate')`)
  })

  it('shortens rows that are too large', async () => {
    const wire = await connect()
    await wire.bind({ event: 'INSERT' })
    await wire.next('system')
    await database.sql(`insert into note (id, body) values (1, repeat('x', 2000000))`)
    const { data } = (await wire.next('postgres_changes')).payload as { data: Record<string, unknown> }
    expect(data).toMatchObject({ errors: ['Error 413: Payload Too Large'], record: { id: 1 } })
    expect(data.record).not.toHaveProperty('body')
  })

  it('makes clients join again when changes may have been missed', async () => {
    const wire = await connect()
    await wire.bind({})
    await wire.next('system')
    await eventually(async () => {
      await database.sql(
        `select pg_terminate_backend(active_pid) from pg_replication_slots where database = current_database() and active`,
      )
      await database.sql(
        `select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database() and not active`,
      )
      return wire.seen.some(({ event }) => event === 'phx_error')
    }, 'phx_error')
    expect(await wire.next('phx_error')).toMatchObject({ ref: '1' })
    await server.services.feed.ready()
    expect(await wire.bind({})).toMatchObject({ status: 'ok' })
    await wire.next('system')
    await database.sql('insert into note (id) values (1)')
    await wire.next('postgres_changes')
  })
})

describe('tokens', () => {
  beforeAll(async () => {
    await database.sql(`
      create table mine (id int primary key, owner uuid);
      alter table mine enable row level security;
      create policy own on mine for select using (auth.uid() = owner);
      alter publication supabase_realtime add table mine;`)
  })

  it('refuses a join with a bad one, and uses the key for an sb_ one', async () => {
    const wire = await connect()
    expect(await wire.join({}, { access_token: 'nonsense' })).toMatchObject({
      status: 'error',
      response: { reason: expect.stringContaining('InvalidJWTToken') },
    })
    expect(await wire.join({}, { access_token: server.keys.publishableKey })).toMatchObject({ status: 'ok' })
  })

  it('takes a new one without an answer, and puts its rights in force', async () => {
    const wire = await connect()
    await wire.bind({ table: 'mine' })
    await wire.next('system')
    await database.sql(`insert into mine values (1, '${ALICE}')`)
    wire.send('access_token', { access_token: await server.token({ sub: ALICE }) }, { ref: 'never' })
    wire.send('access_token', { access_token: null })
    wire.send('access_token', { access_token: 'sb_publishable_x' })
    await eventually(async () => {
      await database.sql(`update mine set owner = owner`)
      return wire.seen.some(({ event }) => event === 'postgres_changes')
    }, 'a change under the new rights')
    expect((await wire.next('postgres_changes')).payload).toMatchObject({ data: { type: 'UPDATE' } })
    expect(wire.seen.filter(({ ref }) => ref === 'never')).toEqual([])
  })

  it('ends a channel whose token expires, or is replaced by a bad one', async () => {
    const wire = await connect()
    await wire.join({}, { access_token: await server.token({ sub: ALICE }, 1) })
    expect((await wire.next('system', ({ payload }) => payload.status === 'error')).payload).toMatchObject({
      message: expect.stringContaining('expired'),
    })
    expect(await wire.next('phx_close')).toMatchObject({ ref: '1' })
    await wire.join()
    wire.send('access_token', { access_token: 'nonsense' })
    await wire.next('phx_close')
  })

  it('stops telling as soon as a policy is gone', async () => {
    const wire = await connect()
    await wire.join(
      {
        postgres_changes: [
          { event: '*', schema: 'public', table: 'mine' },
          { event: 'INSERT', schema: 'public', table: 'note' },
        ],
      },
      { access_token: await server.token({ sub: ALICE }) },
    )
    await wire.next('system')
    await database.sql(`insert into mine values (10, '${ALICE}')`)
    await database.sql('drop policy own on mine')
    await database.sql(`insert into mine values (11, '${ALICE}')`)
    await database.sql('insert into note (id) values (99)')
    await wire.next('postgres_changes', ({ payload }) => JSON.stringify(payload).includes('"id":99'))
    expect(
      wire.seen
        .filter(({ event }) => event === 'postgres_changes')
        .map(({ payload }) => (payload.data as { record: { id: number } }).record.id),
    ).toEqual([10])
    await database.sql('create policy own on mine for select using (auth.uid() = owner)')
  })
})

describe('limits', () => {
  it('bound channels, joins and messages of one socket', async () => {
    const strict = await startRealtimeServer(database, {
      limits: { channels: 2, joinsPerSecond: 4, eventsPerSecond: 3, payloadBytes: 100 },
    })
    try {
      const wire = await connect(strict.keys.anonKey, strict)
      const join = (name: string) =>
        wire.ask('phx_join', { config: { broadcast: { ack: true } } }, { topic: `realtime:${name}` })
      expect(await join('a')).toMatchObject({ status: 'ok' })
      expect(await join('b')).toMatchObject({ status: 'ok' })
      expect(await join('c')).toMatchObject({
        response: { reason: expect.stringContaining('ChannelRateLimitReached') },
      })
      const push = (text: string) => wire.ask('broadcast', { event: 'x', payload: { text } }, { topic: 'realtime:a' })
      expect(await push('x'.repeat(200))).toMatchObject({
        response: { reason: expect.stringContaining('PayloadSizeExceeded') },
      })
      const answers = await Promise.all(Array.from({ length: 6 }, () => push('y')))
      expect(answers.some(({ status }) => status === 'error')).toBe(true)
      const more = await Promise.all(Array.from({ length: 6 }, (_, index) => join(`d${index}`)))
      expect(JSON.stringify(more)).toContain('ClientJoinRateLimitReached')
    } finally {
      await strict.stop()
    }
  })

  it('cut off a reader that does not read, while the others get everything', async () => {
    const small = await startRealtimeServer(database, {
      queue: { frames: 1000, bytes: 1_000_000 },
      limits: { eventsPerSecond: 1e6 },
    })
    try {
      const [slow, fast, sender] = [
        await connect(small.keys.anonKey, small),
        await connect(small.keys.anonKey, small),
        await connect(small.keys.anonKey, small),
      ]
      for (const wire of [slow, fast, sender]) await wire.join()
      slow.socket.pause()
      const payload = { text: 'x'.repeat(50_000) }
      const received = () => fast.seen.filter(({ event }) => event === 'broadcast').length
      for (let count = 0; count < 400; count++) {
        sender.send('broadcast', { type: 'broadcast', event: 'x', payload })
        // Never more under way than a reader that does read can take.
        await eventually(() => received() > count - 5, `message ${count - 5}`)
      }
      await eventually(() => received() === 400, 'four hundred messages')
      await eventually(() => small.sockets.size === 2, 'the slow one is cut off')
      slow.socket.resume()
      await eventually(() => slow.code !== null, 'the slow one learns it')
    } finally {
      await small.stop()
    }
  }, 30_000)
})

describe('broadcasts over HTTP', () => {
  const post = (path: string, body: unknown, key = server.keys.anonKey, headers: Record<string, string> = {}) =>
    fetch(`${server.url}/realtime/v1/api/broadcast${path}`, {
      method: 'POST',
      headers: { apikey: key, 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })

  it.each([
    [{}, 400],
    [[], 400],
    [{ messages: 'x' }, 400],
    [{ messages: [1] }, 400],
    [{ messages: [{ topic: '', event: 'x', payload: {} }] }, 400],
    [{ messages: [{ topic: 'a', event: 7, payload: {} }] }, 400],
    [{ messages: [{ topic: 'a', event: 'x' }] }, 400],
    ['{', 400],
    [{ messages: [{ topic: 'a', event: 'x', payload: {}, private: true }] }, 403],
    [{ messages: [] }, 202],
    [{ messages: [{ topic: 'a', event: 'x', payload: 'text' }] }, 202],
  ])('answer %j with %i', async (body, status) => {
    const response = await post('', body)
    expect(response.status).toBe(status)
    if (status >= 400) expect(await response.json()).toMatchObject({ error: expect.any(String) })
  })

  it('need a key', async () => {
    expect((await post('', { messages: [] }, 'wrong')).status).toBe(401)
  })

  it('reach protocol 1 clients as JSON, bytes too', async () => {
    const wire = await connect()
    await wire.join()
    expect((await post('/room/events/e%20v', { n: 1 })).status).toBe(202)
    expect((await wire.next('broadcast')).payload).toEqual({ type: 'broadcast', event: 'e v', payload: { n: 1 } })
    expect(
      (await post('/room/events/x', 'abc', server.keys.anonKey, { 'content-type': 'application/octet-stream' })).status,
    ).toBe(202)
    expect((await wire.next('broadcast')).payload).toMatchObject({ payload: { base64: 'YWJj' } })
  })
})
