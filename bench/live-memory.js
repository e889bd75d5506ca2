/** What a socket costs while it says nothing: connected, joined, subscribed under a policy. */
import { startChild } from './lib/child.js'
import { number, table } from './lib/page.js'
import { rssOf } from './lib/processes.js'
import { startProduct, tokenOf } from './lib/product.js'
import { median } from './lib/stats.js'
import { prepareMessages } from './live-schema.js'

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const PER_PROCESS = 5000

const changes = (name) => [{ event: '*', schema: 'public', table: name }]
const joinOf = (topic, config, token) =>
  JSON.stringify({ topic, event: 'phx_join', payload: { config, ...(token && { access_token: token }) }, ref: '1' })

/** What each kind of socket joins; null: nothing. */
const KINDS = {
  'bare `ws`': null,
  connected: null,
  'joined to one channel (broadcast and presence)': () => joinOf('realtime:room', {}),
  'subscribed under an owner policy': (product, user) =>
    joinOf(`realtime:u-${user}`, { postgres_changes: changes('live_owned') }, tokenOf(product, user)),
  'subscribed under a membership policy': (product, user) =>
    joinOf(`realtime:u-${user}`, { postgres_changes: changes('live_said') }, tokenOf(product, user)),
}

/** Opens sockets number `from` to `to` in load processes of their own; answers what ends them. */
const openSockets = async ({ url, path, joinFor, from, to }) => {
  const loads = []
  for (let start = from; start < to; start += PER_PROCESS) {
    const load = await startChild('load/subscribers.js')
    loads.push(load)
    const amount = Math.min(PER_PROCESS, to - start)
    await load.call('connect', { url, path, amount })
    if (joinFor !== null)
      await load.call('join', { joins: Array.from({ length: amount }, (_, index) => joinFor(start + index)) })
  }
  return () => Promise.all(loads.map((load) => load.stop()))
}

/** Kilobytes of resident memory per socket. The first sockets also grow what is shared, so the later ones are weighed, in a fresh process. */
const weigh = async (name, settings) => {
  const [first, all] = settings.quick ? [10, 30] : [1000, 11_000]
  const bare = name.startsWith('bare')
  const product = bare ? null : await startProduct()
  const peer = bare ? await startChild('peers/sockets.js') : null
  const ends = []
  try {
    if (product !== null) await prepareMessages(product)
    const url = product?.report.url ?? (await peer.call('start'))
    const path = bare ? '/listen' : `/realtime/v1/websocket?apikey=${product.report.anonKey}&vsn=1.0.0`
    const kind = KINDS[name]
    const joinFor = kind === null ? null : (user) => kind(product, user)
    const { pid } = product ?? peer
    const settle = () => later(settings.quick ? 200 : 5000)
    ends.push(await openSockets({ url, path, joinFor, from: 0, to: first }))
    await settle()
    const before = rssOf(pid)
    ends.push(await openSockets({ url, path, joinFor, from: first, to: all }))
    await settle()
    const after = rssOf(pid)
    return before === null ? null : ((after - before) * 1024) / (all - first)
  } finally {
    for (const end of ends) await end()
    await peer?.stop()
    await product?.stop()
  }
}

export const memorySection = async (settings) => {
  const rows = []
  for (const name of Object.keys(KINDS)) {
    const weights = []
    for (let round = 0; round < Math.min(settings.rounds, 2); round += 1) weights.push(await weigh(name, settings))
    rows.push([name, number(median(weights)), name === 'connected' ? '≤ 10' : ''])
  }
  const amount = settings.quick ? 20 : 10_000
  return `## Memory per idle WebSocket\n\nResident memory that ${amount.toLocaleString('en-US')} sockets add to a server that has some already, after some seconds of rest; buffers of the kernel not included. A subscription’s user is known to nobody else, so nothing of their token, claims or memberships is shared.\n\n${table(['', 'KB per socket', 'target'], rows)}`
}
