/** A bare protocol 1.0.0 client for tests of the realtime wire. */
import WebSocket from 'ws'
import { eventually, type RealtimeServer } from './realtime.ts'

export interface Message {
  readonly topic: string
  readonly event: string
  readonly ref: string | null
  readonly payload: Record<string, unknown>
}

/** A bare protocol 1.0.0 socket. */
export class Wire {
  readonly socket: WebSocket
  readonly seen: Message[] = []
  code: number | null = null

  constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('message', (data) => this.seen.push(JSON.parse(String(data))))
    socket.on('close', (code) => {
      this.code = code
    })
    socket.on('error', () => {})
  }

  send(event: string, payload: unknown = {}, extra: Record<string, unknown> = {}): void {
    this.socket.send(JSON.stringify({ topic: 'realtime:room', event, payload, ref: null, join_ref: '1', ...extra }))
  }

  /** The next message that fits, taken out. */
  async next(event: string, fits: (message: Message) => boolean = () => true): Promise<Message> {
    const at = () => this.seen.findIndex((message) => message.event === event && fits(message))
    await eventually(
      () => at() >= 0,
      `${event} among ${JSON.stringify(this.seen).slice(0, 500)} (closed: ${this.code})`,
      5000,
    )
    return this.seen.splice(at(), 1)[0] as Message
  }

  async ask(event: string, payload: unknown = {}, extra: Record<string, unknown> = {}): Promise<Message['payload']> {
    const ref = `r${Math.random()}`
    this.send(event, payload, { ref, ...extra })
    return (await this.next('phx_reply', (message) => message.ref === ref)).payload
  }

  join(config: unknown = {}, extra: Record<string, unknown> = {}): Promise<Message['payload']> {
    return this.ask('phx_join', { config, ...extra }, { join_ref: '1' })
  }

  bind(binding: Record<string, unknown>): Promise<Message['payload']> {
    return this.join({ postgres_changes: [{ event: '*', schema: 'public', table: 'note', ...binding }] })
  }
}

/** Opens a socket with a key of the server. */
export const openWire = async (server: RealtimeServer, key = server.keys.anonKey): Promise<Wire> => {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/realtime/v1/websocket?apikey=${key}&vsn=1.0.0`)
  const wire = new Wire(socket)
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  return wire
}
