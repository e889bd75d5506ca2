/** A window of a run of autocannon, with every latency kept (its own histogram knows whole milliseconds only). */
import { cpuSecondsOf } from '../lib/processes.js'
import { latencies } from '../lib/stats.js'

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Microseconds on the clock that all processes of the machine share. */
const monotonic = () => Number(process.hrtime.bigint()) / 1000

const MOST_PATIENCE_MS = 30_000

/** A window of a run: what was answered in it, and the processor time that the watched processes spent. */
const windowOf = async (instance, { seconds, warmSeconds, groups }) => {
  const times = []
  const failed = []
  let open = false
  instance.on('response', (_client, status, _bytes, time) => {
    if (status < 200 || status > 299) failed.push(status)
    else if (open) times.push(time)
  })
  await later(warmSeconds * 1000)
  const before = groups.map(cpuSecondsOf)
  const own = process.cpuUsage()
  const from = monotonic()
  open = true
  await later(seconds * 1000)
  // A window without a single answer says nothing: then it is as long as the first one takes.
  for (let waited = 0; times.length === 0 && waited < MOST_PATIENCE_MS; waited += 50) await later(50)
  open = false
  const to = monotonic()
  const elapsed = (to - from) / 1e6
  const { user, system } = process.cpuUsage(own)
  const spent = groups.map((pids, index) => {
    const after = cpuSecondsOf(pids)
    return after === null || before[index] === null ? null : ((after - before[index]) * 1e6) / times.length
  })
  return { times, failed, elapsed, window: { from, to }, spent, own: (user + system) / 1e6 / elapsed }
}

/** Measures the window, stops the run, and answers its figures. Throws when requests failed, or nothing was answered. */
export const watch = async (instance, { url, ...timing }) => {
  const { times, failed, elapsed, window, spent, own } = await windowOf(instance, timing)
  const done = new Promise((resolve) => instance.once('done', resolve))
  instance.stop()
  await done
  if (times.length === 0) throw new Error(`${url} answered nothing`)
  if (failed.length > 0) throw new Error(`${failed.length} requests to ${url} failed, with ${[...new Set(failed)]}`)
  return { rate: times.length / elapsed, count: times.length, window, ...latencies(times), spent, own }
}
