/** Thumbnails of a photograph: made, and made before; beside the same library behind a bare route. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { number, percent, table } from './lib/page.js'
import { inRounds } from './lib/stats.js'
import { headersOf, watched } from './storage-measure.js'

const NAME = 'photo.jpg'

/** Twelve megapixels with as much to do for a decoder as a photograph has. */
const photograph = () =>
  sharp({
    create: { width: 4000, height: 3000, channels: 3, noise: { type: 'gaussian', mean: 128, sigma: 20 } },
  })
    .blur(1.5)
    .jpeg({ quality: 85 })
    .toBuffer()

const VARIANTS = ['made', 'made before', 'the same library behind a bare route']

/** The size is new for what is made each time; one is asked for again and again. */
const requestOf = ({ product, peer, peerUrl }, variant) => {
  const ours = `${product.report.url}/storage/v1/render/image/authenticated/bench/${NAME}`
  switch (variant) {
    case 'made':
      return { pid: product.pid, url: `${ours}?width={width}&quality={quality}`, headers: headersOf(product) }
    case 'made before':
      return { pid: product.pid, url: `${ours}?width=360`, headers: headersOf(product) }
    default:
      return { pid: peer.pid, url: `${peerUrl}/thumbnail/${NAME}?width={width}&quality={quality}`, headers: {} }
  }
}

let rounds = 0

export const thumbnailSection = async (bench) => {
  const { product, folder, settings } = bench
  const bytes = await photograph()
  await mkdir(join(folder.path, 'served'), { recursive: true })
  await writeFile(join(folder.path, 'served', NAME), bytes)
  const answer = await fetch(`${product.report.url}/storage/v1/object/bench/${NAME}`, {
    method: 'POST',
    headers: { ...headersOf(product), 'content-type': 'image/jpeg' },
    body: bytes,
  })
  if (!answer.ok) throw new Error(`the photograph was not taken: ${answer.status}`)
  // The library is loaded with the first picture.
  for (const variant of VARIANTS) {
    const { url, headers } = requestOf(bench, variant)
    await bench.load.call('once', { work: 'ask', url, headers, size: 0, offset: 0, name: 'warm-0.bin' })
  }
  const results = await inRounds(settings.rounds, VARIANTS, (variant) => {
    const { pid, url, headers } = requestOf(bench, variant)
    rounds += 1
    // From a place of its own: no picture of an earlier round is asked for again.
    const job = { work: 'ask', url, headers, size: 0, offset: rounds * 500 }
    return watched(bench, pid, { ...job, prefix: 'photo', inFlight: 2, least: 2 })
  })
  const base = results.get('the same library behind a bare route').rate
  const rows = VARIANTS.map((name) => {
    const { rate, p50, p99, cpu } = results.get(name)
    return [name, number(rate), number(p50), number(p99), percent(rate, base), number(cpu)]
  })
  const head = ['', 'pictures/s', 'p50 ms', 'p99 ms', 'of the bare route', 'its processor time, ms a picture']
  const what = `A JPEG of 12 megapixels (${number(bytes.length / 1e6)} MB), JPEG out, 150 to 350 pixels wide and each time another; two in flight.`
  return `### Thumbnails\n\n${what}\n\n${table(head, rows)}`
}
