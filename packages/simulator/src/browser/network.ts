/** The network of a phone in a page: through the simulator's server, which may do what a page may not. */
import type { HeaderList, HostSocket, HttpCall, HttpEvents, NetworkHost, SocketCall, SocketEvents } from '../wx/host.ts'

const encode = (value: unknown): string => {
  const bytes = new TextEncoder().encode(JSON.stringify(value))
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
}

// The peer is our own server: its messages have the shape it was written to send.
const decode = <T>(text: string): T =>
  JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(text), (one) => one.charCodeAt(0)))) as T

/** Builds the network host. */
export function proxiedNetwork(token: string): NetworkHost {
  return {
    http: (call, events) => {
      const controller = new AbortController()
      void exchange(token, call, events, controller.signal)
      return { abort: () => controller.abort() }
    },
    socket: (call, events) => openSocket(token, call, events),
  }
}

/** Uploads with a body go by XMLHttpRequest, the only one to tell their progress. */
function progressOf(token: string, call: HttpCall, body: Uint8Array, events: HttpEvents, signal: AbortSignal) {
  const { body: _, ...rest } = call
  const request = new XMLHttpRequest()
  request.open('POST', '/__sim/http')
  request.responseType = 'arraybuffer'
  request.setRequestHeader('x-sim-token', token)
  request.setRequestHeader('x-sim-call', encode({ ...rest, hasBody: true }))
  // The proxied body is the same size, so its progress is the upload's.
  request.upload.onprogress = (event) => events.sent(event.loaded, body.length)
  request.onload = () => {
    const head = request.getResponseHeader('x-sim-head')
    if (!head) return events.error(new TextDecoder().decode(request.response as ArrayBuffer))
    const { status, headers } = decode<{ status: number; headers: HeaderList }>(head)
    events.head(status, headers)
    events.data(new Uint8Array(request.response as ArrayBuffer))
    events.end()
  }
  request.onerror = () => events.error('net::ERR_CONNECTION_RESET')
  signal.addEventListener('abort', () => request.abort())
  request.send(new Uint8Array(body))
}

async function exchange(token: string, call: HttpCall, events: HttpEvents, signal: AbortSignal): Promise<void> {
  const { body, ...rest } = call
  const multipart = call.headers.some(([name, value]) => /^content-type$/i.test(name) && /^multipart\//.test(value))
  if (body && multipart) return progressOf(token, call, body, events, signal)
  try {
    const response = await fetch('/__sim/http', {
      method: 'POST',
      headers: { 'x-sim-token': token, 'x-sim-call': encode({ ...rest, hasBody: body !== null }) },
      body: body ? new Uint8Array(body) : null,
      signal,
    })
    const head = response.headers.get('x-sim-head')
    if (!head) return events.error(await response.text())
    if (body) events.sent(body.length, body.length)
    const { status, headers } = decode<{ status: number; headers: HeaderList }>(head)
    events.head(status, headers)
    const reader = response.body?.getReader()
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) events.data(part.value)
    events.end()
  } catch {
    if (!signal.aborted) events.error('net::ERR_CONNECTION_RESET')
  }
}

function openSocket(token: string, call: SocketCall, events: SocketEvents): HostSocket {
  const query = new URLSearchParams({ token, call: encode(call) })
  const socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/__sim/socket?${query}`)
  socket.binaryType = 'arraybuffer'
  let over = false
  const finish = (run: () => void) => {
    if (over) return
    over = true
    run()
  }
  const control = (message: { open?: HeaderList; error?: string; close?: { code: number; reason: string } }) => {
    if (message.open) events.open(message.open)
    if (message.error !== undefined) finish(() => events.error(message.error ?? ''))
    if (message.close) finish(() => events.close(message.close?.code ?? 1006, message.close?.reason ?? ''))
  }
  socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
    if (typeof data !== 'string') return events.message(new Uint8Array(data))
    if (data.startsWith('d')) return events.message(data.slice(1))
    control(JSON.parse(data.slice(1)) as Parameters<typeof control>[0])
  }
  socket.onclose = () => finish(() => events.close(1006, ''))
  return {
    send: (data) => {
      if (socket.readyState === WebSocket.OPEN)
        socket.send(typeof data === 'string' ? `d${data}` : new Uint8Array(data))
    },
    close: (code, reason) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(`c${JSON.stringify({ code, reason })}`)
      else socket.close()
    },
    terminate: () => socket.close(),
  }
}
