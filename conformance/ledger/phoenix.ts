/** A thin Phoenix client of both protocol versions: it sends what it is told to and hands on whatever arrives, in order. */
import WebSocket from 'ws'

export type Vsn = '1.0.0' | '2.0.0'

export interface Message {
  readonly joinRef: string | null
  readonly ref: string | null
  readonly topic: string
  readonly event: string
  readonly payload: Readonly<Record<string, unknown>>
}

export interface PhoenixOptions {
  /** `http://127.0.0.1:port`. */
  readonly url: string
  readonly key: string
  readonly vsn: Vsn
  readonly onMessage: (message: Message) => void
  /** Once, whatever ended the connection. */
  readonly onClose: (code: number) => void
}

const HEARTBEAT_MS = 5_000
const OPEN_WITHIN_MS = 5_000

export class Phoenix {
  readonly #socket: WebSocket
  readonly #vsn: Vsn
  readonly #heartbeat: NodeJS.Timeout
  #ref = 0

  private constructor(socket: WebSocket, { vsn, onMessage, onClose }: PhoenixOptions) {
    this.#socket = socket
    this.#vsn = vsn
    socket.on('message', (data) => onMessage(decode(String(data), vsn)))
    socket.once('close', (code) => {
      clearInterval(this.#heartbeat)
      onClose(code)
    })
    this.#heartbeat = setInterval(() => {
      this.send({ topic: 'phoenix', event: 'heartbeat', payload: {}, joinRef: null })
    }, HEARTBEAT_MS)
  }

  /** Resolves once the socket is open; rejects when the server is not there. */
  static async open(options: PhoenixOptions): Promise<Phoenix> {
    const query = new URLSearchParams({ apikey: options.key, vsn: options.vsn })
    const socket = new WebSocket(`${options.url.replace('http', 'ws')}/realtime/v1/websocket?${query}`, {
      handshakeTimeout: OPEN_WITHIN_MS,
      perMessageDeflate: false,
    })
    socket.on('error', () => {})
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => resolve())
      socket.once('close', () => reject(new Error('the socket did not open')))
    })
    return new Phoenix(socket, options)
  }

  /** Sends a message; answers its ref. */
  send(message: Omit<Message, 'ref'>): string {
    const ref = String(++this.#ref)
    const { joinRef, topic, event, payload } = message
    const own = event === 'phx_join' ? ref : joinRef
    if (this.#socket.readyState === WebSocket.OPEN)
      this.#socket.send(
        this.#vsn === '2.0.0'
          ? JSON.stringify([own, ref, topic, event, payload])
          : JSON.stringify({ topic, event, payload, ref, join_ref: own }),
      )
    return ref
  }

  /** Stops taking bytes from the socket: a reader that is too slow. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  close(): void {
    this.#socket.close()
  }

  terminate(): void {
    this.#socket.terminate()
  }
}

const decode = (text: string, vsn: Vsn): Message => {
  const value = JSON.parse(text)
  if (vsn === '2.0.0') {
    const [joinRef, ref, topic, event, payload] = value
    return { joinRef, ref, topic, event, payload }
  }
  return {
    joinRef: value.join_ref ?? null,
    ref: value.ref ?? null,
    topic: value.topic,
    event: value.event,
    payload: value.payload,
  }
}
