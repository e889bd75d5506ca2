/** Holds some thousands of sockets that joined something, and times the events that arrive at them. */
import { serve } from '../lib/child.js'
import { clientFrame, RawSocket } from './raw-socket.js'

const MARK = 'sent='
const DIGITS = 17
const IN_FLIGHT = 64
const ANSWER = '"status":"ok"'
const REFUSAL = '"status":"error"'
const SUBSCRIBED = 'Subscribed to PostgreSQL'

let sockets = []
let times = []

/** Microseconds on a clock that all processes of the machine share. */
const nowUs = () => Number(process.hrtime.bigint() / 1000n)

const hear = (buffer, start, end) => {
  const at = buffer.indexOf(MARK, start, 'latin1')
  if (at < 0 || at >= end) return
  times.push((nowUs() - Number(buffer.latin1Slice(at + MARK.length, at + MARK.length + DIGITS))) / 1000)
}

/** Runs `work` for every item, so many at a time. */
const inParallel = async (items, work) => {
  let next = 0
  const lane = async () => {
    while (next < items.length) {
      const index = next
      next += 1
      await work(items[index], index)
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane))
}

/** Until the join is answered and, where changes were asked for, until they flow. */
const join = (socket, text) =>
  new Promise((resolve, reject) => {
    let answered = false
    let flowing = !text.includes('postgres_changes":[{')
    socket.onFrame = (buffer, start, end) => {
      const frame = buffer.latin1Slice(start, end)
      if (frame.includes(REFUSAL)) reject(new Error(frame.slice(0, 300)))
      answered ||= frame.includes(ANSWER)
      flowing ||= frame.includes(SUBSCRIBED)
      if (answered && flowing) resolve()
    }
    socket.send(clientFrame(text))
  })

serve({
  async connect({ url, path, amount }) {
    const opened = new Array(amount)
    await inParallel(opened, async (_none, index) => {
      opened[index] = new RawSocket(url, path)
      await opened[index].ready
    })
    sockets = opened
  },

  async join({ joins }) {
    const own = process.cpuUsage()
    const from = performance.now()
    await inParallel(joins, (text, index) => join(sockets[index], text))
    for (const socket of sockets) socket.onFrame = hear
    const { user, system } = process.cpuUsage(own)
    return { own: (user + system) / 1000 / (performance.now() - from) }
  },

  reset: () => {
    times = []
  },

  count: () => times.length,

  heard: () => {
    const lost = sockets.filter(({ closed }) => closed).length
    if (lost > 0) throw new Error(`${lost} sockets were cut off`)
    return { times: Float64Array.from(times) }
  },

  async close() {
    for (const socket of sockets) socket.close()
    sockets = []
  },
})
