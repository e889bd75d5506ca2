/** How long a start takes, and what the running server weighs: at rest, after load, per idle WebSocket. */
import { spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { startChild } from './lib/child.js'
import { number, table } from './lib/page.js'
import { postgresOf, pssOf, rssOf } from './lib/processes.js'
import { postgresVersion, startProduct, temporaryFolder } from './lib/product.js'
import { inRounds, median } from './lib/stats.js'
import { apiRequest, questions } from './rest.js'
import { prepareRest } from './rest-schema.js'

export const title = 'Boot and memory'

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Milliseconds from the start of the command until the JSON line, and until the first request of the API was answered. */
const start = async (dataDir) => {
  const product = await startProduct({ dataDir })
  const { url, anonKey } = product.report
  const answer = await fetch(`${url}/rest/v1/`, { headers: { apikey: anonKey } })
  if (!answer.ok) throw new Error(`the first request was answered ${answer.status}`)
  await answer.arrayBuffer()
  const result = { line: product.lineMs, first: performance.now() - product.startedAt }
  return { product, result }
}

/** What `node` needs for nothing, and what looking for a stale build costs in a checkout. */
const nodeAlone = async () => {
  const from = performance.now()
  spawnSync(process.execPath, ['-e', '0'])
  return { line: performance.now() - from, first: null }
}

const buildCheck = async () => {
  const from = performance.now()
  spawnSync(process.execPath, [fileURLToPath(new URL('../scripts/build.js', import.meta.url))])
  return { line: performance.now() - from, first: null }
}

const bootSection = async ({ rounds }) => {
  const warm = await temporaryFolder()
  const begin = async (dataDir) => {
    const { product, result } = await start(dataDir)
    await product.stop()
    return result
  }
  const cold = async () => {
    const fresh = await temporaryFolder()
    return begin(`${fresh.path}/data`).finally(() => fresh.remove())
  }
  try {
    await begin(`${warm.path}/data`)
    const ways = { cold, warm: () => begin(`${warm.path}/data`), node: nodeAlone, build: buildCheck }
    const results = await inRounds(rounds, Object.keys(ways), (name) => ways[name]())
    const ms = (name, key) => number(results.get(name)[key])
    return `## Boot\n\n${table(
      ['', 'until the JSON line, ms', 'until the first answer, ms', 'target'],
      [
        ['cold: a fresh data folder (initdb, migrations)', ms('cold', 'line'), ms('cold', 'first'), '< 3,000'],
        ['warm: the same folder again', ms('warm', 'line'), ms('warm', 'first'), '< 1,000'],
        ['of these: looking for a stale build (in a checkout only)', ms('build', 'line'), '–', ''],
        ['for comparison: `node -e 0`', ms('node', 'line'), '–', ''],
      ],
    )}`
  } finally {
    await warm.remove()
  }
}

const weigh = ({ pid }) => ({ server: rssOf(pid), postgres: pssOf(postgresOf(pid)) })

/** A program that has done nothing but load what every such server loads. */
const bareNode = async () => {
  const child = spawn(process.execPath, ['-e', "require('node:http'); setInterval(() => {}, 1000)"], {
    stdio: 'ignore',
  })
  await later(500)
  const rss = rssOf(child.pid)
  child.kill('SIGKILL')
  return rss
}

const BESIDES = 2

/** Lists and inserts from 16 connections for a while. */
const exercise = async (product, settings) => {
  const load = await startChild('load/http.js')
  const size = await prepareRest(product, settings.quick)
  for (const shape of ['list', 'insert']) {
    const requests = questions(size).map((each) => apiRequest(product, shape, each))
    const seconds = settings.quick ? settings.seconds : 10
    await load.call('run', { url: product.report.url, requests, connections: 16, seconds, warmSeconds: 0 })
  }
  await load.stop()
}

/** Kilobytes of the server per open socket. The first sockets also grow what is shared, so the later ones are weighed. */
const perSocket = async ({ pid, url, how, amount }) => {
  const first = await startChild('load/fan-out.js')
  const second = await startChild('load/fan-out.js')
  const rest = { speakers: 0, sender: {} }
  try {
    await first.call('connect', { url, amount, listener: how, ...rest })
    await later(2000)
    const before = rssOf(pid)
    await second.call('connect', { url, amount: BESIDES * amount, listener: how, ...rest })
    await later(2000)
    const after = rssOf(pid)
    return before === null ? null : ((after - before) * 1024) / (BESIDES * amount)
  } finally {
    await Promise.all([first.stop(), second.stop()])
  }
}

const socketWays = (product, bare) => {
  const path = `/realtime/v1/websocket?apikey=${product.report.anonKey}&vsn=1.0.0`
  const join = JSON.stringify({ topic: 'realtime:room', event: 'phx_join', payload: { config: {} }, ref: '1' })
  return {
    'bare `ws`': { pid: bare.pid, url: bare.url, how: { path: '/listen' } },
    'teahouse, connected': { pid: product.pid, url: product.report.url, how: { path } },
    'teahouse, joined to one channel': {
      pid: product.pid,
      url: product.report.url,
      how: { path, join, joined: '"status":"ok"' },
    },
  }
}

/** One weighing. A process that has had sockets before has room for new ones: each is weighed in a fresh one. */
const weighSockets = async (name, amount) => {
  const product = await startProduct()
  const peer = await startChild('peers/sockets.js')
  try {
    const bare = { pid: peer.pid, url: await peer.call('start') }
    return await perSocket({ ...socketWays(product, bare)[name], amount })
  } finally {
    await peer.stop()
    await product.stop()
  }
}

const socketSection = async (settings) => {
  const amount = settings.quick ? 20 : 1000
  const names = ['bare `ws`', 'teahouse, connected', 'teahouse, joined to one channel']
  const rows = []
  for (const name of settings.quick ? names.slice(2) : names) {
    const weights = []
    for (let round = 0; round < settings.rounds; round += 1) weights.push(await weighSockets(name, amount))
    rows.push([name, number(median(weights)), name.startsWith('bare') ? '' : '≤ 10'])
  }
  return `## Memory per idle WebSocket\n\nResident memory that ${(BESIDES * amount).toLocaleString('en-US')} sockets add to a server that has ${amount.toLocaleString('en-US')} already, after two seconds of rest; buffers of the kernel not included.\n\n${table(['', 'KB per socket', 'target'], rows)}`
}

const memorySection = async (settings) => {
  const { product } = await start()
  try {
    const postgres = await postgresVersion(product)
    await later(settings.quick ? 0 : 3000)
    const atRest = weigh(product)
    await exercise(product, settings)
    const busy = weigh(product)
    await later(settings.quick ? 0 : 15_000)
    const after = weigh(product)
    const row = (name, { server, postgres: database }) => [name, number(server), number(database)]
    const section = `## Memory\n\n${table(
      ['', 'server RSS, MB', 'PostgreSQL PSS, MB'],
      [
        row('at rest after the start (target: server < 120)', atRest),
        row('right after lists and inserts at 16 connections', busy),
        row('15 s later', after),
        ['for comparison: an idle `node` with `node:http`', number(await bareNode()), '–'],
      ],
    )}\n\nPSS splits each shared page among its users: the sum over all PostgreSQL processes counts it once.`
    return { postgres, section }
  } finally {
    await product.stop()
  }
}

export const run = async (settings) => {
  const boot = await bootSection(settings)
  const { postgres, section } = await memorySection(settings)
  return { postgres, body: [boot, section, await socketSection(settings)] }
}
