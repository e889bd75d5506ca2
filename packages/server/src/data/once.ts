/**
 * Runs a write at most once for each key. The naive way keeps the answer after the write has committed: a server that dies in between writes
 * twice. Here both are one transaction, and a lock inside it makes the same write on any node wait for the first one's answer.
 */
import { databaseError, type Pool } from '../db/pool.ts'
import { type Scope, scopeStatement } from '../db/scope.ts'
import type { CompiledRequest } from './compile.ts'
import { type Execution, type Outcome, outcomeOf, statementsOf } from './execute.ts'
import { backToLogin, claimAnswer, isolated, type KeptRow, keepAnswer } from './once.sql.ts'
import type { OutputOptions } from './query.ts'

/** A write that may come again. */
export interface Once {
  /** Digest of caller and key. */
  readonly key: Buffer
  /** Digest of everything that the answer depends on. */
  readonly request: Buffer
}

/** What is kept of an answer. */
export interface KeptAnswer {
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string | Buffer | null
}

/** `other`: the key came with another request. `busy`: the first one takes too long. `unknown`: done before, but its answer was too large to be kept. */
export type OnceResult<Answer> =
  | { readonly kind: 'done'; readonly answer: Answer }
  | { readonly kind: 'replayed'; readonly status: number; readonly headers: KeptRow['headers']; readonly body: Buffer }
  | { readonly kind: 'other' | 'busy' | 'unknown' }

/** Larger answers are not kept, bytes: whoever writes decides over their number, so not over their size as well. */
const MAX_BODY = 64 * 1024
const LOCK_NOT_AVAILABLE = '55P03'

export interface OnceWork<Answer extends KeptAnswer> {
  readonly scope: Scope
  readonly compiled: CompiledRequest
  readonly options: OutputOptions & Execution
  /** Turns the outcome into the answer; what it throws undoes the write. */
  readonly render: (outcome: Outcome) => Answer
}

/** Those who wait for the same key on this node wait here, not on a connection each. */
export class OnceRunner {
  readonly #pool: Pool
  readonly #running = new Map<string, Promise<unknown>>()

  constructor(pool: Pool) {
    this.#pool = pool
  }

  async run<Answer extends KeptAnswer>(once: Once, work: OnceWork<Answer>): Promise<OnceResult<Answer>> {
    const id = once.key.toString('base64')
    const earlier = this.#running.get(id)
    const mine = Promise.resolve(earlier)
      .catch(() => {})
      .then(() => attempt(this.#pool, once, work))
    this.#running.set(id, mine)
    try {
      return await mine
    } finally {
      if (this.#running.get(id) === mine) this.#running.delete(id)
    }
  }
}

const attempt = async <Answer extends KeptAnswer>(
  pool: Pool,
  once: Once,
  work: OnceWork<Answer>,
  isRetry = false,
): Promise<OnceResult<Answer>> => {
  try {
    return await inTransaction(pool, once, work)
  } catch (error) {
    const failure = databaseError(error)
    if (error instanceof LockTimeout) return { kind: 'busy' }
    // Under a snapshot from before we waited, what the first one did shows as a conflict only: the next snapshot has its answer.
    const wasBlind = work.options.isolation !== undefined || failure?.constraint === 'answer_pkey'
    if (!isRetry && failure !== null && wasBlind) return attempt(pool, once, work, true)
    throw error
  }
}

/** Tells our own lock from those of the write. */
class LockTimeout extends Error {}

const inTransaction = <Answer extends KeptAnswer>(
  pool: Pool,
  once: Once,
  { scope, compiled, options, render }: OnceWork<Answer>,
): Promise<OnceResult<Answer>> =>
  pool.transaction(async (tx) => {
    if (options.isolation !== undefined) await tx.run(isolated(options.isolation))
    const kept = await tx.maybeOne<KeptRow>(claimAnswer(once.key)).catch((error: unknown) => {
      throw databaseError(error)?.code === LOCK_NOT_AVAILABLE ? new LockTimeout() : error
    })
    if (kept !== null) return told(once, kept)
    const asCaller = scopeStatement({ ...scope, role: pool.roleOf(scope.role) })
    // A plan key of its own: a plan that went stale could not be prepared anew in the middle of a transaction.
    const planKey = once.key.toString('base64')
    const results = await tx.batch([asCaller, ...statementsOf(compiled, options)].map((each) => ({ ...each, planKey })))
    const answer = render(outcomeOf(results.slice(1), compiled, options))
    const { status, headers } = answer
    const body = Buffer.from(answer.body ?? '')
    await tx.run(backToLogin)
    const row = { request: once.request, status, headers, body: body.length > MAX_BODY ? null : body }
    await tx.run(keepAnswer(once.key, row))
    return { kind: 'done', answer }
  })

const told = <Answer>(once: Once, { request, status, headers, body }: KeptRow): OnceResult<Answer> => {
  if (!request.equals(once.request)) return { kind: 'other' }
  return body === null ? { kind: 'unknown' } : { kind: 'replayed', status, headers, body }
}
