/** Windows against fresh queries: whatever happens, what was told adds up to what the caller's own SELECT answers. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runs } from '../../../test/arbitraries.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import { eventually } from '../../../test/realtime.ts'
import { createLocalBus } from '../../bus/local.ts'
import { CatalogService } from '../../db/catalog/service.ts'
import { runAs } from '../../db/scope.ts'
import type { Caller } from '../../identity/caller.ts'
import { systemClock } from '../../kernel/clock.ts'
import { randomIds } from '../../kernel/ids.ts'
import { createLiveServices, type LiveServices } from '../open.ts'
import type { Window, WindowEvent, WindowRow, WindowSink } from './source.ts'
import { type TableQuestion, tableSource } from './table-source.ts'

const uid = (n: number) => `${n}${n}${n}${n}${n}${n}${n}${n}-0000-4000-8000-000000000000`
const COLUMNS = ['id', 'owner', 'room', 'at', 'note', 'price']

const caller = (role: string, claims: Record<string, string>): Caller => ({
  role,
  userId: null,
  claims: { role, ...claims },
  claimsText: JSON.stringify({ role, ...claims }),
  expiresAt: null,
})
const ANN = caller('authenticated', { sub: uid(1) })
const BEN = caller('authenticated', { sub: uid(2) })
const ADMIN = caller('service_role', {})
const CALLERS = [ANN, BEN, ADMIN]

const POLICIES = [
  'true',
  'owner = (select auth.uid())',
  'exists (select from member where member.room = item.room and member.who = auth.uid())',
  'owner = auth.uid() or room in (select room from member where who = auth.uid())',
  'note is not null and room < 3',
  // Opaque: only Postgres can tell.
  'is_member(room)',
]

/** A window as its subscriber knows it: only from what it was told. */
class Model implements WindowSink {
  readonly rows: { key: string; text: string }[] = []
  told = 0
  fault: string | null = null

  opened(rows: readonly WindowRow[]): void {
    for (const { key, row } of rows) this.rows.push({ key, text: textOf(row) })
  }
  changed(events: readonly WindowEvent[]): void {
    this.told += events.length
    for (const event of events) this.#apply(event)
  }
  ended(reason: string): void {
    this.fault = reason
  }
  #apply(event: WindowEvent): void {
    const at = event.kind === 'move' ? event.from : event.index
    const fits = event.kind === 'enter' ? at <= this.rows.length : this.rows[at]?.key === event.key
    if (!fits) this.fault ??= `${event.kind} ${event.key} at ${at} of ${this.rows.map(({ key }) => key)}`
    if (event.kind !== 'enter') this.rows.splice(at, 1)
    if (event.kind !== 'leave') this.rows.splice(event.index, 0, { key: event.key, text: textOf(event.row) })
  }
}

/** Columns that a table of the test lacks read as null. */
const textOf = (row: WindowRow['row']): string => JSON.stringify(COLUMNS.map((column) => row.cell(column) ?? null))

const nullable = (values: readonly string[]) => fc.constantFrom('null', ...values)
const row = fc.record({
  owner: nullable([1, 2].map((n) => `'${uid(n)}'`)),
  room: nullable(['1', '1', '2', '3']),
  at: nullable([`'2026-01-01T00:00Z'`, `'2026-01-02T00:00:00.5Z'`, `'2026-01-03T00:00Z'`]),
  note: nullable([`'a'`, `'b'`, `'茶'`, `'👩'`, `'\uffee'`]),
  price: nullable(['1.5', '1.50', '2']),
})
const id = fc.integer({ min: 1, max: 9 })
const put = fc.record({ kind: fc.constant('put' as const), id, row })
const step = fc.oneof(
  { weight: 8, arbitrary: put },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), id }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rename' as const), id, to: id }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('join' as const, 'part' as const),
      room: fc.integer({ min: 1, max: 3 }),
      who: fc.integer({ min: 1, max: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('policy' as const), text: fc.constantFrom(...POLICIES) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('several' as const),
      puts: fc.array(put, { minLength: 2, maxLength: 5 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('truncate' as const) }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

const putSql = ({ id, row: { owner, room, at, note, price } }: { id: number; row: Record<string, string> }): string =>
  `insert into item values (${id}, ${owner}, ${room}, ${at}, ${note}, ${price}) on conflict (id) do update set owner = excluded.owner, room = excluded.room, at = excluded.at, note = excluded.note, price = excluded.price`

const policySql = (text: string) =>
  `begin; drop policy if exists p on item; create policy p on item using (${text}); commit`

const sqlOf = (each: Step): string => {
  switch (each.kind) {
    case 'put':
      return putSql(each)
    case 'remove':
      return `delete from item where id = ${each.id}`
    case 'rename':
      return `update item set id = ${each.to} where id = ${each.id} and not exists (select from item where id = ${each.to})`
    case 'join':
      return `insert into member values (${each.room}, '${uid(each.who)}') on conflict do nothing`
    case 'part':
      return `delete from member where room = ${each.room} and who = '${uid(each.who)}'`
    case 'policy':
      return policySql(each.text)
    case 'several':
      return `begin; ${each.puts.map(putSql).join('; ')}; commit`
    case 'truncate':
      return 'truncate item'
  }
}

const item = (column: string, descending: boolean) => ({ column, descending, nullsFirst: descending })
const ORDERS: readonly TableQuestion['order'][] = [
  [],
  [item('at', true)],
  [item('room', false), item('at', true)],
  [item('note', false)],
  // No order that JavaScript knows.
  [item('price', true)],
]
const CONDITIONS: readonly TableQuestion['conditions'][] = [
  [],
  [{ column: 'room', op: 'eq', negated: false, values: ['1'] }],
  [{ column: 'room', op: 'in', negated: false, values: ['1', '2'] }],
  [{ column: 'note', op: 'is', negated: true, values: ['null'] }],
  [{ column: 'note', op: 'like', negated: false, values: ['a%'] }],
]
const question = fc.record({
  schema: fc.constant('public'),
  table: fc.constant('item'),
  conditions: fc.constantFrom(...CONDITIONS),
  order: fc.constantFrom(...ORDERS),
  limit: fc.constantFrom(null, 1, 2, 3, 5),
  columns: fc.constant(null),
})

describe('windows', () => {
  let database: TestDatabase
  let catalog: CatalogService
  let services: LiveServices
  const errors: string[] = []

  beforeAll(async () => {
    database = await createTestDatabase()
    await database.sql(`
      create table member (room int, who uuid, primary key (room, who));
      create table item (id int primary key, owner uuid, room int, at timestamptz, note text collate "C", price numeric);
      create table plain (id int primary key, n int not null);
      create function is_member(r int) returns bool language sql stable security definer set search_path = public
        as 'select exists (select 1 from member where room = r and who = auth.uid())';
      alter table item enable row level security`)
    const { owner, requests, connection } = database
    const onError = (error: Error) => errors.push(error.message)
    catalog = new CatalogService({ pool: owner, connection, clock: systemClock, onError })
    await catalog.start()
    const bus = createLocalBus(() => {})
    services = createLiveServices({
      owner,
      requests,
      connection,
      catalog,
      clock: systemClock,
      ids: randomIds,
      onError,
      bus,
    })
    await services.start()
    await services.feed.ready()
  })

  afterAll(async () => {
    await services.stop()
    await catalog.stop()
    await database.drop()
  })

  const sourceOf = (asked: TableQuestion, who: Caller) => {
    const source = tableSource(asked, catalog.current, who)
    if (typeof source === 'string') throw new Error(source)
    return source
  }

  const open = async (asked: TableQuestion, who: Caller): Promise<{ model: Model; window: Window }> => {
    const model = new Model()
    const window = await services.windows.open(sourceOf(asked, who), who, model)
    return { model, window }
  }

  /** What the caller's own query answers now. */
  const fresh = async (asked: TableQuestion, who: Caller): Promise<readonly string[]> => {
    const source = sourceOf(asked, who)
    const scope = {
      role: who.role,
      claims: who.claimsText,
      searchPath: '"public", "extensions"',
      settings: [['timezone', 'UTC']] as const,
    }
    const [result] = await runAs(database.requests, scope, [source.read(asked.limit)])
    return (result?.rows ?? []).map((cells) =>
      JSON.stringify(COLUMNS.map((name) => cells[source.columns.indexOf(name)] ?? null)),
    )
  }

  const agrees = async (asked: TableQuestion, who: Caller, model: Model, after: string): Promise<void> => {
    let last = ''
    await eventually(
      async () => {
        const told = model.rows.map(({ text }) => text).join('\n')
        const real = (await fresh(asked, who)).join('\n')
        last = `told ${told}\nreal ${real}`
        if (model.fault !== null) throw new Error(model.fault)
        return told === real
      },
      `${who.claimsText} ${JSON.stringify(asked)} after ${after}: ${last}`,
      4000,
    ).catch((error) => {
      throw new Error(`${error.message}\n${last}\n${errors.slice(-3).join('; ')}`)
    })
  }

  it('show what a fresh query under row-level security answers, after every change', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...POLICIES),
        fc.array(fc.tuple(question, fc.constantFrom(...CALLERS)), { minLength: 6, maxLength: 6 }),
        fc.array(put, { maxLength: 8 }),
        fc.array(step, { minLength: 6, maxLength: 20 }),
        async (policy, asked, rows, steps) => {
          await database.sql(`truncate item, member; insert into member values (1, '${uid(1)}'), (2, '${uid(2)}')`)
          await database.sql([policySql(policy), ...rows.map(putSql)].join(';'))
          const opened = await Promise.all(
            asked.map(async ([each, who]) => ({ each, who, ...(await open(each, who)) })),
          )
          try {
            for (const { each, who, model } of opened) await agrees(each, who, model, 'the start')
            for (const next of steps) {
              await database.sql(sqlOf(next))
              for (const { each, who, model } of opened) await agrees(each, who, model, sqlOf(next))
            }
          } finally {
            for (const { window } of opened) window.close()
          }
          expect(services.windows.size).toBe(0)
        },
      ),
      { ...runs(5), endOnFailure: true },
    )
    expect(errors).toEqual([])
  }, 120_000)

  it('lose and repeat nothing where snapshot and changes meet, while others write', async () => {
    await database.sql('truncate plain; insert into plain select id, 0 from generate_series(1, 20) as id')
    const asked: TableQuestion = {
      schema: 'public',
      table: 'plain',
      conditions: [],
      order: [item('n', true)],
      limit: 10,
      columns: null,
    }
    let writing = true
    const writer = async (seed: number): Promise<void> => {
      for (let n = seed; writing; n += 3) {
        await database.owner.run({
          name: 'test.write',
          text: `with gone as (delete from plain where id = $1) insert into plain values ($2, $3) on conflict (id) do update set n = excluded.n`,
          values: [(n % 20) + 1, ((n + 7) % 20) + 1, n],
        })
      }
    }
    const writers = [0, 1, 2].map(writer)
    const opened: Model[] = []
    for (let count = 0; count < 12; count++) {
      // A source of its own, so that each window is read by itself.
      const source = sourceOf({ ...asked, limit: 10 + count }, ADMIN)
      const model = new Model()
      await services.windows.open(source, ADMIN, model)
      opened.push(model)
    }
    writing = false
    await Promise.all(writers)
    for (const [count, model] of opened.entries())
      await agrees({ ...asked, limit: 10 + count }, ADMIN, model, 'the end')
    expect(opened.some(({ told }) => told > 0)).toBe(true)
    expect(errors).toEqual([])
  }, 60_000)
})
