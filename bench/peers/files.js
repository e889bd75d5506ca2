/** Files over bare node streams: a body piped to the disk and synced, a file piped to an answer. No hash, no database, no rights. */
import { createReadStream } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { serve } from '../lib/child.js'
import { store } from '../lib/store-file.js'

const handle = (folder) => async (request, response) => {
  const name = request.url.slice(1)
  try {
    if (request.method === 'POST') {
      await store(folder, name, request)
      response.end('{}')
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
