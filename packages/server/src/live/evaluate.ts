/** Decides which groups a run of changes satisfies: in JavaScript where that is certain, else in one statement per table or per class of callers. */

import type { Catalog } from '../db/catalog/catalog.ts'
import { isConnectionLoss } from '../db/failures.ts'
import type { Pool } from '../db/pool.ts'
import { runAs } from '../db/scope.ts'
import type { Relation as LoggedRelation, Row, RowChange } from '../feed/change.ts'
import { toError } from '../kernel/errors.ts'
import type { Group, OpaqueCheck } from './group.ts'
import { checkExprs, checkText, type ExprCheck, type RowTable } from './row-checks.sql.ts'

/** One group that a change may satisfy. `verdict` is final unless checks are still open. */
export interface Candidate<M extends object> {
  readonly change: RowChange
  readonly group: Group<M>
  readonly row: Row
  verdict: boolean
  /** Whether Postgres has to be asked. */
  needsExpr: 'none' | 'rest' | 'all'
}

/** What JavaScript makes of a candidate; null when it is out. */
export const judge = <M extends object>(group: Group<M>, change: RowChange, row: Row): Candidate<M> | null => {
  const { index } = change.relation
  const verdict = group.predicate((column) => {
    const position = index.get(column)
    return position === undefined ? undefined : row[position]
  })
  if (verdict === false || verdict === null) return null
  const needsExpr = verdict === 'unsupported' ? 'all' : group.rest === null ? 'none' : 'rest'
  return { change, group, row, verdict: true, needsExpr }
}

/** A candidate whose condition the index has already proved for this row. */
export const proven = <M extends object>(group: Group<M>, change: RowChange, row: Row): Candidate<M> => ({
  change,
  group,
  row,
  verdict: true,
  needsExpr: 'none',
})

export const isOpen = <M extends object>(candidate: Candidate<M>): boolean =>
  candidate.needsExpr !== 'none' || candidate.group.spec.opaque.length > 0

export interface Evaluator {
  readonly owner: Pool
  readonly requests: Pool
  /** Whether one more opaque check may run now. */
  readonly mayProbe: () => boolean
  readonly onError: (error: Error) => void
}

/** Column types whose text is JSON already. */
export type IsJson = (typeOid: number) => boolean

export const isJsonType = (catalog: Catalog, typeOid: number): boolean => {
  if (typeOid === 114 || typeOid === 3802) return true
  const type = catalog.types.get(typeOid)
  return type?.kind === 'domain' && isJsonType(catalog, type.baseOid)
}

/** Settles every open candidate: `verdict` is the answer. Answers the candidates that were shed because the budget was used up. */
export const settle = async <M extends object>(
  open: readonly Candidate<M>[],
  evaluator: Evaluator,
  isJson: IsJson,
): Promise<readonly Candidate<M>[]> => {
  const shed: Candidate<M>[] = []
  const work: Promise<void>[] = []
  for (const candidates of groupBy(open, (each) => String(each.change.relation.oid)).values()) {
    work.push(settleExprs(candidates, evaluator, isJson))
  }
  const questions = open.flatMap((candidate) => candidate.group.spec.opaque.map((check) => ({ candidate, check })))
  for (const same of groupBy(
    questions,
    ({ candidate, check }) => `${candidate.change.relation.oid}|${check.key}|${check.text}`,
  ).values()) {
    const [first] = same
    if (first === undefined) continue
    const candidates = same.map((each) => each.candidate)
    if (evaluator.mayProbe()) work.push(settleOpaque(candidates, first.check, evaluator, isJson))
    else {
      for (const candidate of candidates) candidate.verdict = false
      shed.push(...candidates)
    }
  }
  await Promise.all(work)
  return shed
}

const settleExprs = async <M extends object>(
  candidates: readonly Candidate<M>[],
  evaluator: Evaluator,
  isJson: IsJson,
): Promise<void> => {
  const asking = candidates.filter((each) => each.needsExpr !== 'none')
  for (let start = 0; start < asking.length; start += MAX_QUESTIONS) {
    await settleSlice(asking.slice(start, start + MAX_QUESTIONS), evaluator, isJson)
  }
}

/** Bounds the parameters of one statement (Postgres takes 65,535). */
const MAX_QUESTIONS = 500

const settleSlice = async <M extends object>(
  asking: readonly Candidate<M>[],
  evaluator: Evaluator,
  isJson: IsJson,
): Promise<void> => {
  const [first] = asking
  if (first === undefined) return
  const { table, rows, positions } = images(asking, isJson)
  const checks: ExprCheck[] = asking.map((each, index) => {
    const { rest, spec } = each.group
    return { row: positions[index] ?? 0, expr: each.needsExpr === 'rest' && rest !== null ? rest : spec.expr }
  })
  try {
    // Own conditions hold constants only: as the owner, read-only and with a short limit for patterns that explode.
    const [, , result] = await evaluator.owner.batch([
      {
        name: 'live.limits',
        text: `select set_config('statement_timeout', '1000', true), set_config('transaction_read_only', 'on', true)`,
        values: [],
        planKey: '',
      },
      {
        name: 'live.path',
        text: `select set_config('search_path', '"public", "extensions"', true)`,
        values: [],
        planKey: '',
      },
      { ...checkExprs(table, rows, checks), planKey: '' },
    ])
    const yes = new Set(result?.rows.map((row) => Number(row[0])))
    asking.forEach((each, index) => {
      each.verdict &&= yes.has(index)
    })
  } catch (error) {
    if (isConnectionLoss(error)) throw error
    await settleApart(asking, evaluator, isJson, error)
  }
}

/** One condition of many failed: each is asked alone, and the one that fails matches nothing, as its SELECT would answer nothing. */
const settleApart = async <M extends object>(
  asking: readonly Candidate<M>[],
  evaluator: Evaluator,
  isJson: IsJson,
  error: unknown,
): Promise<void> => {
  const [only, ...others] = asking
  if (only === undefined) return
  if (others.length === 0) {
    only.verdict = false
    evaluator.onError(toError(error))
    return
  }
  const middle = asking.length >> 1
  await settleSlice(asking.slice(0, middle), evaluator, isJson)
  await settleSlice(asking.slice(middle), evaluator, isJson)
}

const settleOpaque = async <M extends object>(
  candidates: readonly Candidate<M>[],
  check: OpaqueCheck,
  evaluator: Evaluator,
  isJson: IsJson,
): Promise<void> => {
  const { table, rows, positions } = images(candidates, isJson)
  const statement = checkText(table, rows, check.text)
  try {
    const scope = {
      searchPath: '"public", "extensions"',
      readOnly: true,
      settings: [['statement_timeout', '1000']] as const,
    }
    const [result] =
      check.caller === null
        ? await evaluator.owner.batch([{ ...statement, planKey: '' }])
        : await runAs(evaluator.requests, { ...scope, role: check.caller.role, claims: check.caller.claimsText }, [
            statement,
          ])
    const yes = new Set(result?.rows.map((row) => Number(row[0])))
    candidates.forEach((each, index) => {
      each.verdict &&= yes.has((positions[index] ?? 0) + 1)
    })
  } catch (error) {
    if (isConnectionLoss(error)) throw error
    // A policy that fails shows nothing, in a SELECT as here.
    for (const each of candidates) each.verdict = false
    evaluator.onError(toError(error))
  }
}

interface Images {
  readonly table: RowTable
  /** A JSON array of row images. */
  readonly rows: string
  /** For each candidate, which of them is its row. */
  readonly positions: readonly number[]
}

const images = <M extends object>(candidates: readonly Candidate<M>[], isJson: IsJson): Images => {
  const texts: string[] = []
  const known = new Map<Row, number>()
  const positions = candidates.map(({ row, change }) => {
    let position = known.get(row)
    if (position === undefined) {
      position = texts.push(rowImage(change.relation, row, isJson)) - 1
      known.set(row, position)
    }
    return position
  })
  const relation = candidates[0]?.group.spec.relation
  return {
    table: { schema: relation?.schema ?? '', name: relation?.name ?? '' },
    rows: `[${texts.join(',')}]`,
    positions,
  }
}

/** A row as a JSON object of texts, which `jsonb_populate_record` reads with each column's own input function. */
const rowImage = (relation: LoggedRelation, row: Row, isJson: IsJson): string => {
  const cells: string[] = []
  relation.columns.forEach((column, index) => {
    const cell = row[index]
    if (cell === undefined || cell === null) return
    cells.push(`${JSON.stringify(column.name)}:${isJson(column.typeOid) ? cell : JSON.stringify(cell)}`)
  })
  return `{${cells.join(',')}}`
}

const groupBy = <T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> => {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}
