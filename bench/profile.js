/** Where a request's microseconds go: a CPU profile of the server while it answers lists. */
import { readdir, readFile } from 'node:fs/promises'
import { startChild } from './lib/child.js'
import { number, percent, table } from './lib/page.js'
import { startProduct, temporaryFolder } from './lib/product.js'
import { prepareRest } from './rest-schema.js'

/** Nearer than the default of 1000: requests are shorter than that. */
const INTERVAL_US = 200
const CONNECTIONS = 16

/** Which part of the program a function belongs to. */
const partOf = ({ url, functionName }) => {
  if (functionName.startsWith('(')) return functionName === '(program)' ? 'native code and system calls' : functionName
  const ours = /packages\/server\/dist\/(.+?)\.js$/.exec(url)?.[1]
  if (ours !== undefined) return `teahouse ${ours.split('/').slice(0, 3).join('/')}`
  const dependency = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1]
  if (dependency !== undefined) return dependency
  const internal = /^node:(?:internal\/)?([^/]+(?:\/[^/]+)?)/.exec(url)?.[1]
  return internal === undefined ? 'native code and system calls' : `node ${internal}`
}

const add = (map, key, value) => map.set(key, (map.get(key) ?? 0) + value)

/** Microseconds by part and by function, without idle time. */
const summarize = ({ nodes, samples, timeDeltas }) => {
  const byId = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const parts = new Map()
  const functions = new Map()
  samples.forEach((id, index) => {
    const frame = byId.get(id)
    if (frame === undefined || frame.functionName === '(idle)') return
    const part = partOf(frame)
    add(parts, part, timeDeltas[index])
    add(functions, `${frame.functionName || '(anonymous)'} — ${part}`, timeDeltas[index])
  })
  return { parts, functions }
}

/** The samples of the measured window. Both clocks are the machine's monotonic one. */
const during = ({ nodes, samples, timeDeltas, startTime }, { from, to }) => {
  let at = startTime
  const keep = timeDeltas.map((delta) => {
    at += delta
    return at >= from && at < to
  })
  return {
    nodes,
    samples: samples.filter((_, index) => keep[index]),
    timeDeltas: timeDeltas.filter((_, index) => keep[index]),
  }
}

const topRows = (map, requests, count) => {
  const total = [...map.values()].reduce((sum, each) => sum + each, 0)
  return [...map]
    .sort(([, left], [, right]) => right - left)
    .slice(0, count)
    .map(([name, us]) => [name, number(us / requests), percent(us, total)])
}

/** Runs the load on a server that is being profiled; answers the profile and what it covers. */
const record = async (settings, folder, requestsFor) => {
  const nodeArgs = ['--cpu-prof', `--cpu-prof-dir=${folder}`, `--cpu-prof-interval=${INTERVAL_US}`]
  const product = await startProduct({ nodeArgs })
  const load = await startChild('load/http.js')
  try {
    const requests = requestsFor(product, await prepareRest(product, settings.quick))
    const timing = settings.quick ? settings : { seconds: 5, warmSeconds: 2 }
    const options = { url: product.report.url, requests, connections: CONNECTIONS, groups: [[product.pid]] }
    return await load.call('run', { ...options, seconds: timing.seconds, warmSeconds: timing.warmSeconds })
  } finally {
    await load.stop()
    // The profile is written when the process ends.
    await product.stop()
  }
}

/** The chapter of the REST page. `requestsFor` makes the list requests for a started product. */
export const profileSection = async (settings, requestsFor) => {
  const folder = await temporaryFolder()
  try {
    const result = await record(settings, folder.path, requestsFor)
    const [file] = (await readdir(folder.path)).filter((name) => name.endsWith('.cpuprofile'))
    const profile = JSON.parse(await readFile(`${folder.path}/${file}`, 'utf8'))
    const { parts, functions } = summarize(during(profile, result.window))
    const busy = [...parts.values()].reduce((sum, each) => sum + each, 0) / result.count
    return [
      '## Where a request’s microseconds go',
      `List of 20 rows, ${CONNECTIONS} connections, the server sampled every ${INTERVAL_US} µs (which slows it: ${number(result.rate)} requests/s here). The main thread was busy for ${number(busy)} µs per request; self time by part (samples are of the wall clock: on few cores, the write that wakes PostgreSQL looks long because PostgreSQL takes the core):`,
      table(['part', 'µs/request', 'share'], topRows(parts, result.count, 30)),
      'The functions with the most self time:',
      table(['function', 'µs/request', 'share'], topRows(functions, result.count, 25)),
    ].join('\n\n')
  } finally {
    await folder.remove()
  }
}
