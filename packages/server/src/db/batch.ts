/**
 * Several statements in one network round trip and one implicit transaction: Parse/Bind/Execute for each, one Sync at the end.
 *
 * The usual way (begin, set_config, query, commit) costs four round trips and 3.8 times the time. Everything before one Sync is one
 * transaction for Postgres, so transaction-local settings vanish at the Sync and cannot leak to the next request, and a failure skips
 * the rest. The answer is only given at ReadyForQuery: a deferred constraint fails after CommandComplete.
 */
import type { Statement } from '../sql/sql.ts'
import { toParameter } from './parameters.ts'
import type { StatementCache } from './statement-cache.ts'

export interface Field {
  readonly name: string
  readonly dataTypeID: number
}

/** What one statement answered. Values are Postgres's own text form; null is SQL null. */
export interface RawResult {
  readonly command: string
  readonly rowCount: number
  /** Empty unless the statement asked for `describe`. */
  readonly fields: readonly Field[]
  readonly rows: readonly (readonly (string | null)[])[]
}

export interface BatchStatement extends Statement {
  /** Distinguishes prepared plans that must not be shared, for example by role: Postgres re-plans a row-secured statement when the role changes (measured 2.2 times slower). */
  readonly planKey: string
  /** Whether column names and types are wanted. */
  readonly describe?: boolean
}

/** The part of pg's connection that a Submittable drives. */
export interface Wire {
  readonly stream: { cork(): void; uncork(): void }
  parse(message: { name: string; text: string }): void
  bind(message: { statement: string; values: readonly unknown[] }): void
  describe(message: { type: 'P'; name: string }): void
  execute(message: Record<string, never>): void
  close(message: { type: 'S'; name: string }): void
  sync(): void
  sendCopyFail(message: string): void
}

interface Result {
  command: string
  rowCount: number
  fields: readonly Field[]
  readonly rows: (string | null)[][]
}

const COUNT_AT_END = /(\d+)$/

/** A Submittable for pg's `client.query`. Resolves with one result per statement, or rejects with Postgres's own error. */
export class Batch {
  readonly done: Promise<readonly RawResult[]>
  readonly #statements: readonly BatchStatement[]
  readonly #cache: StatementCache
  readonly #parsed: BatchStatement[] = []
  readonly #results: Result[] = []
  #current: Result = { command: '', rowCount: 0, fields: [], rows: [] }
  #resolve: (results: readonly RawResult[]) => void = () => {}
  #reject: (error: unknown) => void = () => {}

  constructor(statements: readonly BatchStatement[], cache: StatementCache) {
    this.#statements = statements
    this.#cache = cache
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  /** Called by pg when the connection is free. Returning an error (instead of throwing) is pg's contract. */
  submit(wire: Wire): Error | null {
    // One write for the whole batch: each message on its own would be a system call and a packet.
    wire.stream.cork()
    try {
      const values = this.#statements.map((each) => each.values.map(toParameter))
      for (const name of this.#cache.takeEvicted()) wire.close({ type: 'S', name })
      this.#statements.forEach((each, index) => {
        this.#send(wire, each, values[index] ?? [])
      })
      wire.sync()
      return null
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error))
    } finally {
      wire.stream.uncork()
    }
  }

  #send(wire: Wire, statement: BatchStatement, values: readonly unknown[]): void {
    const plan = this.#cache.plan(statement.planKey, statement.text)
    if (plan.parse) {
      wire.parse({ name: plan.name, text: statement.text })
      if (plan.name !== '') this.#parsed.push(statement)
    }
    wire.bind({ statement: plan.name, values })
    if (statement.describe) wire.describe({ type: 'P', name: '' })
    wire.execute({})
  }

  handleRowDescription(message: { fields: readonly Field[] }): void {
    this.#current.fields = message.fields
  }

  handleDataRow(message: { fields: (string | null)[] }): void {
    this.#current.rows.push(message.fields)
  }

  handleCommandComplete(message: { text: string }): void {
    this.#current.command = message.text.split(' ', 1)[0] ?? ''
    this.#current.rowCount = Number(COUNT_AT_END.exec(message.text)?.[1] ?? 0)
    this.#nextResult()
  }

  handleEmptyQuery(): void {
    this.#nextResult()
  }

  #nextResult(): void {
    this.#results.push(this.#current)
    this.#current = { command: '', rowCount: 0, fields: [], rows: [] }
  }

  handlePortalSuspended(): void {}
  /** `copy … from stdin` waits for data, and ignores the Sync that was sent already: refused, it would wait for ever. */
  handleCopyInResponse(wire: Wire): void {
    wire.sendCopyFail('there is nothing to copy from in a batch')
    wire.sync()
  }
  handleCopyData(): void {}

  handleError(error: unknown): void {
    // Whether the failed batch got as far as each Parse is unknown here, so what it prepared is prepared anew.
    for (const { planKey, text } of this.#parsed) this.#cache.forget(planKey, text)
    this.#reject(error)
  }

  handleReadyForQuery(): void {
    this.#resolve(this.#results)
  }
}
