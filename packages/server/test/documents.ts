/** Random documents, queries, updates and pipelines on JSON types, for the engine and an independent one to agree on. */
import fc from 'fast-check'

/** What JSON.parse answers, loosely: generators build wire forms, not typed values. */
export type Plain = null | boolean | number | string | Plain[] | { [key: string]: Plain }
export type PlainDoc = { [key: string]: Plain }

const scalar: fc.Arbitrary<Plain> = fc.oneof(
  fc.integer({ min: -3, max: 5 }),
  fc.constantFrom(0.5, -1.25, 2.5),
  fc.constantFrom('', 'a', 'b', 'ab', 'Zz', '茶', '1'),
  fc.boolean(),
  fc.constant(null),
)

const NAMES = ['a', 'b', 'c'] as const
const name = fc.constantFrom(...NAMES)

const nested: fc.Arbitrary<Plain> = fc.letrec<{ value: Plain }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { weight: 4, arbitrary: scalar },
    { weight: 1, arbitrary: fc.dictionary(name, tie('value'), { maxKeys: 3 }) as fc.Arbitrary<Plain> },
    { weight: 1, arbitrary: fc.array(tie('value'), { maxLength: 3 }) as fc.Arbitrary<Plain> },
  ),
})).value

export const document: fc.Arbitrary<PlainDoc> = fc.dictionary(name, nested, { maxKeys: 3 }) as fc.Arbitrary<PlainDoc>

/** Paths of one to three steps, some of them positions. */
export const path: fc.Arbitrary<string> = fc
  .tuple(name, fc.array(fc.constantFrom('a', 'b', 'c', '0', '1'), { maxLength: 2 }))
  .map(([first, rest]) => [first, ...rest].join('.'))

const operator = (value: fc.Arbitrary<Plain>): fc.Arbitrary<PlainDoc> =>
  fc.oneof(
    fc.tuple(fc.constantFrom('$eq', '$ne'), value).map(([op, v]) => ({ [op]: v })),
    fc.tuple(fc.constantFrom('$gt', '$gte', '$lt', '$lte'), scalar).map(([op, v]) => ({ [op]: v })),
    fc.tuple(fc.constantFrom('$in', '$nin'), fc.array(value, { maxLength: 3 })).map(([op, v]) => ({ [op]: v })),
    fc.boolean().map((v) => ({ $exists: v })),
    fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 0, max: 2 })).map((v) => ({ $mod: v })),
    fc.array(scalar, { minLength: 1, maxLength: 2 }).map((v) => ({ $all: v })),
    fc.integer({ min: 0, max: 3 }).map((v) => ({ $size: v })),
    fc.constantFrom('^a', 'b$', '[a-z]', 'a|Z', 'a?b', '.').map((v) => ({ $regex: v })),
    fc.tuple(fc.constantFrom('$gt', '$lt', '$eq'), scalar).map(([op, v]) => ({ $elemMatch: { [op]: v } })),
    fc.tuple(name, scalar).map(([field, v]) => ({ $elemMatch: { [field]: v } })),
  )

const condition: fc.Arbitrary<PlainDoc> = fc.oneof(
  fc.tuple(path, nested).map(([field, v]) => ({ [field]: v })),
  fc.tuple(path, operator(nested)).map(([field, v]) => ({ [field]: v })),
  fc.tuple(path, operator(nested)).map(([field, v]) => ({ [field]: { $not: v } })),
)

export const query: fc.Arbitrary<PlainDoc> = fc.oneof(
  { weight: 4, arbitrary: condition },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('$and', '$or', '$nor'), fc.array(condition, { minLength: 1, maxLength: 3 }))
      .map(([op, v]) => ({ [op]: v as Plain })),
  },
)

const ordered = (by: fc.Arbitrary<string>): fc.Arbitrary<PlainDoc> =>
  fc
    .uniqueArray(fc.tuple(by, fc.constantFrom(1, -1)), { selector: ([field]) => field, minLength: 1, maxLength: 2 })
    .map((terms) => Object.fromEntries(terms))

export const order: fc.Arbitrary<PlainDoc> = ordered(path)

const number = fc.oneof(fc.integer({ min: -4, max: 6 }), fc.constantFrom(0.5, 1.5))

const oneUpdate: fc.Arbitrary<PlainDoc> = fc.oneof(
  fc.tuple(path, nested).map(([field, v]) => ({ $set: { [field]: v } })),
  path.map((field) => ({ $unset: { [field]: '' } })),
  fc.tuple(fc.constantFrom('$inc', '$mul'), path, number).map(([op, field, v]) => ({ [op]: { [field]: v } })),
  fc.tuple(fc.constantFrom('$min', '$max'), path, scalar).map(([op, field, v]) => ({ [op]: { [field]: v } })),
  fc.tuple(path, name).map(([field, to]) => ({ $rename: { [field]: `${to}${to}` } })),
  fc
    .tuple(path, fc.constantFrom('and', 'or', 'xor'), fc.integer({ min: 0, max: 7 }))
    .map(([field, op, v]) => ({ $bit: { [field]: { [op]: v } } })),
  fc.tuple(path, nested).map(([field, v]) => ({ $push: { [field]: v } })),
  fc
    .tuple(path, fc.array(scalar, { maxLength: 3 }), fc.option(fc.integer({ min: -2, max: 3 })), fc.option(fc.integer({ min: -3, max: 4 })), fc.option(fc.constantFrom(1, -1))) // biome-ignore format: five parts of one modifier
    .map(([field, each, position, slice, sort]) => ({
      $push: {
        [field]: {
          $each: each,
          ...(position === null ? {} : { $position: position }),
          ...(slice === null ? {} : { $slice: slice }),
          ...(sort === null ? {} : { $sort: sort }),
        },
      },
    })),
  fc.tuple(path, fc.constantFrom(1, -1)).map(([field, v]) => ({ $pop: { [field]: v } })),
  fc.tuple(path, nested).map(([field, v]) => ({ $addToSet: { [field]: v } })),
  fc.tuple(path, fc.array(scalar, { maxLength: 2 })).map(([field, v]) => ({ $addToSet: { [field]: { $each: v } } })),
  fc.tuple(path, scalar).map(([field, v]) => ({ $pull: { [field]: v } })),
  fc.tuple(path, fc.constantFrom('$gt', '$lte', '$in'), scalar).map(([field, op, v]) => ({ $pull: { [field]: { [op]: op === '$in' ? [v] : v } } })), // biome-ignore format: one operator
  fc.tuple(path, fc.array(scalar, { maxLength: 2 })).map(([field, v]) => ({ $pullAll: { [field]: v } })),
)

export const update: fc.Arbitrary<PlainDoc> = oneUpdate

const field = path.map((text) => `$${text.replace(/\.\d+/g, '')}`)

const expression: fc.Arbitrary<Plain> = fc.letrec<{ value: Plain }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    { weight: 3, arbitrary: field as fc.Arbitrary<Plain> },
    { weight: 2, arbitrary: number.map((v): Plain => ({ $literal: v })) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom('$add', '$multiply'), field, field)
        .map(([op, a, b]): Plain => ({ [op]: [numeric(a), numeric(b)] })),
    },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom('$cmp', '$eq', '$ne', '$gt', '$gte', '$lt', '$lte'), tie('value'), tie('value')).map(([op, a, b]): Plain => ({ [op]: [{ $ifNull: [a, null] }, { $ifNull: [b, null] }] })) }, // biome-ignore format: one operator
    { weight: 1, arbitrary: fc.tuple(tie('value'), tie('value'), tie('value')).map(([a, b, c]): Plain => ({ $cond: [{ $eq: [{ $ifNull: [a, null] }, { $ifNull: [b, null] }] }, b, c] })) }, // biome-ignore format: one operator
    { weight: 1, arbitrary: fc.tuple(tie('value'), tie('value')).map(([a, b]): Plain => ({ $ifNull: [a, b] })) },
    { weight: 1, arbitrary: field.map((a): Plain => ({ $isArray: a })) },
    { weight: 1, arbitrary: field.map((a): Plain => ({ $size: list(a) })) },
    { weight: 1, arbitrary: field.map((a): Plain => ({ $reverseArray: list(a) })) },
    { weight: 1, arbitrary: fc.tuple(field, field).map(([a, b]): Plain => ({ $concatArrays: [list(a), list(b)] })) },
    { weight: 1, arbitrary: fc.tuple(field, tie('value')).map(([a, b]): Plain => ({ $map: { input: list(a), as: 'x', in: [{ $ifNull: ['$$x', 0] }, { $ifNull: [b, 0] }] } })) }, // biome-ignore format: one operator
    { weight: 1, arbitrary: fc.tuple(field, scalar).map(([a, b]): Plain => ({ $filter: { input: list(a), as: 'x', cond: { $eq: ['$$x', { $literal: b }] } } })) }, // biome-ignore format: one operator
    { weight: 1, arbitrary: fc.tuple(field, fc.integer({ min: -3, max: 3 })).map(([a, n]): Plain => ({ $slice: [list(a), n] })) }, // biome-ignore format: one operator
    {
      weight: 1,
      arbitrary: fc.tuple(field, field).map(([a, b]): Plain => ({ $mergeObjects: [object(a), object(b)] })),
    },
  ),
})).value

/** The field where it fits, else something that does. */
const numeric = (a: string): Plain => ({ $cond: [{ $in: [{ $type: a }, ['int', 'double', 'long']] }, a, 1] })
const list = (a: string): Plain => ({ $cond: [{ $isArray: a }, a, [1, 'a']] })
const object = (a: string): Plain => ({ $cond: [{ $eq: [{ $type: a }, 'object'] }, a, { a: 1 }] })

const stage: fc.Arbitrary<PlainDoc> = fc.oneof(
  query.map((value) => ({ $match: value })),
  ordered(name).map((value) => ({ $sort: value })),
  fc.tuple(name, expression).map(([key, value]) => ({ $addFields: { [`${key}${key}`]: value } })),
  fc.tuple(name, expression).map(([key, value]) => ({ $project: { [key]: 1, x: value } })),
  name.map((key) => ({ $project: { [key]: 0 } })),
  fc.integer({ min: 1, max: 5 }).map((value) => ({ $limit: value })),
  fc.integer({ min: 0, max: 3 }).map((value) => ({ $skip: value })),
  fc
    .tuple(name, fc.boolean())
    .map(([key, keep]) => ({ $unwind: { path: `$${key}`, preserveNullAndEmptyArrays: keep } })),
  fc
    .tuple(name, fc.constantFrom('$sum', '$avg', '$min', '$max', '$first', '$last', '$push'), name)
    .map(([key, op, of]) => ({
      $group: { _id: { $ifNull: [`$${key}`, null] }, v: { [op]: { $ifNull: [`$${of}`, 0] } } },
    })),
)

export const pipeline: fc.Arbitrary<PlainDoc[]> = fc.array(stage, { minLength: 1, maxLength: 3 })
