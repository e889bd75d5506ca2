/** Single-row inserts through `pg` at a fixed rate, each marked with the time at which it was sent. */
import pg from 'pg'
import { serve } from '../lib/child.js'
import { latencies } from '../lib/stats.js'

const CONNECTIONS = 8
const DIGITS = 17

const nowUs = () => Number(process.hrtime.bigint() / 1000n)
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

serve({
  async atRate({ connection, table, rows, rate, seconds }) {
    const pool = new pg.Pool({ ...connection, max: CONNECTIONS })
    const column = rows[0][0]
    const text = `insert into ${table} (${column}, body) values ($1, $2)`
    const times = []
    const insert = async ([, value]) => {
      const sent = nowUs()
      await pool.query({ name: `insert-${table}`, text, values: [value, `sent=${String(sent).padStart(DIGITS, '0')}`] })
      times.push((nowUs() - sent) / 1000)
    }
    try {
      const from = performance.now()
      const total = Math.round(rate * seconds)
      const answers = []
      while (answers.length < total) {
        const due = Math.min(total, Math.floor(((performance.now() - from) / 1000) * rate))
        while (answers.length < due) answers.push(insert(rows[answers.length % rows.length]))
        await later(1)
      }
      await Promise.all(answers)
      return { sent: total, ...latencies(times) }
    } finally {
      await pool.end()
    }
  },
})
