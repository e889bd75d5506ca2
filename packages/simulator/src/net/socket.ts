/** WebSockets on the ws package. */
import WebSocket from 'ws'
import type { HostSocket, SocketCall, SocketEvents } from '../wx/host.ts'
import { networkError } from './http.ts'

function listOf(raw: readonly string[]): [string, string][] {
  const list: [string, string][] = []
  for (let at = 0; at + 1 < raw.length; at += 2) list.push([raw[at] ?? '', raw[at + 1] ?? ''])
  return list
}

const bytesOf = (data: WebSocket.RawData): Uint8Array =>
  Array.isArray(data) ? Buffer.concat(data) : data instanceof ArrayBuffer ? new Uint8Array(data) : data

/** Opens a connection; errors are told once, then closed. */
export function startSocket(call: SocketCall, events: SocketEvents): HostSocket {
  let headers: [string, string][] = []
  let failed = false
  const socket = new WebSocket(call.url, [...call.protocols], {
    headers: Object.fromEntries(call.headers),
    perMessageDeflate: call.perMessageDeflate,
  })
  socket.on('upgrade', (response) => {
    headers = listOf(response.rawHeaders)
  })
  socket.on('open', () => events.open(headers))
  socket.on('message', (data, isBinary) => {
    const bytes = bytesOf(data)
    events.message(isBinary ? bytes : Buffer.from(bytes).toString('utf8'))
  })
  socket.on('error', (error) => {
    failed = true
    events.error(networkError(error))
  })
  socket.on('close', (code, reason) => {
    if (!failed) events.close(code === 1005 ? 1000 : code, reason.toString('utf8'))
  })
  return {
    send: (data) => socket.send(data),
    close: (code, reason) => socket.close(code, reason),
    terminate: () => socket.terminate(),
  }
}
