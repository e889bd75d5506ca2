/** Runs statements as a caller: on the pool, or inside a transaction that a client holds open. */
import type { RawResult } from '../../db/batch.ts'
import type { Pool, Transaction } from '../../db/pool.ts'
import { runAs, type Scope, scopeStatement, searchPathOf } from '../../db/scope.ts'
import type { Caller } from '../../identity/caller.ts'
import { type Statement, sql } from '../../sql/sql.ts'
import { documentFailure, isConflict } from './failures.ts'
import type { StoredRow } from './stored.ts'

/** What is being done, as policies see it. */
export type Operation = 'read' | 'create' | 'update' | 'delete'

export type Row = readonly (string | null)[]

/** Runs a batch and answers the rows of each statement. */
export type Batch = (statements: readonly Statement[]) => Promise<readonly RawResult[]>

export interface Runner {
  /** One round trip and one transaction. */
  read(caller: Caller, statements: readonly Statement[]): Promise<readonly RawResult[]>
  /** One round trip and one transaction that writes. */
  once(caller: Caller, operation: Operation, statements: readonly Statement[]): Promise<readonly RawResult[]>
  /** Several round trips in one transaction. Tried again when another one was in the way, unless a client holds the transaction. */
  write<T>(caller: Caller, operation: Operation, work: (batch: Batch) => Promise<T>): Promise<T>
  /** Like `write`, but sees one state of the database throughout. */
  snapshot<T>(caller: Caller, work: (batch: Batch) => Promise<T>): Promise<T>
}

const SEARCH_PATH = searchPathOf(['public', 'extensions'])

const scopeOf = (caller: Caller, operation: Operation): Scope => ({
  role: caller.role,
  claims: caller.claimsText,
  searchPath: SEARCH_PATH,
  settings: [
    ['teahouse.op', operation],
    ['teahouse.request_data', ''],
  ],
})

/** Announces what follows: the data of the request, or that the rows were locked and checked already. */
export const announce = (operation: Operation | 'updating', data: string): Statement => sql('documents.announce')`
  select set_config('teahouse.op', ${operation}, true), set_config('teahouse.request_data', ${data}, true)`

const ATTEMPTS = 5

export const poolRunner = (pool: Pool): Runner => ({
  read: (caller, statements) => runAs(pool, { ...scopeOf(caller, 'read'), readOnly: true }, statements),
  once: (caller, operation, statements) => retrying(() => runAs(pool, scopeOf(caller, operation), statements)),
  write: (caller, operation, work) => retrying(() => inTransaction(pool, caller, operation, work)),
  snapshot: (caller, work) => inTransaction(pool, caller, 'read', work, SNAPSHOT),
})

const SNAPSHOT: Statement = sql('documents.snapshot')`set transaction isolation level repeatable read, read only`

const inTransaction = <T>(
  pool: Pool,
  caller: Caller,
  operation: Operation,
  work: (batch: Batch) => Promise<T>,
  first?: Statement,
): Promise<T> =>
  pool.transaction(async (tx) => {
    if (first !== undefined) await tx.run(first)
    const scope = scopeOf(caller, operation)
    await tx.run(scopeStatement({ ...scope, role: pool.roleOf(scope.role) }))
    return work(batchOn(tx, caller))
  })

const batchOn =
  (tx: Transaction, caller: Caller): Batch =>
  (statements) =>
    tx.batch(statements.map((each) => ({ ...each, planKey: `${caller.role}|documents` })))

/** Two requests that locked the same rows in another order: one of them begins again. */
const retrying = async <T>(work: () => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      if (attempt === ATTEMPTS || !isConflict(documentFailure(error, null))) throw error
    }
  }
}

/** Everything happens in the one transaction; it was scoped when it began. */
export const transactionRunner = (tx: Transaction): Runner => {
  const inside = async <T>(caller: Caller, operation: Operation, work: (batch: Batch) => Promise<T>): Promise<T> => {
    const batch = batchOn(tx, caller)
    await batch([announce(operation, '')])
    return work(batch)
  }
  return {
    read: (caller, statements) => inside(caller, 'read', (batch) => batch(statements)),
    once: (caller, operation, statements) => inside(caller, operation, (batch) => batch(statements)),
    write: inside,
    snapshot: (caller, work) => inside(caller, 'read', work),
  }
}

/** A row of `_id`, `_openid` and the document's text. */
export const storedRow = (row: Row): StoredRow => ({ _id: row[0] ?? '', _openid: row[1] ?? null, doc: row[2] ?? '{}' })
