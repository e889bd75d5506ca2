/** Transactions that clients hold open over several requests: one database connection each, so there are few, and idle ones end. */
import type { Pool, Transaction } from '../../db/pool.ts'
import { scopeStatement, searchPathOf } from '../../db/scope.ts'
import type { Caller } from '../../identity/caller.ts'
import type { Clock } from '../../kernel/clock.ts'
import { AppError } from '../../kernel/errors.ts'
import type { Ids } from '../../kernel/ids.ts'
import { sql } from '../../sql/sql.ts'
import { denied, isTrusted } from './access.ts'
import { DocumentError } from './errors.ts'
import { documentFailure } from './failures.ts'
import { type Batch, type Runner, transactionRunner } from './runner.ts'

export interface TransactionLimits {
  readonly open: number
  /** Milliseconds without a request after which a transaction is undone. */
  readonly idle: number
}

const DEFAULT: TransactionLimits = { open: 4, idle: 30_000 }

interface Held {
  readonly runner: Runner
  readonly finished: Promise<void>
  end(how: 'commit' | 'abort'): void
  /** Requests of one transaction come one after the other. */
  last: Promise<unknown>
  failed: boolean
  cancelTimer: () => void
}

/** Thrown into the pool's transaction to undo it. */
class Undo extends Error {}

export class OpenTransactions {
  readonly #pool: Pool
  readonly #world: { readonly clock: Clock; readonly ids: Ids }
  readonly #limits: TransactionLimits
  readonly #held = new Map<string, Held>()
  #starting = 0

  constructor(pool: Pool, world: { readonly clock: Clock; readonly ids: Ids }, limits: TransactionLimits = DEFAULT) {
    this.#pool = pool
    this.#world = world
    this.#limits = limits
  }

  /** Only functions and the console have transactions. */
  async start(caller: Caller): Promise<string> {
    if (!isTrusted(caller)) throw denied()
    if (this.#held.size + this.#starting >= this.#limits.open)
      throw new DocumentError('transaction_limit', 'too many transactions are open; try again later', { retryAfter: 1 })
    this.#starting += 1
    try {
      const held = await this.#open(caller)
      const id = this.#world.ids.uuid()
      this.#held.set(id, held)
      this.#touch(id, held)
      return id
    } finally {
      this.#starting -= 1
    }
  }

  #open(caller: Caller): Promise<Held> {
    return new Promise<Held>((resolve, reject) => {
      let end: Held['end'] = () => {}
      const ending = new Promise<'commit' | 'abort'>((settle) => {
        end = settle
      })
      const finished = this.#pool.transaction(async (tx) => {
        await begin(tx, this.#pool, caller)
        const runner = transactionRunner(tx)
        resolve({ runner, finished, end, last: Promise.resolve(), failed: false, cancelTimer: () => {} })
        if ((await ending) === 'abort') throw new Undo()
      })
      finished.catch(reject)
    })
  }

  #touch(id: string, held: Held): void {
    held.cancelTimer()
    held.cancelTimer = this.#world.clock.after(this.#limits.idle, () => {
      this.#held.delete(id)
      held.end('abort')
    })
  }

  #find(id: string): Held {
    const held = this.#held.get(id)
    if (held === undefined)
      throw new DocumentError(
        'transaction_not_exist',
        'this transaction is over: it ended, failed, or was idle too long',
      )
    this.#touch(id, held)
    return held
  }

  /** Runs requests inside a transaction, one at a time. A failure undoes all of it, as PostgreSQL would refuse the rest anyway. */
  runner(id: string): Runner {
    const held = this.#find(id)
    const inTurn = <T>(work: (runner: Runner) => Promise<T>): Promise<T> => {
      const next = held.last.then(async () => {
        if (held.failed) throw new DocumentError('transaction_not_exist', 'this transaction failed before')
        try {
          return await work(held.runner)
        } catch (error) {
          held.failed = true
          this.#drop(id, held)
          throw error
        }
      })
      held.last = next.catch(() => {})
      return next
    }
    return {
      read: (caller, statements) => inTurn((runner) => runner.read(caller, statements)),
      once: (caller, operation, statements) => inTurn((runner) => runner.once(caller, operation, statements)),
      write: <T>(
        ...[caller, operation, work]: [Caller, Parameters<Runner['write']>[1], (batch: Batch) => Promise<T>]
      ) => inTurn((runner) => runner.write(caller, operation, work)),
      snapshot: (caller, work) => inTurn((runner) => runner.snapshot(caller, work)),
    }
  }

  #drop(id: string, held: Held): void {
    held.cancelTimer()
    this.#held.delete(id)
    held.end('abort')
  }

  async commit(caller: Caller, id: string): Promise<void> {
    if (!isTrusted(caller)) throw denied()
    const held = this.#find(id)
    await held.last
    if (!this.#held.delete(id)) throw new DocumentError('transaction_not_exist', 'this transaction failed before')
    held.cancelTimer()
    held.end('commit')
    try {
      await held.finished
    } catch (error) {
      throw documentFailure(error, null)
    }
  }

  async abort(caller: Caller, id: string): Promise<void> {
    if (!isTrusted(caller)) throw denied()
    const held = this.#find(id)
    await held.last
    this.#drop(id, held)
    await held.finished.catch((error: unknown) => {
      // What fails while it is undone is undone by the server.
      if (!(error instanceof Undo) && !(error instanceof AppError)) throw error
    })
  }

  /** Undoes whatever is open. */
  async stop(): Promise<void> {
    const open = [...this.#held]
    for (const [id, held] of open) this.#drop(id, held)
    await Promise.allSettled(open.map(([, held]) => held.finished))
  }
}

/** Snapshot isolation, and no endless waiting for the locks of others. */
const begin = async (tx: Transaction, pool: Pool, caller: Caller): Promise<void> => {
  await tx.run(sql('documents.begin')`set transaction isolation level repeatable read`)
  await tx.run(
    scopeStatement({
      role: pool.roleOf(caller.role),
      claims: caller.claimsText,
      searchPath: searchPathOf(['public', 'extensions']),
      settings: [['lock_timeout', '5s']],
    }),
  )
}
