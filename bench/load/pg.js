/** Statements through `pg` alone: no HTTP, no JSON, no product in between. */
import pg from 'pg'
import { serve } from '../lib/child.js'
import { latencies } from '../lib/stats.js'
import { oneSync } from '../peers/one-sync.js'
import { sameBatch } from '../peers/rest-statements.js'

/** Keeps `inFlight` works under way for a while, and until one was counted; answers rate and latencies. */
const hammer = async ({ inFlight, seconds, warmSeconds }, work) => {
  const times = []
  const from = performance.now() + warmSeconds * 1000
  const until = from + seconds * 1000
  let last = until
  const lane = async () => {
    for (;;) {
      const started = performance.now()
      if (started >= until && times.length > 0) return
      await work()
      const ended = performance.now()
      if (started < from || (ended >= until && times.length > 0)) continue
      times.push(ended - started)
      last = Math.max(last, ended)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
  return { rate: (times.length * 1000) / (last - from), ...latencies(times) }
}

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
