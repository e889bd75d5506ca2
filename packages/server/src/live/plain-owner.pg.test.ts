/** The feed and subscriptions where the owner is no superuser: no event triggers, nothing that only a superuser may do. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { asAdmin } from '../../test/database.ts'
import { startTestCluster, type TestCluster } from '../../test/postgres.ts'
import { eventually } from '../../test/realtime.ts'
import { toClientConfig } from '../../test/shared-clusters.ts'
import { createLocalBus } from '../bus/local.ts'
import { CatalogService } from '../db/catalog/service.ts'
import { Pool } from '../db/pool.ts'
import { prepareDatabase } from '../db/prepare/prepare.ts'
import { changeSourceOf } from '../db/prepare/profile.ts'
import type { Caller } from '../identity/caller.ts'
import { systemClock } from '../kernel/clock.ts'
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

const CASES = [
  [18, 'log', 'replication'],
  [15, 'log', 'replication'],
  [15, 'outbox', 'noreplication'],
] as const

describe.each(CASES)('as a plain owner on PostgreSQL %s, with changes from the %s', (version, source, attribute) => {
  const name = 'plain'
  let cluster: TestCluster
  let owner: Pool
  let requests: Pool
  let catalog: CatalogService
  let services: LiveServices
  const errors: string[] = []

  beforeAll(async () => {
    // A cluster of its own: roles are shared by all databases of a cluster.
    cluster = await startTestCluster({ version })
    await asAdmin(cluster.url, `create role ${name} login ${attribute} createrole password 'x'`)
    await asAdmin(cluster.url, `create database ${name} owner ${name}`)
    const connection = toClientConfig(cluster.urlOf({ database: name, user: name, password: 'x' }))
    owner = new Pool({ connection, max: 3, applicationName: 'plain owner' })
    const { login, profile } = await prepareDatabase(owner, connection, randomIds)
    requests = new Pool({ connection: login.connection, max: 3, applicationName: 'plain requests' })
    const onError = (error: Error) => errors.push(error.message)
    catalog = new CatalogService({ pool: owner, connection, clock: systemClock, onError })
    await catalog.start()
    services = createLiveServices({
      owner,
      requests,
      connection,
      catalog,
      clock: systemClock,
      ids: randomIds,
      onError,
      bus: createLocalBus(() => {}),
      source: changeSourceOf(profile),
    })
    await services.start()
    await services.feed.ready()
  })

  afterAll(async () => {
    await services.stop()
    await catalog.stop()
    await Promise.all([owner.end(), requests.end()])
    await cluster.stop()
  })

  it('reads changes where it may', () => {
    expect(services.feed.source).toBe(source)
  })

  it('carries a table from the moment that somebody subscribes to it, deletes included', async () => {
    await owner.script(`
      create table mine (id int primary key, owner uuid);
      alter table mine enable row level security;
      create policy own on mine for select using (auth.uid() = owner);
      alter publication supabase_realtime add table mine;`)
    const seen: string[] = []
    const subscription = await services.live.subscribe({
      schema: 'public',
      table: 'mine',
      operations: new Set(['INSERT', 'DELETE']),
      conditions: [],
      select: null,
      publication: 'supabase_realtime',
      caller,
      sink: { matched: (change) => seen.push(change.op), resync: (reason) => errors.push(reason), status: () => {} },
    })
    expect(subscription.status).toEqual({ ok: true })
    await owner.script(`insert into mine values (1, '${ME}'), (2, null); delete from mine;`)
    await eventually(() => seen.length === 2, 'both changes')
    expect(seen).toEqual(['INSERT', 'DELETE'])
    subscription.close()
    expect(errors).toEqual([])
  })

  it('asks policies about private channels', async () => {
    expect(await services.access.read(caller, 'room')).toEqual({ broadcast: false, presence: false })
    await owner.script(
      `create policy room on realtime.messages for select to authenticated using (realtime.topic() = 'room' and extension = 'broadcast')`,
    )
    expect(await services.access.read(caller, 'room')).toEqual({ broadcast: true, presence: false })
    expect(await services.access.write(caller, 'room', 'broadcast')).toBe(false)
    const [left] = await owner.many<{ count: string }>({
      name: 'test.left',
      text: 'select count(*) from realtime.messages',
      values: [],
    })
    expect(left).toEqual({ count: '0' })
  })
})
