/** From an insert to the event at a socket, and what following a table costs those who write to it. */
import { number, percent, table, times } from './lib/page.js'
import { claimsOf, tokenOf } from './lib/product.js'
import { inRounds, median } from './lib/stats.js'
import { OTHER_DATABASE } from './live-schema.js'

const RATE = 200
const PAD = 'x'.repeat(60)
const BODY = JSON.stringify({ room: 1, body: `@ ${PAD}` })

/** A subscriber of the product: one user, one socket, one table with a filter. */
const subscriber = (product, user) => {
  const changes = [{ event: 'INSERT', schema: 'public', table: 'live_messages', filter: 'room=eq.1' }]
  const payload = { config: { postgres_changes: changes }, access_token: tokenOf(product, user) }
  const path = `/realtime/v1/websocket?apikey=${product.report.anonKey}&vsn=1.0.0`
  return {
    url: product.report.url.replace('http', 'ws') + path,
    join: JSON.stringify({ topic: `realtime:live-${user}`, event: 'phx_join', payload, ref: '1' }),
  }
}

const subscribersOf = (product, amount) => Array.from({ length: amount }, (_, user) => subscriber(product, user))

const productTarget = (product) => ({
  url: `${product.report.url}/rest/v1/live_messages`,
  body: BODY,
  headers: {
    apikey: product.report.anonKey,
    authorization: `Bearer ${tokenOf(product, 0)}`,
    'content-type': 'application/json',
    prefer: 'return=minimal',
  },
})

const latencySection = async ({ product, connection, settings, child }) => {
  const events = await child('load/events.js')
  const peer = await child('peers/http.js')
  const url = await peer.call('start', { connection })
  const bareTarget = { url: `${url}/live`, body: BODY, headers: { 'x-claims': claimsOf(0) } }
  const measure = (amount) => async (name) => {
    const own = name === 'teahouse'
    const bare = Array.from({ length: amount }, () => ({ url: url.replace('http', 'ws') }))
    await events.call('reset')
    await events.call('subscribe', { subscribers: own ? subscribersOf(product, amount) : bare })
    const target = own ? productTarget(product) : bareTarget
    const { seconds, warmSeconds } = settings
    const result = await events.call('atRate', { target, rate: RATE, seconds, warmSeconds })
    await events.call('unsubscribe')
    return result
  }
  const rows = []
  for (const amount of settings.quick ? [1, 5] : [1, 100]) {
    const results = await inRounds(settings.rounds, ['teahouse', 'bare'], measure(amount))
    const own = results.get('teahouse')
    const bare = results.get('bare')
    const name = `${amount} subscriber${amount === 1 ? '' : 's'}`
    rows.push([
      name,
      `${number(own.p50)} / ${number(own.p99)}`,
      `${number(bare.p50)} / ${number(bare.p99)}`,
      `${times(own.p50, bare.p50)} / ${times(own.p99, bare.p99)}`,
      number(own.missing),
      percent(own.own, 1),
    ])
  }
  await Promise.all([events.stop(), peer.stop()])
  const head = [
    '',
    'teahouse p50 / p99 ms',
    'bare p50 / p99 ms',
    'ratio p50 / p99',
    'events missing',
    'generator, of a core',
  ]
  return `## From an insert to its event\n\n${RATE} inserts a second over REST, each with a token; events by \`postgres_changes\` (vsn 1.0.0, filter on the room, membership policy, every subscriber another user). Time runs from before the request is sent until the event is read, so it holds the whole insert. **Bare** is a \`node:http\` route that inserts in one batch and then calls \`ws.send\` for each socket: no token, no policy for readers, no change capture, and nothing reaches it that was written elsewhere. Target: p99 < 5 ms.\n\n${table(head, rows)}`
}

const IN_FLIGHT = 16

const WRITERS = {
  'another database: never decoded': { database: OTHER_DATABASE, table: 'quiet_messages' },
  'a table that is not published': { table: 'quiet_messages' },
  'a published table, nobody listens': { table: 'live_messages' },
  'a published table, one subscriber': { table: 'live_messages', listened: true },
}

const throughputSection = async ({ product, connection, settings, child }) => {
  const writer = await child('load/pg.js')
  const events = await child('load/events.js')
  const { seconds, warmSeconds } = settings
  const measure = async (name) => {
    const { database = connection.database, table: into, listened } = WRITERS[name]
    await events.call('reset')
    if (listened) await events.call('subscribe', { subscribers: subscribersOf(product, 1) })
    const from = performance.timeOrigin + performance.now()
    const to = { connection: { ...connection, database }, table: into }
    const { rate, p50, p99, rows } = await writer.call('inserts', { ...to, inFlight: IN_FLIGHT, seconds, warmSeconds })
    if (!listened) return { rate, p50, p99, events: null, missing: null }
    const { received, lastAt } = await events.call('drained', { expected: rows })
    await events.call('unsubscribe')
    return { rate, p50, p99, events: (received * 1000) / (lastAt - from), missing: rows - received }
  }
  const names = Object.keys(WRITERS)
  const results = await inRounds(settings.rounds, names, measure)
  const base = results.get(names[0]).rate
  const rows = names.map((name) => {
    const { rate, p50, p99, events: perSecond, missing } = results.get(name)
    return [name, number(rate), percent(rate, base), number(p50), number(p99), number(perSecond), number(missing)]
  })
  await Promise.all([writer.stop(), events.stop()])
  const head = ['into', 'inserts/s', 'of never decoded', 'p50 ms', 'p99 ms', 'events/s at the socket', 'events missing']
  return `## What the feed costs writers\n\nSingle-row inserts through \`pg\`, each its own transaction, ${IN_FLIGHT} in flight, all in the same server (\`wal_level=logical\`). The reader of the log and the subscriber run on the same cores, so their work is part of the cost. Target: ≥ 80 %.\n\n${table(head, rows)}`
}

/** Rows that few statements write: how fast the log is decoded and delivered when writing costs next to nothing. */
const decodeSection = async ({ product, connection, settings, child }) => {
  const writer = await child('load/pg.js')
  const events = await child('load/events.js')
  const [statements, rows] = settings.quick ? [2, 50] : [40, 1000]
  const rates = []
  const lost = []
  for (let round = 0; round < settings.rounds; round += 1) {
    await events.call('reset')
    await events.call('subscribe', { subscribers: subscribersOf(product, 1) })
    const { from, committed } = await writer.call('bulk', { connection, table: 'live_messages', statements, rows })
    const { received, lastAt } = await events.call('drained', { expected: statements * rows })
    await events.call('unsubscribe')
    rates.push({ written: (statements * rows * 1000) / (committed - from), read: (received * 1000) / (lastAt - from) })
    lost.push(statements * rows - received)
  }
  await Promise.all([writer.stop(), events.stop()])
  const written = median(rates.map((each) => each.written))
  const read = median(rates.map((each) => each.read))
  return `## How fast changes are decoded\n\n${statements} statements of ${rows.toLocaleString('en-US')} rows, one after the other: ${number(written)} rows/s were written, ${number(read)} events/s arrived at the one subscriber (from the first statement to the last event; ${number(median(lost))} events missing). Target: ≥ 10,000.`
}

export const feedSections = async (bench) => [
  await latencySection(bench),
  await throughputSection(bench),
  await decodeSection(bench),
]
