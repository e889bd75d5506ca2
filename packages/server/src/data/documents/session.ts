/** What every operation shares: finding the collection, doing the work, and doing it again when what was known of the collection had changed. */

import type { RawResult } from '../../db/batch.ts'
import { databaseError } from '../../db/pool.ts'
import type { Clock } from '../../kernel/clock.ts'
import type { Ids } from '../../kernel/ids.ts'
import type { Statement } from '../../sql/sql.ts'
import type { Access } from './access.ts'
import { documentFailure } from './failures.ts'
import { collectionVersion } from './metadata.ts'
import type { ExpressionTest } from './parse-query.ts'
import type { Runner } from './runner.ts'
import type { Target } from './target.ts'

export interface EngineContext {
  readonly access: Access
  readonly clock: Clock
  readonly ids: Ids
  readonly limits: EngineLimits
  readonly expression: ExpressionTest
  /** On the pool, or in the transaction of this id. */
  runner(transaction: string | undefined): Runner
}

/** Past these, an operation is refused instead of filling the memory. */
export interface EngineLimits {
  /** Documents that one operation may hold. */
  readonly documents: number
  /** Bytes of their text. */
  readonly bytes: number
}

export const DEFAULT_LIMITS: EngineLimits = { documents: 100_000, bytes: 256 * 1024 * 1024 }

/** The collection was changed between planning and running. */
class Stale extends Error {}

const ATTEMPTS = 5

/** Runs `work` on a collection. `checked` adds the question for its version to a batch, and refuses the answer of a stale plan. */
export const onCollection = async <T>(
  { access }: EngineContext,
  name: string,
  work: (target: Target, checked: Checked) => Promise<T>,
): Promise<T> => {
  for (let attempt = 1; ; attempt += 1) {
    const target = await access.target(name)
    try {
      return await work(target, checkedFor(target))
    } catch (error) {
      if (attempt === ATTEMPTS || !isStale(error, target)) throw documentFailure(error, name)
      access.forget(name)
    }
  }
}

// 42P01, 42703: the table, or a column of an index, is not there any more.
const isStale = (error: unknown, target: Target): boolean =>
  error instanceof Stale || (target.meta !== null && ['42P01', '42703'].includes(databaseError(error)?.code ?? ''))

type Run = (statements: readonly Statement[]) => Promise<readonly RawResult[]>

/** Runs statements together with the check; answers theirs. */
export type Checked = (run: Run, statements: readonly Statement[]) => Promise<readonly RawResult[]>

const checkedFor =
  ({ meta }: Target): Checked =>
  async (run, statements) => {
    if (meta === null) return run(statements)
    // Asked last: what changed before the statements saw the data is seen here.
    const results = await run([...statements, collectionVersion(meta.name)])
    if (results.at(-1)?.rows[0]?.[0] !== meta.version) throw new Stale()
    return results.slice(0, -1)
  }
