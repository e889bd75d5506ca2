/** A client that stays in a channel whatever happens, and keeps a ledger of all that it was told. */
import WebSocket from 'ws'

/** What a client was told, in the order of its telling. */
export interface Ledger {
  /** Ids of inserted rows. */
  readonly changes: number[]
  /** Ids that it read again after each loss; what it has besides. */
  readonly read: Set<number>
  /** Payloads of broadcasts. */
  readonly broadcasts: string[]
  /** How often the channel was errored or the socket lost: the signals to read again. */
  resyncs: number
  /** Who is present, by key, with the number of their appearances. */
  readonly present: Map<string, number>
}

export interface ClientOptions {
  readonly url: string
  readonly key: string
  /** A user's token; the key's role without one. */
  readonly token?: string
  /** Its name in presence. */
  readonly name: string
}

interface Message {
  readonly event: string
  readonly ref: string | null
  /** As the server's own tests know it: its shape depends on the event. */
  readonly payload: {
    readonly data?: { readonly record: { readonly id: number } }
    readonly payload?: { readonly text: string }
    readonly joins?: Presences
    readonly leaves?: Presences
    readonly extension?: string
    readonly status?: string
    readonly message?: string
  }
}

type Presences = Readonly<Record<string, { readonly metas: readonly unknown[] }>>

const TOPIC = 'realtime:lobby'
const HEARTBEAT_MS = 5_000
const REJOIN_MS = 200

export class StayingClient {
  readonly ledger: Ledger = { changes: [], read: new Set(), broadcasts: [], resyncs: 0, present: new Map() }
  readonly name: string
  /** Whether changes are told by now. */
  subscribed = false
  /** What the server said when it ended the channel for good. */
  closed: string | null = null
  readonly #options: ClientOptions
  #socket: WebSocket
  #refs = 0
  #stopped = false
  #heartbeat: NodeJS.Timeout
  #rejoin: NodeJS.Timeout | null = null
  /** Who waits for an answer, by ref. */
  readonly #asked = new Map<string, (taken: boolean) => void>()
  #said = ''
  /** Ref of the newest join. */
  #joining = ''

  constructor(options: ClientOptions) {
    this.#options = options
    this.name = options.name
    this.#socket = this.#open()
    this.#heartbeat = setInterval(() => this.#push('phoenix', 'heartbeat', {}), HEARTBEAT_MS)
  }

  /** Whether the server took it. */
  broadcast(text: string): Promise<boolean> {
    const ref = this.#push(TOPIC, 'broadcast', { type: 'broadcast', event: 'say', payload: { text } })
    return new Promise((resolve) => {
      if (ref === null) resolve(false)
      else this.#asked.set(ref, resolve)
    })
  }

  /** Everything that it knows of, told or read. */
  get known(): number {
    return new Set([...this.ledger.changes, ...this.ledger.read]).size
  }

  stop(): void {
    this.#stopped = true
    clearInterval(this.#heartbeat)
    if (this.#rejoin !== null) clearTimeout(this.#rejoin)
    this.#socket.terminate()
  }

  #open(): WebSocket {
    const { url, key } = this.#options
    const socket = new WebSocket(`${url.replace('http', 'ws')}/realtime/v1/websocket?apikey=${key}&vsn=1.0.0`)
    socket.on('open', () => this.#join())
    socket.on('message', (data) => this.#received(JSON.parse(String(data)) as Message))
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.#stopped) return
      this.#lost()
      this.#rejoin = setTimeout(() => {
        this.#socket = this.#open()
      }, REJOIN_MS)
    })
    return socket
  }

  #join(): void {
    const { name, token } = this.#options
    const config = {
      broadcast: { self: true, ack: true },
      presence: { key: name, enabled: true },
      postgres_changes: [{ event: 'INSERT', schema: 'public', table: 'item' }],
    }
    this.#joining = String(this.#refs + 1)
    this.#push(TOPIC, 'phx_join', { config, ...(token !== undefined && { access_token: token }) })
    this.#push(TOPIC, 'presence', { type: 'presence', event: 'track', payload: { name } })
  }

  /** What an app does when it is subscribed again. */
  async #readAgain(): Promise<void> {
    const { url, key } = this.#options
    const response = await fetch(`${url}/rest/v1/item?select=id`, { headers: { apikey: key } })
    for (const { id } of (await response.json()) as { id: number }[]) this.ledger.read.add(id)
  }

  #lost(): void {
    for (const answer of this.#asked.values()) answer(false)
    this.#asked.clear()
    if (this.subscribed) this.ledger.resyncs++
    this.subscribed = false
    this.ledger.present.clear()
  }

  #push(topic: string, event: string, payload: object): string | null {
    if (this.#socket.readyState !== WebSocket.OPEN) return null
    const ref = String(++this.#refs)
    this.#socket.send(JSON.stringify({ topic, event, payload, ref, join_ref: '1' }))
    return ref
  }

  #joinLater(): void {
    this.#rejoin = setTimeout(() => this.#join(), REJOIN_MS)
  }

  #received({ event, ref, payload }: Message): void {
    switch (event) {
      case 'postgres_changes':
        this.ledger.changes.push(Number(payload.data?.record.id))
        break
      case 'broadcast':
        this.ledger.broadcasts.push(payload.payload?.text ?? '')
        break
      case 'presence_state':
        this.ledger.present.clear()
        // A state is what joins are, without a name around it.
        this.#count(payload as Presences, 1)
        break
      case 'presence_diff':
        this.#count(payload.joins, 1)
        this.#count(payload.leaves, -1)
        break
      case 'system':
        this.#said = String(payload.message)
        if (payload.extension === 'postgres_changes' && payload.status === 'ok') {
          this.subscribed = true
          if (this.ledger.resyncs > 0) this.#readAgain().catch(() => this.#socket.terminate())
        }
        break
      case 'phx_error':
        this.#lost()
        this.#joinLater()
        break
      case 'phx_reply':
        if (ref === this.#joining && payload.status === 'error') this.#joinLater()
        this.#asked.get(ref ?? '')?.(payload.status === 'ok')
        this.#asked.delete(ref ?? '')
        break
      case 'phx_close':
        this.closed = this.#said
    }
  }

  #count(state: Presences | undefined, sign: 1 | -1): void {
    const { present } = this.ledger
    for (const [key, { metas }] of Object.entries(state ?? {})) {
      const count = (present.get(key) ?? 0) + sign * metas.length
      if (count > 0) present.set(key, count)
      else present.delete(key)
    }
  }
}
