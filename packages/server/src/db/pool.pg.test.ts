/** Batches and transactions on a real server: all or nothing, nothing left behind, and a plan that went stale is no error. */
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { runs } from '../../test/arbitraries.ts'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { frag, keyword, type Statement, sql, statement } from '../sql/sql.ts'
import { Pool } from './pool.ts'
import { rowsAs, runAs, type Scope, transactionAs } from './scope.ts'

const scope = (role: string, claims: object = { role }): Scope => ({
  role,
  claims: JSON.stringify(claims),
  searchPath: '"public", "extensions"',
})

const insert = (id: number): Statement => sql('t.insert')`insert into public.item (id, owner) values (${id}, 'x')`
const divideByZero = sql('t.divide')`select 1 / ${0}::int`
const countItems = sql('t.count')`select count(*)::int as count from public.item`

describe('the pool', () => {
  let db: TestDatabase
  /** One connection, so that whatever a request leaves behind meets the next one. */
  let single: Pool

  beforeAll(async () => {
    db = await createTestDatabase()
    single = new Pool({ connection: db.connection, max: 1, applicationName: 'single' })
    await db.sql(`
      create table public.item (id int primary key, owner text, parent int references public.item (id) deferrable initially deferred);
      create function public.fail_late() returns trigger language plpgsql as $$ begin raise exception 'too late' using errcode = 'P0001'; end $$;`)
  })
  afterAll(async () => {
    await single.end()
    await db.drop()
  })
  beforeEach(() => db.sql('truncate public.item'))

  const count = async (): Promise<number> => (await db.owner.maybeOne<{ count: number }>(countItems))?.count ?? -1
  const prepared = async (): Promise<readonly string[]> =>
    (await single.many<{ statement: string }>(sql('t.prepared')`select statement from pg_prepared_statements`)).map(
      (row) => row.statement,
    )

  describe('one batch', () => {
    it('is one transaction', async () => {
      const xid = sql('t.xid')`select pg_current_xact_id()::text as id`
      const [first, second] = await runAs(single, scope('service_role'), [xid, xid])
      expect(first?.rows).toEqual(second?.rows)
      expect((await runAs(single, scope('service_role'), [xid]))[0]?.rows).not.toEqual(first?.rows)
    })

    it('answers command, count and text values for every statement, and columns when asked', async () => {
      const results = await runAs(
        single,
        scope('service_role'),
        [
          insert(1),
          sql('t.read')`select id, owner, null as nothing from public.item`,
          sql('t.none')`delete from public.item where false`,
        ],
        { describe: true },
      )
      expect(results.map(({ command, rowCount }) => [command, rowCount])).toEqual([
        ['INSERT', 1],
        ['SELECT', 1],
        ['DELETE', 0],
      ])
      expect(results[1]?.rows).toEqual([['1', 'x', null]])
      expect(results[1]?.fields.map((field) => field.name)).toEqual(['id', 'owner', 'nothing'])
    })

    it('keeps the first statement undone when the second one fails', async () => {
      await expect(runAs(single, scope('service_role'), [insert(1), divideByZero])).rejects.toMatchObject({
        code: '22012',
      })
      expect(await count()).toBe(0)
    })

    it('reports a constraint that fails at the end, and answers nothing before it knows', async () => {
      const orphan = sql('t.orphan')`insert into public.item (id, parent) values (1, 99)`
      await expect(runAs(single, scope('service_role'), [orphan])).rejects.toMatchObject({ code: '23503' })
      expect(await count()).toBe(0)
    })

    it('serves the next request after an error, and after two that were under way at once', async () => {
      const failing = () => runAs(single, scope('anon'), [divideByZero])
      const outcomes = await Promise.allSettled([
        failing(),
        failing(),
        runAs(single, scope('anon'), [sql('t')`select 7`]),
      ])
      expect(outcomes.map((each) => each.status)).toEqual(['rejected', 'rejected', 'fulfilled'])
      expect((await runAs(single, scope('anon'), [sql('t')`select 8`]))[0]?.rows).toEqual([['8']])
    })

    it('refuses to copy from a client that sends nothing, instead of waiting for it', async () => {
      const copy = sql('t.copy')`copy public.item (id) from stdin`
      await expect(runAs(single, scope('service_role'), [copy])).rejects.toMatchObject({ code: '57014' })
      expect((await runAs(single, scope('anon'), [sql('t')`select 1`]))[0]?.rows).toEqual([['1']])
    })

    it('takes a value that cannot be sent as that request’s own failure', async () => {
      const invalid = sql('t.date')`select ${new Date(Number.NaN)}::timestamptz`
      await expect(runAs(single, scope('anon'), [invalid])).rejects.toThrow(RangeError)
      expect((await runAs(single, scope('anon'), [sql('t')`select 1`]))[0]?.rows).toEqual([['1']])
    })

    it('cannot write when its scope only reads', async () => {
      await expect(runAs(single, { ...scope('service_role'), readOnly: true }, [insert(1)])).rejects.toMatchObject({
        code: '25006',
      })
    })
  })

  describe('what a request sets', () => {
    const look = sql('t.look')`
      select current_user::text as role, current_setting('search_path') as path, current_setting('transaction_read_only') as read_only,
             current_setting('request.jwt.claims', true) as claims, current_setting('request.path', true) as url`
    const outside = async () => (await single.many<Record<string, string | null>>(look))[0]

    it('is in force for its own statements only', async () => {
      const before = await outside()
      const [inside] = await rowsAs(
        single,
        { ...scope('anon', { sub: 'me' }), settings: [['request.path', '/x']] },
        look,
      )
      expect(inside).toMatchObject({ role: 'anon', claims: '{"sub":"me"}', url: '/x', path: '"public", "extensions"' })
      const after = await outside()
      expect(after).toMatchObject({ role: before?.role, path: before?.path, read_only: 'off' })
      // A custom setting that was set once is empty afterwards, not absent.
      expect([after?.claims, after?.url]).toEqual(['', ''])
    })

    it('never reaches the next request, whoever asks and however the request before ended', async () => {
      const kinds = fc.constantFrom(
        'fine',
        'fails',
        'rolls back',
        'serializable',
        'transaction',
        'failing transaction',
        'late',
      )
      const request = fc.record({
        kind: kinds,
        role: fc.constantFrom('anon', 'authenticated', 'service_role'),
        readOnly: fc.boolean(),
      })
      const orphan = sql('t.orphan')`insert into public.item (id, parent) values (1, 99)`
      const runOne = async (
        { kind, role, readOnly }: { kind: string; role: string; readOnly: boolean },
        index: number,
      ) => {
        const mine: Scope = {
          ...scope(role, { sub: String(index) }),
          readOnly,
          settings: [['request.path', `/${index}`]],
        }
        const seen = {
          role,
          claims: JSON.stringify({ sub: String(index) }),
          url: `/${index}`,
          read_only: readOnly ? 'on' : 'off',
        }
        if (kind === 'fine') expect(await rowsAs(single, mine, look)).toMatchObject([seen])
        if (kind === 'fails')
          await expect(runAs(single, mine, [look, divideByZero])).rejects.toMatchObject({ code: '22012' })
        if (kind === 'late')
          await runAs(single, { ...mine, readOnly: false, role: 'service_role' }, [orphan]).catch(() => {})
        if (kind === 'rolls back') await runAs(single, mine, [look], { rollback: true })
        if (kind === 'serializable') await runAs(single, mine, [look], { isolation: 'serializable' })
        if (kind === 'transaction')
          expect(await transactionAs(single, mine, (session) => session.many(look))).toMatchObject([seen])
        if (kind === 'failing transaction') {
          await expect(transactionAs(single, mine, (session) => session.run(divideByZero))).rejects.toMatchObject({
            code: '22012',
          })
        }
      }
      const clean = await outside()
      await fc.assert(
        fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 12 }), async (requests) => {
          for (const [index, each] of requests.entries()) {
            await runOne(each, index)
            // What the connection is like between two requests.
            expect(await outside()).toMatchObject({
              role: clean?.role,
              path: clean?.path,
              read_only: 'off',
              claims: '',
            })
          }
        }),
        runs(25),
      )
    })
  })

  describe('prepared plans', () => {
    it('are made anew, unseen by the caller, when DDL changed what a statement returns', async () => {
      await db.sql(
        'create table public.wide (a int); insert into public.wide values (1); grant select on public.wide to anon',
      )
      const all = sql('t.wide')`select * from public.wide`
      for (let time = 0; time < 3; time += 1) await runAs(single, scope('anon'), [all])
      await db.sql("alter table public.wide add column b text default 'new'")
      expect((await runAs(single, scope('anon'), [all]))[0]?.rows).toEqual([['1', 'new']])
      await db.sql("alter table public.wide add column c text default 'newer'")
      const rolledBack = await runAs(single, scope('anon'), [all], { rollback: true })
      expect(rolledBack[0]?.rows).toEqual([['1', 'new', 'newer']])
    })

    it('are made anew when the server has lost them', async () => {
      const seven = sql('t.seven')`select 7`
      for (const options of [{}, { isolation: 'serializable' as const }]) {
        for (let time = 0; time < 3; time += 1) await runAs(single, scope('anon'), [seven], options)
        await single.run(sql('t')`deallocate all`)
        expect((await runAs(single, scope('anon'), [seven], options))[0]?.rows).toEqual([['7']])
      }
      for (let time = 0; time < 3; time += 1)
        await transactionAs(single, scope('anon'), (session) => session.run(seven))
      await single.run(sql('t')`deallocate all`)
      expect(await transactionAs(single, scope('anon'), (session) => session.run(seven))).toBe(1)
    })

    it('are kept apart by role and search path', async () => {
      const marked = sql('t.marked')`select 'kept apart'`
      for (const role of ['anon', 'authenticated']) {
        for (let time = 0; time < 4; time += 1) {
          await runAs(single, scope(role), [marked])
          await runAs(single, { ...scope(role), searchPath: '"extensions"' }, [marked])
        }
      }
      expect((await prepared()).filter((text) => text === marked.text)).toHaveLength(4)
    })

    it('are closed on the server when others need the room', async () => {
      const numbered = (n: number) => statement('t.numbered', frag`select ${keyword(`${n} as evictable_${n}`)}`)
      for (let n = 0; n < 300; n += 1) {
        await runAs(single, scope('anon'), [numbered(n)])
        await runAs(single, scope('anon'), [numbered(n)])
      }
      const kept = await prepared()
      expect(kept.length).toBeLessThanOrEqual(257)
      expect(kept.filter((text) => text.includes('evictable_299'))).toHaveLength(1)
      expect(kept.filter((text) => text.includes('evictable_0'))).toHaveLength(0)
    })

    it('survive the failure of a batch that prepared something else', async () => {
      const good = sql('t.good')`select 'good'`
      for (let time = 0; time < 3; time += 1) await runAs(single, scope('anon'), [good])
      const bad = sql('t.bad')`select 'bad', 1 / 0`
      for (let time = 0; time < 4; time += 1)
        await expect(runAs(single, scope('anon'), [good, bad])).rejects.toMatchObject({ code: '22012' })
      expect((await runAs(single, scope('anon'), [good]))[0]?.rows).toEqual([['good']])
      expect((await prepared()).filter((text) => text === good.text)).toHaveLength(1)
    })

    it('are not made at all behind a transaction pooler', async () => {
      const pooled = new Pool({ connection: db.connection, max: 1, prepare: false, applicationName: 'pooled' })
      const marked = sql('t.marked')`select 'never prepared'`
      for (let time = 0; time < 4; time += 1) await runAs(pooled, scope('anon'), [marked])
      const known = await pooled.many(sql('t')`select 1 from pg_prepared_statements`)
      await pooled.end()
      expect(known).toEqual([])
    })
  })

  describe('explicit transactions', () => {
    it('undo everything when asked to, and answer what would have been', async () => {
      const [result] = await runAs(single, scope('service_role'), [insert(1)], { rollback: true })
      expect(result?.rowCount).toBe(1)
      expect(await count()).toBe(0)
    })

    it('run at the isolation level that was asked for', async () => {
      const level = sql('t.level')`select current_setting('transaction_isolation') as level`
      for (const isolation of ['read committed', 'repeatable read', 'serializable'] as const) {
        const [result] = await runAs(single, scope('anon'), [level], { isolation })
        expect(result?.rows).toEqual([[isolation]])
      }
    })

    it('commit what resolves and undo what rejects', async () => {
      await transactionAs(single, scope('service_role'), (session) => session.run(insert(1)))
      const failing = transactionAs(single, scope('service_role'), async (session) => {
        await session.run(insert(2))
        throw new Error('changed my mind')
      })
      await expect(failing).rejects.toThrow('changed my mind')
      expect(await count()).toBe(1)
    })

    it('fail when the work swallowed an error of Postgres: a commit would be a rollback', async () => {
      const swallowing = single.transaction(async (tx) => {
        await tx.run(insert(1))
        await tx.run(divideByZero).catch(() => {})
      })
      await expect(swallowing).rejects.toMatchObject({ code: 'internal' })
      expect(await count()).toBe(0)
    })

    it('report a constraint that fails at commit', async () => {
      const orphan = sql('t.orphan')`insert into public.item (id, parent) values (1, 99)`
      await expect(single.transaction((tx) => tx.run(orphan))).rejects.toMatchObject({ code: '23503' })
      await expect(runAs(single, scope('service_role'), [orphan], { isolation: 'serializable' })).rejects.toMatchObject(
        { code: '23503' },
      )
    })
  })

  it('leaves nothing of a script behind: no search path, no role, no open transaction', async () => {
    await single.script("select set_config('search_path', '', false); set role anon; begin")
    const [row] = await single.many<Record<string, string>>(
      sql(
        't',
      )`select current_user::text as role, current_setting('search_path') as path, pg_current_xact_id_if_assigned() is null as idle`,
    )
    expect(row?.role).not.toBe('anon')
    expect(row?.path).toContain('public')
    const results = await single.script('select 1 as a; select 2 as b')
    expect(results.map((each) => each.rows)).toEqual([[[1]], [[2]]])
  })

  it('lends the service role to whoever plays it here', async () => {
    const acting = new Pool({ connection: db.connection, max: 1, applicationName: 'acting', serviceRole: 'postgres' })
    const who = sql('t.who')`select current_user::text as role`
    expect(await rowsAs(acting, scope('service_role'), who)).toEqual([{ role: 'postgres' }])
    expect(await rowsAs(acting, scope('anon'), who)).toEqual([{ role: 'anon' }])
    await acting.end()
  })

  it('reads numbers as numbers, and instants as the text that Postgres wrote', async () => {
    const [row] = await single.many(sql('t')`
      select 1::int as int, 2::int8 as big, timestamptz '2025-01-01 00:00:00.123456+00' at time zone 'utc' as instant, array[date '2025-01-01'] as days`)
    expect(row).toEqual({ int: 1, big: '2', instant: '2025-01-01 00:00:00.123456', days: '{2025-01-01}' })
  })

  it('ends while a query is stuck, after the time that was given', async () => {
    const stuck = new Pool({ connection: db.connection, max: 2, applicationName: 'stuck' })
    const sleeping = stuck.run(sql('t')`select pg_sleep(600)`).catch((error: unknown) => error)
    await stuck.run(sql('t')`select 1`)
    const began = performance.now()
    await Promise.all([stuck.end(100), stuck.end(100)])
    expect(performance.now() - began).toBeLessThan(3_000)
    expect(await sleeping).toMatchObject({ code: 'unavailable' })
    await expect(stuck.run(sql('t')`select 1`)).rejects.toMatchObject({ code: 'unavailable' })
  })
})
