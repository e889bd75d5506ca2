/** Replays the corpus: in this process, or against the server that TEAHOUSE_CORPUS_URL names. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Major } from '../../packages/server/test/database.ts'
import { type Case, differences, readCorpus } from './corpus.ts'
import { coverage } from './coverage.ts'
import { type Replay, startReplay } from './replay.ts'

const corpus = readCorpus()

describe.each<Major>(['18', '15'])('PostgREST corpus on PostgreSQL %s', (version) => {
  let replay: Replay

  beforeAll(async () => {
    replay = await startReplay(version)
  })
  afterAll(() => replay.stop())

  const title = (each: Case): string => {
    const body = each.body === undefined ? '' : ` ${JSON.stringify(each.body)}`
    return `${each.request.slice(0, 150)}${each.headers === undefined ? '' : ` ${JSON.stringify(each.headers)}`}${body.slice(0, 100)}`
  }

  for (const { feature, cases } of corpus) {
    describe(feature, () => {
      cases.forEach((each, index) => {
        it(`${index + 1}. ${title(each)}`, async (context) => {
          if (each.skip !== undefined || !replay.supports(each))
            return context.skip(each.skip ?? 'needs a configuration of its own')
          expect(differences(await replay.send(each), each.expect)).toEqual([])
        })
      })
    })
  }
})

it('the corpus has at least 700 cases, and COVERAGE.md tells what they cover', async () => {
  expect(corpus.reduce((sum, { cases }) => sum + cases.length, 0)).toBeGreaterThanOrEqual(700)
  await expect(coverage(corpus)).toMatchFileSnapshot('./COVERAGE.md')
})
