/** Connections to one database: a bounded pool that runs batches and transactions, and turns a lost database into one clear error. */
import pg from 'pg'
import { AppError } from '../kernel/errors.ts'
import { frag, type Statement, statement } from '../sql/sql.ts'
import { Batch, type BatchStatement, type RawResult } from './batch.ts'
import { isConnectionLoss, isStalePlan, unavailable } from './failures.ts'
import { toParameter } from './parameters.ts'
import { StatementCache } from './statement-cache.ts'

export { databaseError, isConnectionLoss, reasonOf } from './failures.ts'

export interface PoolOptions {
  /** How to reach the server, in pg's own words. */
  readonly connection: pg.ClientConfig
  readonly max: number
  /** False behind a transaction pooler, which shares server connections between clients. */
  readonly prepare?: boolean
  /** Names the connections in pg_stat_activity. */
  readonly applicationName: string
  /** The role that runs what `service_role` asks for, where that role cannot bypass row-level security. */
  readonly serviceRole?: string
  /** Told about a connection that failed while idle. */
  readonly onIdleError?: (error: Error) => void
}

/** A row as pg parses it; the caller names the shape that its own statement selects. */
export type Row = Record<string, unknown>

/** Runs typed queries: the pool itself, or one transaction of it. */
export interface Queryable {
  many<T>(statement: Statement): Promise<readonly T[]>
  maybeOne<T>(statement: Statement): Promise<T | null>
  /** Runs and answers the number of rows that were affected. */
  run(statement: Statement): Promise<number>
}

/** `pg.Client` after it joined a pool of ours. */
interface PooledClient extends pg.PoolClient {
  statements?: StatementCache
}

const TYPES = typeParsers()

export class Pool implements Queryable {
  readonly #pool: pg.Pool
  readonly #prepare: boolean
  readonly #serviceRole: string
  readonly #clients = new Set<pg.PoolClient>()
  #ended: Promise<void> | null = null

  constructor(options: PoolOptions) {
    this.#serviceRole = options.serviceRole ?? 'service_role'
    this.#prepare = options.prepare ?? true
    this.#pool = new pg.Pool({
      ...options.connection,
      types: TYPES,
      max: options.max,
      application_name: options.applicationName,
      connectionTimeoutMillis: 10_000,
      idleTimeoutMillis: 60_000,
      allowExitOnIdle: true,
      // Without it, a server that vanished without a word is only missed after hours.
      keepAlive: true,
    })
    this.#pool.on('error', (error) => options.onIdleError?.(error))
    this.#pool.on('connect', (client) => {
      this.#clients.add(client)
      // The pool listens to idle connections only. One that breaks while it works emits an error too, and an error that nobody
      // listens to ends the process; whoever waits for the connection's answer is told by the answer.
      client.on('error', () => {})
    })
    this.#pool.on('remove', (client) => this.#clients.delete(client))
  }

  /** Runs statements under one Sync: one round trip, one implicit transaction, all or nothing. Retries once when a cached plan went stale. */
  async batch(statements: readonly BatchStatement[]): Promise<readonly RawResult[]> {
    return this.#withFreshPlans((client, cache) => submit(client, new Batch(statements, cache)))
  }

  /**
   * Like `batch`, between an explicit `begin …` and `commit` or `rollback` of our own wording: for isolation levels and dry runs. `before`
   * runs between the statements and the end; when it rejects, everything is undone.
   */
  async explicit(
    begin: string,
    statements: readonly BatchStatement[],
    end: 'commit' | 'rollback',
    before: () => Promise<void> = async () => {},
  ): Promise<readonly RawResult[]> {
    return this.#withFreshPlans(async (client, cache) => {
      await client.query(begin)
      try {
        const results = await submit(client, new Batch(statements, cache))
        await before()
        await client.query(end)
        return results
      } catch (error) {
        await client.query('rollback').catch(() => {})
        throw error
      }
    })
  }

  async many<T>(query: Statement): Promise<readonly T[]> {
    return this.#withClient((client) => many<T>(client, query))
  }

  async maybeOne<T>(query: Statement): Promise<T | null> {
    return (await this.many<T>(query))[0] ?? null
  }

  async run(query: Statement): Promise<number> {
    return this.#withClient((client) => run(client, query))
  }

  /**
   * Runs `work` in one transaction; it commits when `work` resolves and rolls back when it rejects. `discard` closes the connection
   * afterwards: for scripts of other people, which change settings of the session and leave them changed.
   */
  async transaction<T>(
    work: (tx: Transaction) => Promise<T>,
    options: { readonly discard?: boolean } = {},
  ): Promise<T> {
    return this.#withClient(async (client) => {
      await client.query('begin')
      try {
        const result = await work(transactionOn(client, this.#prepare))
        const { command } = await client.query('commit')
        // Postgres answers a commit after an error with a rollback, and no error: `work` swallowed one.
        if (command === 'ROLLBACK') throw new AppError('internal', 'The transaction had failed and was rolled back.')
        return result
      } catch (error) {
        // The connection may be what failed; then the rollback fails too, and the first error is the one to tell.
        await client.query('rollback').catch(() => {})
        throw error
      }
    }, options.discard)
  }

  /**
   * Runs SQL of the operator's own: several statements in one text, no parameters. Answers the result of each. The connection is closed
   * afterwards: a script may leave a search path, a role or an open transaction behind.
   */
  async script(text: string): Promise<readonly pg.QueryArrayResult[]> {
    return this.#withClient(async (client) => {
      const results = await client.query({ text, rowMode: 'array' })
      return Array.isArray(results) ? results : [results]
    }, true)
  }

  /** The Postgres role that serves a caller's role here. */
  roleOf(role: string): string {
    return role === 'service_role' ? this.#serviceRole : role
  }

  /** Idle and busy connections, for the metrics. */
  get size(): { readonly total: number; readonly idle: number; readonly waiting: number } {
    return { total: this.#pool.totalCount, idle: this.#pool.idleCount, waiting: this.#pool.waitingCount }
  }

  /** Closes every connection. Work under way may finish for `within` milliseconds, then it is cut off. Safe to call twice. */
  async end(within = 5_000): Promise<void> {
    this.#ended ??= this.#end(within)
    await this.#ended
  }

  async #end(within: number): Promise<void> {
    const cut = setTimeout(() => {
      for (const client of this.#clients) void client.end()
    }, within)
    await this.#pool.end().finally(() => clearTimeout(cut))
  }

  /** Retries once when a plan that was prepared earlier is gone or stale: nothing of the first attempt remains then. */
  async #withFreshPlans<T>(work: (client: pg.PoolClient, cache: StatementCache) => Promise<T>): Promise<T> {
    return this.#withClient(async (client) => {
      client.statements ??= new StatementCache({ enabled: this.#prepare })
      const cache = client.statements
      try {
        return await work(client, cache)
      } catch (error) {
        if (!isStalePlan(error)) throw error
        cache.forgetAll()
        return await work(client, cache)
      }
    })
  }

  async #withClient<T>(work: (client: PooledClient) => Promise<T>, discard = false): Promise<T> {
    let client: PooledClient
    try {
      client = await this.#pool.connect()
    } catch (error) {
      throw unavailable(error)
    }
    let failure: unknown = null
    try {
      return await work(client)
    } catch (error) {
      failure = error
      throw isConnectionLoss(error) ? unavailable(error) : error
    } finally {
      // A connection whose state is unknown must not serve another request.
      client.release(discard || (failure !== null && isConnectionLoss(failure)))
    }
  }
}

/** One open transaction. */
export interface Transaction extends Queryable {
  batch(statements: readonly BatchStatement[]): Promise<readonly RawResult[]>
  script(text: string): Promise<void>
}

const transactionOn = (client: PooledClient, prepare: boolean): Transaction => ({
  many: (query) => many(client, query),
  maybeOne: async <T>(query: Statement) => (await many<T>(client, query))[0] ?? null,
  run: (query) => run(client, query),
  batch: (statements) => {
    client.statements ??= new StatementCache({ enabled: prepare })
    return submit(client, new Batch(statements, client.statements))
  },
  script: async (text) => {
    await client.query(text)
  },
})

const submit = (client: pg.PoolClient, batch: Batch): Promise<readonly RawResult[]> => {
  // pg's types know only its own Submittable implementations; Batch implements the interface that pg-cursor does.
  client.query(batch as unknown as pg.Submittable)
  return batch.done
}

const many = async <T>(client: pg.PoolClient, query: Statement): Promise<readonly T[]> => {
  const result = await client.query({ text: query.text, values: query.values.map(toParameter) })
  // The statement's author states the row shape.
  return result.rows as T[]
}

const run = async (client: pg.PoolClient, query: Statement): Promise<number> => {
  const result = await client.query({ text: query.text, values: query.values.map(toParameter) })
  return result.rowCount ?? 0
}

/** pg's parsers, except that dates stay text: a JavaScript Date would lose microseconds and guess a time zone. */
function typeParsers(): pg.CustomTypesConfig {
  const { builtins } = pg.types
  const asText = new Set<number>([
    builtins.DATE,
    builtins.TIMESTAMP,
    builtins.TIMESTAMPTZ,
    builtins.TIME,
    builtins.TIMETZ,
    builtins.INTERVAL,
    1115,
    1182,
    1185,
  ])
  return {
    getTypeParser: (oid: number, format?: 'text' | 'binary') =>
      asText.has(oid) ? (value: string) => value : pg.types.getTypeParser(oid, format ?? 'text'),
  } as pg.CustomTypesConfig
}

/** `select 1`, to ask whether the database answers. */
export const ping: Statement = statement('db.ping', frag`select 1`)
