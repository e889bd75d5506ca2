/** The corpus against a started server, over HTTP: the same replay that TEAHOUSE_CORPUS_URL sends to any server. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { asAdmin, createTestDatabase, type TestDatabase } from '../../packages/server/test/database.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { type Case, differences, readCorpus } from './corpus.ts'
import { FIXTURE } from './harness.ts'
import { remoteReplay } from './replay.ts'

const SOAK = process.env.TEAHOUSE_SOAK === '1'
/** Every so many cases; all of them under TEAHOUSE_SOAK=1. */
const STEP = SOAK ? 1 : 10

let database: TestDatabase
let server: TestServer

beforeAll(async () => {
  database = await createTestDatabase()
  await database.sql(FIXTURE)
  const settings = readFileSync(new URL('./remote-settings.sql', import.meta.url), 'utf8')
  await database.sql(settings)
  server = await startServer({ args: ['--database-url', database.url] })
}, 120_000)
afterAll(async () => {
  await server?.stop()
  await database?.drop()
})

it('answers over HTTP what it answers in the process', async () => {
  const replay = remoteReplay(`${server.report.url}/rest/v1`, server.report.jwtSecret)
  const all = readCorpus().flatMap(({ feature, cases }) => cases.map((each): [string, Case] => [feature, each]))
  const chosen = all.filter(([, each], index) => index % STEP === 0 && each.skip === undefined && replay.supports(each))
  expect(chosen.length).toBeGreaterThan(all.length / STEP / 2)
  const problems: string[] = []
  for (const [feature, each] of chosen) {
    for (const problem of differences(await replay.send(each), each.expect)) {
      problems.push(`${feature}: ${each.request}: ${problem}`)
    }
  }
  expect(problems).toEqual([])
}, 300_000)

it('leaves everything as it was', async () => {
  const { rows } = await asAdmin(database.url, 'select count(*)::int as n from guild.keyless')
  expect(rows).toEqual([{ n: 3 }])
})
