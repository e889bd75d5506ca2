/** One connection for everybody, and requests that end in every way there is: nobody ever runs as the one before. */
import { request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import fastify, { type FastifyInstance } from 'fastify'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runs } from '../../../../test/arbitraries.ts'
import { createTestDatabase, type TestDatabase } from '../../../../test/database.ts'
import { CatalogService } from '../../../db/catalog/service.ts'
import { Pool } from '../../../db/pool.ts'
import { authenticated, supabaseProofs } from '../../../http/caller.ts'
import { createIdentity } from '../../../identity/identity.ts'
import { deriveKeys } from '../../../identity/keys.ts'
import { TokenVerifier } from '../../../identity/tokens.ts'
import { systemClock } from '../../../kernel/clock.ts'
import { sql } from '../../../sql/sql.ts'
import { restDialect } from './plugin.ts'

const FIXTURE = `
  create table mine (id int generated always as identity primary key, owner text not null default auth.jwt() ->> 'sub', parent int
    references mine (id) deferrable initially deferred);
  alter table mine enable row level security;
  create policy own on mine using (owner = auth.jwt() ->> 'sub') with check (owner = auth.jwt() ->> 'sub');
  grant all on mine to authenticated;
  create function who() returns json language sql stable as
    $$ select json_build_object('role', current_user, 'sub', auth.jwt() ->> 'sub', 'path', current_setting('search_path')) $$;
  create function nap() returns void language sql as 'select pg_sleep(30)';
  create function leave() returns void language plpgsql as
    $$ begin perform set_config('request.jwt.claims', '{"sub":"planted"}', true); raise exception 'left' using errcode = 'PT418'; end $$;
`
const SECRET = 'a secret of at least thirty-two bytes'

let database: TestDatabase
let single: Pool
let catalog: CatalogService
let app: FastifyInstance
let port: number
const tokens = new Map<string, string>()

beforeAll(async () => {
  database = await createTestDatabase()
  await database.sql(FIXTURE)
  // Whoever hangs is cut off by the database.
  await database.sql(
    'alter role authenticated in database ' +
      new URL(database.url).pathname.slice(1) +
      " set statement_timeout = '300ms'",
  )
  single = new Pool({ connection: database.connection, max: 1, applicationName: 'single' })
  catalog = new CatalogService({ pool: database.owner, connection: database.connection, clock: systemClock })
  await catalog.start()
  const keys = await deriveKeys(SECRET)
  const identity = createIdentity(keys, new TokenVerifier({ jwtSecret: SECRET, clock: systemClock }))
  app = fastify({ forceCloseConnections: true })
  app.addHook('onRequest', authenticated(identity, supabaseProofs))
  await app.register(restDialect({ pool: single, catalog }), { prefix: '/rest/v1' })
  await app.listen({ port: 0, host: '127.0.0.1' })
  port = (app.server.address() as AddressInfo).port
  for (const sub of ['ada', 'bob', 'eve']) {
    const token = new SignJWT({ sub, role: 'authenticated', aud: 'authenticated' })
    tokens.set(sub, await token.setProtectedHeader({ alg: 'HS256' }).setExpirationTime('1h').sign(Buffer.from(SECRET)))
  }
  tokens.set('the operator', keys.serviceKey)
})
afterAll(async () => {
  await app?.close()
  await single?.end()
  await catalog?.stop()
  await database?.drop()
})

interface Asked {
  readonly who: string
  readonly path: string
  readonly body?: object
  readonly prefer?: string
  /** Hangs up before the answer. */
  readonly leave?: boolean
}

const ask = ({ who, path, body, prefer, leave }: Asked): Promise<{ readonly status: number; readonly text: string }> =>
  new Promise((resolve) => {
    const token = tokens.get(who)
    const headers = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(prefer === undefined ? {} : { prefer }),
      'content-type': 'application/json',
      connection: 'close',
    }
    const sent = httpRequest(
      { port, host: '127.0.0.1', method: 'POST', path: `/rest/v1${path}`, headers },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
      },
    )
    sent.on('error', () => resolve({ status: 0, text: '' }))
    sent.end(JSON.stringify(body ?? {}))
    if (leave) sent.once('finish', () => setImmediate(() => sent.destroy()))
  })

const DISTURBANCES: Readonly<Record<string, (who: string) => Promise<unknown>>> = {
  'raises an error of its own': (who) => ask({ who, path: '/rpc/leave' }),
  'runs into the time limit': () => ask({ who: 'ada', path: '/rpc/nap' }),
  'fails at commit': () => ask({ who: 'ada', path: '/mine', body: { parent: -1 } }),
  'is undone at its own wish': () => ask({ who: 'ada', path: '/mine', body: {}, prefer: 'tx=rollback' }),
  'writes what its policy forbids': () => ask({ who: 'ada', path: '/mine', body: { owner: 'bob' } }),
  'asks for what is not there': (who) => ask({ who, path: '/rpc/nothing' }),
  'hangs up': (who) => ask({ who, path: '/rpc/who', leave: true }),
  'loses its connection': async () => {
    const asked = ask({ who: 'the operator', path: '/rpc/who' })
    await database.owner.many(
      sql(
        't.kill',
      )`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'single' and datname = current_database()`,
    )
    await asked
  },
}

describe('callers on one connection', () => {
  it('stay apart, however the requests before them ended', async () => {
    const who = fc.constantFrom('nobody', 'ada', 'bob', 'eve', 'the operator')
    const step = fc.record({ who, disturbed: fc.option(fc.constantFrom(...Object.keys(DISTURBANCES))) })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        // All at once: they wait for the one connection in the order of their coming, disturbances between them.
        const asked = steps.map(async (each) => {
          if (each.disturbed !== null) void DISTURBANCES[each.disturbed]?.(each.who)
          const answer = await ask({ who: each.who, path: '/rpc/who' })
          return { who: each.who, answer }
        })
        for (const { who, answer } of await Promise.all(asked)) {
          // A connection that was killed may take the one behind it along; what is never right is another caller.
          if (answer.status === 503) continue
          const { role, sub } = JSON.parse(answer.text) as { role: string; sub: string | null }
          const named = who === 'nobody' || who === 'the operator' ? null : who
          const expected = who === 'nobody' ? 'anon' : who === 'the operator' ? 'service_role' : 'authenticated'
          expect({ who, role, sub }).toEqual({ who, role: expected, sub: named })
        }
      }),
      runs(12),
    )
    const outside = sql('t.outside')`
      select current_user::text as role, session_user::text as login, nullif(current_setting('request.jwt.claims', true), '') as claims`
    const [left] = await single.many<{ role: string; login: string; claims: string | null }>(outside)
    expect(left?.role).toBe(left?.login)
    expect(left?.claims).toBeNull()
  })

  it('keep their rows to themselves while others fail between them', async () => {
    for (const owner of ['ada', 'bob', 'eve']) await ask({ who: owner, path: '/mine', body: {} })
    const reads = Array.from({ length: 60 }, (_, index) => {
      const owner = ['ada', 'bob', 'eve'][index % 3] ?? 'ada'
      const disturb = Object.values(DISTURBANCES)[index % 6]
      if (index % 4 === 0) void disturb?.(owner)
      return app
        .inject({ url: '/rest/v1/mine?select=owner', headers: { authorization: `Bearer ${tokens.get(owner)}` } })
        .then((answer) => [
          owner,
          answer.statusCode,
          new Set(answer.json<{ owner: string }[]>().map((row) => row.owner)),
        ])
    })
    for (const [owner, status, owners] of await Promise.all(reads)) {
      expect([owner, status, owners]).toEqual([owner, 200, new Set([owner])])
    }
  })
})
