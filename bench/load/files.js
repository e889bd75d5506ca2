/** Uploads and downloads in both directions over HTTP, and the same bytes to and from the disk without HTTP. */
import { createReadStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { serve } from '../lib/child.js'
import { latencies } from '../lib/stats.js'
import { store } from '../lib/store-file.js'

const agent = new Agent({ keepAlive: true })
/** Larger bodies are sent piece by piece, as from a file. */
const PIECE = Buffer.alloc(64 * 1024, 'teahouse')

const bytes = (size) =>
  size <= PIECE.length
    ? [PIECE.subarray(0, size)]
    : (function* () {
        for (let left = size; left > 0; left -= PIECE.length) yield PIECE.subarray(0, Math.min(left, PIECE.length))
      })()

/** One exchange; answers how many bytes came back, and with what headers. */
const exchange = ({ url, method, headers, size }) =>
  new Promise((resolve, reject) => {
    const length = method === 'GET' ? {} : { 'content-length': size }
    const sending = request(url, { agent, method, headers: { ...headers, ...length } })
    sending.on('error', reject)
    sending.on('response', (response) => {
      let received = 0
      response.on('data', (chunk) => {
        received += chunk.length
      })
      response.on('error', reject)
      response.on('end', () => {
        if (response.statusCode > 299) reject(new Error(`${method} was answered ${response.statusCode}`))
        else resolve({ received, headers: response.headers })
      })
    })
    if (method === 'GET') sending.end()
    else pipeline(Readable.from(bytes(size)), sending).catch(reject)
  })

const upload = async (job, name) => {
  await exchange({ ...job, url: `${job.url}/${name}`, method: 'POST' })
}

const download = async (job, name) => {
  const { received } = await exchange({ ...job, url: `${job.url}/${name}${job.query?.[name] ?? ''}`, method: 'GET' })
  if (received !== job.size) throw new Error(`${received} bytes came instead of ${job.size}`)
}

/** As much as the official client sends at once. */
const AT_ONCE = 6 * 1024 * 1024

/** A resumable upload: one request that begins it and one for every piece. */
const resumable = async (job, name) => {
  const pairs = { bucketName: 'bench', objectName: name, contentType: 'application/octet-stream' }
  const described = Object.entries(pairs).map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
  const headers = { ...job.headers, 'tus-resumable': '1.0.0' }
  const about = { 'upload-length': job.size, 'upload-metadata': described.join(',') }
  const begun = await exchange({ ...job, size: 0, method: 'POST', headers: { ...headers, ...about } })
  const url = begun.headers.location
  for (let at = 0; at < job.size; at += AT_ONCE) {
    const how = { 'content-type': 'application/offset+octet-stream', 'upload-offset': at }
    const size = Math.min(AT_ONCE, job.size - at)
    await exchange({ url, size, method: 'PATCH', headers: { ...headers, ...how } })
  }
}

/** A small request to one address; `{width}` and `{quality}` in it are together new each time, from `offset` on. */
const ask = async (job, name) => {
  const count = job.offset + Number(name.match(/-(\d+)\.bin$/)?.[1])
  const url = job.url.replace('{width}', 150 + (count % 200)).replace('{quality}', 60 + (Math.floor(count / 200) % 40))
  await exchange({ ...job, url, method: 'GET' })
}

const toDisk = async (job, name) => {
  await mkdir(job.folder, { recursive: true })
  await store(job.folder, name, Readable.from(bytes(job.size)))
}

const fromDisk = async (job, name) => {
  let received = 0
  for await (const chunk of createReadStream(join(job.folder, name))) received += chunk.length
  if (received !== job.size) throw new Error('the file is not whole')
}

const works = { upload, download, resumable, ask, toDisk, fromDisk }

serve({
  /** Repeats one work in several lanes for at least `seconds`, and at least `least` times. Names are new but for what reads. */
  async repeat({ work, prefix, inFlight, seconds, least, ...job }) {
    const fresh = work !== 'download' && work !== 'fromDisk'
    const times = []
    const own = process.cpuUsage()
    const from = performance.now()
    let begun = 0
    const lane = async () => {
      while (performance.now() - from < seconds * 1000 || begun < least) {
        begun += 1
        const name = fresh ? `${prefix}-${begun}.bin` : `${prefix}.bin`
        const started = performance.now()
        await works[work](job, name)
        times.push(performance.now() - started)
      }
    }
    await Promise.all(Array.from({ length: inFlight }, lane))
    const elapsed = (performance.now() - from) / 1000
    const { user, system } = process.cpuUsage(own)
    return {
      rate: times.length / elapsed,
      count: times.length,
      ...latencies(times),
      own: (user + system) / 1e6 / elapsed,
    }
  },

  once: ({ work, name, ...job }) => works[work](job, name),
})
