/** Rights that end while a channel is open: tokens, bans, policies, memberships. Whoever lost them hears nothing more within five seconds. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../../test/database.ts'
import { type RealtimeServer, startRealtimeServer } from '../../../../test/realtime.ts'
import { openWire, type Wire } from '../../../../test/realtime-wire.ts'

const ANN = '11111111-1111-4111-8111-111111111111'
const BEN = '22222222-2222-4222-8222-222222222222'
/** What is promised. */
const WITHIN_MS = 5000

let database: TestDatabase
let server: RealtimeServer
const wires: Wire[] = []

const connect = async (): Promise<Wire> => {
  const wire = await openWire(server)
  wires.push(wire)
  return wire
}

const joinAs = async (user: string, config: object, claims: object = {}): Promise<Wire> => {
  const wire = await connect()
  const token = await server.token({ sub: user, ...claims })
  expect(await wire.join(config, { access_token: token })).toMatchObject({ status: 'ok' })
  return wire
}

const PRIVATE = { private: true, broadcast: { ack: true } }
const say = { type: 'broadcast', event: 'say', payload: { n: 1 } }
const isError = ({ payload }: { payload: Record<string, unknown> }) => payload.status === 'error'

beforeAll(async () => {
  database = await createTestDatabase()
  await database.sql(`
    create table seat (topic text, who uuid, primary key (topic, who));
    grant select on seat to authenticated;
    create policy "members read" on realtime.messages for select to authenticated
      using (exists (select from seat where seat.topic = realtime.topic() and seat.who = (select auth.uid())));
    create policy "members write" on realtime.messages for insert to authenticated
      with check (exists (select from seat where seat.topic = realtime.topic() and seat.who = (select auth.uid())));
    insert into seat values ('room', '${ANN}'), ('room', '${BEN}');
    create table post (id int primary key, room text);
    alter table post enable row level security;
    create policy "of my rooms" on post for select to authenticated
      using (exists (select from seat where seat.topic = post.room and seat.who = (select auth.uid())));
    alter publication supabase_realtime add table post`)
  server = await startRealtimeServer(database)
})
afterEach(() => {
  for (const wire of wires.splice(0)) wire.socket.terminate()
})
afterAll(async () => {
  await server.stop()
  await database.drop()
})

describe('a channel', () => {
  it.each([
    ['a ban of its user', 'aaaaaaaa-0000-4000-8000-000000000001', {}, 'aaaaaaaa-0000-4000-8000-000000000001'],
    ['a logout of its session', 'aaaaaaaa-0000-4000-8000-000000000002', { session_id: 'session-1' }, 'session-1'],
  ])('ends with %s, and no other', async (_what, user, claims, subject) => {
    const [gone, stays] = [await joinAs(user, {}, claims), await joinAs(BEN, {})]
    const from = Date.now()
    server.revoke(subject)
    expect((await gone.next('system', isError)).payload).toMatchObject({
      message: expect.stringContaining('InvalidJWT'),
    })
    await gone.next('phx_close')
    expect(Date.now() - from).toBeLessThan(WITHIN_MS)
    await stays.ask('heartbeat', {}, { topic: 'phoenix' })
    expect(stays.seen.filter(({ event }) => event === 'phx_close')).toEqual([])
  })

  it('that is private ends with the membership that its policy asks for, reading and writing', async () => {
    const [ann, ben] = [await joinAs(ANN, PRIVATE), await joinAs(BEN, PRIVATE)]
    expect(await ann.ask('broadcast', say)).toMatchObject({ status: 'ok' })
    await ben.next('broadcast')
    const from = Date.now()
    await database.sql(`delete from seat where who = '${BEN}'`)
    expect((await ben.next('system', isError)).payload).toMatchObject({
      message: expect.stringContaining('do not have permissions to read'),
    })
    await ben.next('phx_close')
    expect(Date.now() - from).toBeLessThan(WITHIN_MS)
    expect(await ann.ask('broadcast', say)).toMatchObject({ status: 'ok' })
    await ann.ask('heartbeat', {}, { topic: 'phoenix' })
    expect(ben.seen.filter(({ event }) => event === 'broadcast')).toEqual([])
    await database.sql(`insert into seat values ('room', '${BEN}')`)
  })

  it('that is private may no longer be written to when its policy is gone', async () => {
    const ann = await joinAs(ANN, PRIVATE)
    expect(await ann.ask('broadcast', say)).toMatchObject({ status: 'ok' })
    await database.sql('drop policy "members write" on realtime.messages')
    const until = Date.now() + WITHIN_MS
    let answer = await ann.ask('broadcast', say)
    while (answer.status === 'ok' && Date.now() < until) answer = await ann.ask('broadcast', say)
    expect(answer).toMatchObject({ status: 'error', response: { reason: expect.stringContaining('to write') } })
    await database.sql(`create policy "members write" on realtime.messages for insert to authenticated
      with check (exists (select from seat where seat.topic = realtime.topic() and seat.who = (select auth.uid())))`)
  })

  it('is told rows of the rooms of the moment: not before the membership, not after it', async () => {
    const changes = [{ event: '*', schema: 'public', table: 'post' }]
    const carol = '33333333-3333-4333-8333-333333333333'
    const wire = await joinAs(carol, { postgres_changes: changes })
    const ann = await joinAs(ANN, { postgres_changes: changes })
    await wire.next('system')
    await ann.next('system')
    await database.sql(`insert into post values (1, 'room')`)
    await database.sql(`insert into seat values ('room', '${carol}')`)
    await database.sql(`insert into post values (2, 'room')`)
    // Rights are those of the moment of delivery, so the membership ends only when its row has arrived.
    expect((await wire.next('postgres_changes')).payload).toMatchObject({ data: { record: { id: 2 } } })
    await database.sql(`delete from seat where who = '${carol}'`)
    await database.sql(`update post set room = room where id = 2`)
    await database.sql(`delete from post where id = 1`)
    await database.sql(`insert into post values (3, 'room')`)
    await ann.next('postgres_changes', ({ payload }) => JSON.stringify(payload).includes('"record":{"id":3'))
    await wire.ask('heartbeat', {}, { topic: 'phoenix' })
    expect(wire.seen.filter(({ event }) => event === 'postgres_changes')).toEqual([])
  })

  it('that is private is given what was stored before it joined, from a time on and at most so many', async () => {
    for (const n of [1, 2, 3]) await database.sql(`select realtime.send('{"n": ${n}}'::jsonb, 'stored', 'room', true)`)
    const since = Date.now() - 60_000
    const replayed = async (replay: object): Promise<unknown[]> => {
      const wire = await joinAs(ANN, { private: true, broadcast: { replay } })
      await wire.ask('heartbeat', {}, { topic: 'phoenix' })
      const last = await wire
        .next('broadcast', ({ payload }) => JSON.stringify(payload).includes('"n":3'))
        .catch(() => null)
      const all = [...wire.seen.filter(({ event }) => event === 'broadcast'), ...(last === null ? [] : [last])]
      for (const { payload } of all) expect(payload.meta).toMatchObject({ replayed: true, id: expect.any(String) })
      return all.map(({ payload }) => (payload.payload as { n: number }).n)
    }
    expect(await replayed({ since })).toEqual([1, 2, 3])
    expect(await replayed({ since, limit: 2 })).toEqual([2, 3])
  })
})

it('presence of a socket whose cable was pulled ends without a word from it', async () => {
  const own = await startRealtimeServer(database, { idleMs: 300 })
  try {
    const watcher = await openWire(own)
    const silent = await openWire(own)
    wires.push(watcher, silent)
    await watcher.join({ presence: { key: 'watcher' } })
    await silent.join({ presence: { key: 'silent' } })
    await silent.ask('presence', { type: 'presence', event: 'track', payload: { cup: 1 } })
    await watcher.next('presence_diff', ({ payload }) => JSON.stringify(payload.joins).includes('silent'))
    // Nothing is read any more, so that pings stay without an answer, and no FIN is sent.
    silent.socket.pause()
    await watcher.next('presence_diff', ({ payload }) => JSON.stringify(payload.leaves).includes('silent'))
  } finally {
    await own.stop()
  }
})
