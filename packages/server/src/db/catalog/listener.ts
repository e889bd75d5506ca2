/** One connection that listens for schema changes and comes back by itself when it was lost. */
import pg from 'pg'
import type { Clock } from '../../kernel/clock.ts'
import { toError } from '../../kernel/errors.ts'

export interface ListenerOptions {
  readonly connection: pg.ClientConfig
  readonly channels: readonly string[]
  readonly clock: Clock
  readonly onNotice: (channel: string, payload: string) => void
  /** After a reconnection: anything may have been missed. */
  readonly onGap: () => void
  readonly onError: (error: Error) => void
}

const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 5_000

export class Listener {
  readonly #options: ListenerOptions
  #client: pg.Client | null = null
  #stopped = false
  #cancelRetry: () => void = () => {}

  constructor(options: ListenerOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    this.#stopped = false
    await this.#connect()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelRetry()
    const client = this.#client
    this.#client = null
    await client?.end().catch(() => {})
  }

  /** A round trip: every notice of a transaction that committed before this call has been given to `onNotice` when it resolves. False while the connection is away. */
  async roundTrip(): Promise<boolean> {
    const client = this.#client
    if (client === null) return false
    try {
      await client.query('select 1')
      return true
    } catch {
      return false
    }
  }

  async #connect(): Promise<void> {
    const { connection, channels, onNotice } = this.#options
    const client = new pg.Client({ ...connection, application_name: 'teahouse listener', keepAlive: true })
    client.on('notification', ({ channel, payload }) => onNotice(channel, payload ?? ''))
    client.on('error', () => this.#lost(client))
    client.on('end', () => this.#lost(client))
    try {
      await client.connect()
      for (const channel of channels) await client.query(`listen ${client.escapeIdentifier(channel)}`)
    } catch (error) {
      await client.end().catch(() => {})
      throw error
    }
    if (this.#stopped) await client.end()
    else this.#client = client
  }

  #lost(client: pg.Client): void {
    if (this.#stopped || this.#client !== client) return
    this.#client = null
    this.#retry(FIRST_RETRY_MS)
  }

  #retry(delay: number): void {
    this.#cancelRetry = this.#options.clock.after(delay, () => {
      this.#connect().then(
        () => this.#options.onGap(),
        (error: unknown) => {
          this.#options.onError(toError(error))
          if (!this.#stopped) this.#retry(Math.min(delay * 2, LAST_RETRY_MS))
        },
      )
    })
  }
}
