/** Statements through `pg` alone: no HTTP, no JSON, no product in between. */
import pg from 'pg'
import { serve } from '../lib/child.js'
import { hammer } from '../lib/hammer.js'
import { oneSync } from '../peers/one-sync.js'
import { sameBatch } from '../peers/rest-statements.js'

const CONNECTIONS = 10

serve({
  /** The product's own statements in one batch, without anything around them. */
  async batches({ connection, shape, requests, ...timing }) {
    const pool = new pg.Pool({ ...connection, max: CONNECTIONS })
    let next = 0
    try {
      return await hammer(timing, async () => {
        next += 1
        await oneSync(pool, sameBatch(shape, requests[next % requests.length]))
      })
    } finally {
      await pool.end()
    }
  },

  /** Single-row inserts, each its own transaction. Answers the number of rows too, those of the warm-up included. */
  async inserts({ connection, table, ...timing }) {
    const pool = new pg.Pool({ ...connection, max: timing.inFlight })
    const query = {
      name: 'insert',
      text: `insert into ${table} (room, body) values ($1, $2)`,
      values: [1, 'x'.repeat(100)],
    }
    let rows = 0
    try {
      const result = await hammer(timing, async () => {
        await pool.query(query)
        rows += 1
      })
      return { ...result, rows }
    } finally {
      await pool.end()
    }
  },

  /** Many rows by few statements; answers when the first was sent and the last was committed, on the clock of all processes. */
  async bulk({ connection, table, statements, rows }) {
    const client = new pg.Client(connection)
    await client.connect()
    const text = `insert into ${table} (room, body) select 1, 'x' from generate_series(1, ${rows})`
    const from = performance.timeOrigin + performance.now()
    for (let count = 0; count < statements; count += 1) await client.query(text)
    const committed = performance.timeOrigin + performance.now()
    await client.end()
    return { from, committed }
  },
})
