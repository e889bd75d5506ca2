/** The back ends of the condition language against each other: JavaScript must agree with Postgres, and `implies` and anchors with JavaScript. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type Major, type TestDatabase } from '../../test/database.ts'
import { frag, ident, join, statement } from '../sql/sql.ts'
import { anchorsOf } from './anchors.ts'
import { and, compare, type Expr, type Field, type FieldType, field, not, or, type SqlOperator, value } from './ast.ts'
import { fold } from './fold.ts'
import { implies } from './implies.ts'
import { toPredicate } from './predicate.ts'
import { toSql } from './sql.ts'
import { comparisonOf } from './values.ts'

const SEED = 11
const SOAK = process.env.TEAHOUSE_SOAK === '1'
const RUNS = SOAK ? 20_000 : 1_500

const typed = (name: string, labels: readonly string[] = []): FieldType => ({
  name,
  collation: name === 'text' || name === 'character varying' ? 'default' : null,
  enumLabels: labels,
  nullable: true,
})

/** Each column with values as Postgres prints them, and constants as clients write them. */
const COLUMNS: Readonly<
  Record<string, { readonly type: FieldType; readonly sql: string; readonly texts: readonly string[] }>
> = {
  i: { type: typed('integer'), sql: 'integer', texts: ['0', '1', '-1', '2147483647', '-2147483648', '+5', '007'] },
  l: {
    type: typed('bigint'),
    sql: 'bigint',
    texts: ['9007199254740993', '9007199254740992', '-9223372036854775808', '3'],
  },
  b: { type: typed('boolean'), sql: 'boolean', texts: ['t', 'f', 'true', 'false'] },
  u: {
    type: typed('uuid'),
    sql: 'uuid',
    texts: [
      '5f0c7a3e-0000-4000-8000-00000000000a',
      '5F0C7A3E-0000-4000-8000-00000000000A',
      '00000000-0000-0000-0000-000000000000',
    ],
  },
  t: { type: typed('text'), sql: 'text', texts: ['', 'a', 'A', 'é', 'e\u0301', 'a ', '中'] },
  z: {
    type: typed('timestamp with time zone'),
    sql: 'timestamptz',
    texts: [
      '2024-01-01T00:00:00Z',
      '2024-01-01 08:00:00+08',
      '2024-01-01T00:00:00.000001+00:00',
      '2023-12-31T23:59:59.999999-05:30',
    ],
  },
  d: { type: typed('date'), sql: 'date', texts: ['2024-01-01', '2024-02-29', '1970-01-01'] },
  e: { type: typed('public.size', ['small', 'big']), sql: 'public.size', texts: ['small', 'big'] },
}

const NAMES = Object.keys(COLUMNS)
const columnOf = (name: string) => COLUMNS[name] ?? { type: typed('integer'), sql: 'integer', texts: ['0'] }
const fieldOf = (name: string): Field => field(name, columnOf(name).type)

const leaf = fc.constantFrom(...NAMES).chain((name) => {
  const { texts } = columnOf(name)
  const text = fc.constantFrom(...texts)
  const operator = fc.constantFrom<SqlOperator>('eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'isdistinct')
  return fc.oneof(
    fc.tuple(operator, text).map(([op, constant]) => compare(op, fieldOf(name), value(constant))),
    fc
      .array(text, { minLength: 1, maxLength: 3 })
      .map((values) => compare('in', fieldOf(name), { kind: 'list', values })),
    fc.constantFrom('null', 'not_null').map((what) => compare('is', fieldOf(name), value(what))),
  )
})

const { expr } = fc.letrec<{ expr: Expr }>((tie) => ({
  expr: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.array(tie('expr'), { minLength: 1, maxLength: 3 }).map(and),
    fc.array(tie('expr'), { minLength: 1, maxLength: 3 }).map(or),
    tie('expr').map(not),
  ),
}))

const row = fc.record(
  Object.fromEntries(NAMES.map((name) => [name, fc.option(fc.constantFrom(...columnOf(name).texts))])),
)

describe.each<Major>(['15', '18'])('expr on PostgreSQL %s', (version) => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createTestDatabase(version)
    await database.sql("create type public.size as enum ('small', 'big')")
  })
  afterAll(() => database.drop())

  it('decides in JavaScript as Postgres does, before and after folding', async () => {
    await fc.assert(
      fc.asyncProperty(expr, row, async (condition, values) => {
        const columns = NAMES.map(
          (name) =>
            frag`${values[name] ?? null}::${ident(...columnOf(name).sql.split('.').map(typeName))} as ${ident(name)}`,
        )
        const context = { column: (each: Field) => ident('r', each.name) }
        const texts = NAMES.map((name) => frag`r.${ident(name)}::text as ${ident(`text ${name}`)}`)
        const query = frag`select (${toSql(condition, context)})::text as verdict, (${toSql(fold(condition), context)})::text as folded, ${join(texts)} from (select ${join(columns)}) r`
        const answer = await database.owner.maybeOne<Record<string, string | null>>(statement('test', query))
        const predicate = toPredicate(condition)
        const verdict = predicate === 'unsupported' ? predicate : predicate((name) => answer?.[`text ${name}`])
        expect(answer?.folded).toBe(answer?.verdict)
        if (verdict !== 'unsupported') expect(verdict === null ? null : String(verdict)).toBe(answer?.verdict)
      }),
      { seed: SEED, numRuns: RUNS },
    )
  })
})

const typeName = (name: string): string =>
  name === 'integer' ? 'int4' : name === 'bigint' ? 'int8' : name === 'boolean' ? 'bool' : name

const verdictOf = (condition: Expr, values: Record<string, string | null>) => {
  const predicate = toPredicate(condition)
  return predicate === 'unsupported' ? predicate : predicate((name) => values[name])
}

describe('implies and anchors', () => {
  it('never claims an implication that a row contradicts', () => {
    fc.assert(
      fc.property(expr, expr, row, (premise, conclusion, values) => {
        if (implies(premise, conclusion) === 'yes' && verdictOf(premise, values) === true) {
          expect([true, 'unsupported']).toContain(verdictOf(conclusion, values))
        }
      }),
      { seed: SEED, numRuns: SOAK ? 200_000 : 10_000 },
    )
  })

  it('never misses a row by its anchors', () => {
    fc.assert(
      fc.property(expr, row, (condition, values) => {
        if (verdictOf(condition, values) !== true) return
        for (const { column, keys } of anchorsOf(condition)) {
          const text = values[column] ?? null
          const key = text === null ? undefined : comparisonOf(columnOf(column).type)?.key(text)
          expect(keys).toContain(key)
        }
      }),
      { seed: SEED, numRuns: SOAK ? 200_000 : 10_000 },
    )
  })
})
