/**
 * Five zeros: many people write and listen while servers, databases and networks fail, and afterwards nothing is lost, told twice, told to the
 * wrong person, told in the wrong order, or acknowledged and gone. One round here; twenty for each fault, with a report, in `npm run soak`.
 */

import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { startTestCluster, type TestCluster } from '../../packages/server/test/postgres.ts'
import { zeros } from './checker.ts'
import { FAULTS, type Fault } from './faults.ts'
import { randomFrom } from './random.ts'
import { describeRound, keepReport, renderReport, violations } from './report.ts'
import { playRound, type Round } from './round.ts'
import { embeddedStage, externalStage, type Stage } from './stage.ts'
import { teamStage } from './team.ts'

const SOAK = process.env.TEAHOUSE_SOAK === '1'
/** A part of the name of the faults to play. */
const ONLY = process.env.TEAHOUSE_LEDGER_FAULT
const ROUNDS = Number(process.env.TEAHOUSE_LEDGER_ROUNDS ?? 20)
const TODAY = new Date().toISOString().slice(0, 10)
/** By default a day's seeds are its date and a count. */
const FIRST_SEED = Number(process.env.TEAHOUSE_LEDGER_SEED ?? `${TODAY.replaceAll('-', '').slice(2)}001`)
const ROUND_WITHIN = 180_000

let shared: Promise<TestCluster> | null = null
afterAll(async () => (await shared)?.stop())

const stageFor = async (faults: readonly Fault[], seed: number): Promise<Stage> => {
  if (faults.some(({ on }) => on === 'embedded')) return embeddedStage()
  const needsOwn = faults.some(({ killsPostgres }) => killsPostgres)
  if (!needsOwn) shared ??= startTestCluster()
  const cluster = needsOwn ? null : await shared
  if (faults.some(({ on }) => on === 'nodes')) return teamStage(cluster, randomFrom(seed).fork('nodes'))
  return externalStage(cluster)
}

/** Plays one round; whether the stage can be used again is the caller's to decide. */
const play = async (stage: Stage, faults: readonly Fault[], seed: number): Promise<Round> => {
  try {
    const round = await playRound(stage, faults, seed)
    const found = violations(round.verdict)
    const lines = found.length === 0 ? [] : [...found, ...round.moments]
    process.stderr.write(`${[describeRound(round), ...lines].join('\n    ')}\n`)
    if (found.length > 0 && SOAK) process.stderr.write(stage.logs())
    return round
  } catch (error) {
    process.stderr.write(
      `seed ${seed}: ${error instanceof Error ? error.stack : error}\n${stage.logs().slice(-4_000)}\n`,
    )
    throw error
  }
}

const NONE = [0, 0, 0, 0, 0]

/** Rounds of one fault that follow each other on one stage: servers that have been through more than one thing. */
const IN_A_ROW = 5

const soak = (): void => {
  const rounds: Round[] = []
  const failures: string[] = []
  let stage: Stage | null = null
  const endStage = async () => {
    const ended = stage
    stage = null
    await ended?.stop()
  }

  // A run that is filtered proves nothing about the others, so it leaves no page. The page is written after each round: a long run may be cut short.
  afterEach(async () => {
    if (ONLY === undefined) await keepReport(TODAY, renderReport(TODAY, rounds, failures))
  })

  const oneRound = async (fault: Fault, seed: number): Promise<void> => {
    try {
      stage ??= await stageFor([fault], seed)
      const round = await play(stage, [fault], seed)
      rounds.push(round)
      expect(violations(round.verdict)).toEqual([])
      expect(zeros(round.verdict)).toEqual(NONE)
    } catch (error) {
      failures.push(`${fault.name}, seed ${seed}: ${error instanceof Error ? error.message.split('\n')[0] : error}`)
      await endStage()
      throw error
    }
  }

  // All faults in turn: a run that is cut short has still seen each of them.
  for (let from = 0; from < ROUNDS; from += IN_A_ROW) {
    for (const fault of FAULTS.filter(({ name }) => ONLY === undefined || name.includes(ONLY))) {
      describe(`${fault.name}, from round ${from + 1}`, () => {
        afterAll(endStage)
        for (let round = from; round < Math.min(from + IN_A_ROW, ROUNDS); round++)
          it(`seed ${FIRST_SEED + round}`, { timeout: ROUND_WITHIN }, () => oneRound(fault, FIRST_SEED + round))
      })
    }
  }
}

if (SOAK) soak()
else {
  it('one round: server, PostgreSQL, slot and sockets fail one after the other', {
    timeout: ROUND_WITHIN,
  }, async () => {
    const faults = FAULTS.filter(({ inOneRound }) => inOneRound)
    const stage = await stageFor(faults, 1)
    try {
      const { verdict } = await play(stage, faults, 1)
      expect(violations(verdict)).toEqual([])
      expect(zeros(verdict)).toEqual(NONE)
      expect(verdict.figures.required).toBeGreaterThan(100)
    } finally {
      await stage.stop()
    }
  })
}
