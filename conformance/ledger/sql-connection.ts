/** Writers' way to the database. */
import pg from 'pg'
import type { Write } from './ledger.ts'

const ANSWER_WITHIN_MS = 5_000

/** A connection to the database that is made anew whenever it breaks. */
export class SqlConnection {
  readonly #url: () => string
  #client: pg.Client | null = null

  constructor(url: () => string) {
    this.#url = url
  }

  /** Runs statements as one transaction. */
  async transact(statements: readonly (readonly [string, ...unknown[]])[]): Promise<Write['outcome']> {
    try {
      const client = await this.#connect()
      if (statements.length > 1) await client.query('begin')
      for (const [text, ...values] of statements) await client.query(text, values)
      if (statements.length > 1) await client.query('commit')
      return 'acknowledged'
    } catch (error) {
      await this.close()
      // A server that is going down may have committed; every other refusal undid everything.
      const isRefusal = error instanceof pg.DatabaseError && error.code !== undefined && !/^(57P|08)/.test(error.code)
      return isRefusal ? 'refused' : 'unknown'
    }
  }

  async close(): Promise<void> {
    const client = this.#client
    this.#client = null
    await client?.end().catch(() => {})
  }

  async #connect(): Promise<pg.Client> {
    if (this.#client !== null) return this.#client
    const client = new pg.Client({
      connectionString: this.#url(),
      query_timeout: ANSWER_WITHIN_MS,
      connectionTimeoutMillis: ANSWER_WITHIN_MS,
      application_name: 'ledger-writer',
    })
    client.on('error', () => {
      if (this.#client === client) this.#client = null
    })
    await client.connect()
    this.#client = client
    return client
  }
}
