/** The REST dialect over real servers: configuration in the database, fresh schema, transactions, and a database that goes away. */
import fastify, { type FastifyInstance } from 'fastify'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type Major, type TestDatabase } from '../../../../test/database.ts'
import { CatalogService } from '../../../db/catalog/service.ts'
import { Pool } from '../../../db/pool.ts'
import type { Caller } from '../../../identity/caller.ts'
import { systemClock } from '../../../kernel/clock.ts'
import { type RestServices, restDialect } from './plugin.ts'

const ANON: Caller = { role: 'anon', userId: null, claims: {}, claimsText: '{"role":"anon"}', expiresAt: null }

const serverOver = (services: RestServices): FastifyInstance => {
  const app = fastify()
  app.addHook('onRequest', async (request) => {
    request.caller = ANON
  })
  void app.register(restDialect(services), { prefix: '/rest/v1' })
  return app
}

const FIXTURE = `
  create table thing (id int primary key, name text);
  insert into thing select i, 'thing ' || i from generate_series(1, 10) i;
  create schema other;
  grant usage on schema other to anon;
  create table other.box (id int primary key);
  grant all on other.box to anon;
  create function show(setting text) returns text language sql stable as 'select current_setting(setting, true)';
  create function mark() returns void language plpgsql as $$ begin perform set_config('my.mark', current_user || ' ' || current_setting('request.path'), true); end $$;
  create function nap() returns void language sql as 'select pg_sleep(5)';
`

describe.each<Major>(['15', '18'])('REST on PostgreSQL %s', (version) => {
  let database: TestDatabase
  let catalog: CatalogService
  let app: FastifyInstance

  beforeAll(async () => {
    database = await createTestDatabase(version)
    await database.sql(FIXTURE)
    catalog = new CatalogService({ pool: database.owner, connection: database.connection, clock: systemClock })
    await catalog.start()
    app = serverOver({ pool: database.requests, catalog })
  })
  afterAll(async () => {
    await app.close()
    await catalog.stop()
    await database.drop()
  })

  const get = (path: string, headers: Record<string, string> = {}) => app.inject({ url: `/rest/v1${path}`, headers })

  /** Sets configuration in this database only, and waits until it is known. */
  const configure = async (
    settings: Readonly<Record<string, string | null>>,
    role = 'authenticator',
  ): Promise<void> => {
    const name = new URL(database.url).pathname.slice(1)
    for (const [key, value] of Object.entries(settings)) {
      const change = value === null ? `reset ${key}` : `set ${key} = '${value}'`
      await database.sql(`alter role ${role} in database ${name} ${change}`)
    }
    await database.sql("notify pgrst, 'reload config'")
    await catalog.settle()
  }

  it('knows a table in the request after the one that made it', async () => {
    expect((await get('/made_now')).statusCode).toBe(404)
    await database.sql('create table made_now (id int primary key)')
    expect((await get('/made_now')).statusCode).toBe(200)
    await database.sql('alter table made_now add column extra text')
    expect((await get('/made_now?select=extra')).statusCode).toBe(200)
    await database.sql('drop table made_now')
    await catalog.settle()
    expect((await get('/made_now')).json()).toMatchObject({ code: 'PGRST205' })
  })

  it('serves a changed table at once, although its plan was prepared', async () => {
    await database.sql('create table shifting (id int primary key); insert into shifting values (1)')
    for (let round = 0; round < 4; round += 1) await get('/shifting')
    await database.sql("alter table shifting add column more text default 'm'")
    expect((await get('/shifting')).json()).toEqual([{ id: 1, more: 'm' }])
    await database.sql('alter table shifting alter column id type text')
    expect((await get('/shifting')).json()).toEqual([{ id: '1', more: 'm' }])
  })

  it('takes its configuration from the authenticator role', async () => {
    await configure({
      'pgrst.db_schemas': 'other, public',
      'pgrst.db_max_rows': '3',
      'pgrst.db_aggregates_enabled': 'true',
    })
    expect((await get('/box')).headers['content-profile']).toBe('other')
    const limited = await get('/thing', { 'accept-profile': 'public' })
    expect(limited.json()).toHaveLength(3)
    expect((await get('/thing?select=count()', { 'accept-profile': 'public' })).json()).toEqual([{ count: 10 }])
    await configure({ 'pgrst.db_schemas': null, 'pgrst.db_max_rows': null, 'pgrst.db_aggregates_enabled': null })
    expect((await get('/thing?select=count()')).json()).toMatchObject({ code: 'PGRST123' })
    expect((await get('/thing')).json()).toHaveLength(10)
  })

  it('calls the pre-request function as the caller, in the same transaction', async () => {
    await configure({ 'pgrst.db_pre_request': 'public.mark', 'pgrst.app_settings_shop': 'tea' })
    expect((await get('/rpc/show?setting=my.mark')).json()).toBe('anon /rpc/show')
    expect((await get('/rpc/show?setting=app.settings.shop')).json()).toBe('tea')
    await configure({ 'pgrst.db_pre_request': null, 'pgrst.app_settings_shop': null })
    // Nothing of it is left on the pooled connection.
    expect((await get('/rpc/show?setting=my.mark')).json()).not.toBe('anon /rpc/show')
  })

  it("puts the role's own settings in force", async () => {
    await configure({ statement_timeout: '200ms' }, 'anon')
    expect((await get('/rpc/show?setting=statement_timeout')).json()).toBe('200ms')
    const slow = await app.inject({ method: 'POST', url: '/rest/v1/rpc/nap' })
    expect(slow.json()).toMatchObject({ code: '57014' })
    await configure({ statement_timeout: null, default_transaction_isolation: 'repeatable read' }, 'anon')
    expect((await get('/rpc/show?setting=transaction_isolation')).json()).toBe('repeatable read')
    await configure({ default_transaction_isolation: null }, 'anon')
  })

  it('lets no statement run on for ever', async () => {
    expect((await get('/rpc/show?setting=statement_timeout')).json()).toBe('8s')
    await configure({ statement_timeout: '1min' })
    // The login's own setting is left alone; connections of before still have none.
    expect((await get('/rpc/show?setting=statement_timeout')).json()).not.toBe('8s')
    await configure({ statement_timeout: null })
  })

  it('says that the schema is not known yet', async () => {
    const unread = new CatalogService({ pool: database.owner, connection: database.connection, clock: systemClock })
    const early = serverOver({ pool: database.requests, catalog: unread })
    const answer = await early.inject({ url: '/rest/v1/thing' })
    expect(answer.statusCode).toBe(503)
    expect(answer.json()).toMatchObject({ code: 'PGRST002' })
    expect(answer.headers['retry-after']).toBe('1')
    await early.close()
  })

  it('undoes what the client asks to undo, and keeps what it asks to keep', async () => {
    const insert = (id: number, prefer: string) =>
      app.inject({
        method: 'POST',
        url: '/rest/v1/thing',
        headers: { prefer, 'content-type': 'application/json' },
        payload: `{"id":${id}}`,
      })
    expect((await insert(50, 'tx=rollback')).headers['preference-applied']).toBe('tx=rollback')
    await insert(51, 'tx=commit')
    expect((await get('/thing?id=gte.50&select=id')).json()).toEqual([{ id: 51 }])
    await configure({ 'pgrst.db_tx_end': 'rollback' })
    await insert(52, 'tx=commit')
    await configure({ 'pgrst.db_tx_end': null })
    expect((await get('/thing?id=gte.50&select=id')).json()).toEqual([{ id: 51 }])
  })

  it('times its stages when asked to', async () => {
    await configure({ 'pgrst.server_timing_enabled': 'true' })
    expect((await get('/thing')).headers['server-timing']).toMatch(
      /^jwt;dur=[\d.]+, parse;dur=[\d.]+, plan;dur=[\d.]+, transaction;dur=[\d.]+, response;dur=[\d.]+$/,
    )
    await configure({ 'pgrst.server_timing_enabled': null })
  })

  it('answers 503 with Retry-After while the database is away', async () => {
    const closed = new pg.Pool(database.connection)
    await closed.end()
    const away = new Pool({ connection: { ...database.connection, port: 1 }, max: 1, applicationName: 'nowhere' })
    const lonely = serverOver({ pool: away, catalog })
    const answer = await lonely.inject({ url: '/rest/v1/thing' })
    expect(answer.statusCode).toBe(503)
    expect(answer.headers['retry-after']).toBe('1')
    expect(answer.json()).toMatchObject({ code: 'PGRST001' })
    await lonely.close()
    await away.end()
  })

  it('heals after its connections were killed', async () => {
    await get('/thing')
    await database.sql(
      "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'authenticator' and datname = current_database()",
    )
    const deadline = Date.now() + 5_000
    let status = 0
    while (status !== 200 && Date.now() < deadline) status = (await get('/thing')).statusCode
    expect(status).toBe(200)
  })

  it('keeps callers apart on one connection', async () => {
    const single = new Pool({ connection: loginOf(database), max: 1, applicationName: 'single' })
    const shared = fastify()
    shared.addHook('onRequest', async (request) => {
      const sub = String(request.headers['x-sub'])
      request.caller = { ...ANON, claimsText: JSON.stringify({ role: 'anon', sub }) }
    })
    await shared.register(restDialect({ pool: single, catalog }), { prefix: '/rest/v1' })
    const ask = (sub: string) =>
      shared.inject({ url: '/rest/v1/rpc/show?setting=request.jwt.claims', headers: { 'x-sub': sub } })
    const answers = await Promise.all(Array.from({ length: 50 }, (_, index) => ask(`u${index}`)))
    answers.forEach((answer, index) => {
      expect(answer.json()).toBe(`{"role":"anon","sub":"u${index}"}`)
    })
    await shared.close()
    await single.end()
  })
})

/** The owner's login serves: it may become anon too. */
const loginOf = (database: TestDatabase): pg.ClientConfig => database.connection
