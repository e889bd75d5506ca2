/** Every filter operator on columns of every common type: a subscriber is told what the same condition in SQL finds, and refused where SQL fails. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { eventually } from '../../test/realtime.ts'
import { createLocalBus } from '../bus/local.ts'
import { CatalogService } from '../db/catalog/service.ts'
import { cellOf } from '../feed/change.ts'
import type { Caller } from '../identity/caller.ts'
import { systemClock } from '../kernel/clock.ts'
import { randomIds } from '../kernel/ids.ts'
import type { Condition, ConditionOperator } from './condition.ts'
import { createLiveServices, type LiveServices } from './open.ts'
import type { Subscription } from './subscription.ts'

const CLAIMS = { role: 'service_role' }
const ADMIN: Caller = {
  role: 'service_role',
  userId: null,
  claims: CLAIMS,
  claimsText: JSON.stringify(CLAIMS),
  expiresAt: null,
}

/** Values of three rows by type; a fourth row is all null. The second value is what filters compare with. */
const TYPES: Readonly<Record<string, readonly [string, string, string]>> = {
  int2: ['-1', '2', '300'],
  int4: ['-1', '2', '70000'],
  int8: ['-1', '2', '9007199254740993'],
  numeric: ['1.50', '1.5', 'NaN'],
  'numeric(6,2)': ['0', '2.25', '9.99'],
  float4: ['-0', '1.5', '3e10'],
  float8: ['0.1', '1.5', 'Infinity'],
  bool: ['t', 'f', 't'],
  text: ['a', 'b', '茶'],
  'text collate "C"': ['A', 'b', 'a'],
  varchar: ['a', 'b', 'ab'],
  'varchar(3)': ['a', 'b', 'abc'],
  'char(3)': ['a', 'b', 'abc'],
  uuid: [
    '00000000-0000-4000-8000-000000000001',
    'ABCDEFAB-0000-4000-8000-000000000002',
    'ffffffff-0000-4000-8000-000000000003',
  ],
  timestamptz: ['2026-01-01T00:00:00Z', '2026-01-02 08:00:00+08', 'infinity'],
  timestamp: ['2026-01-01 00:00:00', '2026-01-02 00:00:00.5', '2027-01-01'],
  date: ['2026-01-01', '2026-01-02', '2026-12-31'],
  time: ['00:00', '12:30:00', '23:59:59'],
  interval: ['1 day', '24 hours', '1 month'],
  jsonb: ['{"a":1}', '{"b":2}', '[1,2]'],
  bytea: ['\\x00', '\\x01ff', '\\x02'],
  inet: ['10.0.0.1', '10.0.0.2', '::1'],
  'int4[]': ['{1}', '{1,2}', '{}'],
  'text[]': ['{a}', '{"b,c"}', '{NULL}'],
  mood: ['low', 'high', 'low'],
  positive: ['1', '2', '3'],
}
const NAMES = Object.keys(TYPES)

const OPERATORS: Readonly<Record<ConditionOperator, (column: string, value: string) => string>> = {
  eq: (column, value) => `${column} = ${value}`,
  neq: (column, value) => `${column} <> ${value}`,
  lt: (column, value) => `${column} < ${value}`,
  lte: (column, value) => `${column} <= ${value}`,
  gt: (column, value) => `${column} > ${value}`,
  gte: (column, value) => `${column} >= ${value}`,
  in: (column, value) => `${column} in (${value})`,
  like: (column, value) => `${column} like ${value}`,
  ilike: (column, value) => `${column} ilike ${value}`,
  is: (column) => `${column} is null`,
  match: (column, value) => `${column} ~ ${value}`,
  imatch: (column, value) => `${column} ~* ${value}`,
  isdistinct: (column, value) => `${column} is distinct from ${value}`,
}

interface Case {
  readonly name: string
  readonly condition: Condition
  readonly sql: string
}

const cases: readonly Case[] = NAMES.flatMap((type, index) =>
  (Object.keys(OPERATORS) as ConditionOperator[]).flatMap((op) =>
    [false, true].map((negated): Case => {
      const value = TYPES[type]?.[1] ?? ''
      const sql = OPERATORS[op](`c${index}`, `'${value}'`)
      const values = [op === 'is' ? 'null' : value]
      return {
        name: `${type} ${negated ? 'not ' : ''}${op}`,
        condition: { column: `c${index}`, op, negated, values },
        sql: negated ? `not (${sql})` : sql,
      }
    }),
  ),
)

describe('filters', () => {
  let database: TestDatabase
  let catalog: CatalogService
  let services: LiveServices
  const errors: string[] = []

  beforeAll(async () => {
    database = await createTestDatabase()
    await database.sql(`
      create type mood as enum ('low', 'high');
      create domain positive as int check (value > 0);
      create table every (id int primary key, ${NAMES.map((type, index) => `c${index} ${type}`).join(', ')});
      alter publication supabase_realtime add table every`)
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
  })

  afterAll(async () => {
    await services.stop()
    await catalog.stop()
    await database.drop()
  })

  const subscribe = (conditions: readonly Condition[], tell: (id: number) => void): Promise<Subscription> =>
    services.live.subscribe({
      schema: 'public',
      table: 'every',
      conditions,
      operations: new Set(['INSERT']),
      select: null,
      caller: ADMIN,
      publication: 'supabase_realtime',
      sink: {
        matched: ({ relation, new: row }) => tell(Number(cellOf(relation, row, 'id'))),
        resync: () => errors.push('resync'),
        status: () => {},
      },
    })

  /** Ids that the condition finds in SQL; null when Postgres refuses it. */
  const inSql = (condition: string): Promise<readonly number[] | null> =>
    database.owner
      .many<{ id: number }>({
        name: 'test.filter',
        text: `select id from every where ${condition} order by id`,
        values: [],
      })
      .then(
        (rows) => rows.map(({ id }) => id),
        () => null,
      )

  it(`do what SQL does, in all ${cases.length} combinations of operator and type`, async () => {
    let last = 0
    const told = cases.map((): number[] => [])
    const subscriptions = await Promise.all(
      cases.map(({ condition }, index) => subscribe([condition], (id) => told[index]?.push(id))),
    )
    const fence = await subscribe([], (id) => {
      last = id
    })
    const row = (id: number, values: readonly string[]) => `(${[id, ...values].join(', ')})`
    const rows = [0, 1, 2].map((position) =>
      row(
        position + 1,
        NAMES.map((type) => `'${TYPES[type]?.[position] ?? ''}'`),
      ),
    )
    await database.sql(
      `insert into every values ${[
        ...rows,
        row(
          4,
          NAMES.map(() => 'null'),
        ),
      ]
        .map((text) => text)
        .join(', ')}`,
    )
    await eventually(() => last === 4, 'the last row')
    for (const [index, { name, sql }] of cases.entries()) {
      const expected = await inSql(sql)
      const status = subscriptions[index]?.status
      expect({ name, ok: status?.ok, told: told[index] }).toEqual({ name, ok: expected !== null, told: expected ?? [] })
    }
    for (const subscription of [...subscriptions, fence]) subscription.close()
    expect(errors).toEqual([])
  })
})
