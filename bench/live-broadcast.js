/** Broadcast: one message to a thousand sockets, beside bare `ws`. */
import { number, percent, table, times } from './lib/page.js'
import { inRounds } from './lib/stats.js'

const PAYLOAD = 'x'.repeat(130)

/** A peer that somebody else started: it gives every `say` to everybody who is connected. */
const SOCKET_IO = 'socket.io'

/** How each variant is joined and spoken to. */
const waysOf = (product, url, socketio) => {
  const topic = 'realtime:crowd'
  const join = JSON.stringify({ topic, event: 'phx_join', payload: { config: {} }, ref: '1' })
  const path = `/realtime/v1/websocket?apikey=${product.report.anonKey}&vsn=1.0.0`
  const member = { path, join, joined: '"status":"ok"' }
  const inner = { type: 'broadcast', event: 'say', payload: { text: PAYLOAD, at: '@' } }
  const own = JSON.stringify({ topic, event: 'broadcast', payload: inner, ref: null })
  // What listeners of the product receive, so that both carry the same bytes.
  const bare = JSON.stringify({ topic, event: 'broadcast', payload: inner, ref: null })
  const bareWay = (path) => ({ url, listener: { path: '/listen' }, sender: { path }, message: bare })
  return {
    teahouse: { url: product.report.url, listener: member, sender: member, message: own },
    'ws, one frame': bareWay('/frame'),
    'ws, send each': bareWay('/send'),
    ...(socketio && { [SOCKET_IO]: socketIoWay(socketio, inner) }),
  }
}

/** Engine.IO 4 over WebSocket: `40` joins the namespace, `42[…]` is an event. */
const socketIoWay = (url, inner) => {
  const member = { path: '/socket.io/?EIO=4&transport=websocket', join: '40', joined: '40' }
  return { url, listener: member, sender: member, message: `42${JSON.stringify(['say', inner])}` }
}

/** At most this many messages a second from one socket: more is refused by the product's limits. */
const PER_SPEAKER = 500

const measureWith =
  ({ generator, ways, amount, settings, rate }) =>
  async (name) => {
    const { message, ...how } = ways[name]
    const speakers = Math.max(1, Math.ceil((rate ?? 0) / PER_SPEAKER))
    await generator.call('connect', { ...how, amount, speakers })
    const { seconds } = settings
    const result =
      rate === undefined
        ? await generator.call('closedLoop', { message, seconds })
        : await generator.call('openLoop', { message, rate, seconds })
    await generator.call('disconnect')
    return result
  }

const HEAD = [
  '',
  'messages/s',
  'deliveries/s',
  'arrived within a second',
  'of one frame',
  'of send each',
  'p50 ms',
  'p99 ms',
  'generator, of a core',
]

const sectionOf = (heading, results) => {
  const variants = [...results.keys()]
  const rate = (name) => results.get(name).delivered
  const rows = variants.map((name) => {
    const { sent, share, delivered, p50, p99, own } = results.get(name)
    const ratios = [
      percent(share, 1),
      percent(rate(name), rate('ws, one frame')),
      times(rate(name), rate('ws, send each')),
    ]
    return [name, number(sent), number(delivered), ...ratios, number(p50), number(p99), percent(own, 1)]
  })
  return `### ${heading}\n\n${table(HEAD, rows)}`
}

/** What the receiving side can take: many frames in each write, so that the sender is not what limits. */
const capacity = async ({ generator, peer, url, amount, settings }) => {
  const listener = { path: '/listen' }
  await generator.call('connect', { url, amount, listener, sender: listener, speakers: 0 })
  const { seconds } = settings
  const [result] = await Promise.all([
    generator.call('listen', { seconds }),
    peer.call('blast', { seconds, payload: PAYLOAD }),
  ])
  await generator.call('disconnect')
  return `The load generator (raw sockets, frames counted in place, every 40th socket reads times) took ${number(result.delivered)} frames/s when bare \`ws\` wrote 64 frames at a time, using ${percent(result.own, 1)} of a core. One frame per write is another matter: then each costs both sides a system call, and the generator’s share of a core in the tables says how near it is to its own limit.`
}

export const broadcastSections = async ({ product, settings, child }) => {
  const generator = await child('load/fan-out.js')
  const peer = await child('peers/sockets.js')
  const url = await peer.call('start')
  const amount = settings.quick ? 50 : 1000
  const bench = { generator, peer, url, amount, settings, ways: waysOf(product, url, settings.given.socketio) }
  const variants = Object.keys(bench.ways)
  const sections = [
    `## Broadcast to ${amount.toLocaleString('en-US')} sockets\n\nOne topic, messages of about 250 bytes, vsn 1.0.0. **ws, one frame**: bare \`ws\`, the frame encoded once and written to each socket; **ws, send each**: as its documentation shows it. A socket.io server takes part when its address is given (\`--socketio URL\`); it must give every event \`say\` to all who are connected.`,
    sectionOf(
      'One message at a time: the next when everybody has the last',
      await inRounds(settings.rounds, variants, measureWith(bench)),
    ),
  ]
  for (const rate of settings.quick ? [20] : [50, 500, 2000]) {
    const results = await inRounds(settings.rounds, variants, measureWith({ ...bench, rate }))
    const heading = `${rate.toLocaleString('en-US')} messages a second = ${number(rate * amount)} deliveries/s offered`
    sections.push(sectionOf(heading, results))
  }
  sections.push(await capacity(bench))
  return sections
}
