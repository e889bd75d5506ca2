/** What goes to Postgres as a parameter comes back as it was. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pgText, runs } from '../../test/arbitraries.ts'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { sql } from '../sql/sql.ts'

describe('values on their way to Postgres and back', () => {
  let db: TestDatabase
  beforeAll(async () => {
    db = await createTestDatabase()
  })
  afterAll(() => db.drop())

  const roundTrip = <T>(
    arbitrary: fc.Arbitrary<T>,
    ask: (value: T) => Promise<unknown>,
    wanted = (value: T): unknown => value,
  ) =>
    fc.assert(
      fc.asyncProperty(arbitrary, async (value) => {
        expect(await ask(value)).toEqual(wanted(value))
      }),
      runs(100),
    )
  const one = async (query: ReturnType<ReturnType<typeof sql>>): Promise<unknown> =>
    (await db.owner.maybeOne<{ value: unknown }>(query))?.value

  it('keeps text', () => roundTrip(pgText, (value) => one(sql('t')`select ${value}::text as value`)))

  it('keeps numbers, to the last bit', () =>
    roundTrip(
      fc.double(),
      (value) => one(sql('t')`select ${value}::float8 as value`),
      // String() has no minus for zero, and neither does any comparison.
      (value) => (value === 0 ? 0 : value),
    ))

  it('keeps big integers', () =>
    roundTrip(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      (value) => one(sql('t')`select ${value}::int8 as value`),
      String,
    ))

  it('keeps bytes', () =>
    roundTrip(
      fc.uint8Array({ maxLength: 64 }),
      (value) => one(sql('t')`select ${value}::bytea as value`),
      (value) => Buffer.from(value),
    ))

  it('keeps arrays of text with holes in them', () =>
    roundTrip(fc.array(fc.option(pgText), { maxLength: 6 }), (value) =>
      one(sql('t')`select ${value}::text[] as value`),
    ))

  it('keeps arrays of arrays', () =>
    roundTrip(
      fc
        .integer({ min: 1, max: 3 })
        .chain((width) =>
          fc.array(fc.array(pgText, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 4 }),
        ),
      (value) => one(sql('t')`select ${value}::text[] as value`),
    ))

  it('keeps arrays of bytes', () =>
    roundTrip(
      fc.array(fc.uint8Array({ maxLength: 8 }), { maxLength: 4 }),
      (value) => one(sql('t')`select ${value}::bytea[] as value`),
      (value) => value.map((each) => Buffer.from(each)),
    ))

  it('keeps JSON', () => {
    const plain = fc.dictionary(
      pgText.filter((key) => key !== '__proto__'),
      fc.oneof(pgText, fc.integer(), fc.boolean(), fc.constant(null), fc.array(pgText)),
      {
        noNullPrototype: true,
      },
    )
    return roundTrip(plain, (value) => one(sql('t')`select ${value}::jsonb as value`))
  })

  it('keeps arrays of JSON objects', () => {
    const plain = fc.dictionary(fc.string({ unit: fc.constantFrom('a', 'b', '"', '\\') }), pgText, {
      noNullPrototype: true,
    })
    return roundTrip(fc.array(plain, { maxLength: 4 }), (value) => one(sql('t')`select ${value}::jsonb[] as value`))
  })

  it('keeps instants, from the first year to the last', () =>
    roundTrip(
      fc.date({
        min: new Date('0001-01-01T00:00:00Z'),
        max: new Date('9999-12-31T23:59:59.999Z'),
        noInvalidDate: true,
      }),
      (value) => one(sql('t')`select (extract(epoch from ${value}::timestamptz) * 1000)::bigint::text as value`),
      (value) => String(value.getTime()),
    ))

  it('refuses text that no Postgres can hold with an error, and serves the next query', async () => {
    await expect(one(sql('t')`select ${'a\0b'}::text as value`)).rejects.toMatchObject({ code: '22021' })
    expect(await one(sql('t')`select ${'fine'}::text as value`)).toBe('fine')
  })
})
