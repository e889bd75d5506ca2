/** Implication between queries: what is said to follow does follow, for every document; and it is said where security rules need it. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runs } from '../../../test/arbitraries.ts'
import { parse } from '../../../test/document-engine.ts'
import { docImplies } from '../../expr/bson/implies.ts'
import { matches } from '../../expr/bson/match.ts'
import { parseQuery } from './parse-query.ts'

const value = fc.constantFrom<number | string | null | boolean>(0, 1, 2, 'a', 'b', null, true)
const field = fc.constantFrom('a', 'b')
const leaf = fc.oneof(
  fc.tuple(field, value).map(([name, v]) => ({ [name]: v })),
  fc
    .tuple(field, fc.constantFrom('$eq', '$ne', '$gt', '$gte', '$lt', '$lte'), value)
    .map(([name, op, v]) => ({ [name]: { [op]: v } })),
  fc
    .tuple(field, fc.constantFrom('$in', '$nin'), fc.array(value, { maxLength: 3 }))
    .map(([name, op, v]) => ({ [name]: { [op]: v } })),
  fc.tuple(field, fc.boolean()).map(([name, v]) => ({ [name]: { $exists: v } })),
)
const query: fc.Arbitrary<object> = fc.oneof(
  { weight: 2, arbitrary: leaf },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom('$and', '$or'), fc.array(leaf, { minLength: 1, maxLength: 3 }))
      .map(([op, items]) => ({ [op]: items })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(leaf, fc.array(leaf, { minLength: 1, maxLength: 2 }))
      .map(([first, some]) => ({ $and: [first, { $or: some }] })),
  },
)
// One value at a field: rules compare whole values, and row-level security decides about arrays.
const documents = [undefined, 0, 1, 2, 'a', 'b', null, true].flatMap((a) => [undefined, 0, 1, 2, 'a', 'b', null, true].map((b) => parse({ ...(a === undefined ? {} : { a }), ...(b === undefined ? {} : { b }) }))) // biome-ignore format: every document

describe('implication', () => {
  it('never claims what is not so', () => {
    let claimed = 0
    fc.assert(
      fc.property(query, query, (premise, conclusion) => {
        const [p, c] = [parseQuery(parse(premise)), parseQuery(parse(conclusion))]
        if (docImplies(p, c) !== 'yes') return
        claimed += 1
        expect(documents.filter((doc) => matches(p, doc) && !matches(c, doc))).toEqual([])
      }),
      runs(6000),
    )
    expect(claimed).toBeGreaterThan(100)
  })

  it.each([
    [{ a: 1, b: 2 }, { a: 1 }],
    [{ a: { $gt: 5 } }, { a: { $gt: 3 } }],
    [{ a: { $in: [1, 2] } }, { a: { $in: [1, 2, 3] } }],
    [{ a: 1 }, { $or: [{ a: 1 }, { b: 1 }] }],
    [{ $or: [{ a: 1 }, { a: 2 }] }, { a: { $gte: 1 } }],
    [{ a: 'x' }, { a: { $ne: 'y' } }],
    [{ a: { $gt: 1 } }, { a: { $exists: true } }],
    [{ $and: [{ b: 1 }, { $or: [{ a: 1, b: 1 }, { a: 2 }] }] }, { a: { $in: [1, 2] } }],
  ])('%j is within %j', (premise, conclusion) => {
    expect(docImplies(parseQuery(parse(premise)), parseQuery(parse(conclusion)))).toBe('yes')
  })

  it.each([
    [{}, { a: 1 }],
    [{ a: 1 }, { a: 2 }],
    [{ a: { $gt: 3 } }, { a: { $gt: 5 } }],
    [{ a: { $gt: 'x' } }, { a: { $gt: 5 } }],
    [{ $or: [{ a: 1 }, { b: 1 }] }, { a: 1 }],
    [{ a: { $ne: 1 } }, { a: 2 }],
  ])('%j is not within %j', (premise, conclusion) => {
    expect(docImplies(parseQuery(parse(premise)), parseQuery(parse(conclusion)))).toBe('unknown')
  })
})
