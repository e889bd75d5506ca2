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

/** Policies of a second table, some of which read the first one under its own policies. */
const REMARK_POLICIES = [
  'true',
  'exists (select from item where item.id = remark.item and item.owner = auth.uid())',
  'item in (select room from member where who = (select auth.uid()))',
  'exists (select from item where item.id = remark.item)',
]

/** Which rows the publication publishes, as SQL. */
const ROW_FILTERS = ['', '', 'room > 1', `note is distinct from 'a'`] as const

/** What a subscriber listens to: a table or every table, and which events. */
const SCOPES: readonly { readonly table: string; readonly operations: readonly RowOperation[] }[] = [
  { table: 'item', operations: ['INSERT', 'UPDATE', 'DELETE'] },
  { table: 'item', operations: ['INSERT', 'UPDATE', 'DELETE'] },
  { table: 'item', operations: ['INSERT'] },
  { table: 'item', operations: ['UPDATE'] },
  { table: 'item', operations: ['DELETE'] },
  { table: '*', operations: ['INSERT', 'UPDATE', 'DELETE'] },
  { table: 'remark', operations: ['INSERT', 'UPDATE', 'DELETE'] },
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
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rename' as const), id, to: id }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('say' as const), id, item: id }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('unsay' as const), id }) },
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
      remark: fc.constantFrom(...REMARK_POLICIES),
    }),
  },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

const policySql = (
  policies: readonly { text: string; restrictive: boolean; to: string }[],
  member: string,
  remark = 'true',
): string =>
  `begin; select drop_policies(); create policy r on remark using (${remark}); ${policies
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

interface Contents {
  readonly item: ReadonlySet<number>
  readonly remark: ReadonlySet<number>
  readonly published: ReadonlySet<number>
}

/** What a subscriber sees of both tables under row-level security and its own filter. */
type Sight = Readonly<Record<'item' | 'remark', ReadonlySet<number>>>

/** What a step is to a subscriber who saw `could` and sees `can`; null when nothing. */
const expectedOf = (
  each: Step,
  before: Contents,
  after: Contents,
  { could, can }: { could: Sight; can: Sight },
): string | null => {
  switch (each.kind) {
    case 'put': {
      const [was, is] = [before.published.has(each.id), after.published.has(each.id)]
      // Leaving what is published looks like a delete of the old row, coming in like an insert of the new one.
      if (was && !is) return could.item.has(each.id) ? `item DELETE ${each.id}` : null
      return is && can.item.has(each.id) ? `item ${was ? 'UPDATE' : 'INSERT'} ${each.id}` : null
    }
    case 'remove':
      return before.published.has(each.id) && could.item.has(each.id) ? `item DELETE ${each.id}` : null
    case 'rename':
      return before.published.has(each.id) && !before.item.has(each.to) && can.item.has(each.to)
        ? `item UPDATE ${each.to}`
        : null
    case 'say':
      return can.remark.has(each.id) ? `remark ${before.remark.has(each.id) ? 'UPDATE' : 'INSERT'} ${each.id}` : null
    case 'unsay':
      return could.remark.has(each.id) ? `remark DELETE ${each.id}` : null
    default:
      return null
  }
}

const sqlOf = (each: Step): string => {
  switch (each.kind) {
    case 'put': {
      const { owner, room, open, note, price } = each.row
      return `insert into item values (${each.id}, ${owner}, ${room}, ${open}, ${note}, ${price}) on conflict (id) do update set owner = excluded.owner, room = excluded.room, open = excluded.open, note = excluded.note, price = excluded.price`
    }
    case 'remove':
      return `delete from item where id = ${each.id}`
    case 'rename':
      return `update item set id = ${each.to} where id = ${each.id} and not exists (select from item where id = ${each.to})`
    case 'say':
      return `insert into remark values (${each.id}, ${each.item}) on conflict (id) do update set item = excluded.item`
    case 'unsay':
      return `delete from remark where id = ${each.id}`
    case 'join':
      return `insert into member values (${each.room}, '${uid(each.who)}') on conflict do nothing`
    case 'part':
      return `delete from member where room = ${each.room} and who = '${uid(each.who)}'`
    case 'policies':
      return policySql(each.policies, each.member, each.remark)
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
      create table remark (id int primary key, item int);
      alter table remark enable row level security;
      create function is_member(r int) returns bool language sql stable security definer set search_path = public
        as 'select exists (select 1 from member where room = r and who = auth.uid())';
      create function drop_policies() returns void language plpgsql as $$
        declare p record;
        begin
          for p in select polname, polrelid::regclass as tab from pg_policy where polrelid in ('item'::regclass, 'member'::regclass, 'remark'::regclass) loop
            execute format('drop policy %I on %s', p.polname, p.tab);
          end loop;
        end $$;
      alter table item enable row level security;
      alter publication supabase_realtime add table item, fence, remark;`)
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
    tell: (event: { table: string; op: RowOperation; id: number }) => void,
    operations: readonly RowOperation[] = ['INSERT', 'UPDATE', 'DELETE'],
  ): Promise<Subscription> =>
    services.live.subscribe({
      schema: 'public',
      table,
      conditions,
      operations: new Set(operations),
      select: null,
      caller: who,
      publication: 'supabase_realtime',
      sink: {
        matched: (change) =>
          tell({
            table: change.relation.name,
            op: change.op,
            id: Number(cellOf(change.relation, change.new ?? change.old, 'id')),
          }),
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
  const visible = async (who: Caller, table: string, filter: string): Promise<ReadonlySet<number>> => {
    const scope = { role: who.role, claims: who.claimsText, searchPath: '"public", "extensions"' }
    const [result] = await runAs(database.requests, scope, [
      { name: 'test.visible', text: `select id from ${table} where ${filter}`, values: [] },
    ])
    return new Set(result?.rows.map((each) => Number(each[0])))
  }

  /** What there is, whoever may see it: rows of both tables, and those that are published. */
  const contents = async (rowFilter: string): Promise<Contents> => {
    const ids = async (text: string) => {
      const rows = await database.owner.many<{ id: number }>({ name: 'test.rows', text, values: [] })
      return new Set(rows.map((each) => each.id))
    }
    const [item, remark, published] = await Promise.all([
      ids('select id from item'),
      ids('select id from remark'),
      ids(`select id from item where ${rowFilter || 'true'}`),
    ])
    return { item, remark, published }
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
        fc.record({ remark: fc.constantFrom(...REMARK_POLICIES), rowFilter: fc.constantFrom(...ROW_FILTERS) }),
        fc.array(fc.tuple(fc.constantFrom(...FILTERS), fc.constantFrom(...SCOPES)), { minLength: 5, maxLength: 5 }),
        fc.array(step, { minLength: 4, maxLength: 16 }),
        async (policies, memberPolicy, { remark, rowFilter }, asked, steps) => {
          const where = rowFilter === '' ? '' : `where (${rowFilter})`
          await database.sql('truncate item, member, remark')
          await database.sql(policySql(policies, memberPolicy, remark))
          await database.sql(`alter publication supabase_realtime set table item ${where}, fence, remark`)
          // A filter names columns of one table.
          const filterOf = (index: number) =>
            asked[index]?.[1].table === 'item' ? (asked[index]?.[0] ?? FILTERS[0]) : FILTERS[0]
          const seen: string[][] = CALLERS.map(() => [])
          const tellTo =
            (index: number) =>
            ({ table, op, id: key }: { table: string; op: RowOperation; id: number }) => {
              if (table !== 'fence') seen[index]?.push(`${table} ${op} ${key}`)
            }
          const subscriptions = await Promise.all(
            CALLERS.map((who, index) => {
              const { table, operations } = asked[index]?.[1] ?? { table: 'item', operations: [] }
              return subscribe(who, table, filterOf(index)?.[1] ?? [], tellTo(index), operations)
            }),
          )
          const sights = () =>
            Promise.all(
              CALLERS.map(async (who, index): Promise<Sight> => {
                const [item, said] = await Promise.all([
                  visible(who, 'item', filterOf(index)?.[0] ?? 'true'),
                  visible(who, 'remark', 'true'),
                ])
                return { item, remark: said }
              }),
            )
          const heard = (index: number, event: string | null): readonly string[] => {
            const { table, operations } = asked[index]?.[1] ?? { table: '', operations: [] }
            const [about, operation] = (event ?? '').split(' ')
            return (table === '*' || table === about) && operations.some((each) => each === operation)
              ? [event ?? '']
              : []
          }
          try {
            let before = await contents(rowFilter)
            let could = await sights()
            for (const each of steps) {
              await database.sql(sqlOf(each))
              await settled()
              const [after, can] = await Promise.all([contents(rowFilter), sights()])
              const expected = CALLERS.map((_, index) => {
                const sight = { could: could[index] ?? NOTHING, can: can[index] ?? NOTHING }
                return heard(index, expectedOf(each, before, after, sight))
              })
              expect({ step: sqlOf(each), seen: seen.map((list) => list.splice(0)) }).toEqual({
                step: sqlOf(each),
                seen: expected,
              })
              before = after
              could = can
            }
          } finally {
            for (const subscription of subscriptions) subscription.close()
          }
          expect(services.live.stats()).toMatchObject({ groups: 1, subscriptions: 1 })
        },
      ),
      { ...runs(15), endOnFailure: true },
    )
    expect(errors).toEqual([])
  }, 600_000)
})

const NOTHING: Sight = { item: new Set(), remark: new Set() }
