/** Subscriptions around the ends and beginnings of servers and connections: nothing is passed over in silence, nothing is told twice. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { eventually } from '../../test/realtime.ts'
import { createLocalBus } from '../bus/local.ts'
import { CatalogService } from '../db/catalog/service.ts'
import type { Pool } from '../db/pool.ts'
import type { Caller } from '../identity/caller.ts'
import { systemClock } from '../kernel/clock.ts'
import { AppError } from '../kernel/errors.ts'
import { randomIds } from '../kernel/ids.ts'
import { createLiveServices, type LiveServices } from './open.ts'

const ME = '11111111-1111-4111-8111-111111111111'
const caller: Caller = {
  role: 'authenticated',
  userId: ME,
  claims: { sub: ME },
  claimsText: JSON.stringify({ sub: ME }),
  expiresAt: null,
}

interface Listener {
  readonly ids: number[]
  readonly resyncs: string[]
}

/** The same pool, until `isAway` says that its database cannot be reached. */
const breakable = (pool: Pool, isAway: () => boolean): Pool =>
  new Proxy(pool, {
    get: (target, key) => {
      const value = Reflect.get(target, key)
      if (typeof value !== 'function' || key === 'roleOf') return value
      return (...args: unknown[]) =>
        isAway() ? Promise.reject(new AppError('unavailable', 'away')) : value.apply(target, args)
    },
  })

describe('a subscription', () => {
  let database: TestDatabase
  let catalog: CatalogService
  let running: LiveServices[]
  let ownerIsAway = false
  let requestsAreAway = false

  beforeEach(async () => {
    database = await createTestDatabase()
    ownerIsAway = false
    requestsAreAway = false
    running = []
    await database.sql(`
      create table member (room int, who uuid);
      create table item (id int primary key, room int);
      alter table item enable row level security;
      grant select on item, member to authenticated;
      create policy members on item for select using (
        exists (select from member where member.room = item.room and member.who = auth.uid()));
      alter publication supabase_realtime add table item;
      insert into member values (1, '${ME}');`)
    catalog = new CatalogService({ ...database, pool: database.owner, clock: systemClock, onError: () => {} })
    await catalog.start()
  })
  afterEach(async () => {
    ownerIsAway = false
    requestsAreAway = false
    for (const services of running) await services.stop()
    await catalog.stop()
    await database.drop()
  })

  const create = (): LiveServices => {
    const { owner, requests, connection } = database
    const services = createLiveServices({
      owner: breakable(owner, () => ownerIsAway),
      requests: breakable(requests, () => requestsAreAway),
      connection,
      catalog,
      clock: systemClock,
      ids: randomIds,
      onError: () => {},
      bus: createLocalBus(() => {}),
    })
    running.push(services)
    return services
  }

  const subscribe = async ({ live }: LiveServices): Promise<Listener> => {
    const listener: Listener = { ids: [], resyncs: [] }
    await live.subscribe({
      schema: 'public',
      table: 'item',
      operations: new Set(['INSERT']),
      conditions: [],
      select: null,
      publication: 'supabase_realtime',
      caller,
      sink: {
        matched: (change) => listener.ids.push(Number(change.new?.[0])),
        resync: (reason) => listener.resyncs.push(reason),
        status: () => {},
      },
    })
    return listener
  }

  const outages = [
    [
      'of the owner',
      () => {
        ownerIsAway = true
      },
    ],
    [
      'of requests',
      () => {
        requestsAreAway = true
      },
    ],
  ] as const

  it.each(outages)(
    'is told to read again when rights cannot be renewed for want of a connection %s',
    async (_, fail) => {
      const services = create()
      await services.start()
      await services.feed.ready()
      const { ids, resyncs } = await subscribe(services)
      await database.sql('insert into item values (1, 1)')
      await eventually(() => ids.length === 1, 'the first change')
      resyncs.length = 0
      fail()
      await database.sql(`insert into member values (2, '${ME}'); insert into item values (2, 1)`)
      await eventually(() => resyncs.length > 0, 'a resync')
      ownerIsAway = false
      requestsAreAway = false
      await eventually(async () => {
        await database.sql('insert into item (id, room) select coalesce(max(id), 0) + 1, 2 from item')
        return ids.length > 1
      }, 'the new membership counts')
    },
  )

  it('is told to read again when the feed began after it', async () => {
    const services = create()
    await services.live.start()
    const { ids, resyncs } = await subscribe(services)
    await database.sql('insert into item values (1, 1)')
    await services.feed.start()
    await eventually(() => ids.length + resyncs.length > 0, 'the change or a resync')
  })

  it('to a topic is not told what SQL sent before its server began', async () => {
    const send = (event: string) => database.sql(`select realtime.send('{}', '${event}', 'room', false)`)
    const first = create()
    await first.start()
    await first.feed.ready()
    await first.stop()
    await send('old')
    const second = create()
    const events: string[] = []
    second.broadcasts.join({ name: 'room', private: false }, { id: 'me', receive: ({ event }) => events.push(event) })
    await second.start()
    await second.feed.ready()
    await send('new')
    await eventually(() => events.includes('new'), 'the new message')
    expect(events).toEqual(['new'])
  })
})
