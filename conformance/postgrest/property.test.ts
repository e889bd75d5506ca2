/**
 * The API against SQL written by hand for the same question, under the same role: random schemas, rows, policies, filters, embeds and
 * writes. Any difference is a wrong answer given silently.
 */
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Harness, startHarness } from './harness.ts'
import { type Question, randomQuestion } from './property-question.ts'
import { OWNERS, type RandomSchema, randomSchema, randomSource } from './property-schema.ts'

const SEED = 20_240
const SCHEMAS = 20
const RUNS = process.env.TEAHOUSE_SOAK === '1' ? 10_000 : 1_000

const schemas: readonly RandomSchema[] = Array.from({ length: SCHEMAS }, (_, index) => randomSchema(index, SEED))

const ROLES = ['anon', 'authenticated', 'service_role'] as const

describe('the API and plain SQL', () => {
  let harness: Harness
  let client: pg.Client

  beforeAll(async () => {
    harness = await startHarness({
      sql: schemas.map((schema) => schema.sql).join('\n'),
      config: {
        schemas: schemas.map((schema) => schema.name),
        extraSearchPath: ['public'],
        txEnd: 'rollback',
        aggregates: true,
        safeUpdate: false,
      },
    })
    client = new pg.Client(harness.database.connection)
    await client.connect()
  })
  afterAll(async () => {
    await client.end()
    await harness.stop()
  })

  const viaApi = async (question: Question, schema: string, role: string, sub: string): Promise<unknown> => {
    const answer = await harness.app.inject({
      method: question.method,
      url: `/rest/v1/${question.path}`,
      headers: {
        'x-test-role': role,
        'x-test-sub': sub,
        'accept-profile': schema,
        'content-profile': schema,
        prefer: 'return=representation',
        ...(question.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(question.body === undefined ? {} : { payload: question.body }),
    })
    const json: unknown = answer.json()
    return answer.statusCode < 300 ? { rows: question.normalise(json) } : { refused: Reflect.get(Object(json), 'code') }
  }

  const viaSql = async (question: Question, schema: string, role: string, sub: string): Promise<unknown> => {
    await client.query('begin')
    try {
      await client.query(
        "select set_config('search_path', $1, true), set_config('request.jwt.claims', $2, true), set_config('role', $3, true)",
        [`${schema}, public`, JSON.stringify({ role, sub }), role],
      )
      const result = await client.query(question.sql)
      return { rows: question.normalise(result.rows[0]?.answer ?? []) }
    } catch (error) {
      return { refused: error instanceof pg.DatabaseError ? error.code : String(error) }
    } finally {
      await client.query('rollback')
    }
  }

  it(`agree on ${RUNS} random questions`, { timeout: 1_800_000 }, async () => {
    let answered = 0
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 - 1 }), async (seed) => {
        const random = randomSource(seed)
        const schema = random.pick(schemas)
        const role = random.pick(ROLES)
        const sub = random.pick(OWNERS)
        const question = randomQuestion(schema, random)
        const [api, sql] = [
          await viaApi(question, schema.name, role, sub),
          await viaSql(question, schema.name, role, sub),
        ]
        if (Reflect.has(Object(api), 'rows')) answered += 1
        expect({ question: `${question.method} ${question.path}`, role, ...Object(api) }).toEqual({
          question: `${question.method} ${question.path}`,
          role,
          ...Object(sql),
        })
      }),
      { seed: SEED, numRuns: RUNS },
    )
    // Mostly answers, or the comparison would prove little.
    expect(answered).toBeGreaterThan(RUNS * 0.7)
  })
})
