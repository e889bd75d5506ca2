/** Runs a compiled request as its caller: one batch, and what came back. */
import type { RawResult } from '../db/batch.ts'
import type { Pool } from '../db/pool.ts'
import { type RunOptions, runAs, type Scope } from '../db/scope.ts'
import { frag, ident, type Statement, statement } from '../sql/sql.ts'
import type { CompiledRequest } from './compile.ts'
import { RESULT } from './output.ts'
import type { OutputOptions } from './query.ts'

/** What one request answered. */
export interface Outcome {
  /** Rows that match, without limit and offset; null when nobody asked. */
  readonly total: bigint | null
  /** Rows in the body. */
  readonly rows: number
  readonly body: string
  /** What SQL left in `response.headers` and `response.status`. */
  readonly headers: string | null
  readonly status: string | null
  /** Key columns of the first written row: name, value, name, value. */
  readonly location: readonly (string | null)[] | null
  /** Of an upsert: how many rows are new. Null where that cannot be told. */
  readonly inserted: number | null
}

export interface Execution extends RunOptions {
  /** A function to call before the statement, in the same transaction. */
  readonly before?: { readonly schema: string; readonly name: string } | null
}

export const execute = async (
  pool: Pool,
  scope: Scope,
  compiled: CompiledRequest,
  options: OutputOptions & Execution,
): Promise<Outcome> => {
  const results = await runAs(pool, scope, statementsOf(compiled, options), options)
  return outcomeOf(results, compiled, options)
}

/** What a request runs, in this order. */
export const statementsOf = (compiled: CompiledRequest, { before }: Execution): readonly Statement[] => [
  ...beforeStatement(before),
  compiled.main,
  ...(compiled.planned === null ? [] : [compiled.planned]),
]

/** What these statements' results say. */
export const outcomeOf = (
  results: readonly RawResult[],
  compiled: CompiledRequest,
  options: OutputOptions & Execution,
): Outcome => {
  const first = beforeStatement(options.before).length
  const row = results[first]?.rows[0] ?? []
  const planned = compiled.planned === null ? null : plannedRows(results[first + 1]?.rows[0]?.[0] ?? '[]')
  const location = row[RESULT.location] ?? null
  return {
    total: totalOf(row[RESULT.total] ?? null, planned, options),
    rows: Number(row[RESULT.rows] ?? 0),
    body: row[RESULT.body] ?? '',
    headers: row[RESULT.headers] ?? null,
    status: row[RESULT.status] ?? null,
    // locationSql builds an array of texts.
    inserted: row[RESULT.inserted] === null || row[RESULT.inserted] === undefined ? null : Number(row[RESULT.inserted]),
    location: location === null ? null : (JSON.parse(location) as (string | null)[]),
  }
}

const beforeStatement = (before: Execution['before']): readonly Statement[] =>
  before === null || before === undefined
    ? []
    : [statement('data.before', frag`select ${ident(before.schema, before.name)}()`)]

/** An estimate is exact while it is small: at most one row more than the largest answer was counted. */
const totalOf = (counted: string | null, planned: bigint | null, { count, maxRows }: OutputOptions): bigint | null => {
  if (count === null) return null
  const exact = counted === null ? null : BigInt(counted)
  if (count === 'planned') return planned
  if (exact !== null && maxRows !== null && planned !== null && exact > BigInt(maxRows)) {
    return planned > exact ? planned : exact
  }
  return exact
}

const plannedRows = (json: string): bigint => {
  // explain (format json): one plan whose root says how many rows it expects.
  const [first] = JSON.parse(json) as { Plan?: { 'Plan Rows'?: number } }[]
  return BigInt(Math.round(first?.Plan?.['Plan Rows'] ?? 0))
}

/** The plan of a request instead of its answer. */
export const explain = async (
  pool: Pool,
  scope: Scope,
  main: Statement,
  options: Execution & { readonly format: 'json' | 'text'; readonly flags: readonly string[] },
): Promise<string> => {
  const flags = [...options.flags, `format ${options.format}`].join(', ')
  // The flags come from a fixed list.
  const explained: Statement = { ...main, text: `explain (${flags}) ${main.text}` }
  const results = await runAs(pool, scope, [...beforeStatement(options.before), explained], options)
  return (results.at(-1)?.rows ?? []).map((row) => row[0] ?? '').join('\n')
}
