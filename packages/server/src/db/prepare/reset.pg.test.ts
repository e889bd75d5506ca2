/** Starting over: all that people made is gone, all that the product made is new, and the running nodes can go on. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { asAdmin } from '../../../test/database.ts'
import { startTestCluster, type TestCluster } from '../../../test/postgres.ts'
import { randomIds } from '../../kernel/ids.ts'
import { sql } from '../../sql/sql.ts'
import { connectionOf } from '../connection-url.ts'
import { Pool, ping } from '../pool.ts'
import { readMigrations } from './migrate.ts'
import { prepareDatabase } from './prepare.ts'
import { planReset, resetDatabase } from './reset.ts'

const shape = sql('test.shape')`
  select coalesce(string_agg(class.oid::regclass::text, ' ' order by class.oid::regclass::text), '') as shape
    from pg_class as class
    join pg_namespace as namespace on namespace.oid = class.relnamespace
   where class.relkind in ('r', 'v')
     and namespace.nspname !~ '^pg_'
     and namespace.nspname <> 'information_schema'`

for (const version of [15, 18] as const) {
  describe(`a reset on PostgreSQL ${version}`, () => {
    let cluster: TestCluster
    const pools: Pool[] = []
    beforeAll(async () => {
      cluster = await startTestCluster({ version })
      // Makes the roles that a plain owner cannot make.
      const url = cluster.urlOf({})
      const owner = new Pool({ connection: connectionOf(url), max: 1, applicationName: 'roles' })
      await prepareDatabase(owner, connectionOf(url), randomIds)
      await owner.end()
      await asAdmin(cluster.url, "create role plain login password 'plain'")
      const option = version === 18 ? 'with inherit true, set true' : ''
      await asAdmin(cluster.url, `grant anon, authenticated, service_role to plain ${option}`)
    })
    afterAll(async () => {
      await Promise.all(pools.map((pool) => pool.end()))
      await cluster.stop()
    })

    const freshDatabase = async (user: string, password?: string): Promise<{ owner: Pool; url: string }> => {
      const database = `reset_${randomIds.uuid().slice(0, 8)}`
      await asAdmin(cluster.url, `create database ${database} owner ${user}`)
      const url = cluster.urlOf({ database, user, ...(password === undefined ? {} : { password }) })
      const owner = new Pool({ connection: connectionOf(url), max: 3, applicationName: 'reset test' })
      pools.push(owner)
      return { owner, url }
    }

    for (const [who, user, password] of [
      ['a superuser', 'postgres', undefined],
      ['a plain owner', 'plain', 'plain'],
    ] as const) {
      it(`brings everything back to the first day, for ${who}`, async () => {
        const { owner, url } = await freshDatabase(user, password)
        const { login } = await prepareDatabase(owner, connectionOf(url), randomIds)
        const before = await owner.maybeOne<{ shape: string }>(shape)
        const requests = new Pool({ connection: login.connection, max: 1, applicationName: 'requests' })
        pools.push(requests)
        await requests.run(ping)
        await owner.script(`
          create schema mine;
          create table mine.own (id int primary key);
          create table public.tea (id int primary key references mine.own (id));
          create policy readable on storage.objects for select using (true);
          create function public.greet() returns trigger language plpgsql as $$ begin return new; end $$;
          create trigger greeting after insert on auth.users for each row execute function public.greet();
          create publication theirs for table public.tea;
          insert into auth.users (id) values (gen_random_uuid());
          insert into storage.buckets (id, name) values ('images', 'images')`)
        expect((await planReset(owner)).schemas).toEqual(expect.arrayContaining(['mine', 'public', 'auth', 'storage']))

        await resetDatabase(owner, await readMigrations())
        const again = await prepareDatabase(owner, connectionOf(url), randomIds)

        expect(await owner.maybeOne(shape)).toEqual(before)
        const [left] = await owner.many(sql('test.left')`
          select (select count(*)::int from auth.users) as users,
                 (select count(*)::int from storage.buckets where id <> 'cloud') as buckets,
                 (select count(*)::int from pg_policy where polname = 'readable') as policies,
                 (select count(*)::int from pg_trigger where tgname = 'greeting') as triggers,
                 (select count(*)::int from pg_publication where pubname = 'theirs') as publications,
                 (select count(*)::int from pg_publication where pubname in ('supabase_realtime', 'teahouse_feed')) as own`)
        expect(left).toEqual({ users: 0, buckets: 0, policies: 0, triggers: 0, publications: 0, own: 2 })
        // The login of the nodes that run keeps its password, and the same script loads again.
        expect(again.login.connection).toEqual(login.connection)
        await owner.script(
          'create policy readable on storage.objects for select using (true); create table public.tea (id int)',
        )
        expect(
          await owner.maybeOne(
            sql('test.grant')`select has_table_privilege('anon', 'public.tea', 'select') as granted`,
          ),
        ).toEqual({
          granted: true,
        })
        await requests.run(ping)
      })
    }

    it('leaves a database alone that was never the product’s', async () => {
      const { owner } = await freshDatabase('postgres')
      await owner.script('create table public.precious (id int)')
      await expect(resetDatabase(owner, await readMigrations())).rejects.toMatchObject({ code: 'conflict' })
      expect(await owner.maybeOne(sql('test.there')`select to_regclass('public.precious')::text as name`)).toEqual({
        name: 'precious',
      })
    })

    it('changes nothing when it cannot be finished', async () => {
      const { owner, url } = await freshDatabase('postgres')
      await prepareDatabase(owner, connectionOf(url), randomIds)
      await owner.script('create table public.tea (id int)')
      const before = await owner.maybeOne(shape)
      const broken = [...(await readMigrations()), { id: '9999', name: 'broken', text: 'select 1 / 0' }]
      await expect(resetDatabase(owner, broken)).rejects.toMatchObject({ code: '22012' })
      expect(await owner.maybeOne(shape)).toEqual(before)
    })
  })
}
