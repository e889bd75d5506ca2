/** Files: uploads, downloads, resumable uploads and thumbnails beside bare node streams over HTTP, and beside the disk alone. */
import { number, percent, table } from './lib/page.js'
import { postgresVersion } from './lib/product.js'
import { inRounds } from './lib/stats.js'
import { MB, measure, openBench } from './storage-measure.js'
import { thumbnailSection } from './storage-thumbnail.js'

export const title = 'Storage: uploads and downloads'

const KB = 1024

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

const HASHED = 'node streams with MD5'

/** The variants of a direction; resumable uploads where a client would choose them. */
const variantsOf = (direction, { size }) =>
  direction === 'download'
    ? ['teahouse', 'signed URL', 'node streams', 'disk alone']
    : ['teahouse', ...(size >= 8 * MB ? ['resumable'] : []), 'node streams', HASHED, 'disk alone']

/** What a variant is fairly compared with: an upload is answered with its MD5. */
const peerOf = (direction) => (direction === 'download' ? 'node streams' : HASHED)

const headOf = (direction) => [
  '',
  'files/s',
  'MB/s',
  'p50 ms',
  'p99 ms',
  'of node streams',
  ...(direction === 'download' ? [] : ['of the same with MD5']),
  'of the disk',
  'its processor time, ms a file',
  'generator, of a core',
  'memory, MB',
]

const sectionOf = async (bench, direction, each) => {
  const variants = variantsOf(direction, each)
  const results = await inRounds(bench.settings.rounds, variants, (variant) => measure(bench, direction, each, variant))
  const rate = (name) => results.get(name).rate
  const rows = variants.map((name) => {
    const { p50, p99, own, cpu, before, peak } = results.get(name)
    const bases = ['node streams', ...(direction === 'download' ? [] : [HASHED]), 'disk alone']
    const ratios = bases.map((base) => percent(rate(name), rate(base)))
    const memory = before === null ? '–' : `${number(before)} → ${number(peak)}`
    const speed = [number(rate(name)), number((rate(name) * each.size) / MB), number(p50), number(p99)]
    return [name, ...speed, ...ratios, number(cpu), percent(own, 1), memory]
  })
  const heading = `### ${direction} of ${each.name}, ${each.inFlight} in flight`
  return { direction, each, results, section: `${heading}\n\n${table(headOf(direction), rows)}` }
}

/** How much larger the server may become while a file of 100 MB passes: pieces in flight and what the collector has not taken yet. */
const GROWTH_MB = 32

const verdict = (met) => (met ? 'met' : 'missed')

const targetsOf = ({ direction, each, results }) => {
  const { rate, cpu, before, peak } = results.get('teahouse')
  const what = `${direction} of ${each.name}`
  const ratio = (base) => rate / results.get(base).rate
  const row = (base, target, label) => [
    `${what}, of ${label}`,
    target === null ? '–' : `≥ ${target} %`,
    percent(ratio(base), 1),
    target === null ? '' : verdict(ratio(base) >= target / 100),
  ]
  const peer = peerOf(direction)
  return [
    row('node streams', 80, 'bare node streams'),
    ...(peer === 'node streams' ? [] : [row(peer, 80, 'bare node streams that take the MD5')]),
    [`${what}, processor time beside ${peer}`, '–', `${number(cpu)} of ${number(results.get(peer).cpu)} ms`, ''],
    [
      `memory of the server during it`,
      `flat: + ${GROWTH_MB} MB at most`,
      before === null ? '–' : `+ ${number(peak - before)} MB`,
      before === null ? '' : verdict(peak - before <= GROWTH_MB),
    ],
  ]
}

const targets = (all) => {
  const rows = all.filter(({ each }) => each.size >= 8 * MB).flatMap(targetsOf)
  return `## Targets\n\n${table(['', 'target', 'measured', ''], rows)}`
}

const EXPLANATION = `- **teahouse**: the Storage API with a user’s token: policy on \`storage.objects\`, MD5 of the content, a row in the database, a file that is synced, renamed and whose folder is synced.
- **resumable**: the same by tus, 6 MB at once, as Supabase’s guide has it: every piece is synced, and once all are there the file is made of them.
- **signed URL**: the same file by a signed URL, without key or token.
- **node streams**: a bare \`node:http\` route that pipes the body to a file with the same syncs, or a file to the answer. No hash, no database.
- **node streams with MD5**: the same, with the MD5 of the bytes on their way: every Storage API answers an upload with one.
- **disk alone**: the same writes and reads in the process that measures, without HTTP.

Processor time is that of the serving process, user and kernel, per file; PostgreSQL is not in it. Of all figures it is the one that other programs on
the machine disturb least. Files that are read were written just before, so reads come from memory (the page cache), for every variant alike.`

export const run = async (settings) => {
  const bench = await openBench(settings)
  try {
    const postgres = await postgresVersion(bench.product)
    const all = []
    for (const each of settings.quick ? quickCases : CASES)
      for (const direction of ['upload', 'download']) all.push(await sectionOf(bench, direction, each))
    const sections = all.map(({ section }) => section)
    sections.push(await thumbnailSection(bench))
    return { postgres, body: [targets(all), `## Figures\n\n${EXPLANATION}`, ...sections] }
  } finally {
    await bench.stop()
  }
}
