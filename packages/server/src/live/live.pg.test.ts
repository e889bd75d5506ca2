/** What the matcher delivers against what row-level security answers: the same rows, for every policy, filter and change, never more. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runs } from '../../test/arbitraries.ts'
import { createTestDatabase, type Major, type TestDatabase } from '../../test/database.ts'
import { eventually } from '../../test/realtime.ts'
import { createLocalBus } from '../bus/local.ts'
import { CatalogService } from '../db/catalog/service.ts'
import { runAs } from '../db/scope.ts'
import { cellOf, type RowOperation } from '../feed/change.ts'
import type { Caller } from '../identity/caller.ts'
import { systemClock } from '../kernel/clock.ts'
import { randomIds } from '../kernel/ids.ts'
import type { Condition } from './condition.ts'
import { Live } from './live.ts'
import { createLiveServices, type LiveServices } from './open.ts'
import type { Subscription } from './subscription.ts'

const uid = (n: number) => `${n}${n}${n}${n}${n}${n}${n}${n}-0000-4000-8000-000000000000`

const caller = (role: string, claims: Record<string, unknown>): Caller => ({
  role,
  userId: null,
  claims: { role, ...claims } as Caller['claims'],
  claimsText: JSON.stringify({ role, ...claims }),
  expiresAt: null,
})

const CALLERS: readonly Caller[] = [
  caller('anon', {}),
  caller('authenticated', { sub: uid(1), org: 'a', app_metadata: { level: 'high' } }),
  caller('authenticated', { sub: uid(2), org: 'b' }),
  caller('authenticated', { sub: uid(3), org: 'a', email: 'c@example.com', exp: 1 }),
  caller('service_role', {}),
]

/** Policies as people write them. The last ones are opaque. */
const POLICIES: readonly string[] = [
  'true',
  'auth.uid() = owner',
  '(select auth.uid()) = owner',
  'open',
  'open is not true and room > 1',
  'exists (select 1 from member m where m.room = item.room and m.who = auth.uid())',
  'room in (select room from member where who = (select auth.uid()))',
  'owner = auth.uid() or exists (select from member where member.room = item.room and member.who = auth.uid())',
  `note = auth.jwt() ->> 'org'`,
  `(auth.jwt() -> 'app_metadata' ->> 'level') = 'high'`,
  `auth.role() = 'authenticated' and note in ('a', 'x')`,
  'owner is null',
  'owner is distinct from auth.uid()',
  'not (room = 2)',
  `note like 'a%'`,
  'price > 1.5',
  'lower(note) = note and open',
  'is_member(room)',
  'room = (select max(room) from member where who = auth.uid())',
  `exists (select 1 from member m join member k on k.room = m.room where m.who = auth.uid() and k.room = item.room)`,
  `not exists (select 1 from member m where m.room = item.room and m.who = auth.uid())`,
]

const MEMBER_POLICIES = ['', 'who = auth.uid()', 'true', 'room < 3', 'who in (select owner from item)'] as const

const FILTERS: readonly (readonly [sql: string, conditions: readonly Condition[]])[] = [
  ['true', []],
  ['true', []],
  ['room = 1', [{ column: 'room', op: 'eq', negated: false, values: ['1'] }]],
  ['room in (1, 3)', [{ column: 'room', op: 'in', negated: false, values: ['1', '3'] }]],
  ['not (room = 2)', [{ column: 'room', op: 'eq', negated: true, values: ['2'] }]],
  ['id > 3', [{ column: 'id', op: 'gt', negated: false, values: ['3'] }]],
  [`note like 'a%'`, [{ column: 'note', op: 'like', negated: false, values: ['a%'] }]],
  [`note ~* 'X'`, [{ column: 'note', op: 'imatch', negated: false, values: ['X'] }]],
  ['price >= 1.5', [{ column: 'price', op: 'gte', negated: false, values: ['1.5'] }]],
  ['open is true', [{ column: 'open', op: 'is', negated: false, values: ['true'] }]],
  ['open is not null', [{ column: 'open', op: 'is', negated: true, values: ['null'] }]],
  [`owner = '${uid(1)}'`, [{ column: 'owner', op: 'eq', negated: false, values: [uid(1).toUpperCase()] }]],
  [
    `note is distinct from 'a' and room < 3`,
    [
      { column: 'note', op: 'isdistinct', negated: false, values: ['a'] },
      { column: 'room', op: 'lt', negated: false, values: ['3'] },
    ],
  ],
]

const nullable = (values: readonly string[]) => fc.constantFrom('null', ...values)
const row = fc.record({
  owner: nullable([1, 2, 3].map((n) => `'${uid(n)}'`)),
  room: nullable(['1', '1', '2', '2', '3']),
  open: nullable(['true', 'false']),
  note: nullable([`'a'`, `'b'`, `'ab'`, `'x'`, `'X'`]),
  price: nullable(['1.5', '1.50', '2', '0.1']),
})
const id = fc.integer({ min: 1, max: 6 })
const policy = fc.record({
  // Memberships have the most moving parts, so they come up most.
  text: fc.oneof(fc.constantFrom(...POLICIES), fc.constantFrom(...POLICIES.filter((text) => text.includes('member ')))),
  restrictive: fc.integer({ min: 0, max: 4 }).map((number) => number === 0),
  to: fc.constantFrom('public', 'authenticated', 'anon, authenticated'),
})

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('put' as const), id, row }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), id }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('join' as const),
      room: fc.integer({ min: 1, max: 3 }),
      who: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('part' as const),
      room: fc.integer({ min: 1, max: 3 }),
      who: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('policies' as const),
      policies: fc.array(policy, { maxLength: 3 }),
      member: fc.constantFrom(...MEMBER_POLICIES),
    }),
  },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

const policySql = (policies: readonly { text: string; restrictive: boolean; to: string }[], member: string): string =>
  `begin; select drop_policies(); ${policies
    .map(
      ({ text, restrictive, to }, index) =>
        `create policy p${index} on item as ${restrictive ? 'restrictive' : 'permissive'} for select to ${to} using (${text});`,
    )
    .join(' ')} ${
    // A policy of the membership table that reads the protected one would recurse into policies that read memberships.
    member === '' || policies.some(({ text }) => text.includes('member') && member.includes('item'))
      ? 'alter table member disable row level security;'
      : `alter table member enable row level security; create policy m on member using (${member});`
  } commit;`

const sqlOf = (each: Step): string => {
  switch (each.kind) {
    case 'put': {
      const { owner, room, open, note, price } = each.row
      return `insert into item values (${each.id}, ${owner}, ${room}, ${open}, ${note}, ${price}) on conflict (id) do update set owner = excluded.owner, room = excluded.room, open = excluded.open, note = excluded.note, price = excluded.price`
    }
    case 'remove':
      return `delete from item where id = ${each.id}`
    case 'join':
      return `insert into member values (${each.room}, '${uid(each.who)}') on conflict do nothing`
    case 'part':
      return `delete from member where room = ${each.room} and who = '${uid(each.who)}'`
    case 'policies':
      return policySql(each.policies, each.member)
  }
}

describe.each<Major>(['18', '15'])('subscriptions on PostgreSQL %s', (version) => {
  let database: TestDatabase
  let catalog: CatalogService
  let services: LiveServices
  const errors: string[] = []
  let fence = 0
  let fenced = 0

  beforeAll(async () => {
    database = await createTestDatabase(version)
    await database.sql(`
      create table member (room int, who uuid, primary key (room, who));
      create table item (id int primary key, owner uuid, room int, open bool, note text, price numeric);
      create table fence (id int primary key);
      create function is_member(r int) returns bool language sql stable security definer set search_path = public
        as 'select exists (select 1 from member where room = r and who = auth.uid())';
      create function drop_policies() returns void language plpgsql as $$
        declare p record;
        begin
          for p in select polname, polrelid::regclass as tab from pg_policy where polrelid in ('item'::regclass, 'member'::regclass) loop
            execute format('drop policy %I on %s', p.polname, p.tab);
          end loop;
        end $$;
      alter table item enable row level security;
      alter publication supabase_realtime add table item, fence;`)
    const { owner, requests, connection } = database
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
    })
    await services.start()
    await services.feed.ready()
    await subscribe(CALLERS[4] as Caller, 'fence', [], ({ id }) => {
      fenced = id
    })
  })

  afterAll(async () => {
    await services.stop()
    await catalog.stop()
    await database.drop()
  })

  const subscribe = (
    who: Caller,
    table: string,
    conditions: readonly Condition[],
    tell: (event: { op: RowOperation; id: number }) => void,
  ): Promise<Subscription> =>
    services.live.subscribe({
      schema: 'public',
      table,
      conditions,
      operations: new Set(['INSERT', 'UPDATE', 'DELETE']),
      select: null,
      caller: who,
      publication: 'supabase_realtime',
      sink: {
        matched: (change) =>
          tell({ op: change.op, id: Number(cellOf(change.relation, change.new ?? change.old, 'id')) }),
        resync: () => errors.push('resync'),
        status: () => {},
      },
    })

  /** Waits until everything that committed before was delivered. */
  const settled = async (): Promise<void> => {
    fence++
    await database.sql(`insert into fence values (${fence})`)
    await eventually(() => fenced === fence, `the fence ${fence}; ${errors.slice(-3).join('; ')}`)
  }

  /** Ids of the rows that the caller's own SELECT answers. */
  const visible = async (who: Caller, filter: string): Promise<ReadonlySet<number>> => {
    const scope = { role: who.role, claims: who.claimsText, searchPath: '"public", "extensions"' }
    const [result] = await runAs(database.requests, scope, [
      { name: 'test.visible', text: `select id from item where ${filter}`, values: [] },
    ])
    return new Set(result?.rows.map((each) => Number(each[0])))
  }

  const contents = async (): Promise<ReadonlyMap<number, string>> => {
    const rows = await database.owner.many<{ id: number; all: string }>({
      name: 'test.rows',
      text: 'select id, item::text as all from item',
      values: [],
    })
    return new Map(rows.map((each) => [each.id, each.all]))
  }

  it('follows memberships without a query per event', async () => {
    await database.sql('truncate item, member')
    await database.sql(policySql([{ text: POLICIES[5] ?? '', restrictive: false, to: 'public' }], 'who = auth.uid()'))
    const seen: string[] = []
    const subscription = await subscribe(CALLERS[1] as Caller, 'item', [], ({ op, id }) => seen.push(`${op} ${id}`))
    const before = services.live.stats().queries
    for (const text of [
      'insert into item values (1, null, 1)',
      `insert into member values (1, '${uid(1)}'), (2, '${uid(2)}')`,
      'insert into item values (2, null, 1), (3, null, 2)',
      `update member set room = 2 where who = '${uid(1)}'`,
      'insert into item values (4, null, 1), (5, null, 2)',
      'delete from item where id in (2, 5)',
      'truncate member',
      'insert into item values (6, null, 2)',
    ]) {
      await database.sql(text)
      await settled()
    }
    expect(seen).toEqual(['INSERT 2', 'INSERT 5', 'DELETE 5'])
    expect(services.live.stats().queries).toBe(before)
    subscription.close()
  })

  it('tells opaque subscribers to read again when checking would take too long, and nobody else', async () => {
    const { owner, requests } = database
    await database.sql('truncate item, member')
    await database.sql(
      policySql([{ text: 'is_member(room) or owner = auth.uid()', restrictive: false, to: 'public' }], ''),
    )
    const strict = new Live({
      feed: services.feed,
      catalog,
      owner,
      requests,
      clock: systemClock,
      onError: () => {},
      probesPerSecond: 0,
    })
    await strict.start()
    const told: string[] = []
    const listen = (who: Caller) =>
      strict.subscribe({
        schema: 'public',
        table: 'item',
        conditions: [],
        operations: new Set<RowOperation>(['INSERT']),
        select: null,
        caller: who,
        publication: 'supabase_realtime',
        sink: {
          matched: () => told.push(`${who.role} row`),
          resync: () => told.push(`${who.role} again`),
          status: () => {},
        },
      })
    await listen(CALLERS[1] as Caller)
    await listen(CALLERS[4] as Caller)
    await database.sql(`insert into item values (1, '${uid(1)}', 1)`)
    await settled()
    await eventually(() => told.length === 2, 'both are told')
    expect(told.sort()).toEqual(['authenticated again', 'service_role row'])
    await strict.stop()
  })

  it('delivers exactly what row-level security shows', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(policy, { minLength: 1, maxLength: 3 }),
        fc.constantFrom(...MEMBER_POLICIES),
        fc.array(fc.constantFrom(...FILTERS), { minLength: 5, maxLength: 5 }),
        fc.array(step, { minLength: 4, maxLength: 16 }),
        async (policies, memberPolicy, filters, steps) => {
          await database.sql('truncate item, member')
          await database.sql(policySql(policies, memberPolicy))
          const seen: string[][] = CALLERS.map(() => [])
          const subscriptions = await Promise.all(
            CALLERS.map((who, index) =>
              subscribe(who, 'item', filters[index]?.[1] ?? [], ({ op, id }) => seen[index]?.push(`${op} ${id}`)),
            ),
          )
          try {
            for (const each of steps) {
              const filterOf = (index: number) => filters[index]?.[0] ?? 'true'
              const before = await contents()
              const could = await Promise.all(CALLERS.map((who, index) => visible(who, filterOf(index))))
              await database.sql(sqlOf(each))
              await settled()
              const after = await contents()
              const can = await Promise.all(CALLERS.map((who, index) => visible(who, filterOf(index))))
              const expected = CALLERS.map((_, index) => {
                if (each.kind === 'put')
                  return can[index]?.has(each.id) ? [`${before.has(each.id) ? 'UPDATE' : 'INSERT'} ${each.id}`] : []
                if (each.kind === 'remove')
                  return could[index]?.has(each.id) && !after.has(each.id) ? [`DELETE ${each.id}`] : []
                return []
              })
              expect({ step: sqlOf(each), seen: seen.map((list) => list.splice(0)) }).toEqual({
                step: sqlOf(each),
                seen: expected,
              })
            }
          } finally {
            for (const subscription of subscriptions) subscription.close()
          }
          expect(services.live.stats()).toMatchObject({ groups: 1, subscriptions: 1 })
        },
      ),
      runs(25),
    )
    expect(errors).toEqual([])
  }, 600_000)
})
