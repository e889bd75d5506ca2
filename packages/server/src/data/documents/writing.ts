/** Inserts, updates and removes documents. An update locks its rows, changes them in memory and writes them back, all in one transaction. */

import { equalValues } from '../../expr/bson/compare.ts'
import { matches } from '../../expr/bson/match.ts'
import type { DocExpr } from '../../expr/bson/query.ts'
import { type Doc, docOf, fieldOf, newDoc, type Value } from '../../expr/bson/value.ts'
import type { Caller } from '../../identity/caller.ts'
import { frag, keyword, statement } from '../../sql/sql.ts'
import { callerOpenid, denied, isTrusted, owned, withOpenid } from './access.ts'
import { idOf, writableDoc } from './content.ts'
import { DocumentError } from './errors.ts'
import { parseQuery } from './parse-query.ts'
import { isExact, type Plan, planQuery } from './plan.ts'
import { quickUpdate, runQuickUpdate } from './quick-update.ts'
import { candidates } from './reading.ts'
import { insertRows, removeRows, writeRows } from './relational.ts'
import type { DocumentId, InsertRequest, RemoveRequest, UpdatedDocument, UpdateRequest } from './requests.ts'
import { announce, type Batch, storedRow } from './runner.ts'
import { type Checked, type EngineContext, onCollection } from './session.ts'
import { documentOf, rowOf, type StoredRow, toStored } from './stored.ts'
import type { Target } from './target.ts'
import { applyUpdate, parseUpdate, seedOf, type Update } from './update/apply.ts'
import { writeAt } from './update/places.ts'

/** Documents of one insert. */
const MAX_INSERT = 10_000

export const insert = async (
  context: EngineContext,
  caller: Caller,
  request: InsertRequest,
): Promise<readonly DocumentId[]> => {
  if (request.documents.length > MAX_INSERT)
    throw new DocumentError('invalid_param', `at most ${MAX_INSERT} documents at once`)
  const now = context.clock.now()
  const documents = request.documents.map((each) => writableDoc(each, now))
  return onCollection(context, request.collection, (target, checked) => {
    const runner = context.runner(request.transaction)
    const scope = { context, caller, target }
    // One statement needs no transaction of its own. What it inserts is checked by the policies of this moment, so a plan that was old does no harm.
    if (target.relation === null)
      return insertDocuments(scope, (statements) => runner.once(caller, 'create', statements), documents)
    return runner.write(caller, 'create', async (batch) => {
      await checked(batch, [])
      return insertDocuments(scope, batch, documents)
    })
  })
}

interface WriteScope {
  readonly context: EngineContext
  readonly caller: Caller
  readonly target: Target
}

const insertDocuments = async (
  { context, caller, target }: WriteScope,
  batch: Batch,
  documents: readonly Doc[],
): Promise<readonly DocumentId[]> => {
  const owned = documents.map((doc) => withOwner(caller, doc))
  for (const doc of owned) {
    await context.access.check(caller, target, {
      operation: 'create',
      query: { kind: 'constant', value: true },
      data: doc,
      doc,
    })
  }
  if (target.relation !== null) return insertRows(target, batch, owned)
  const rows = owned.map((doc) => {
    const id = idOf(doc) ?? context.ids.uuid().replaceAll('-', '')
    return { key: id, openid: openidOf(doc), ...rowOf(doc, id) }
  })
  if (rows.length > 0) {
    const values = [rows.map((row) => row.id), rows.map((row) => row.openid), rows.map((row) => row.doc)] as const
    await batch([
      statement(
        'documents.insert',
        frag`insert into ${target.table} (_id, _openid, doc)
             select n.id, n.openid, n.doc
               from unnest(${values[0]}::text[], ${values[1]}::text[], ${values[2]}::jsonb[]) with ordinality as n(id, openid, doc, place)
              order by n.place`,
      ),
    ])
  }
  return rows.map((row) => row.key)
}

const openidOf = (doc: Doc): string | null => {
  const openid = fieldOf(doc, '_openid')
  if (openid === undefined || openid === null) return null
  if (typeof openid === 'string') return openid
  throw new DocumentError('invalid_param', 'the _openid of a document is a text')
}

/** Clients own what they write, and cannot say otherwise. */
const withOwner = (caller: Caller, doc: Doc): Doc => {
  if (isTrusted(caller)) return doc
  const openid = callerOpenid(caller)
  const given = fieldOf(doc, '_openid')
  if (given !== undefined && given !== openid) throw ownerIsFixed()
  return openid === null ? doc : docOf([...Object.entries(doc), ['_openid', openid]])
}

const ownerIsFixed = (): DocumentError =>
  new DocumentError('permission_denied', 'Permission denied: the field _openid is set by the server')

export interface UpdateOptions {
  readonly returning: boolean
}

const UPSERT_ATTEMPTS = 5

export const update = async (
  context: EngineContext,
  caller: Caller,
  request: UpdateRequest,
  options: UpdateOptions,
): Promise<UpdatedDocument> => {
  const now = context.clock.now()
  const change: Change = {
    now,
    update: parseUpdate(request.update, now),
    query: parseQuery(withOpenid(caller, request.query), { expression: context.expression }),
    multi: (request.multi ?? false) && !options.returning,
    upsert: request.upsert ?? false,
  }
  if (change.multi && change.update.replacement !== null)
    throw new DocumentError('invalid_param', 'a whole document can replace one document only')
  const attempt = () =>
    onCollection(context, request.collection, async (target, checked) => {
      const scope = { context, caller, target }
      await context.access.check(caller, target, {
        operation: 'update',
        query: change.query,
        data: dataOf(change.update),
      })
      if (options.returning && !isTrusted(caller))
        await context.access.check(caller, target, { operation: 'read', query: change.query, data: undefined })
      const runner = context.runner(request.transaction)
      const quick = options.returning
        ? null
        : quickUpdate(target, owned(caller, target, change.query, 'update'), change)
      if (quick !== null) {
        const done = await runQuickUpdate((statements) => runner.once(caller, 'update', statements), quick)
        if (done !== null) return done
      }
      return runner.write(caller, 'update', (batch) => updateOnce(scope, batch, checked, change))
    })
  return change.upsert && request.transaction === undefined ? retryingUpsert(attempt) : attempt()
}

/** Two upserts of one key: whoever comes second finds the other's document when it looks again. */
const retryingUpsert = async <T>(attempt: () => Promise<T>): Promise<T> => {
  for (let count = 1; ; count += 1) {
    try {
      return await attempt()
    } catch (error) {
      const duplicate = error instanceof DocumentError && error.reason === 'duplicate_key'
      if (!duplicate || count === UPSERT_ATTEMPTS) throw error
    }
  }
}

/** An update, read and ready. */
export interface Change {
  readonly now: number
  readonly update: Update
  readonly query: DocExpr
  readonly multi: boolean
  readonly upsert: boolean
}

/** `request.data` of a rule: the fields as they are given; with operators, what `$set` sets and what the others were told. */
const dataOf = ({ replacement, steps }: Update): Doc =>
  replacement ?? steps.reduce<Doc>((data, { path, argument }) => writeAt(data, path, argument), newDoc())

const updateOnce = async (
  scope: WriteScope,
  batch: Batch,
  checked: Checked,
  change: Change,
): Promise<UpdatedDocument> => {
  const announced: Announced = { ...scope, data: toStored(dataOf(change.update)) }
  await checked(batch, [announce('update', announced.data)])
  const plan = planQuery(scope.target, owned(scope.caller, scope.target, change.query, 'update'))
  let [matched, updated] = [0, 0]
  let last: Doc | null = null
  for await (const row of lockedRows(announced, batch, plan, change.multi)) {
    const before = documentOf(row)
    const after = applyUpdate(change.update, before, { inserting: false, now: change.now })
    matched += 1
    last = after
    if (!equalValues(before, after) || toStored(before) !== toStored(after)) {
      await writeBack(announced, batch, before, after)
      updated += 1
    }
  }
  if (matched > 0 || !change.upsert) return { matched, updated, upsertedId: null, document: last }
  return upsert(scope, batch, change)
}

const upsert = async (
  { context, caller, target }: WriteScope,
  batch: Batch,
  change: Change,
): Promise<UpdatedDocument> => {
  const seed = seedOf(change.query)
  const made = applyUpdate(change.update, seed, { inserting: true, now: change.now })
  await batch([announce('create', '')])
  const doc = writableDoc(made, change.now)
  const [id = null] = await insertDocuments({ context, caller, target }, batch, [doc])
  const whole = id === null ? doc : docOf([...Object.entries(withOwner(caller, doc)), ['_id', id as Value]])
  return { matched: 0, updated: 0, upsertedId: id, document: whole }
}

/** A write together with what rules see as `request.data`. */
interface Announced extends WriteScope {
  readonly data: string
}

const LOCK = keyword('for update of d')

/** The rows to change, locked. One row when `multi` is false. */
async function* lockedRows(scope: Announced, batch: Batch, plan: Plan, multi: boolean): AsyncGenerator<StoredRow> {
  if (!multi && isExact(plan)) {
    const row = await lockFirst(scope.target, batch, plan)
    if (row !== null) yield row
    return
  }
  for await (const row of candidates(batch, scope.target, plan.where, LOCK)) {
    if (!matches(plan.residual, documentOf(row))) continue
    yield row
    if (!multi) return
    await batch([announce('update', scope.data)])
  }
}

/** The first row that matches. When it was changed by whoever held it, PostgreSQL looks again, and goes on to the next. */
const lockFirst = async (target: Target, batch: Batch, plan: Plan): Promise<StoredRow | null> => {
  const [locked] = await batch([
    statement(
      'documents.lock_first',
      frag`select d._id, d._openid, d.doc::text from ${target.from} where ${plan.where} order by d."$seq" limit 1 ${LOCK}`,
    ),
  ])
  const row = locked?.rows[0]
  return row === undefined ? null : storedRow(row)
}

const writeBack = async ({ caller, target, data }: Announced, batch: Batch, before: Doc, after: Doc): Promise<void> => {
  const owner = openidOf(after)
  if (!isTrusted(caller) && owner !== openidOf(before)) throw ownerIsFixed()
  if (target.relation !== null) {
    await writeRows(target, batch, before, after)
    return
  }
  const id = idOf(before) ?? ''
  const row = rowOf(after, id)
  const [, result] = await batch([
    announce('updating', data),
    statement(
      'documents.update',
      frag`update ${target.table} as d set _openid = ${owner}::text, doc = ${row.doc}::jsonb where d._id = ${row.id}::text`,
    ),
  ])
  // The row is locked and was seen: only a policy can have said no.
  if (result?.rowCount !== 1) throw denied()
}

export const remove = async (context: EngineContext, caller: Caller, request: RemoveRequest): Promise<number> => {
  const query = parseQuery(withOpenid(caller, request.query), { expression: context.expression })
  return onCollection(context, request.collection, async (target, checked) => {
    await context.access.check(caller, target, { operation: 'delete', query, data: undefined })
    return context.runner(request.transaction).write(caller, 'delete', async (batch) => {
      await checked(batch, [])
      return removeMatching(
        target,
        batch,
        planQuery(target, owned(caller, target, query, 'delete')),
        request.multi ?? false,
      )
    })
  })
}

const removeMatching = async (target: Target, batch: Batch, plan: Plan, multi: boolean): Promise<number> => {
  if (target.relation !== null || !isExact(plan)) return removeCandidates(target, batch, plan, multi)
  if (multi) {
    const [result] = await batch([statement('documents.remove', frag`delete from ${target.from} where ${plan.where}`)])
    return result?.rowCount ?? 0
  }
  const first = frag`(select d._id from ${target.from} where ${plan.where} order by d."$seq" limit 1)`
  for (let attempt = 0; attempt < 100; attempt += 1) {
    // The condition stands twice: a row that was changed meanwhile is looked at again.
    const one = frag`delete from ${target.from} where d._id = ${first} and ${plan.where}`
    const [removed, rest] = await batch([
      statement('documents.remove_one', one),
      statement('documents.remove_more', frag`select 1 where exists ${first}`),
    ])
    if ((removed?.rowCount ?? 0) > 0 || rest?.rows.length === 0) return removed?.rowCount ?? 0
  }
  throw new DocumentError('transaction_conflict', 'Others keep changing the same documents; try again')
}

/** One row after the other, for what SQL alone cannot find. */
const removeCandidates = async (target: Target, batch: Batch, plan: Plan, multi: boolean): Promise<number> => {
  const doomed: string[] = []
  for await (const row of candidates(batch, target, plan.where)) {
    if (!matches(plan.residual, documentOf(row))) continue
    doomed.push(row._id)
    if (!multi) break
  }
  if (target.relation !== null) return removeRows(target, batch, doomed)
  const gone = frag`delete from ${target.from} where d._id = any (${doomed}::text[]) and ${plan.where}`
  const [result] = await batch([statement('documents.remove_found', gone)])
  return result?.rowCount ?? 0
}
