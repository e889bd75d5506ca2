/** postgres_changes on the wire: bindings, filters, columns, publications, and the tokens whose rights decide. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../../test/database.ts'
import { eventually, type RealtimeServer, startRealtimeServer } from '../../../../test/realtime.ts'
import { openWire, type Wire } from '../../../../test/realtime-wire.ts'

const ALICE = '11111111-1111-4111-8111-111111111111'

let database: TestDatabase
let server: RealtimeServer
const wires: Wire[] = []

const connect = async (): Promise<Wire> => {
  const wire = await openWire(server)
  wires.push(wire)
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
    [{ filter: 'body=match.[' }, 'invalid regular expression'],
    [{ filter: 'body=not.imatch.(a' }, 'invalid regular expression'],
    [{ filter: 'body=like.a\\' }, 'must not end with escape character'],
    [{ filter: 'n=like.1' }, 'operator does not exist'],
    [{ filter: 'id=is.maybe' }, 'invalid value for "is"'],
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

  it('tells an update across the row filter of the publication as what it is to its subscribers', async () => {
    await database.sql(`
      create table crossing (id int primary key, n int);
      alter table crossing replica identity full;
      alter publication supabase_realtime add table crossing where (n > 5)`)
    const wire = await connect()
    await wire.bind({ table: 'crossing' })
    await wire.next('system')
    for (const statement of [
      'insert into crossing values (1, 1)',
      'update crossing set n = 2',
      'update crossing set n = 7',
      'update crossing set n = 8',
      'update crossing set n = 3',
      'delete from crossing',
      'insert into crossing values (2, 9)',
    ])
      await database.sql(statement)
    await wire.next('postgres_changes', ({ payload }) => JSON.stringify(payload).includes('"record":{"id":2'))
    const told = wire.seen.filter(({ event }) => event === 'postgres_changes').map(({ payload }) => payload.data)
    expect(told).toMatchObject([
      { type: 'INSERT', record: { id: 1, n: 7 } },
      { type: 'UPDATE', record: { id: 1, n: 8 }, old_record: { id: 1, n: 7 } },
      { type: 'DELETE', old_record: { id: 1, n: 8 } },
    ])
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
    // Rights are those of the moment of delivery: a feed that lags delivers the insert too.
    expect((await wire.next('postgres_changes')).payload).toMatchObject({ data: { record: { id: 1, owner: ALICE } } })
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
