/** A small stand-in for a Supabase server: one table over REST, storage uploads, and Phoenix channels that tell of inserts. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'

/** A request as it arrived. */
export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

interface Frame {
  readonly topic: string
  readonly event: string
  readonly payload: Record<string, unknown>
  readonly ref: string
}

export interface MockSupabase {
  readonly url: string
  readonly seen: Seen[]
  readonly rows: Record<string, unknown>[]
  readonly objects: Map<string, Buffer>
  /** Sockets open now. */
  connections(): number
  stop(): Promise<void>
}

/** Starts it on a free port. */
export async function startMockSupabase(): Promise<MockSupabase> {
  const seen: Seen[] = []
  const rows: Record<string, unknown>[] = []
  const objects = new Map<string, Buffer>()
  const topics = new Map<WebSocket, Set<string>>()
  const server = createServer((request, response) => void answer(request, response))
  const sockets = new WebSocketServer({ server, path: '/realtime/v1/websocket' })

  const publish = (row: Record<string, unknown>) => {
    for (const [socket, joined] of topics)
      for (const topic of joined)
        socket.send(
          JSON.stringify({
            topic,
            event: 'postgres_changes',
            payload: {
              ids: [1],
              data: {
                schema: 'public',
                table: 'messages',
                type: 'INSERT',
                commit_timestamp: '2024-01-01T00:00:00Z',
                columns: [{ name: 'text', type: 'text' }],
                record: row,
                errors: null,
              },
            },
            ref: null,
          }),
        )
  }

  sockets.on('connection', (socket) => {
    topics.set(socket, new Set())
    socket.on('close', () => topics.delete(socket))
    socket.on('message', (data) => {
      const frame = JSON.parse(String(data)) as Frame
      if (frame.event === 'phx_join') topics.get(socket)?.add(frame.topic)
      const config = frame.payload['config'] as { postgres_changes?: object[] } | undefined
      const bindings = config?.postgres_changes?.map((binding) => ({ id: 1, ...binding })) ?? []
      socket.send(
        JSON.stringify({
          topic: frame.topic,
          event: 'phx_reply',
          ref: frame.ref,
          payload: { status: 'ok', response: { postgres_changes: bindings } },
        }),
      )
    })
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const url = request.url ?? ''
    seen.push({ method: request.method ?? '', url, headers: request.headers, body })
    const json = (status: number, value: unknown) =>
      void response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value))
    if (url.startsWith('/rest/v1/messages') && request.method === 'GET') return json(200, rows)
    if (url.startsWith('/rest/v1/messages') && request.method === 'POST') {
      const given = JSON.parse(body.toString()) as Record<string, unknown> | Record<string, unknown>[]
      for (const row of Array.isArray(given) ? given : [given]) {
        rows.push({ id: rows.length + 1, ...row })
        publish(rows.at(-1) ?? {})
      }
      return void response.writeHead(201).end()
    }
    if (url.startsWith('/storage/v1/object/') && request.method === 'GET') {
      const object = objects.get(url.replace('/public/', '/'))
      return object ? void response.writeHead(200, { 'Content-Type': 'image/png' }).end(object) : json(404, {})
    }
    if (url.startsWith('/storage/v1/object/')) {
      objects.set(url, body)
      return json(200, { Key: url.slice('/storage/v1/object/'.length) })
    }
    json(404, { message: 'not found' })
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    rows,
    objects,
    connections: () => topics.size,
    stop: async () => {
      for (const socket of sockets.clients) socket.terminate()
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
