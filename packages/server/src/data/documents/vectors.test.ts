/** What MongoDB's manual says, case by case, where a property cannot: types, refusals, positions, dates, places, and hostile input. */
import { describe, expect, it } from 'vitest'
import { parse } from '../../../test/document-engine.ts'
import { distance } from '../../expr/bson/geo.ts'
import { matches } from '../../expr/bson/match.ts'
import type { Doc } from '../../expr/bson/value.ts'
import { compileExpression } from './aggregate/operators.ts'
import { docFromJsonText, fromJson, toJson } from './ejson.ts'
import { parseQuery } from './parse-query.ts'
import { parseProjection } from './project.ts'
import { fromStored, toStored } from './stored.ts'
import { applyUpdate, parseUpdate } from './update/apply.ts'

const found = (query: unknown, doc: unknown): boolean => matches(parseQuery(parse(query)), parse(doc))
const NOW = 1_700_000_000_000
const updated = (update: unknown, doc: unknown): unknown =>
  toJson(applyUpdate(parseUpdate(parse(update), NOW), parse(doc), { inserting: false, now: NOW }), 'plain')
const typed = (update: unknown, doc: unknown): unknown =>
  toJson(applyUpdate(parseUpdate(parse(update), NOW), parse(doc), { inserting: false, now: NOW }), 'canonical')
const int = (value: number) => ({ $numberInt: String(value) })
const long = (value: number | string) => ({ $numberLong: String(value) })
const double = (value: string) => ({ $numberDouble: value })
const date = (text: string) => ({ $date: text })

describe('queries', () => {
  it.each([
    [{ a: { $gte: null } }, {}, true],
    [{ a: { $gt: null } }, {}, false],
    [{ a: null }, { a: null }, true],
    [{ a: null }, { b: 1 }, true],
    [{ 'a.b': null }, { a: 5 }, true],
    [{ 'a.b': null }, { a: [1, 2] }, false],
    [{ 'a.b': null }, { a: [{ c: 1 }] }, true],
    [{ 'a.b': { $exists: false } }, { a: [] }, true],
    [{ a: { $ne: null } }, {}, false],
    [{ a: { $lt: 5 } }, { a: '3' }, false],
    [{ a: { $lt: 'b' } }, { a: 1 }, false],
    [{ a: { $gt: 1 } }, { a: [0, 3] }, true],
    [{ a: [1, 2] }, { a: [[1, 2], 3] }, true],
    [{ a: [1, 2] }, { a: [2, 1] }, false],
    [{ a: { x: 1, y: 2 } }, { a: { y: 2, x: 1 } }, true],
    [{ 'a.0': 1 }, { a: [1] }, true],
    [{ 'a.0.b': 1 }, { a: [{ b: 1 }] }, true],
    [{ 'a.1.b': 4 }, { a: [5, [{ b: 4 }]] }, true],
    [{ 'a.1': 2 }, { a: [5, [2, 4]] }, false],
    [{ 'a.1': [2, 4] }, { a: [5, [2, 4]] }, true],
    [{ 'a.1': 4 }, { a: [5, { 1: 4 }] }, true],
    [{ a: { $all: ['x'] } }, { a: 'x' }, true],
    [{ a: { $all: [] } }, { a: [] }, false],
    [
      { a: { $all: [{ $elemMatch: { x: 1, y: 1 } }, { $elemMatch: { x: 2 } }] } },
      { a: [{ x: 1, y: 1 }, { x: 2 }] },
      true,
    ],
    [{ a: { $elemMatch: { $gte: 2, $lt: 3 } } }, { a: [1, 3, 2] }, true],
    [{ a: { $gte: 2, $lt: 3 } }, { a: [1, 5] }, true],
    [{ a: { $elemMatch: { $gte: 2, $lt: 3 } } }, { a: [1, 5] }, false],
    [{ a: { $size: 0 } }, { a: [] }, true],
    [{ a: { $size: 1 } }, { a: 'x' }, false],
    [{ a: { $mod: [4, 1] } }, { a: 5.9 }, true],
    [{ a: { $mod: [4, -1] } }, { a: -5 }, true],
    [{ a: { $mod: [2, 0] } }, { a: true }, false],
    [{ a: { $not: { $gt: 5 } } }, {}, true],
    [{ a: { $nin: [1, null] } }, {}, false],
    [{ a: { $in: [{ $regularExpression: { pattern: '^x', options: '' } }, 3] } }, { a: 'xy' }, true],
    [{ a: { $regex: 'B', $options: 'i' } }, { a: ['abc'] }, true],
    [{ a: { $type: 'long' } }, { a: long(5) }, true],
    [{ a: { $type: 'number' } }, { a: double('5.0') }, true],
    [{ a: { $type: 'array' } }, { a: [1] }, true],
    [{ a: long('9007199254740993') }, { a: long('9007199254740992') }, false],
    [{ a: long('9007199254740993') }, { a: double('9007199254740992') }, false],
    [{ a: int(5) }, { a: double('5.0') }, true],
    [{ a: { $gt: double('5.5') } }, { a: long(6) }, true],
    [{ a: { $lt: 5 } }, { a: double('NaN') }, false],
    [{ a: { $gte: double('NaN') } }, { a: double('NaN') }, true],
    [{ a: { $gt: date('2020-01-01T00:00:00Z') } }, { a: date('2021-01-01T00:00:00Z') }, true],
    [{ a: { $gt: 0 } }, { a: date('2021-01-01T00:00:00Z') }, false],
    [{ a: { $gte: { $minKey: 1 } } }, { a: 'x' }, true],
    [{ $expr: { $gt: ['$a', '$b'] } }, { a: 2, b: 1 }, true],
  ])('%j on %j is %j', (query, doc, expected) => {
    const withExpression = { expression: (expression: never) => (root: Doc) => compileExpression(expression)({ root, variables: new Map() }) === true } // biome-ignore format: one object
    expect(matches(parseQuery(parse(query), withExpression as never), parse(doc))).toBe(expected)
  })

  it.each([
    { $where: 'sleep(1000)' },
    { a: { $where: '1' } },
    { $or: [] },
    { $and: { a: 1 } },
    { a: { $in: 5 } },
    { a: { $in: [{ $gt: 1 }] } },
    { a: { $mod: [0, 1] } },
    { a: { $size: -1 } },
    { a: { $regex: '(a' } },
    { a: { $not: 5 } },
    { a: { $gt: 1, b: 2 } },
    { 'a..b': 1 },
    { a: { $ne: { $regularExpression: { pattern: 'a', options: '' } } } },
    { a: { $geoWithin: { $geometry: { type: 'Point', coordinates: [1, 2] } } } },
    { a: { $nearSphere: { $geometry: { type: 'Point', coordinates: [181, 2] } } } },
    { $function: { body: 'x' } },
    JSON.parse(`${'{"$and":['.repeat(60)}{"a":1}${']}'.repeat(60)}`),
  ])('%j is refused', (query) => {
    expect(() => parseQuery(parse(query))).toThrow(expect.objectContaining({ name: 'DocumentError' }))
  })

  it('never reach a prototype', () => {
    for (const path of [
      '__proto__',
      'constructor',
      'a.constructor.name',
      'toString',
      'a.__proto__.x',
      'hasOwnProperty',
    ])
      expect(found({ [path]: { $exists: true } }, { a: {} }), path).toBe(false)
    expect(matches(parseQuery(docFromJsonText('{"__proto__": {"x": 1}}')), parse({ x: 1 }))).toBe(false)
    expect(({} as { polluted?: boolean }).polluted).toBe(undefined)
  })
})

describe('places', () => {
  const point = (longitude: number, latitude: number) => ({ at: { type: 'Point', coordinates: [longitude, latitude] } })
  const square = { type: 'Polygon', coordinates: [[[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]], [[4, 4], [6, 4], [6, 6], [4, 6], [4, 4]]] } // biome-ignore format: one square

  it('are as far apart as on MongoDB’s globe', () => {
    expect(distance([0, 0], [0, 1])).toBeCloseTo(111_318.8, 0)
    expect(distance([116.4, 39.9], [121.47, 31.23])).toBeGreaterThan(1_060_000)
    expect(distance([179.9, 0], [-179.9, 0])).toBeCloseTo(22_263.9, 0)
  })

  it.each([
    [{ at: { $geoWithin: { $geometry: square } } }, point(1, 1), true],
    [{ at: { $geoWithin: { $geometry: square } } }, point(5, 5), false],
    [{ at: { $geoWithin: { $geometry: square } } }, point(0, 0), true],
    [{ at: { $geoWithin: { $geometry: square } } }, point(-170, -5), false],
    // The northern edge is an arc, not a parallel.
    [{ at: { $geoWithin: { $geometry: square } } }, point(5, 10.01), true],
    [
      { at: { $geoWithin: { $geometry: square } } },
      {
        at: {
          type: 'LineString',
          coordinates: [
            [1, 1],
            [2, 2],
          ],
        },
      },
      true,
    ],
    [
      { at: { $geoWithin: { $geometry: square } } },
      {
        at: {
          type: 'LineString',
          coordinates: [
            [1, 5],
            [9, 5],
          ],
        },
      },
      false,
    ],
    [{ at: { $geoWithin: { $centerSphere: [[0, 0], 0.02] } } }, point(1, 0), true],
    [{ at: { $geoWithin: { $centerSphere: [[0, 0], 0.02] } } }, point(2, 0), false],
    [
      { at: { $geoIntersects: { $geometry: square } } },
      {
        at: {
          type: 'LineString',
          coordinates: [
            [-5, 5],
            [2, 5],
          ],
        },
      },
      true,
    ],
    [
      { at: { $geoIntersects: { $geometry: square } } },
      {
        at: {
          type: 'LineString',
          coordinates: [
            [-5, 5],
            [-2, 5],
          ],
        },
      },
      false,
    ],
    [{ at: { $geoIntersects: { $geometry: { type: 'Point', coordinates: [5, 5] } } } }, { at: square }, false],
    [
      { at: { $nearSphere: { $geometry: { type: 'Point', coordinates: [0, 0] }, $maxDistance: 112_000 } } },
      point(0, 1),
      true,
    ],
    [
      { at: { $nearSphere: { $geometry: { type: 'Point', coordinates: [0, 0] }, $maxDistance: 111_000 } } },
      point(0, 1),
      false,
    ],
    [
      { at: { $nearSphere: { $geometry: { type: 'Point', coordinates: [0, 0] }, $minDistance: 112_000 } } },
      point(0, 1),
      false,
    ],
    [{ at: { $geoWithin: { $geometry: square } } }, { at: 'nowhere' }, false],
  ])('%j on %j is %j', (query, doc, expected) => {
    expect(found(query, doc)).toBe(expected)
  })
})

describe('updates', () => {
  it.each([
    [{ $inc: { n: int(1) } }, { n: int(2147483647) }, { n: long('2147483648') }],
    [{ $inc: { n: int(-1) } }, { n: long(5) }, { n: long(4) }],
    [{ $inc: { n: double('0.5') } }, { n: int(1) }, { n: double('1.5') }],
    [{ $inc: { n: double('1.0') } }, { n: int(1) }, { n: double('2.0') }],
    [{ $mul: { n: int(3) } }, {}, { n: int(0) }],
    [{ $mul: { n: double('2.5') } }, {}, { n: double('0.0') }],
    [{ $inc: { n: long('1') } }, { n: long('9007199254740993') }, { n: long('9007199254740994') }],
    [{ $currentDate: { at: true } }, {}, { at: { $date: long(NOW) } }],
    [{ $set: { at: { $tcb_server_date: { offset: 1000 } } } }, {}, { at: { $date: long(NOW + 1000) } }],
    [{ $push: { l: { $each: [{ $date: { offset: -5 } }] } } }, {}, { l: [{ $date: long(NOW - 5) }] }],
    [{ $bit: { n: { xor: int(5) } } }, { n: long(3) }, { n: long(6) }],
    [{ $max: { n: double('5.0') } }, { n: int(5) }, { n: int(5) }],
  ])('%j on %j gives %j', (update, doc, expected) => {
    expect(typed(update, doc)).toEqual(expected)
  })

  it.each([
    [{ $set: { 'a.2': 'x' } }, { a: [1] }, { a: [1, null, 'x'] }],
    [{ $unset: { 'a.0': '' } }, { a: [1, 2] }, { a: [null, 2] }],
    [{ $push: { a: { $each: [5, 1], $position: 0, $sort: -1, $slice: 2 } } }, { a: [3] }, { a: [5, 3] }],
    [
      { $push: { a: { $each: [{ s: 1 }], $sort: { s: 1 }, $slice: -2 } } },
      { a: [{ s: 3 }, { s: 2 }] },
      { a: [{ s: 2 }, { s: 3 }] },
    ],
    [{ $push: { a: [1, 2] } }, { a: [0] }, { a: [0, [1, 2]] }],
    [{ $pop: { a: -1 } }, { a: [1, 2] }, { a: [2] }],
    [{ $addToSet: { a: { $each: [1, 1, 2] } } }, {}, { a: [1, 2] }],
    [{ $pull: { a: { x: 1 } } }, { a: [{ x: 1, y: 2 }, { x: 2 }] }, { a: [{ x: 2 }] }],
    [{ $pull: { a: { $in: [1, 3] } } }, { a: [1, 2, 3] }, { a: [2] }],
    [{ $pullAll: { a: [{ x: 1 }] } }, { a: [{ x: 1, y: 2 }, { x: 1 }] }, { a: [{ x: 1, y: 2 }] }],
    [{ $rename: { 'a.b': 'c.d' } }, { a: { b: 1 } }, { a: {}, c: { d: 1 } }],
    [{ $min: { a: 'x' } }, { a: 5 }, { a: 5 }],
    [{ b: 2 }, { _id: 'k', _openid: 'o', a: 1 }, { _id: 'k', _openid: 'o', b: 2 }],
  ])('%j on %j gives %j', (update, doc, expected) => {
    expect(updated(update, doc)).toEqual(expected)
  })

  it.each([
    [{ $inc: { a: 1 } }, { a: 'x' }],
    [{ $inc: { a: 1 } }, { a: null }],
    [{ $inc: { a: 'x' } }, {}],
    [{ $inc: { a: long('9223372036854775807') } }, { a: long(1) }],
    [{ $push: { a: 1 } }, { a: 5 }],
    [{ $push: { a: { $each: 5 } } }, {}],
    [{ $pop: { a: 2 } }, { a: [] }],
    [{ $set: { a: 1, 'a.b': 2 } }, {}],
    [{ $set: { a: 1 }, $inc: { a: 1 } }, {}],
    [{ $set: { 'a.b': 1 } }, { a: [1] }],
    [{ $set: { 'a.b': 1 } }, { a: 'x' }],
    [{ $set: { 'a.$.b': 1 } }, { a: [] }],
    [{ $set: { $where: 1 } }, {}],
    [{ $set: { a: { $gt: 1 } } }, {}],
    [{ $set: { a: { 'b.c': 1 } } }, {}],
    [{ $set: { _id: 'other' } }, { _id: 'k' }],
    [{ $nothing: { a: 1 } }, {}],
    [{ $set: { a: 1 }, b: 2 }, {}],
    [{ $rename: { a: 'a' } }, { a: 1 }],
    [{ $bit: { a: { and: 1.5 } } }, { a: 1 }],
    [{ $set: { 'a.99999999': 1 } }, { a: [] }],
  ])('%j on %j is refused', (update, doc) => {
    expect(() => updated(update, doc)).toThrow(expect.objectContaining({ name: 'DocumentError' }))
  })

  it('cannot reach a prototype', () => {
    expect(() => parseUpdate(docFromJsonText('{"$set": {"a": {"__proto__": {"polluted": true}}}}'), NOW)).toThrow(
      'not allowed',
    )
    applyUpdate(parseUpdate(docFromJsonText('{"$set": {"__proto__.polluted": true, "constructor.prototype.polluted": true}}'), NOW), parse({}), { inserting: false, now: NOW }) // biome-ignore format: one attack
    expect(({} as { polluted?: boolean }).polluted).toBe(undefined)
  })
})

describe('projections', () => {
  const DOC = { _id: 'k', a: 1, l: [1, 2, 3, 4], d: { x: 1, y: 2 }, m: [{ x: 1, y: 1 }, { x: 2, y: 2 }, 5] }
  it.each([
    [{ a: 1 }, { _id: 'k', a: 1 }],
    [{ a: true, _id: false }, { a: 1 }],
    [
      { l: 0, d: 0, m: 0 },
      { _id: 'k', a: 1 },
    ],
    [{ 'd.x': 1 }, { _id: 'k', d: { x: 1 } }],
    [{ d: { x: 1 } }, { _id: 'k', d: { x: 1 } }],
    [{ 'm.x': 1 }, { _id: 'k', m: [{ x: 1 }, { x: 2 }] }],
    [
      { a: 1, l: { $slice: 2 } },
      { _id: 'k', a: 1, l: [1, 2] },
    ],
    [
      { a: 1, l: { $slice: -1 } },
      { _id: 'k', a: 1, l: [4] },
    ],
    [
      { a: 1, l: { $slice: [1, 2] } },
      { _id: 'k', a: 1, l: [2, 3] },
    ],
    [{ m: { $elemMatch: { y: 2 } } }, { _id: 'k', m: [{ x: 2, y: 2 }] }],
    [{ _id: 1 }, { _id: 'k' }],
  ])('%j shows %j', (projection, expected) => {
    expect(toJson(parseProjection(parse(projection))(parse(DOC)), 'plain')).toEqual(expected)
  })

  it('slices without choosing', () => {
    expect(toJson(parseProjection(parse({ l: { $slice: 1 }, m: 0, d: 0 }))(parse(DOC)), 'plain')).toEqual({
      _id: 'k',
      a: 1,
      l: [1],
    })
  })

  it.each([{ a: 1, b: 0 }, { a: 'x' }, { a: { $slice: 'x' } }, { a: 1, 'a.b': 1 }, { $a: 1 }])(
    '%j is refused',
    (projection) => {
      expect(() => parseProjection(parse(projection))).toThrow(expect.objectContaining({ name: 'DocumentError' }))
    },
  )
})

describe('values', () => {
  it('are read in every form, and nothing else', () => {
    expect(toJson(fromJson({ a: { $date: { $numberLong: '5' } }, b: { $date: '1970-01-01T00:00:00.005Z' }, c: { $date: 5 } }), 'plain')).toEqual({ a: { $date: 5 }, b: { $date: 5 }, c: { $date: 5 } }) // biome-ignore format: one value
    expect(fromJson({ $oid: '0123456789abcdef01234567' })).toBe('0123456789abcdef01234567')
    for (const bad of [
      { $numberInt: 'x' },
      { $numberLong: '1.5' },
      { $date: 'x' },
      { $date: {} },
      { $binary: { base64: '!' } },
      { $regularExpression: {} },
      'a\0b',
    ])
      expect(() => fromJson(bad), JSON.stringify(bad)).toThrow(expect.objectContaining({ reason: 'invalid_value' }))
    expect(() => fromJson(JSON.parse(`${'['.repeat(200)}${']'.repeat(200)}`))).toThrow('nested')
    expect(fromJson('\ud800')).toBe('\ufffd')
  })

  it('come back from text as they went', () => {
    for (const json of [
      int(5),
      long(5),
      double('5.0'),
      double('-0.0'),
      double('Infinity'),
      long('-9007199254740993'),
      { $numberDecimal: '1.10' },
      ['5.0', { a: double('2.0') }, [], {}],
      'x 1.0, "2.00"',
    ])
      expect(toJson(fromStored(toStored(fromJson(json as never))), 'canonical')).toEqual(json)
  })
})
