/** Inserts over HTTP at a fixed rate, and the sockets at which their events arrive: one clock for both. */
import { Agent, request } from 'node:http'
import WebSocket from 'ws'
import { serve } from '../lib/child.js'
import { latencies } from '../lib/stats.js'

const MARK = 'sent='
const DIGITS = 17
const JOINED = 'Subscribed to PostgreSQL'

let sockets = []
let times = []
let received = 0
let lastAt = 0

const clock = () => performance.timeOrigin + performance.now()
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

const hear = (data) => {
  const at = data.indexOf(MARK)
  received += 1
  lastAt = clock()
  if (at >= 0) times.push(lastAt - Number(data.latin1Slice(at + MARK.length, at + MARK.length + DIGITS)) / 1000)
}

/** Opens one subscriber. Those that join are ready when the server says that it follows the table. */
const subscribe = async ({ url, join }) => {
  const socket = new WebSocket(url, { perMessageDeflate: false })
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  if (join !== undefined) {
    const ready = new Promise((resolve) => {
      socket.on('message', (data) => data.includes(JOINED) && resolve())
    })
    socket.send(join)
    await ready
    socket.removeAllListeners('message')
  }
  // Events only: replies and presence are no deliveries.
  socket.on('message', (data) => (data.includes('INSERT') || data.includes(MARK)) && hear(data))
  sockets.push(socket)
}

const agent = new Agent({ keepAlive: true })

const insert = ({ url, headers, body }) =>
  new Promise((resolve, reject) => {
    const text = body.replace('@', `${MARK}${String(Math.round(clock() * 1000)).padStart(DIGITS, '0')}`)
    const sending = request(url, { agent, method: 'POST', headers: { ...headers, 'content-length': text.length } })
    sending.on('response', (response) => {
      response.resume()
      response.on('end', () => (response.statusCode < 300 ? resolve() : reject(new Error(`${response.statusCode}`))))
    })
    sending.on('error', reject)
    sending.end(text)
  })

/** Until `expected` events were counted, or none came for a second. */
const arrived = async (expected) => {
  let before = -1
  while (received < expected && received !== before) {
    before = received
    for (let step = 0; step < 10 && received < expected; step += 1) await later(100)
  }
}

serve({
  async subscribe({ subscribers }) {
    for (const each of subscribers) await subscribe(each)
  },

  async unsubscribe() {
    for (const socket of sockets) socket.terminate()
    sockets = []
  },

  reset: () => {
    times = []
    received = 0
    lastAt = 0
  },

  /** Inserts `rate` times a second; answers how late their events were, the insert included. */
  async atRate({ target, rate, seconds, warmSeconds }) {
    const own = process.cpuUsage()
    const begun = performance.now()
    const total = Math.round(rate * (seconds + warmSeconds))
    const warm = Math.round(rate * warmSeconds)
    const answers = []
    for (let sent = 0; sent < total; ) {
      const due = Math.min(total, Math.floor(((performance.now() - begun) / 1000) * rate))
      for (; sent < due; sent += 1) {
        if (sent === warm) times = []
        answers.push(insert(target))
      }
      await later(1)
    }
    await Promise.all(answers)
    await arrived(total * sockets.length)
    const { user, system } = process.cpuUsage(own)
    const elapsed = (performance.now() - begun) / 1000
    return { ...latencies(times), missing: total * sockets.length - received, own: (user + system) / 1e6 / elapsed }
  },

  /** Waits for events that another process causes; answers when the last one came. */
  async drained({ expected }) {
    await arrived(expected * sockets.length)
    return { received, lastAt, closed: sockets.filter(({ readyState }) => readyState !== WebSocket.OPEN).length }
  },
})
