/** One measurement of the storage bench: who serves, what is asked of it, and what it cost. Pages are in `storage.js`. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { startChild } from './lib/child.js'
import { cpuSecondsOf, rssOf, watchRss } from './lib/processes.js'
import { sql, startProduct, temporaryFolder, tokenOf } from './lib/product.js'

export const MB = 1024 * 1024

/** Larger than the usual limit of one file. */
const CONFIG = '[storage]\nfile_size_limit = "200MiB"\n'

const BUCKET = `
insert into storage.buckets (id, name, public) values ('bench', 'bench', false);
create policy bench on storage.objects to authenticated using (bucket_id = 'bench') with check (bucket_id = 'bench');`

/** Starts everything. `stop` ends it. */
export const openBench = async (settings) => {
  const product = await startProduct({ config: CONFIG })
  await sql(product, BUCKET)
  const folder = await temporaryFolder()
  const [load, peer] = await Promise.all(['load/files.js', 'peers/files.js'].map(startChild))
  const peerUrl = await peer.call('start', { folder: join(folder.path, 'served') })
  const stop = async () => {
    await Promise.all([load.stop(), peer.stop()])
    await product.stop()
    await folder.remove()
  }
  return { product, folder, load, peer, peerUrl, settings, stop }
}

export const headersOf = (product) => ({
  apikey: product.report.anonKey,
  authorization: `Bearer ${tokenOf(product, 1)}`,
  'content-type': 'application/octet-stream',
})

/** Who serves a variant, and how it is asked. `pid` is null where the load generator does the work itself. */
const serverOf = ({ product, peer, peerUrl, folder }, variant) => {
  const { url } = product.report
  const ours = { pid: product.pid, prefix: 'teahouse' }
  const theirs = { pid: peer.pid, prefix: 'node streams' }
  switch (variant) {
    case 'teahouse':
      return { ...ours, job: { url: `${url}/storage/v1/object/bench`, headers: headersOf(product) } }
    case 'resumable':
      return { ...ours, job: { url: `${url}/storage/v1/upload/resumable`, headers: headersOf(product) } }
    case 'signed URL':
      return { ...ours, job: { url: `${url}/storage/v1/object/sign/bench`, headers: {} } }
    case 'node streams':
      return { ...theirs, job: { url: peerUrl, headers: {} } }
    case 'node streams with MD5':
      return { ...theirs, job: { url: peerUrl, headers: { 'x-hash': 'md5' } } }
    default:
      return { pid: null, prefix: 'disk alone', job: { folder: join(folder.path, 'alone') } }
  }
}

const workOf = (direction, variant) => {
  if (variant === 'disk alone') return direction === 'upload' ? 'toDisk' : 'fromDisk'
  return variant === 'resumable' ? 'resumable' : direction
}

let runs = 0

/** Rate, latencies, processor time of the serving process per file, and its memory before and at its peak. */
export const measure = async (bench, direction, each, variant) => {
  const { load, settings, product } = bench
  runs += 1
  const prefix = `run-${runs}`
  const server = serverOf(bench, variant)
  const job = { ...server.job, size: each.size }
  if (direction === 'download') {
    const target = variant === 'signed URL' ? { ...serverOf(bench, 'teahouse').job, size: each.size } : job
    await load.call('once', { ...target, work: variant === 'disk alone' ? 'toDisk' : 'upload', name: `${prefix}.bin` })
    if (variant === 'signed URL') job.query = { [`${prefix}.bin`]: await sign(product, `${prefix}.bin`) }
  }
  const counted = { ...job, work: workOf(direction, variant), prefix, inFlight: each.inFlight }
  const result = await watched(bench, server.pid, { ...counted, least: settings.quick ? 1 : 3 })
  await clean(bench, server.prefix, prefix)
  return result
}

/** Repeats a work, and looks at the process that serves it meanwhile. */
export const watched = async ({ load, settings }, pid, options) => {
  const spent = pid === null ? null : cpuSecondsOf([pid])
  const before = pid === null ? null : rssOf(pid)
  const peakOf = pid === null ? () => null : watchRss(pid)
  const result = await load.call('repeat', { seconds: settings.seconds, ...options })
  const peak = peakOf()
  const after = pid === null ? null : cpuSecondsOf([pid])
  const cpu = spent === null || after === null ? null : ((after - spent) * 1000) / result.count
  return { ...result, cpu, before, peak }
}

/** Removes what a round left, so that the disk does not fill; not measured. */
const clean = async (bench, kind, prefix) => {
  const { product, folder } = bench
  if (kind !== 'teahouse') {
    await rm(join(folder.path, kind === 'disk alone' ? 'alone' : 'served'), { recursive: true, force: true })
    if (kind === 'node streams') await bench.peer.call('ensure', { folder: join(folder.path, 'served') })
    return
  }
  for (;;) {
    const { url, init } = listRequest(product, prefix)
    const names = (await (await fetch(url, init)).json()).map(({ name }) => name)
    if (names.length === 0) return
    const body = JSON.stringify({ prefixes: names })
    const answer = await fetch(`${product.report.url}/storage/v1/object/bench`, { ...init, method: 'DELETE', body })
    if (!answer.ok) throw new Error(`the files of a round were not removed: ${answer.status}`)
    await answer.arrayBuffer()
  }
}

const listRequest = (product, prefix) => ({
  url: `${product.report.url}/storage/v1/object/list/bench`,
  init: {
    method: 'POST',
    headers: { ...headersOf(product), 'content-type': 'application/json' },
    body: JSON.stringify({ prefix: '', search: prefix, limit: 500 }),
  },
})

/** The query of a signed URL. */
const sign = async (product, name) => {
  const answer = await fetch(`${product.report.url}/storage/v1/object/sign/bench/${name}`, {
    method: 'POST',
    headers: { ...headersOf(product), 'content-type': 'application/json' },
    body: JSON.stringify({ expiresIn: 3600 }),
  })
  const { signedURL } = await answer.json()
  return signedURL.slice(signedURL.indexOf('?'))
}
