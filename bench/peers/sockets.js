/** Fan-out on bare `ws`: what one sender says goes to every other socket, as one frame that is encoded once, or by `send` for each. */
import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import { serve } from '../lib/child.js'

/** A text frame as a server sends it: not masked. */
const frameOf = (payload) => {
  const { length } = payload
  const head = length < 126 ? Buffer.from([0x81, length]) : Buffer.from([0x81, 126, length >> 8, length & 0xff])
  return Buffer.concat([head, payload])
}

const listeners = new Set()

const ways = {
  /** One frame for all, written past ws's sender. */
  frame: (message) => {
    const frame = frameOf(message)
    for (const { socket } of listeners) socket.write(frame)
  },
  /** As the documentation of ws shows it. */
  send: (message) => {
    for (const { client } of listeners) client.send(message, { binary: false })
  },
}

const accept = (client, socket, url) => {
  const way = ways[url.slice(1)]
  if (way !== undefined) {
    client.on('message', (data) => way(data))
    return
  }
  const listener = { client, socket }
  listeners.add(listener)
  client.on('close', () => listeners.delete(listener))
}

/** Many frames at once to everybody, as fast as they are taken: shows what the receiving side can do. */
const blast = async ({ seconds, payload }) => {
  const chunk = Buffer.concat(Array.from({ length: 64 }, () => frameOf(Buffer.from(payload))))
  const until = performance.now() + seconds * 1000
  while (performance.now() < until) {
    for (const { socket } of listeners) if (socket.writableLength < chunk.length) socket.write(chunk)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

serve({
  blast,
  async start() {
    const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
    const server = createServer()
    server.on('upgrade', (request, socket, head) =>
      sockets.handleUpgrade(request, socket, head, (client) => accept(client, socket, request.url)),
    )
    await new Promise((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve))
    return `http://127.0.0.1:${server.address().port}`
  },
})
