/** What MongoDB's manual says of pipelines, case by case: types, refusals, time zones, and limits. */
import { describe, expect, it } from 'vitest'
import { parse } from '../../../../test/document-engine.ts'
import type { Doc } from '../../../expr/bson/value.ts'
import { fromJson, toJson } from '../ejson.ts'
import { compileExpression, EXPRESSIONS } from './operators.ts'
import { buildPipeline } from './stages.ts'

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
