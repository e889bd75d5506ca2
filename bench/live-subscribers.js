/** Many subscribers: how late an event is, how fast they join, and what an event costs the server while most of them do not match. */
import { number, percent, table } from './lib/page.js'
import { cpuSecondsOf } from './lib/processes.js'
import { sql, tokenOf, userId } from './lib/product.js'
import { median } from './lib/stats.js'
import { ROOM_SIZE } from './live-schema.js'

const RATE = 200
/** Sockets that one load process holds; more need a second one. */
const PER_PROCESS = 5000

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

const pathOf = (product) => `/realtime/v1/websocket?apikey=${product.report.anonKey}&vsn=1.0.0`

const joinText = (topic, changes, token) =>
  JSON.stringify({
    topic,
    event: 'phx_join',
    payload: { config: { postgres_changes: changes }, ...(token && { access_token: token }) },
    ref: '1',
  })

/** The load processes that hold `sockets`, some thousands each. */
const openAll = async ({ child, product }, sockets) => {
  const parts = []
  for (let start = 0; start < sockets.length; start += PER_PROCESS) {
    const load = await child('load/subscribers.js')
    parts.push({ load, sockets: sockets.slice(start, start + PER_PROCESS) })
  }
  const call = (name, argsOf = () => ({})) => Promise.all(parts.map((part) => part.load.call(name, argsOf(part))))
  const url = product.report.url
  await call('connect', (part) => ({ url, path: pathOf(product), amount: part.sockets.length }))
  const before = cpuSecondsOf([product.pid])
  const started = performance.now()
  const joined = await call('join', (part) => ({ joins: part.sockets }))
  const seconds = (performance.now() - started) / 1000
  return {
    joins: {
      rate: sockets.length / seconds,
      server: (cpuSecondsOf([product.pid]) - before) / sockets.length,
      own: joined.reduce((sum, each) => sum + each.own, 0),
    },
    reset: () => call('reset'),
    /** What has arrived, once it is as much as expected or nothing came for a while. Which process holds the receivers is chance. */
    heard: async (expected) => {
      let before = -1
      let count = 0
      while (count < expected && count !== before) {
        before = count
        for (let step = 0; step < 20 && count < expected; step += 1) {
          await later(100)
          count = (await call('count')).reduce((sum, each) => sum + each, 0)
        }
      }
      const all = await call('heard')
      return all.flatMap(({ times }) => [...times])
    },
    close: async () => {
      await call('close')
      await Promise.all(parts.map(({ load }) => load.stop()))
    },
  }
}

const POLICIES = {
  owner: {
    text: 'owner',
    table: 'live_owned',
    receivers: 1,
    row: (user) => ['owner', userId(user)],
  },
  membership: {
    text: `membership, rooms of ${ROOM_SIZE}`,
    table: 'live_said',
    receivers: ROOM_SIZE,
    row: (user) => ['room', Math.floor(user / ROOM_SIZE)],
  },
}

const percentilesOf = (times) => {
  const sorted = Float64Array.from(times).sort()
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  return sorted.length === 0 ? { p50: null, p99: null } : { p50: at(0.5), p99: at(0.99) }
}

/** One amount of subscribers under one policy: all users of their own, no filter, so that row-level security alone decides. */
const measureLatency = async (bench, policy, amount) => {
  const { product, connection, settings, writer } = bench
  const changes = [{ event: 'INSERT', schema: 'public', table: policy.table }]
  const sockets = Array.from({ length: amount }, (_, user) =>
    joinText(`realtime:own-${user}`, changes, tokenOf(product, user)),
  )
  const all = await openAll(bench, sockets)
  const receivers = Math.min(policy.receivers, amount)
  const rounds = []
  for (let round = 0; round < settings.rounds; round += 1) {
    await all.reset()
    const before = cpuSecondsOf([product.pid])
    const { sent, p50, p99 } = await writer.call('atRate', {
      connection,
      table: policy.table,
      rows: Array.from({ length: 1000 }, () => policy.row(Math.floor(Math.random() * amount))),
      rate: RATE,
      seconds: settings.seconds,
    })
    const times = await all.heard(sent * receivers)
    const server = (cpuSecondsOf([product.pid]) - before) / sent
    rounds.push({ ...percentilesOf(times), ack50: p50, ack99: p99, missing: sent * receivers - times.length, server })
  }
  await all.close()
  const of = (key) => median(rounds.map((each) => each[key]))
  return {
    joins: all.joins,
    p50: of('p50'),
    p99: of('p99'),
    ack50: of('ack50'),
    ack99: of('ack99'),
    missing: of('missing'),
    server: of('server'),
  }
}

const latencySection = async (bench) => {
  const amounts = bench.settings.quick ? [1, 20] : [1, 100, 10_000]
  const rows = []
  const joins = []
  for (const policy of Object.values(POLICIES)) {
    for (const amount of amounts) {
      const result = await measureLatency(bench, policy, amount)
      rows.push([
        `${policy.text}, ${amount.toLocaleString('en-US')}`,
        `${number(result.ack50)} / ${number(result.ack99)}`,
        `${number(result.p50)} / ${number(result.p99)}`,
        number(result.missing),
        number(result.server * 1e6),
      ])
      if (amount === amounts.at(-1))
        joins.push([
          policy.text,
          amount.toLocaleString('en-US'),
          number(result.joins.rate),
          number(result.joins.server * 1e6),
          percent(result.joins.own, 1),
        ])
    }
  }
  const head = [
    'policy, subscribers',
    'insert answered, p50 / p99 ms',
    'event at its socket, p50 / p99 ms',
    'events missing',
    'server CPU, µs per insert',
  ]
  const joinHead = ['policy', 'sockets', 'joins/s', 'server CPU, µs per join', 'generators, of a core']
  return [
    `## From a commit to the sockets\n\n${RATE} single-row inserts a second through \`pg\`, each its own transaction. Every subscriber is another user on a socket of their own and asks for the whole table; the policy decides who gets a row (its owner, or the ${ROOM_SIZE} members of its room). Both times run from before the insert is sent, so the event’s holds the insert and its commit too. Target: p99 < 5 ms at ${RATE}/s.\n\n${table(head, rows)}`,
    `## Joins\n\nChannels with \`postgres_changes\` under a policy, 64 joins under way in each load process, each with a token that the server sees for the first time. A join reads the membership of its user; an owner policy needs no query.\n\n${table(joinHead, joins)}`,
  ]
}

const BINDINGS = 100
const MATCHES = 10

/** Server time per insert while `amount` bindings with filters listen, ten of which match each row. */
const measureCost = async (bench, amount) => {
  const { product, connection, settings, writer } = bench
  const rooms = amount / MATCHES
  const sockets = Array.from({ length: amount / BINDINGS }, (_, socket) => {
    // Every tenth socket shares its rooms with nine others.
    const first = Math.floor(socket / MATCHES) * BINDINGS
    const changes = Array.from({ length: BINDINGS }, (_unused, index) => ({
      event: 'INSERT',
      schema: 'public',
      table: 'live_open',
      filter: `room=eq.${first + index}`,
    }))
    return joinText(`realtime:many-${socket}`, changes, null)
  })
  const all = await openAll(bench, sockets)
  const rounds = []
  for (let round = 0; round < settings.rounds; round += 1) {
    await all.reset()
    const before = cpuSecondsOf([product.pid])
    const { sent } = await writer.call('atRate', {
      connection,
      table: 'live_open',
      rows: Array.from({ length: 1000 }, () => ['room', Math.floor(Math.random() * rooms)]),
      rate: 500,
      seconds: settings.seconds,
    })
    const times = await all.heard(sent * MATCHES)
    const server = (cpuSecondsOf([product.pid]) - before) / sent
    rounds.push({ server, missing: sent * MATCHES - times.length, ...percentilesOf(times) })
  }
  await all.close()
  const of = (key) => median(rounds.map((each) => each[key]))
  return { server: of('server'), missing: of('missing'), p50: of('p50'), p99: of('p99') }
}

const costSection = async (bench) => {
  const amounts = bench.settings.quick ? [1000, 2000] : [1000, 10_000, 100_000]
  const rows = []
  let first = null
  for (const amount of amounts) {
    const { server, missing, p50, p99 } = await measureCost(bench, amount)
    first ??= server
    rows.push([
      amount.toLocaleString('en-US'),
      number(server * 1e6),
      percent(server, first),
      `${number(p50)} / ${number(p99)}`,
      number(missing),
    ])
  }
  const head = [
    'subscriptions',
    'server CPU, µs per insert',
    `of ${amounts[0].toLocaleString('en-US')}`,
    'event, p50 / p99 ms',
    'events missing',
  ]
  return `## One change among many subscriptions\n\n500 inserts a second; every subscription has a filter of its own on the room, and ${MATCHES} sockets match each row. The processor time holds decoding, matching, encoding and ${MATCHES} writes. Target: at 100,000 at most twice that at 1,000.\n\n${table(head, rows)}`
}

export const subscriberSections = async (bench) => {
  const writer = await bench.child('load/writer.js')
  const own = { ...bench, writer }
  await sql(bench.product, 'analyze')
  const sections = [...(await latencySection(own)), await costSection(own)]
  await writer.stop()
  return sections
}
