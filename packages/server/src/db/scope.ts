/** Who a request runs as: role, claims and request settings, set inside the request's own batch and gone with it. */
import { AppError } from '../kernel/errors.ts'
import { quoteIdent } from '../sql/quote.ts'
import type { Statement } from '../sql/sql.ts'
import type { BatchStatement, RawResult } from './batch.ts'
import type { Pool, Transaction } from './pool.ts'

/** Everything that row-level security and SQL functions may know about a request. */
export interface Scope {
  /** The Postgres role, for example `anon`. Comes from a verified token only. */
  readonly role: string
  /** The verified claims as JSON text: `request.jwt.claims`. */
  readonly claims: string
  /** Schemas in quoted form, for example `"public", "extensions"`. */
  readonly searchPath: string
  /** Further transaction-local settings, for example `['request.method', 'GET']`. */
  readonly settings?: readonly (readonly [name: string, value: string])[]
  /** Whether the transaction may write. */
  readonly readOnly?: boolean
}

export type Isolation = 'read committed' | 'repeatable read' | 'serializable'

export interface RunOptions {
  /** Needs an explicit transaction, which costs one more round trip. */
  readonly isolation?: Isolation
  /** Undo everything after it ran, as `Prefer: tx=rollback` and permission probes want. */
  readonly rollback?: boolean
  /** Done between the statements and the commit; when it rejects, everything is undone. Needs an explicit transaction. */
  readonly beforeEnd?: () => Promise<void>
  /** Ask for column names and types. */
  readonly describe?: boolean
}

/** The statement that puts `scope` into force until the end of the transaction. */
export const scopeStatement = (scope: Scope): Statement => {
  // For Postgres, `none` is no role but the way back to the login role, which may do more than any request.
  if (scope.role === 'none') throw new AppError('forbidden', 'There is no role of this name.')
  const values = ['search_path', scope.searchPath, 'request.jwt.claims', scope.claims]
  for (const [name, value] of scope.settings ?? []) values.push(name, value)
  if (scope.readOnly) values.push('transaction_read_only', 'on')
  // The role comes last: what precedes it is set with the rights of the login role.
  values.push('role', scope.role)
  return { name: 'db.scope', text: textFor(values.length / 2), values }
}

const TEXTS: string[] = []

/** Written out rather than through `frag`, and once for each number of settings: it is part of every request, and fragments for it cost a tenth of one. */
const textFor = (count: number): string => {
  const known = TEXTS[count]
  if (known !== undefined) return known
  const calls = Array.from({ length: count }, (_, index) => `set_config($${2 * index + 1}, $${2 * index + 2}, true)`)
  const text = `select ${calls.join(', ')}`
  TEXTS[count] = text
  return text
}

/** Without the right to bypass row-level security, the service role is played by another one. */
const onPool = (pool: Pool, scope: Scope): Scope => {
  const role = pool.roleOf(scope.role)
  return role === scope.role ? scope : { ...scope, role }
}

/** The `request.*` settings of a batch, for plan keys: same role and search path, same plan. */
const planKeyOf = (scope: Scope): string => `${scope.role}|${scope.searchPath}`

const scoped = (scope: Scope, statements: readonly Statement[], describe: boolean): BatchStatement[] => {
  const planKey = planKeyOf(scope)
  // Property by property: copies by spreading were 3 % of a request.
  const plan = ({ name, text, values }: Statement, key: string, wanted: boolean): BatchStatement => ({
    name,
    text,
    values,
    planKey: key,
    describe: wanted,
  })
  return [plan(scopeStatement(scope), '', false), ...statements.map((each) => plan(each, planKey, describe))]
}

/**
 * Runs statements as `scope` in one round trip and one transaction, and answers their results (without the scope's own).
 * Rejects with pg's DatabaseError when Postgres refuses, with AppError `unavailable` when it is away.
 */
export const runAs = async (
  pool: Pool,
  scope: Scope,
  statements: readonly Statement[],
  options: RunOptions = {},
): Promise<readonly RawResult[]> => {
  const batch = scoped(onPool(pool, scope), statements, options.describe ?? false)
  if (options.isolation === undefined && !options.rollback && options.beforeEnd === undefined) {
    return (await pool.batch(batch)).slice(1)
  }
  const begin = `begin isolation level ${options.isolation ?? 'read committed'}`
  const end = options.rollback ? 'rollback' : 'commit'
  const results = await pool.explicit(begin, batch, end, options.beforeEnd)
  return results.slice(1)
}

/** A transaction that runs as `scope` from its first statement to its last. For work that must look at one answer before the next question. */
export const transactionAs = async <T>(pool: Pool, scope: Scope, work: (session: Session) => Promise<T>): Promise<T> =>
  pool.transaction(async (tx) => {
    // Not through the statement cache: a plan that went stale here could not be retried without running `work` twice.
    await tx.run(scopeStatement(onPool(pool, scope)))
    return work(sessionOn(tx))
  })

/** Typed queries inside a scoped transaction. */
export interface Session {
  many<T>(query: Statement): Promise<readonly T[]>
  maybeOne<T>(query: Statement): Promise<T | null>
  run(query: Statement): Promise<number>
}

const sessionOn = (tx: Transaction): Session => ({
  many: (query) => tx.many(query),
  maybeOne: (query) => tx.maybeOne(query),
  run: (query) => tx.run(query),
})

/** Quotes schema names for `search_path`. */
export const searchPathOf = (schemas: readonly string[]): string => schemas.map(quoteIdent).join(', ')

/** One typed query as `scope`, in one round trip. Values arrive as text or null, keyed by column name. */
export const rowsAs = async (
  pool: Pool,
  scope: Scope,
  query: Statement,
): Promise<readonly Readonly<Record<string, string | null>>[]> => {
  const [result] = await runAs(pool, scope, [query], { describe: true })
  if (result === undefined) return []
  const names = result.fields.map((field) => field.name)
  return result.rows.map((row) => Object.fromEntries(names.map((name, index) => [name, row[index] ?? null])))
}
