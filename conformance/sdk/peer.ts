/** The other end for the SDK's checks: an HTTP and WebSocket server that shows what arrived and misbehaves on request. */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'

/** One request as it arrived. */
export interface Arrived {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly sha256: string
}

export interface Peer {
  readonly url: string
  readonly socketUrl: string
  /** Everything that arrived on a path, oldest first. */
  arrived(path: string): readonly Arrived[]
  /** How many requests were open at once, at most, so far. */
  readonly mostAtOnce: number
  readonly openSockets: number
  /** Sends an event to every open stream of /sse. */
  sendEvent(text: string): void
  readonly openStreams: number
  /** Sends a text to every socket. */
  broadcast(text: string): void
  /** Lets the requests to /held go on. */
  release(): void
  readonly held: number
  stop(): Promise<void>
}

const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = []
  // A request stream without an encoding gives buffers.
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

class Serving {
  readonly log: Arrived[] = []
  readonly streams = new Set<ServerResponse>()
  held: (() => void)[] = []
  open = 0
  mostAtOnce = 0
  failures = new Map<string, number>()

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.open++
    this.mostAtOnce = Math.max(this.mostAtOnce, this.open)
    response.once('close', () => this.open--)
    const body = await bodyOf(request)
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/'
    const arrived: Arrived = {
      method: request.method ?? '',
      url: request.url ?? '',
      // Node gives lists for cookies only, which no client here sends.
      headers: request.headers as Record<string, string>,
      body: body.toString('latin1'),
      sha256: createHash('sha256').update(body).digest('hex'),
    }
    this.log.push(arrived)
    this.route(path, arrived, { request, response })
  }

  route(path: string, arrived: Arrived, { response }: { request: IncomingMessage; response: ServerResponse }): void {
    const send = (status: number, type: string, data: string | Buffer) =>
      void response.writeHead(status, { 'content-type': type, 'x-peer': 'a' }).end(data)
    const [, first = '', second = ''] = path.split('/')
    if (first === 'echo' || first === 'held' || path === '/functions/v1/echo') {
      const reply = () => send(200, 'application/json', JSON.stringify(arrived))
      if (first === 'held') this.held.push(reply)
      else reply()
    } else if (first === 'status') response.writeHead(Number(second)).end(second === '204' ? '' : 'body')
    else if (first === 'bytes')
      send(200, 'application/octet-stream', Buffer.from(Array.from({ length: 256 }, (_, at) => at)))
    else if (first === 'text') send(200, 'text/plain; charset=utf-8', '\ufeff茶馆 😀 {"not": json}')
    else if (first === 'redirect') response.writeHead(302, { location: '/echo/after' }).end()
    else if (first === 'once') this.refuseOnce(arrived, send)
    else if (first === 'chunks') this.chunks(response)
    else if (first === 'form')
      response
        .writeHead(200, { 'content-type': 'multipart/form-data; boundary=XX' })
        .end(
          '--XX\r\nContent-Disposition: form-data; name="a"\r\n\r\n茶\r\n--XX\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\nContent-Type: text/plain\r\n\r\nhi\r\n--XX--\r\n',
        )
    else if (first === 'sse') this.stream(arrived, response)
    else send(404, 'text/plain', 'nothing here')
  }

  /** 401 unless the token is `new`. */
  refuseOnce(arrived: Arrived, send: (status: number, type: string, data: string) => void): void {
    const isNew = arrived.headers['authorization'] === 'Bearer new'
    send(isNew ? 200 : 401, 'application/json', JSON.stringify(arrived))
  }

  /** A text in pieces that split its characters; each piece waits for the one before to be on its way. */
  chunks(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/plain' })
    const bytes = Buffer.from('茶馆😀end')
    const next = (at: number): void => {
      if (at >= bytes.length) return void response.end()
      response.write(bytes.subarray(at, at + 2), () => setTimeout(() => next(at + 2), 5))
    }
    next(0)
  }

  stream(arrived: Arrived, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(`retry: 50\n\nevent: hello\ndata: ${arrived.headers['last-event-id'] ?? ''}\n\n`)
    this.streams.add(response)
    response.once('close', () => this.streams.delete(response))
    if (arrived.url.includes('close')) response.end('id: 7\ndata: bye\n\n')
  }
}

/** Echoes what it is told, and closes or breaks off when told so. */
const serveSockets = (server: Server): WebSocketServer => {
  const sockets = new WebSocketServer({ server, handleProtocols: (protocols) => [...protocols][0] ?? false })
  sockets.on('connection', (socket, request) => {
    socket.on('message', (data, isBinary) => {
      const text = isBinary ? '' : data.toString()
      if (text === 'close me') socket.close(4001, 'as asked')
      else if (text === 'kill me') socket.terminate()
      else socket.send(text === 'url?' ? (request.url ?? '') : data, { binary: isBinary })
    })
  })
  return sockets
}

/** Starts it on a free port of the loopback. */
export async function startPeer(): Promise<Peer> {
  const serving = new Serving()
  const server = createServer((request, response) => void serving.answer(request, response))
  const sockets = serveSockets(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A TCP server's address is always of this kind.
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    socketUrl: `ws://127.0.0.1:${port}`,
    arrived: (path) => serving.log.filter((one) => one.url.split('?', 1)[0] === path),
    get mostAtOnce() {
      return serving.mostAtOnce
    },
    get openSockets() {
      return sockets.clients.size
    },
    sendEvent: (text) => {
      for (const response of serving.streams) response.write(text)
    },
    get openStreams() {
      return serving.streams.size
    },
    broadcast: (text) => {
      for (const socket of sockets.clients) socket.send(text)
    },
    release: () => {
      for (const reply of serving.held.splice(0)) reply()
    },
    get held() {
      return serving.held.length
    },
    stop: async () => {
      for (const socket of sockets.clients) socket.terminate()
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
