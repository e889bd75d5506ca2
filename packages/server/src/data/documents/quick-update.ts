/**
 * The common update in one statement: set, remove or count up fields of one document. It changes a row only where the result is surely what
 * `update/apply.ts` would make of it; for everything else it changes nothing, and the update goes the long way (lock, change, write back).
 */
import type { RawResult } from '../../db/batch.ts'
import { type DocExpr, factsOf } from '../../expr/bson/query.ts'
import { docOf } from '../../expr/bson/value.ts'
import { type Fragment, frag, join, keyword, type Statement, statement } from '../../sql/sql.ts'
import { isExact, planQuery } from './plan.ts'
import type { UpdatedDocument } from './requests.ts'
import { toStored } from './stored.ts'
import type { Target } from './target.ts'
import type { Step, Update } from './update/apply.ts'

interface QuickChange {
  readonly update: Update
  readonly multi: boolean
}

/** The statement; null when this update is not of the simple kind. */
export const quickUpdate = (target: Target, query: DocExpr, { update, multi }: QuickChange): Statement | null => {
  // Rules want to be told the operation, and what several rows become is not known beforehand.
  if (multi || update.replacement !== null || target.meta === null || target.meta.rule !== null) return null
  if (!update.steps.every(isSimple)) return null
  const plan = planQuery(target, query)
  if (!isExact(plan)) return null
  const changed = changedDocument(update.steps)
  const sure = [...update.steps.flatMap(sureOf), frag`d.doc is distinct from ${changed}`]
  return statement('documents.quick_update', isKeyed(query) ? byKey(target, plan.where, changed, sure) : first(target, plan.where, changed, sure)) // biome-ignore format: one sentence
}

/** Whether at most one document can match. */
const isKeyed = (query: DocExpr): boolean =>
  factsOf(query).some((fact) => fact.kind === 'leaf' && fact.path.join('.') === '_id' && fact.test.op === 'eq')

const byKey = (target: Target, where: Fragment, changed: Fragment, sure: readonly Fragment[]): Fragment =>
  frag`update ${target.table} as d set doc = ${changed} where ${join([where, ...sure], ' and ')} returning 1`

/** The first that matches is locked before it is changed: another one must not be changed in its place. */
const first = (target: Target, where: Fragment, changed: Fragment, sure: readonly Fragment[]): Fragment => frag`
  with found as (
    select d._id from ${target.from} where ${where} order by d."$seq" limit 1 for update of d
  )
  update ${target.table} as d
     set doc = ${changed}
    from found
   where ${join([frag`d._id = found._id`, ...sure], ' and ')}
  returning 1`

const FIXED = new Set(['_id', '_openid'])

/** One field of the document itself; numbers only as small integers. */
const isSimple = ({ operator, path, argument }: Step): boolean => {
  const [field, ...more] = path
  if (field === undefined || more.length > 0 || FIXED.has(field)) return false
  if (operator === '$inc')
    return typeof argument === 'number' && Number.isInteger(argument) && Math.abs(argument) < 2 ** 30
  return operator === '$set' || operator === '$unset'
}

const fieldOf = ({ path }: Step): string => path[0] ?? ''

/** The document afterwards. What differs only in a number's type (`5.0` equals `5`) counts as no change here, and goes the long way. */
const changedDocument = (steps: readonly Step[]): Fragment => {
  const gone = steps.filter((step) => step.operator === '$unset').map(fieldOf)
  const set = docOf(
    steps.flatMap((step) => (step.operator === '$set' ? [[fieldOf(step), step.argument] as const] : [])),
  )
  const counted = steps.filter((step) => step.operator === '$inc')
  const parts = [
    gone.length === 0 ? keyword('d.doc') : frag`(d.doc - ${gone}::text[])`,
    ...(Object.keys(set).length === 0 ? [] : [frag`${toStored(set)}::jsonb`]),
    ...counted.map((step) => frag`jsonb_build_object(${fieldOf(step)}::text, ${sumOf(step)})`),
  ]
  return frag`(${join(parts, ' || ')})`
}

/** The guard stands here too: PostgreSQL may look at this before it looks at `sureOf`. */
const sumOf = (step: Step): Fragment => {
  const field = frag`d.doc -> ${fieldOf(step)}::text`
  return frag`(case jsonb_typeof(${field}) when 'number' then (${field})::numeric else 0 end + ${String(step.argument)}::numeric)`
}

/** Where counting up is plain: the field is missing or a 32-bit integer, and so is the result. */
const sureOf = (step: Step): readonly Fragment[] => {
  if (step.operator !== '$inc') return []
  const field = frag`d.doc -> ${fieldOf(step)}::text`
  return [
    frag`case jsonb_typeof(${field})
           when 'number' then scale((${field})::numeric) = 0 and abs((${field})::numeric) < 1073741824
           else ${field} is null
         end`,
  ]
}

/** Runs it; null when the row has to be changed the long way, or there seems to be none. */
export const runQuickUpdate = async (
  run: (statements: readonly Statement[]) => Promise<readonly RawResult[]>,
  quick: Statement,
): Promise<UpdatedDocument | null> => {
  const [result] = await run([quick])
  return result?.rows.length === 1 ? { matched: 1, updated: 1, upsertedId: null, document: null } : null
}
