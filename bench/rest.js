/** The instant API beside bare HTTP routes with the same statements, the usual pool, and `pg` alone. */
import { startChild } from './lib/child.js'
import { number, percent, table, times } from './lib/page.js'
import { postgresOf } from './lib/processes.js'
import { claimsOf, connectionOf, postgresVersion, startProduct, tokenOf } from './lib/product.js'
import { inRounds } from './lib/stats.js'
import { profileSection } from './profile.js'
import { prepareRest, ROOMS_OF_USER, roomOfUser } from './rest-schema.js'

export const title = 'REST: the instant API'

const VARIANTS = ['teahouse', 'same batch', 'lean batch', 'usual pool', 'pg alone']
const PATHS = { 'same batch': 'same', 'lean batch': 'lean', 'usual pool': 'usual' }
const SHAPES = { get: 'get by key', list: 'list 20 rows', insert: 'insert' }
const USERS = 48

/** The same requests for everybody: who asks, and for what. */
export const questions = (size) =>
  Array.from({ length: USERS }, (_, user) => {
    const room = roomOfUser(user, user % ROOMS_OF_USER, size)
    const json = JSON.stringify({ room, body: `note of ${user} `.padEnd(100, 'x') })
    return { user, room, id: String(room + size.rooms * (1 + (user % 20))), claims: claimsOf(user), json }
  })

const COLUMNS = 'select=id,room,author,body,at'

/** A question as a request of the product's own API. */
export const apiRequest = (product, shape, { user, room, id, json }) => {
  const headers = { apikey: product.report.anonKey, authorization: `Bearer ${tokenOf(product, user)}` }
  if (shape === 'get') return { path: `/rest/v1/messages?${COLUMNS}&id=eq.${id}`, headers }
  if (shape === 'list') return { path: `/rest/v1/messages?${COLUMNS}&room=eq.${room}&order=id.desc&limit=20`, headers }
  const writing = { ...headers, 'content-type': 'application/json', prefer: 'return=minimal' }
  return { method: 'POST', path: '/rest/v1/notes', headers: writing, body: json }
}

const bareRequest = (way, shape, { room, id, claims, json }) => {
  const headers = { 'x-claims': claims }
  if (shape === 'insert') return { method: 'POST', path: `/${way}/insert`, headers, body: json }
  return { path: `/${way}/${shape}/${shape === 'get' ? id : room}`, headers }
}

/** Everything that one run needs, started. */
const open = async (settings) => {
  const product = await startProduct()
  const size = await prepareRest(product, settings.quick)
  const connection = await connectionOf(product)
  const [load, database, peer] = await Promise.all(['load/http.js', 'load/pg.js', 'peers/http.js'].map(startChild))
  const peerUrl = await peer.call('start', { connection })
  const asked = questions(size)
  const stop = async () => {
    await Promise.all([load.stop(), database.stop(), peer.stop()])
    await product.stop()
  }
  return { product, connection, load, database, peer, peerUrl, asked, settings, stop }
}

const measure = async (bench, variant, shape, connections) => {
  const { product, load, database, peer, asked } = bench
  const { seconds, warmSeconds } = bench.settings
  const timing = { seconds, warmSeconds }
  if (variant === 'pg alone') {
    const requests = asked.map(({ claims, id, room, json }) => ({ claims, id, room: String(room), json }))
    return database.call('batches', { connection: bench.connection, shape, requests, inFlight: connections, ...timing })
  }
  const own = variant === 'teahouse'
  const requests = asked.map((each) =>
    own ? apiRequest(product, shape, each) : bareRequest(PATHS[variant], shape, each),
  )
  const groups = [[own ? product.pid : peer.pid], postgresOf(product.pid)]
  const url = own ? product.report.url : bench.peerUrl
  const {
    spent,
    window: _window,
    count: _count,
    own: _own,
    ...result
  } = await load.call('run', { url, requests, connections, groups, ...timing })
  return { ...result, serverCpu: spent[0], postgresCpu: spent[1] }
}

/** Before anything counts, code is compiled by the engine, connections are made and plans are settled. */
const warmUp = async (bench) => {
  if (bench.settings.quick) return
  const brief = { ...bench, settings: { ...bench.settings, seconds: 1 } }
  for (const shape of Object.keys(SHAPES)) for (const variant of VARIANTS) await measure(brief, variant, shape, 16)
}

/** Nothing is compared that does not answer the same. */
const checkAnswers = async (bench) => {
  const [question] = bench.asked
  for (const shape of ['get', 'list']) {
    const own = apiRequest(bench.product, shape, question)
    const answers = [await fetch(bench.product.report.url + own.path, { headers: own.headers })]
    for (const way of Object.values(PATHS)) {
      const { path, headers } = bareRequest(way, shape, question)
      answers.push(await fetch(bench.peerUrl + path, { headers }))
    }
    const bodies = await Promise.all(answers.map(async (each) => normal(await each.json())))
    const rows = JSON.parse(bodies[0]).length
    if (rows !== (shape === 'get' ? 1 : 20)) throw new Error(`${shape} answered ${rows} rows`)
    if (bodies.some((body) => body !== bodies[0])) throw new Error(`the variants of ${shape} answer differently`)
  }
}

/** Rows as text that does not depend on how a time or a bigint is spelled. */
const normal = (rows) =>
  JSON.stringify(rows.map((row) => ({ ...row, id: String(row.id), at: new Date(row.at).toISOString() })))

const HEAD = [
  '',
  'req/s',
  'p50 ms',
  'p99 ms',
  'server CPU µs/req',
  'PostgreSQL CPU µs/req',
  'both, of same batch',
  'rate of same batch',
  'against usual pool',
]

const shapeSection = async (bench, shape, connections) => {
  const { rounds } = bench.settings
  const results = await inRounds(rounds, VARIANTS, (variant) => measure(bench, variant, shape, connections))
  const rate = (name) => results.get(name).rate
  const cpuOf = (name) => {
    const { serverCpu, postgresCpu } = results.get(name)
    return serverCpu && postgresCpu ? serverCpu + postgresCpu : null
  }
  const rows = VARIANTS.map((name) => {
    const { p50, p99, serverCpu, postgresCpu } = results.get(name)
    const ratios = [percent(rate(name), rate('same batch')), times(rate(name), rate('usual pool'))]
    const cpu = [number(serverCpu), number(postgresCpu), percent(cpuOf(name), cpuOf('same batch'))]
    return [name, number(rate(name)), number(p50), number(p99), ...cpu, ...ratios]
  })
  const section = `### ${SHAPES[shape]}, ${connections} connection${connections === 1 ? '' : 's'}\n\n${table(HEAD, rows)}`
  return { shape, connections, rate, cpuOf, section }
}

const EXPLANATION = `- **teahouse**: the whole server: HTTP, token, grammar, row-level security, JSON.
- **same batch**: a bare \`node:http\` route that sends the same statements (all nine settings of a request, and the query that builds its answer) in one batch under one Sync; no token, no grammar. The ceiling.
- **lean batch**: the same with role and claims only.
- **usual pool**: a bare route with \`begin\`, \`set_config\`, the plain query, \`commit\` on pg's pool, and JSON.stringify.
- **pg alone**: the statements of *same batch* without HTTP, in the process that measures.

Ten connections to PostgreSQL each. Requests rotate over ${USERS} users; policies ask for membership. Table \`messages\` is read, \`notes\` is written (outside of any publication). Processor time is that of the process (user and kernel) in the measured window.`

/** Whether the target of the design is met, in its own words. */
const targets = (all) => {
  const at16 = all.find(({ shape, connections }) => shape === 'list' && connections === 16)
  if (at16 === undefined) return []
  const { rate, cpuOf } = at16
  const toBatch = rate('teahouse') / rate('same batch')
  const byCpu = cpuOf('same batch') / cpuOf('teahouse')
  const toPool = rate('teahouse') / rate('usual pool')
  const verdict = (met) => (met ? 'met' : 'missed')
  const rows = [
    ['list of 20 at 16 in flight, of the same batch', '≥ 75 %', percent(toBatch, 1), verdict(toBatch >= 0.75)],
    ['the same by processor time: same batch ÷ teahouse, server and PostgreSQL', '', percent(byCpu, 1), ''],
    ['list of 20 at 16 in flight, against the usual pool', '≥ 2.5×', times(toPool, 1), verdict(toPool >= 2.5)],
  ]
  return [`## Targets\n\n${table(['', 'target', 'measured', ''], rows)}`]
}

/** What the generator can do by itself, so that a reader sees that it is not what was measured. */
const generatorSection = async ({ load, peerUrl, settings }) => {
  const { seconds, warmSeconds } = settings
  const requests = [{ path: '/none' }]
  const result = await load.call('run', { url: peerUrl, requests, connections: 16, seconds, warmSeconds })
  return `## The load generator\n\nautocannon in a process of its own. Against a route of the same bare server that does nothing it reached ${number(result.rate)} requests/s at 16 connections (p99 ${number(result.p99)} ms), using ${percent(result.own, 1)} of one core. With two cores it competes with what it measures, for every variant alike.`
}

export const run = async (settings) => {
  const bench = await open(settings)
  try {
    await checkAnswers(bench)
    await warmUp(bench)
    const postgres = await postgresVersion(bench.product)
    const all = []
    for (const shape of Object.keys(SHAPES))
      for (const connections of settings.quick ? [1, 16] : [1, 16, 32])
        all.push(await shapeSection(bench, shape, connections))
    const generator = await generatorSection(bench)
    await bench.stop()
    const profile = await profileSection(settings, (product, size) =>
      questions(size).map((each) => apiRequest(product, 'list', each)),
    )
    const sections = all.map(({ section }) => section)
    return { postgres, body: [...targets(all), `## Figures\n\n${EXPLANATION}`, ...sections, generator, profile] }
  } finally {
    await bench.stop()
  }
}
