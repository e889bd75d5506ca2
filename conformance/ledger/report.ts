/** Rounds as lines for people: while they run, and as the dated page that is kept. */
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { repository } from '../support/server.ts'
import { type Verdict, zeros } from './checker.ts'
import type { Round } from './round.ts'

const LISTS = ['lost', 'duplicate', 'leak', 'order', 'missing', 'harness'] as const
/** Violations of one round that are shown; the seed finds the others. */
const MAX_SHOWN = 5

/** The violations of a verdict, the first few of each kind. */
export const violations = (verdict: Verdict): readonly string[] =>
  LISTS.flatMap((list) => {
    const found = verdict[list]
    const more = found.length > MAX_SHOWN ? [`${list}: and ${found.length - MAX_SHOWN} more`] : []
    return [...found.slice(0, MAX_SHOWN).map((line) => `${list}: ${line}`), ...more]
  })

/** One line for one round. */
export const describeRound = ({ seed, faults, verdict, seconds }: Round): string => {
  const { writes, deliveries, required, undecided, compared } = verdict.figures
  return `${faults.join(', ')} | seed ${seed} | ${seconds.toFixed(1)} s | ${writes} writes, ${deliveries} deliveries (${required} owed, ${undecided} undecided), ${compared} rows compared | lost, duplicate, leak, order, missing: ${zeros(verdict).join(' ')}`
}

const FIGURES = [
  'writes',
  'unknown',
  'refusedYetStored',
  'versions',
  'subscriptions',
  'deliveries',
  'required',
  'undecided',
  'compared',
] as const

const sumOf = (rounds: readonly Round[], pick: (round: Round) => number): number =>
  rounds.reduce((sum, round) => sum + pick(round), 0)

const row = (name: string, rounds: readonly Round[]): string => {
  const seeds = rounds.map(({ seed }) => seed)
  const figures = FIGURES.map((figure) =>
    sumOf(rounds, ({ verdict }) => verdict.figures[figure]).toLocaleString('en-US'),
  )
  const five = [0, 1, 2, 3, 4].map((index) => `**${sumOf(rounds, ({ verdict }) => zeros(verdict)[index] ?? 0)}**`)
  const span = `${Math.min(...seeds)}–${Math.max(...seeds)}`
  return `| ${[name, rounds.length, span, ...figures, ...five].join(' | ')} |`
}

const HEAD = `| fault | rounds | seeds | writes | unanswered | refused yet stored | versions | subscriptions | deliveries | owed | undecided | rows compared | lost | duplicate | leak | order | missing |
|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|`

const EXPLANATION = `Each round starts a real server, lets people write (REST, SQL, batches, transactions, memberships) and listen (both versions of the protocol,
with joins, leaves, tokens that run out) while the fault happens, waits until everything is at rest, and compares the ledgers.

- **lost**: a committed version that a subscription was owed and never got, or a row that a subscriber holds wrongly at the end
- **duplicate**: a version that reached the same client twice, also across reconnects and restarts
- **leak**: a version that reached somebody who could not have been allowed to see it, had not asked for it, or whose token had run out
- **order**: versions of a row, of a transaction, or of writes that followed each other, delivered the other way round; or subscribers who disagree
- **missing**: acknowledged writes that are not in the database, or half of a transaction

*Owed* deliveries had to happen and were checked; *undecided* ones fell into the moment of a change of membership and may or may not happen.
*Refused yet stored* counts answers that said "error" for writes that had committed: the connection to PostgreSQL broke between commit and answer.
`

/** The page of a run. */
export const renderReport = (date: string, rounds: readonly Round[], failures: readonly string[]): string => {
  const names = [...new Set(rounds.map(({ faults }) => faults.join(', ')))]
  const of = (name: string) => rounds.filter(({ faults }) => faults.join(', ') === name)
  const broken = rounds.filter(({ verdict }) => zeros(verdict).some((count) => count > 0) || verdict.harness.length > 0)
  const lines = broken.flatMap((round) => [
    `- ${describeRound(round)}`,
    ...violations(round.verdict).map((line) => `  - ${line}`),
  ])
  const found = [...lines, ...failures.map((line) => `- ${line}`)]
  return `# Five zeros, ${date}

${rounds.length} rounds, Node ${process.version}, ${cpus().length} cores shared with other work. \`npm run soak\` plays twenty of each fault.

${EXPLANATION}
${HEAD}
${names.map((name) => row(name, of(name))).join('\n')}
${row('**all**', rounds)}

${found.length === 0 ? 'No violation.' : `Violations:\n\n${found.join('\n')}`}

One round again: \`TEAHOUSE_SOAK=1 TEAHOUSE_LEDGER_FAULT="server killed" TEAHOUSE_LEDGER_SEED=… TEAHOUSE_LEDGER_ROUNDS=1 npx vitest run --project conformance conformance/ledger/ledger.test.ts\`
`
}

/** Keeps the page under its date; a later run of the day replaces it. */
export const keepReport = async (date: string, text: string): Promise<string> => {
  const folder = join(repository, 'conformance', 'ledger', 'reports')
  await mkdir(folder, { recursive: true })
  const path = join(folder, `${date}.md`)
  await writeFile(path, text)
  return path
}
