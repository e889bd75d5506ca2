/** Who joins a node that is behind: what had committed by then is found by reading and is not told; what commits later is, whatever happens. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../../test/database.ts'
import { eventually, type RealtimeServer, startRealtimeServer } from '../../../../test/realtime.ts'
import { openWire, type Wire } from '../../../../test/realtime-wire.ts'
import { AppError } from '../../../kernel/errors.ts'

const ALICE = '11111111-1111-4111-8111-111111111111'

describe('on a node that is behind', () => {
  let database: TestDatabase
  let server: RealtimeServer
  let letGo = () => {}

  beforeAll(async () => {
    database = await createTestDatabase()
    await database.sql(`
      create table note (id int primary key);
      alter publication supabase_realtime add table note;`)
    server = await startRealtimeServer(database)
  })
  afterAll(async () => {
    await server.stop()
    await database.drop()
  })
  beforeEach(() => database.sql('truncate note'))

  const insert = (id: number) => database.sql(`insert into note values (${id})`)

  /** The feed hands nothing on until `letGo`: a listener that does not come to an end. */
  const fallBehind = async (): Promise<void> => {
    let isHeld = false
    const gate = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const unlisten = server.services.feed.listen({
      changes: () => {
        isHeld = true
        unlisten()
        return gate
      },
      resync: () => {},
    })
    await insert(1)
    await eventually(() => isHeld, 'the feed waits')
  }

  const told = (wire: Wire): readonly number[] =>
    wire.seen.flatMap(({ event, payload }) =>
      event === 'postgres_changes' ? [(payload.data as { record: { id: number } }).record.id] : [],
    )

  it('a join is not told what had committed before it', async () => {
    await fallBehind()
    await insert(2)
    const wire = await openWire(server)
    await wire.bind({ event: 'INSERT' })
    await insert(3)
    letGo()
    await eventually(() => told(wire).includes(3), 'the newest change')
    expect(told(wire)).toEqual([3])
    wire.socket.terminate()
  })

  it('a join is refused in words when the database goes away, and the server lives on', async () => {
    const { live } = server.services
    const { present } = live
    const away = new AppError('unavailable', 'away')
    const slow = vi
      .spyOn(present, 'now')
      .mockImplementation(() => new Promise((_, reject) => setImmediate(reject, away)))
    const failing = vi.spyOn(live, 'subscribe').mockRejectedValue(away)
    const wire = await openWire(server)
    expect(await wire.bind({ event: 'INSERT' })).toMatchObject({
      status: 'error',
      response: { reason: expect.stringContaining('DatabaseConnectionIssue') },
    })
    slow.mockRestore()
    failing.mockRestore()
    expect(await wire.bind({ event: 'INSERT' })).toMatchObject({ status: 'ok' })
    wire.socket.terminate()
  })

  it('another token does not bring back what had committed before the join', async () => {
    await fallBehind()
    await insert(2)
    const wire = await openWire(server)
    await wire.bind({ event: 'INSERT' })
    wire.send('access_token', { access_token: await server.token({ sub: ALICE, again: true }) })
    await wire.ask('unknown')
    await insert(3)
    letGo()
    await eventually(() => told(wire).includes(3), 'the newest change')
    expect(told(wire)).toEqual([3])
    wire.socket.terminate()
  })

  it('another token misses nothing of what committed before it came', async () => {
    const wire = await openWire(server)
    await wire.bind({ event: 'INSERT' })
    await fallBehind()
    await insert(2)
    const subscriptions = () => server.services.live.stats().subscriptions
    expect(subscriptions()).toBe(1)
    const token = await server.token({ sub: ALICE })
    wire.send('access_token', { access_token: token })
    // A push of the same topic is answered once the token was dealt with.
    await wire.ask('unknown')
    letGo()
    await eventually(() => told(wire).includes(2), 'the newest change')
    expect(told(wire)).toEqual([1, 2])
    wire.socket.terminate()
  })
})
