/**
 * Queries, updates and pipelines in memory against an independent engine, on JSON types. Where both differ, the reason is one of those written
 * down here, each of them a place where MongoDB's own behaviour (see `vectors.test.ts`) is ours. That SQL decides as memory does is in
 * `semantics.pg.test.ts`.
 */
import fc from 'fast-check'
import { aggregate, Query, updateOne } from 'mingo'
import { describe, expect, it } from 'vitest'
import { document, type Plain, type PlainDoc, pipeline, query, update } from '../../../test/documents.ts'
import { matches } from '../../expr/bson/match.ts'
import { type Doc, fieldOf, type Value } from '../../expr/bson/value.ts'
import { buildPipeline } from './aggregate/stages.ts'
import { docFromJsonText, toJson } from './ejson.ts'
import { parseQuery } from './parse-query.ts'
import { applyUpdate, parseUpdate } from './update/apply.ts'

const SOAK = process.env.TEAHOUSE_SOAK === '1'
/** A thousand in all; ten thousand with TEAHOUSE_SOAK=1. */
const cases = (few: number) => ({ seed: 20_261_121, numRuns: SOAK ? few * 10 : few })

const doc = (plain: PlainDoc): Doc => docFromJsonText(JSON.stringify(plain))
// What JSON.stringify wrote is JSON.
const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T
const sorted = (value: Plain): Plain => {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, sorted(inner)])) // biome-ignore format: one sentence
}
const textOf = (value: unknown): string => JSON.stringify(sorted(copy(value) as Plain))
const ourText = (value: Value): string => textOf(toJson(value, 'plain'))

/** How often each reason was needed. */
type Reasons = Map<string, number>
const judge = (reasons: Reasons, same: boolean, why: () => string | null, show: () => string): void => {
  reasons.set('all', (reasons.get('all') ?? 0) + 1)
  if (same) return
  const reason = why()
  if (reason === null) throw new Error(show())
  reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
}
const explainedShare = (reasons: Reasons): number => {
  const all = reasons.get('all') ?? 1
  return ([...reasons.values()].reduce((sum, count) => sum + count, 0) - all) / all
}

const nests = (value: Plain): boolean => {
  if (Array.isArray(value)) return value.some((each) => Array.isArray(each) || nests(each))
  return typeof value === 'object' && value !== null && Object.values(value).some(nests)
}

/** Where the other engine is known to leave MongoDB's path. */
const queryReason = (q: PlainDoc, d: PlainDoc): string | null => {
  const [text, data] = [JSON.stringify(q), JSON.stringify(d)]
  if (/"\$[gl]te?":null/.test(text)) return 'a range with null does not find what is missing there'
  if (text.includes('$mod')) return 'a remainder is taken of booleans and texts there'
  if (text.includes('$all')) return '$all does not look at a single value there'
  if (nests(d)) return 'arrays in arrays are looked through there'
  if (/\.\d/.test(text)) return 'positions in paths lead elsewhere there'
  if (text.includes('$elemMatch')) return 'elements that are no documents match $elemMatch there'
  if (data.includes('[') && text.includes('.') && /null|\[\]|\$size|\$exists/.test(text))
    return 'what is missing inside an array is an empty array there'
  return null
}

const updateReason = (u: PlainDoc, ours: string, unchanged: boolean): string | null => {
  const text = JSON.stringify(u)
  if (ours.startsWith('refused'))
    return unchanged || /null|\d/.test(text)
      ? 'what MongoDB refuses is left alone, or replaces null, there'
      : 'what MongoDB refuses is done there'
  if (/\$slice|\$sort|\$position/.test(text)) return 'the modifiers of $push come in another order there'
  if (/\$(min|max)"/.test(text)) return 'arrays and documents are not compared with scalars there'
  if (text.includes('$addToSet')) return 'equal values are added twice, or not at all, there'
  if (text.includes('$pull"')) return '$pull looks into arrays in the array there'
  if (text.includes('$bit')) return '$bit of nothing is left alone there'
  return null
}

const pipelineReason = (p: PlainDoc[], ds: PlainDoc[]): string | null => {
  const [text, data] = [JSON.stringify(p), JSON.stringify(ds)]
  const match = p.find((stage) => '$match' in stage)?.$match
  if (text.includes('$unwind') && /""|false|0|null|\{\}/.test(data))
    return 'values that count as false are lost by $unwind there'
  if (/\$(cmp|eq|ne|gte?|lte?|min|max)"/.test(text))
    return 'values of different types, arrays above all, compare otherwise there'
  if (text.includes('$sort') && data.includes('[')) return 'arrays sort by something else there'
  if (ds.some(nests)) return 'arrays in arrays are looked through there'
  // A stage is what it is: the query of a $match is a document.
  return match === undefined ? null : queryReason(match as PlainDoc, { all: ds as Plain })
}

describe('an independent engine agrees', () => {
  it('on queries', () => {
    const reasons: Reasons = new Map()
    fc.assert(
      fc.property(document, query, (d, q) => {
        const ours = matches(parseQuery(doc(q)), doc(d))
        const theirs = new Query(copy(q)).test(copy(d))
        judge(reasons, ours === theirs, () => queryReason(q, d), () => `${JSON.stringify(q)} on ${JSON.stringify(d)}: ${ours}`) // biome-ignore format: one sentence
      }),
      cases(400),
    )
    expect(explainedShare(reasons)).toBeLessThan(0.1)
  })

  it('on updates', () => {
    const reasons: Reasons = new Map()
    fc.assert(
      fc.property(document, update, (d, u) => {
        const ours = attempt(() => ourText(applyUpdate(parseUpdate(doc(u), 0), doc(d), { inserting: false, now: 0 })))
        const documents = [copy(d)]
        const theirs = attempt(() => {
          updateOne(documents, {}, copy(u))
          return textOf(documents[0])
        })
        const both = ours.startsWith('refused') && theirs.startsWith('refused')
        judge(reasons, both || ours === theirs, () => updateReason(u, ours, theirs === textOf(d)), () => `${JSON.stringify(u)} on ${JSON.stringify(d)}: ${ours}, not ${theirs}`) // biome-ignore format: one sentence
      }),
      cases(300),
    )
    expect(explainedShare(reasons)).toBeLessThan(0.45)
  })

  it('on pipelines', async () => {
    const reasons: Reasons = new Map()
    await fc.assert(
      fc.asyncProperty(fc.array(document, { maxLength: 5 }), pipeline, async (ds, p) => {
        const all = ds.map((each, place) => ({ ...each, _id: `i${place}` }))
        const stages = p.map((stage) => {
          const [name = ''] = Object.keys(stage)
          return { name, value: fieldOf(doc(stage), name) ?? null }
        })
        const context = { variables: new Map(), most: 10_000, budget: { left: 10_000 }, source: async () => [] }
        const ours = ourText([...(await buildPipeline(stages)(all.map(doc), context))])
        const theirs = attempt(() => textOf(aggregate(copy(all), copy(p))))
        judge(reasons, ours === theirs, () => pipelineReason(p, ds), () => `${JSON.stringify(p)} on ${JSON.stringify(all)}: ${ours}, not ${theirs}`) // biome-ignore format: one sentence
      }),
      cases(300),
    )
    expect(explainedShare(reasons)).toBeLessThan(0.1)
  })
})

const attempt = (work: () => string): string => {
  try {
    return work()
  } catch (error) {
    return `refused: ${String(error)}`
  }
}
