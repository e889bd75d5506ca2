/** What MongoDB's manual says, case by case, where a property cannot: types, refusals, positions, dates, places, and hostile input. */
import { describe, expect, it } from 'vitest'
import { parse } from '../../../test/document-engine.ts'
import { distance } from '../../expr/bson/geo.ts'
import { matches } from '../../expr/bson/match.ts'
import type { Doc } from '../../expr/bson/value.ts'
import { compileExpression, EXPRESSIONS } from './aggregate/operators.ts'
import { buildPipeline } from './aggregate/stages.ts'
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
const evaluate = (expression: unknown, doc: unknown = {}): unknown => {
  const value = compileExpression(fromJson(expression as never))({ root: parse(doc), variables: new Map() })
  return value === undefined ? undefined : toJson(value, 'canonical')
}
const piped = async (stages: readonly Record<string, unknown>[], docs: readonly unknown[]): Promise<unknown> => {
  const read = stages.map((stage): readonly [string, unknown] => Object.entries(stage)[0] ?? ['', null]).map(([name, value]) => ({ name, value: fromJson(value as never) })) // biome-ignore format: one sentence
  const context = {
    variables: new Map(),
    most: 1000,
    budget: { left: 1000 },
    source: async (): Promise<readonly Doc[]> => [],
  }
  return toJson([...(await buildPipeline(read)(docs.map(parse), context))], 'plain')
}
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

describe('expressions', () => {
  it('are all there', () => {
    const names = 'abs add ceil divide exp floor ln log log10 mod multiply pow sqrt subtract trunc arrayElemAt arrayToObject concatArrays filter in indexOfArray isArray map objectToArray range reduce reverseArray size slice zip and not or cmp eq gt gte lt lte neq cond ifNull switch dateFromParts dateFromString dateToParts dateToString dayOfMonth dayOfWeek dayOfYear hour isoDayOfWeek isoWeek isoWeekYear millisecond minute month second week year literal mergeObjects allElementsTrue anyElementTrue setDifference setEquals setIntersection setIsSubset setUnion concat indexOfBytes indexOfCP split strLenBytes strLenCP strcasecmp substr substrBytes substrCP toLower toUpper ltrim rtrim trim meta avg first last max min stdDevPop stdDevSamp sum let convert type toBool toDate toDecimal toDouble toInt toLong toObjectId toString' // biome-ignore format: one list
    expect(names.split(' ').filter((name) => !Object.hasOwn(EXPRESSIONS, `$${name}`))).toEqual([])
  })

  it.each([
    [{ $add: [1, 2.5] }, double('3.5')],
    [{ $add: [int(2147483647), 1] }, long('2147483648')],
    [{ $add: [date('2020-01-01T00:00:00Z'), 86_400_000] }, { $date: long(Date.UTC(2020, 0, 2)) }],
    [{ $subtract: [date('2020-01-02T00:00:00Z'), date('2020-01-01T00:00:00Z')] }, long(86_400_000)],
    [{ $divide: [6, 3] }, double('2.0')],
    [{ $mod: [-7, 3] }, int(-1)],
    [{ $pow: [2, 31] }, long('2147483648')],
    [{ $abs: -5 }, int(5)],
    [{ $ceil: 1.2 }, double('2.0')],
    [{ $trunc: [1.256, 2] }, double('1.25')],
    [{ $round: [2.5] }, double('2.0')],
    [{ $sqrt: 25 }, double('5.0')],
    [{ $log: [100, 10] }, double('2.0')],
    [{ $add: [1, null] }, null],
    [{ $avg: [1, 2, 'x'] }, double('1.5')],
    [{ $sum: [[1, 2, 3]] }, int(6)],
    [{ $stdDevSamp: [[2, 4]] }, double(String(Math.SQRT2))],
    [{ $max: ['$missing', null, 3, 1] }, int(3)],
    [{ $arrayElemAt: [[1, 2, 3], -1] }, int(3)],
    [{ $arrayElemAt: [[1], 5] }, undefined],
    [{ $slice: [[1, 2, 3], -2, 1] }, [int(2)]],
    [{ $range: [0, 5, 2] }, [int(0), int(2), int(4)]],
    [
      { $zip: { inputs: [[1, 2], ['a']], useLongestLength: true, defaults: [0, 'z'] } },
      [
        [int(1), 'a'],
        [int(2), 'z'],
      ],
    ],
    [{ $reduce: { input: ['a', 'b'], initialValue: '', in: { $concat: ['$$value', '$$this'] } } }, 'ab'],
    [{ $indexOfArray: [[1, 2, 3], 3, 1] }, int(2)],
    [{ $arrayToObject: [[['a', 1]]] }, { a: int(1) }],
    [{ $objectToArray: { a: 1 } }, [{ k: 'a', v: int(1) }]],
    [{ $mergeObjects: [{ a: 1 }, null, { b: 2 }] }, { a: int(1), b: int(2) }],
    [
      {
        $setUnion: [
          [3, 1],
          [1, 2],
        ],
      },
      [int(1), int(2), int(3)],
    ],
    [{ $setIsSubset: [[1], [1, 2]] }, true],
    [JSON.parse('{"$switch": {"branches": [{"case": false, "then": 1}], "default": 2}}'), int(2)],
    [{ $let: { vars: { x: 2 }, in: { $multiply: ['$$x', 3] } } }, int(6)],
    [{ $literal: '$a' }, '$a'],
    [{ $cmp: [1, 'a'] }, int(-1)],
    [{ $eq: [{ $literal: null }, '$missing'] }, false],
    [{ $ifNull: ['$missing', 'x'] }, 'x'],
    [{ $substrCP: ['茶馆abc', 1, 2] }, '馆a'],
    [{ $substrBytes: ['茶馆', 0, 3] }, '茶'],
    [{ $strLenBytes: '茶' }, int(3)],
    [{ $strLenCP: '🍵' }, int(1)],
    [{ $indexOfCP: ['茶馆', '馆'] }, int(1)],
    [{ $indexOfBytes: ['茶馆', '馆'] }, int(3)],
    [{ $split: ['a-b', '-'] }, ['a', 'b']],
    [{ $toUpper: 'aß' }, 'Aß'],
    [{ $trim: { input: '  x ' } }, 'x'],
    [{ $ltrim: { input: 'xxay', chars: 'x' } }, 'ay'],
    [{ $strcasecmp: ['A', 'a'] }, int(0)],
    [{ $dayOfWeek: date('2020-02-29T12:00:00Z') }, int(7)],
    [{ $isoWeek: date('2021-01-03T00:00:00Z') }, int(53)],
    [{ $isoWeekYear: date('2021-01-03T00:00:00Z') }, int(2020)],
    [{ $week: date('2020-01-04T00:00:00Z') }, int(0)],
    [{ $hour: { date: date('2020-01-01T20:00:00Z'), timezone: 'Asia/Shanghai' } }, int(4)],
    [{ $hour: { date: date('2020-01-01T20:00:00Z'), timezone: '+0530' } }, int(1)],
    [{ $dateToString: { date: date('2020-01-02T03:04:05.678Z'), format: '%Y/%m/%d %H:%M:%S.%L %j %u %V %%', timezone: '+08:00' } }, '2020/01/02 11:04:05.678 002 4 01 %'], // biome-ignore format: one case
    [{ $dateToString: { date: date('2020-01-02T03:04:05Z') } }, '2020-01-02T03:04:05.000Z'],
    [
      { $dateFromString: { dateString: '2020-03-01T00:00:00', timezone: 'Asia/Shanghai' } },
      { $date: long(Date.UTC(2020, 1, 29, 16)) },
    ],
    [{ $dateFromString: { dateString: '01/02/2020', format: '%d/%m/%Y' } }, { $date: long(Date.UTC(2020, 1, 1)) }],
    [{ $dateFromString: { dateString: 'x', onError: 'bad' } }, 'bad'],
    [{ $dateFromParts: { year: 2020, month: 14, timezone: 'UTC' } }, { $date: long(Date.UTC(2021, 1, 1)) }],
    [{ $dateFromParts: { isoWeekYear: 2020, isoWeek: 1, isoDayOfWeek: 1 } }, { $date: long(Date.UTC(2019, 11, 30)) }],
    [{ $dateToParts: { date: date('2020-01-02T03:04:05Z') } }, { year: int(2020), month: int(1), day: int(2), hour: int(3), minute: int(4), second: int(5), millisecond: int(0) }], // biome-ignore format: one case
    [{ $toInt: '12' }, int(12)],
    [{ $toLong: date('2020-01-01T00:00:00Z') }, long(Date.UTC(2020, 0, 1))],
    [{ $toDouble: true }, double('1.0')],
    [{ $toString: long('9007199254740993') }, '9007199254740993'],
    [{ $toBool: 'false' }, true],
    [{ $toDate: 0 }, { $date: long(0) }],
    [{ $toDecimal: '1.50' }, { $numberDecimal: '1.50' }],
    [{ $convert: { input: 'x', to: 'int', onError: -1 } }, int(-1)],
    [{ $type: '$missing' }, 'missing'],
    [{ $type: double('5.0') }, 'double'],
  ])('%j is %j', (expression, expected) => {
    expect(evaluate(expression)).toEqual(expected)
  })

  it.each([
    { $divide: [1, 0] },
    { $add: ['a', 1] },
    { $nothing: 1 },
    { $cond: [1, 2] },
    { $arrayElemAt: [1, 0] },
    { $in: [1, 2] },
    { $concat: ['a', 1] },
    { $toInt: 'x' },
    { $range: [0, 1e9] },
    { $year: 'x' },
    { $hour: { date: date('2020-01-01T00:00:00Z'), timezone: 'Nowhere/Land' } },
    { $dateToString: { date: date('2020-01-01T00:00:00Z'), format: '%Q' } },
    '$$nothing',
    '$a..b',
    { $meta: 'textScore' },
    { $eq: 1, $gt: 2 },
  ])('%j is refused', (expression) => {
    expect(() => evaluate(expression)).toThrow(expect.objectContaining({ name: 'DocumentError' }))
  })

  it('see no prototypes', () => {
    for (const path of ['$__proto__', '$constructor', '$a.toString', '$a.__proto__.x'])
      expect(evaluate(path, { a: {} }), path).toBe(undefined)
  })
})

describe('stages', () => {
  const DOCS = [{ _id: 1, n: 5, g: 'a', l: [1, 2] }, { _id: 2, n: 15, g: 'b', l: [] }, { _id: 3, n: 25, g: 'a' }] // biome-ignore format: three documents
  it.each([
    [[{ $bucket: { groupBy: '$n', boundaries: [0, 10, 20], default: 'more', output: { c: { $sum: 1 }, ids: { $push: '$_id' } } } }], [{ _id: 0, c: 1, ids: [1] }, { _id: 10, c: 1, ids: [2] }, { _id: 'more', c: 1, ids: [3] }]], // biome-ignore format: one case
    [
      [{ $bucketAuto: { groupBy: '$n', buckets: 2 } }],
      [
        { _id: { min: 5, max: 25 }, count: 2 },
        { _id: { min: 25, max: 25 }, count: 1 },
      ],
    ],
    [
      [{ $sortByCount: '$g' }],
      [
        { _id: 'a', count: 2 },
        { _id: 'b', count: 1 },
      ],
    ],
    [
      [{ $unwind: '$l' }, { $project: { l: 1 } }],
      [
        { _id: 1, l: 1 },
        { _id: 1, l: 2 },
      ],
    ],
    [[{ $unwind: { path: '$l', includeArrayIndex: 'at', preserveNullAndEmptyArrays: true } }, { $project: { l: 1, at: 1 } }], [{ _id: 1, l: 1, at: 0 }, { _id: 1, l: 2, at: 1 }, { _id: 2, at: null }, { _id: 3, at: null }]], // biome-ignore format: one case
    [[{ $group: { _id: '$g', all: { $addToSet: '$n' }, avg: { $avg: '$n' }, first: { $first: '$n' } } }], [{ _id: 'a', all: [5, 25], avg: 15, first: 5 }, { _id: 'b', all: [15], avg: 15, first: 15 }]], // biome-ignore format: one case
    [[{ $group: { _id: null, total: { $sum: '$n' } } }], [{ _id: null, total: 45 }]],
    [[{ $replaceRoot: { newRoot: { k: '$_id' } } }, { $skip: 1 }, { $limit: 1 }], [{ k: 2 }]],
    [[{ $match: { n: { $gt: 10 } } }, { $count: 'many' }], [{ many: 2 }]],
    [
      [{ $match: { $expr: { $eq: ['$g', 'b'] } } }, { $project: { _id: 0, twice: { $multiply: ['$n', 2] } } }],
      [{ twice: 30 }],
    ],
    [[{ $addFields: { 'd.x': '$n' } }, { $project: { d: 1 } }, { $limit: 1 }], [{ _id: 1, d: { x: 5 } }]],
    [[{ $project: { l: 0, g: 0 } }, { $sort: { n: -1 } }, { $limit: 1 }], [{ _id: 3, n: 25 }]],
  ])('%j', async (stages, expected) => {
    expect(await piped(stages, DOCS)).toEqual(expected)
  })

  it.each([
    [{ $out: 'x' }],
    [{ $group: { total: { $sum: 1 } } }],
    [{ $group: { _id: 1, x: { $nothing: 1 } } }],
    [{ $sort: { a: 2 } }],
    [{ $limit: 0 }],
    [{ $unwind: 'l' }],
    [{ $project: { a: 1, b: 0 } }],
    [{ $bucket: { groupBy: '$n', boundaries: [10, 0] } }],
    [{ $lookup: { from: 'x', as: 'y' } }],
    [{ $count: '$x' }],
  ])('%j is refused', async (stage) => {
    await expect(piped([stage], DOCS)).rejects.toMatchObject({ name: 'DocumentError' })
  })

  it('hold no more than they may', async () => {
    const wide = { $unwind: '$x' }
    await expect(piped([{ $addFields: { x: { $range: [0, 2000] } } }, wide], [{ _id: 1 }])).rejects.toMatchObject({
      reason: 'result_too_large',
    })
  })
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
