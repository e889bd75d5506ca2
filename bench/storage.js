/** Files: uploads and downloads beside bare node streams over HTTP, and beside the disk alone. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { startChild } from './lib/child.js'
import { number, percent, table } from './lib/page.js'
import { rssOf, watchRss } from './lib/processes.js'
import { postgresVersion, sql, startProduct, temporaryFolder, tokenOf } from './lib/product.js'
import { inRounds } from './lib/stats.js'

export const title = 'Storage: uploads and downloads'

const KB = 1024
const MB = 1024 * KB

const CASES = [
  { name: '1 KB', size: KB, inFlight: 1 },
  { name: '1 KB', size: KB, inFlight: 16 },
  { name: '1 MB', size: MB, inFlight: 1 },
  { name: '1 MB', size: MB, inFlight: 4 },
  { name: '100 MB', size: 100 * MB, inFlight: 1 },
]

const quickCases = [
  { name: '1 KB', size: KB, inFlight: 4 },
  { name: '1 MB', size: MB, inFlight: 1 },
  { name: '8 MB', size: 8 * MB, inFlight: 1 },
]

/** Larger than the usual limit of one file. */
const CONFIG = '[storage]\nfile_size_limit = "200MiB"\n'

const BUCKET = `
insert into storage.buckets (id, name, public) values ('bench', 'bench', false);
create policy bench on storage.objects to authenticated using (bucket_id = 'bench') with check (bucket_id = 'bench');`

const VARIANTS = ['teahouse', 'node streams', 'disk alone']

const open = async (settings) => {
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

const headersOf = (product) => ({
  apikey: product.report.anonKey,
  authorization: `Bearer ${tokenOf(product, 1)}`,
  'content-type': 'application/octet-stream',
})

const jobOf = ({ product, peerUrl, folder }, variant) => {
  if (variant === 'teahouse')
    return { url: `${product.report.url}/storage/v1/object/bench`, headers: headersOf(product) }
  if (variant === 'signed URL') return { url: `${product.report.url}/storage/v1/object/sign/bench`, headers: {} }
  return variant === 'node streams' ? { url: peerUrl, headers: {} } : { folder: join(folder.path, 'alone') }
}

const WORKS = {
  upload: { http: 'upload', disk: 'toDisk', writes: true },
  download: { http: 'download', disk: 'fromDisk', writes: false },
}

let runs = 0

/** Removes what a round of uploads left, so that the disk does not fill; not measured. */
const clean = async (bench, variant, prefix) => {
  const { product, folder } = bench
  if (variant !== 'teahouse') {
    await rm(join(folder.path, variant === 'disk alone' ? 'alone' : 'served'), { recursive: true, force: true })
    if (variant === 'node streams') await bench.peer.call('ensure', { folder: join(folder.path, 'served') })
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

/** One measurement, with the peak of the server's memory while it ran. */
const measure = async (bench, direction, each, variant) => {
  const { load, settings, product } = bench
  const { http, disk, writes } = WORKS[direction]
  const work = variant === 'disk alone' ? disk : http
  const job = { ...jobOf(bench, variant), size: each.size }
  runs += 1
  const prefix = `run-${runs}`
  if (!writes) {
    const target = variant === 'signed URL' ? { ...jobOf(bench, 'teahouse'), size: each.size } : job
    await load.call('once', { ...target, work: variant === 'disk alone' ? 'toDisk' : 'upload', name: `${prefix}.bin` })
    if (variant === 'signed URL') job.query = { [`${prefix}.bin`]: await sign(product, `${prefix}.bin`) }
  }
  const before = rssOf(product.pid)
  const peakOf = watchRss(product.pid)
  const options = {
    ...job,
    work,
    prefix,
    inFlight: each.inFlight,
    seconds: settings.seconds,
    least: settings.quick ? 1 : 3,
  }
  const result = await load.call('repeat', options)
  const peak = peakOf()
  await clean(bench, variant === 'signed URL' ? 'teahouse' : variant, prefix)
  const memory = variant === 'teahouse' && before !== null ? { before, peak } : { before: null, peak: null }
  return { ...result, ...memory }
}

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

const HEAD = [
  '',
  'files/s',
  'MB/s',
  'p50 ms',
  'p99 ms',
  'of node streams',
  'of the disk',
  'generator, of a core',
  'server RSS, MB',
]

const sectionOf = async (bench, direction, each) => {
  const variants = direction === 'download' ? [...VARIANTS, 'signed URL'] : VARIANTS
  const results = await inRounds(bench.settings.rounds, variants, (variant) => measure(bench, direction, each, variant))
  const rate = (name) => results.get(name).rate
  const rows = variants.map((name) => {
    const { p50, p99, own, before, peak } = results.get(name)
    const ratios = [percent(rate(name), rate('node streams')), percent(rate(name), rate('disk alone'))]
    const memory = before === null ? '–' : `${number(before)} → ${number(peak)}`
    const speed = [number(rate(name)), number((rate(name) * each.size) / MB), number(p50), number(p99)]
    return [name, ...speed, ...ratios, percent(own, 1), memory]
  })
  const ratio = rate('teahouse') / rate('node streams')
  const { before, peak } = results.get('teahouse')
  const heading = `### ${direction} of ${each.name}, ${each.inFlight} in flight`
  return { direction, each, ratio, growth: peak - before, section: `${heading}\n\n${table(HEAD, rows)}` }
}

const targets = (all) => {
  const rows = all
    .filter(({ each }) => each.size >= 8 * MB)
    .flatMap(({ direction, each, ratio, growth }) => [
      [
        `${direction} of ${each.name}, of bare node streams`,
        '≥ 80 %',
        percent(ratio, 1),
        ratio >= 0.8 ? 'met' : 'missed',
      ],
      [`memory of the server during it`, 'flat', `+${number(growth)} MB`, ''],
    ])
  return `## Targets\n\n${table(['', 'target', 'measured', ''], rows)}`
}

const EXPLANATION = `- **teahouse**: the Storage API with a user’s token: policy on \`storage.objects\`, MD5 of the content, a row in the database, a file that is synced, renamed and whose folder is synced.
- **signed URL**: the same file by a signed URL, without key or token.
- **node streams**: a bare \`node:http\` route that pipes the body to a file with the same syncs, or a file to the answer. No hash, no database.
- **disk alone**: the same writes and reads in the process that measures, without HTTP.

Files that are read were written just before, so reads come from memory (the page cache), for every variant alike. Resumable uploads and thumbnails are not measured here.`

export const run = async (settings) => {
  const bench = await open(settings)
  try {
    const postgres = await postgresVersion(bench.product)
    const all = []
    for (const each of settings.quick ? quickCases : CASES)
      for (const direction of Object.keys(WORKS)) all.push(await sectionOf(bench, direction, each))
    const sections = all.map(({ section }) => section)
    return { postgres, body: [targets(all), `## Figures\n\n${EXPLANATION}`, ...sections] }
  } finally {
    await bench.stop()
  }
}
