/** Many sockets in one room and a few that speak: counts what arrives, and times it at some of the listeners. */
import { serve } from '../lib/child.js'
import { latencies } from '../lib/stats.js'
import { clientFrame, RawSocket } from './raw-socket.js'

/** Every so many listeners, one reads the time of each message; the others count. */
const SAMPLED = 40
const MARK = 'sent='
const DIGITS = 17

let listeners = []
let senders = []
let received = 0
let times = []
let onProgress = () => {}

const nowUs = () => Math.round((performance.timeOrigin + performance.now()) * 1000)
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

const withMark = (message) => message.replace('@', `${MARK}${String(nowUs()).padStart(DIGITS, '0')}`)

const count = () => {
  received += 1
  onProgress()
}

const read = (buffer, start, end) => {
  const at = buffer.indexOf(MARK, start, 'latin1')
  if (at < 0 || at >= end) return
  times.push((nowUs() - Number(buffer.latin1Slice(at + MARK.length, at + MARK.length + DIGITS))) / 1000)
  count()
}

/** Opens a socket; with a join, it waits until the server said `ok` to it. */
const open = async (url, { path, join, joined }) => {
  const socket = new RawSocket(url, path)
  await socket.ready
  if (join === undefined) return socket
  const answered = new Promise((resolve) => {
    socket.onFrame = (buffer, start, end) => {
      if (buffer.latin1Slice(start, end).includes(joined)) resolve()
    }
  })
  socket.send(clientFrame(join))
  await answered
  socket.onFrame = () => {}
  return socket
}

const openMany = async (amount, url, how) => {
  const all = []
  while (all.length < amount) {
    const step = Math.min(50, amount - all.length)
    all.push(...(await Promise.all(Array.from({ length: step }, () => open(url, how)))))
  }
  return all
}

const reset = () => {
  received = 0
  times = []
}

const watched = async (work) => {
  reset()
  const own = process.cpuUsage()
  const from = performance.now()
  const sent = await work()
  const elapsed = (performance.now() - from) / 1000
  const { user, system } = process.cpuUsage(own)
  const lost = listeners.filter(({ closed }) => closed).length
  if (lost > 0) throw new Error(`${lost} listeners were cut off`)
  return {
    share: received / (sent * listeners.length),
    delivered: received / elapsed,
    sent: sent / elapsed,
    ...latencies(times),
    own: (user + system) / 1e6 / elapsed,
  }
}

const POLL_MS = 10
/** What is not there by then will not come, or comes from a backlog that tells nothing more than that there is one. */
const MOST_WAIT_MS = 1000

/** Until everything arrived, for a while. */
const arrived = async (expected) => {
  for (let waited = 0; received < expected && waited < MOST_WAIT_MS; waited += POLL_MS) await later(POLL_MS)
}

serve({
  async connect({ url, amount, listener, sender, speakers }) {
    listeners = await openMany(amount, url, listener)
    listeners.forEach((socket, index) => {
      socket.onFrame = index % SAMPLED === 0 ? read : count
    })
    senders = await openMany(speakers, url, sender)
  },

  async disconnect() {
    for (const socket of [...listeners, ...senders]) socket.close()
    listeners = []
    senders = []
  },

  /** One message at a time: the next when everybody has the last. */
  async closedLoop({ message, seconds }) {
    return watched(async () => {
      const until = performance.now() + seconds * 1000
      let sent = 0
      while (performance.now() < until) {
        sent += 1
        const all = sent * listeners.length
        await new Promise((resolve) => {
          onProgress = () => received >= all && resolve()
          senders[0].send(clientFrame(withMark(message)))
        })
      }
      onProgress = () => {}
      return sent
    })
  },

  /** A fixed rate, whatever comes back; then waits for the rest. */
  async openLoop({ message, rate, seconds }) {
    return watched(async () => {
      const from = performance.now()
      let sent = 0
      for (;;) {
        const due = Math.min(Math.floor(((performance.now() - from) / 1000) * rate), Math.round(rate * seconds))
        for (; sent < due; sent += 1) senders[sent % senders.length].send(clientFrame(withMark(message)))
        if (sent >= Math.round(rate * seconds)) break
        await later(1)
      }
      await arrived(sent * listeners.length)
      return sent
    })
  },

  /** Counts whatever arrives for a while. */
  async listen({ seconds }) {
    for (const socket of listeners) socket.onFrame = count
    return watched(async () => {
      await later(seconds * 1000)
      return 0
    })
  },

  idle: () => ({ open: listeners.filter(({ closed }) => !closed).length }),
})
