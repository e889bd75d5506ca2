/**
 * Files over bare node streams: a body piped to the disk and synced, a file piped to an answer. No database, no rights, and a hash only where
 * the request asks for one.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { basename, join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import sharp from 'sharp'
import { serve } from '../lib/child.js'
import { store } from '../lib/store-file.js'

/** Takes the MD5 of what passes, as every Storage API must: it answers with one. */
const hashed = (source) => {
  const hash = createHash('md5')
  const through = new Transform({
    transform: (chunk, _encoding, done) => {
      hash.update(chunk)
      done(null, chunk)
    },
  })
  return { hash, stream: source.pipe(through) }
}

sharp.cache(false)
sharp.concurrency(1)

const thumbnail = (path, { width, quality = 80 }) =>
  sharp(path)
    .autoOrient()
    .resize({ width: Number(width) })
    .jpeg({ quality: Number(quality) })
    .toBuffer()

const handle = (folder) => async (request, response) => {
  const name = request.url.slice(1)
  try {
    if (request.method === 'POST') {
      const { hash, stream } = request.headers['x-hash'] === 'md5' ? hashed(request) : { hash: null, stream: request }
      await store(folder, name, stream)
      response.end(JSON.stringify({ md5: hash?.digest('hex') }))
      return
    }
    if (name.startsWith('thumbnail/')) {
      const [path = '', query = ''] = name.split('?')
      const bytes = await thumbnail(join(folder, basename(path)), Object.fromEntries(new URLSearchParams(query)))
      response.writeHead(200, { 'content-type': 'image/jpeg', 'content-length': bytes.length })
      response.end(bytes)
      return
    }
    const { size } = await stat(join(folder, name))
    response.writeHead(200, { 'content-length': size })
    await pipeline(createReadStream(join(folder, name)), response)
  } catch (error) {
    if (!response.headersSent) response.writeHead(500)
    response.end(String(error))
  }
}

serve({
  ensure: ({ folder }) => mkdir(folder, { recursive: true }),
  async start({ folder }) {
    await mkdir(folder, { recursive: true })
    const server = createServer((request, response) => void handle(folder)(request, response))
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${server.address().port}`
  },
})
