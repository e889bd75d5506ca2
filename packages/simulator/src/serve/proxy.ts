/** Carries the page's network calls: browsers forbid what phones do (any header, any origin, no CORS). */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { WebSocket } from 'ws'
import { startHttp } from '../net/http.ts'
import { startSocket } from '../net/socket.ts'
import type { HttpCall, SocketCall } from '../wx/host.ts'

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value), 'utf8').toString('base64')

// The peer is our own runtime, admitted by token: its messages have the shape it was written to send.
const decode = <T>(text: string): T => JSON.parse(Buffer.from(text, 'base64').toString('utf8')) as T

/** The whole body of a request. */
export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** One HTTP exchange: the call in a header, the body as it is; the answer's head in a header, its body streamed. */
export async function proxyHttp(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const call = decode<Omit<HttpCall, 'body'> & { hasBody: boolean }>(String(request.headers['x-sim-call']))
  const body = await bodyOf(request)
  const running = startHttp(
    { ...call, body: call.hasBody ? body : null },
    {
      sent: () => {},
      head: (status, headers) => {
        response.writeHead(200, { 'x-sim-head': encode({ status, headers }), 'cache-control': 'no-store' })
        response.flushHeaders()
      },
      data: (chunk) => void response.write(chunk),
      end: () => response.end(),
      error: (message) => {
        if (response.headersSent) response.destroy()
        else response.writeHead(502, { 'content-type': 'text/plain; charset=utf-8' }).end(message)
      },
    },
  )
  response.on('close', () => running.abort())
}

/** One WebSocket: text frames begin with `d` for data or `c` for a control message; binary frames are data. */
export function proxySocket(page: WebSocket, encodedCall: string): void {
  const control = (message: object) => {
    if (page.readyState === page.OPEN) page.send(`c${JSON.stringify(message)}`)
  }
  const target = startSocket(decode<SocketCall>(encodedCall), {
    open: (headers) => control({ open: headers }),
    message: (data) => page.send(typeof data === 'string' ? `d${data}` : data),
    close: (code, reason) => {
      control({ close: { code, reason } })
      page.close()
    },
    error: (message) => {
      control({ error: message })
      page.close()
    },
  })
  page.on('message', (data, isBinary) => {
    const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer)
    if (isBinary) return target.send(bytes)
    const text = bytes.toString('utf8')
    if (text.startsWith('d')) return target.send(text.slice(1))
    const { code, reason } = JSON.parse(text.slice(1)) as { code: number; reason: string }
    target.close(code, reason)
  })
  page.on('close', () => target.terminate())
}
