/** What a subscriber holds: what it read after its join, and what it was told since. Rows only ever grow newer; gone is gone. */
import { setTimeout as delay } from 'node:timers/promises'
import { type Delivery, RULES, rowKey, type Subscription } from './ledger.ts'

export interface ReadOptions {
  readonly url: () => string
  readonly key: string
  readonly token: string
}

interface ReadRow {
  readonly id: number
  readonly version: number
  readonly room?: number
}

/** A page as large as the server hands out at once; a run stays below it. */
const MAX_ROWS = 1000
const READ_WITHIN_MS = 5_000
const AGAIN_MS = 100

export class Replica {
  readonly #subscription: Subscription
  readonly #options: ReadOptions
  readonly #over = new AbortController()
  /** Rooms by membership, because the end of a membership tells its id alone. */
  readonly #rooms = new Map<number, number>()
  #reading = 0
  #hasRead = false

  constructor(subscription: Subscription, options: ReadOptions) {
    this.#subscription = subscription
    this.#options = options
  }

  /** Whether everything that had to be read has been. */
  get settled(): boolean {
    return this.#hasRead && this.#reading === 0
  }

  stop(): void {
    this.#over.abort()
  }

  readAll(): void {
    const { wanted } = this.#subscription
    this.#hasRead = true
    for (const { table, room } of wanted) void this.#read(table, room)
  }

  apply({ table, id, op, version }: Delivery, room: number | null): void {
    const { held } = this.#subscription
    const key = rowKey(table, id)
    if (op === 'DELETE') held.set(key, { version: held.get(key)?.version ?? 0, deleted: true, room })
    else this.#keep(key, version ?? 0, room)
    if (table !== 'member') return
    if (op === 'INSERT' && room !== null) {
      this.#rooms.set(id, room)
      this.#forget(room)
      if (this.#asksForPosts(room)) void this.#read('post', room)
    } else if (op === 'DELETE') this.#forget(this.#rooms.get(id) ?? -1)
  }

  #asksForPosts(room: number): boolean {
    return this.#subscription.wanted.some((each) => each.table === 'post' && (each.room ?? room) === room)
  }

  /** Whatever was held of a room is stale at a change of membership. */
  #forget(room: number): void {
    const { held } = this.#subscription
    for (const [key, row] of held) if (row.room === room && key.startsWith('post/') && !row.deleted) held.delete(key)
  }

  #keep(key: string, version: number, room: number | null): void {
    const { held } = this.#subscription
    const known = held.get(key)
    if (known === undefined || (!known.deleted && known.version < version))
      held.set(key, { version, deleted: false, room })
  }

  async #read(table: string, room: number | undefined): Promise<void> {
    this.#reading++
    const hasRoom = RULES[table] === 'members' || table === 'member'
    const query = `select=id,version${hasRoom ? ',room' : ''}${room === undefined ? '' : `&room=eq.${room}`}`
    const rows = await this.#fetch(`/rest/v1/${table}?${query}`)
    for (const row of rows) {
      if (table === 'member' && row.room !== undefined) this.#rooms.set(row.id, row.room)
      this.#keep(rowKey(table, row.id), row.version, row.room ?? null)
    }
    this.#reading--
  }

  /** Asks until it is answered or the subscription is over. */
  async #fetch(path: string): Promise<readonly ReadRow[]> {
    const { url, key, token } = this.#options
    const { signal } = this.#over
    while (!signal.aborted) {
      try {
        const response = await fetch(url() + path, {
          headers: { apikey: key, authorization: `Bearer ${token}` },
          signal: AbortSignal.any([signal, AbortSignal.timeout(READ_WITHIN_MS)]),
        })
        if (response.ok) {
          // The answer to the select above.
          const rows = (await response.json()) as readonly ReadRow[]
          if (rows.length >= MAX_ROWS) throw new RangeError(`${path} has more rows than one page`)
          return rows
        }
        await response.arrayBuffer()
      } catch (error) {
        if (error instanceof RangeError) throw error
      }
      await delay(AGAIN_MS, undefined, { signal }).catch(() => {})
    }
    return []
  }
}
