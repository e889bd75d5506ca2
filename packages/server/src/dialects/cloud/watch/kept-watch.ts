/**
 * One watch: what its client has been told, numbered without gaps, and what it was told lately, so that a client which was away for a while goes
 * on where it was. Without a client it is kept for some minutes.
 */
import type { Doc } from '../../../expr/bson/value.ts'
import type { DocumentEvent, DocumentSink, WatchedDocument } from '../../../live/windows/document-windows.ts'
import type { Window } from '../../../live/windows/source.ts'
import { initEvents, type WireEvent, wireEvent } from './events.ts'

/** Where a watch speaks to. */
export interface WatchClient {
  next(watch: KeptWatch, events: readonly WireEvent[]): void
  failed(watch: KeptWatch, reason: string): void
}

/** Steps that are kept for a client that comes back. */
const MAX_STEPS = 200

export class KeptWatch implements DocumentSink {
  readonly queryId: string
  /** Whom it belongs to: nobody else may go on with it. */
  readonly owner: string
  readonly #limit: number
  #vacant = 0
  #window: Window | null = null
  #client: WatchClient | null = null
  #current = 1
  #documents = new Map<string, Doc>()
  /** The latest steps, one list for each number. */
  readonly #steps: (readonly WireEvent[])[] = []
  #ended: string | null = null

  constructor(queryId: string, owner: string, limit: number | null) {
    this.queryId = queryId
    this.owner = owner
    this.#limit = limit ?? Number.POSITIVE_INFINITY
  }

  /** The number of the last step. */
  get current(): number {
    return this.#current
  }

  get attached(): boolean {
    return this.#client !== null
  }

  follow(window: Window): void {
    this.#window = window
  }

  attach(client: WatchClient): void {
    this.#client = client
    if (this.#ended !== null) client.failed(this, this.#ended)
  }

  detach(client: WatchClient): void {
    if (this.#client === client) this.#client = null
  }

  close(): void {
    this.#client = null
    this.#window?.close()
  }

  // --- from the window

  opened(documents: readonly WatchedDocument[]): void {
    for (const { key, document } of documents) this.#documents.set(key, document)
  }

  changed(events: readonly DocumentEvent[]): void {
    this.#current += 1
    const id = this.#current
    const told = events.map((event) => {
      const known = this.#documents.get(event.key)
      const displaced = this.#displaced(event, events)
      if (event.kind === 'leave') this.#documents.delete(event.key)
      else this.#documents.set(event.key, event.document)
      return wireEvent(event, { id, known, displaced })
    })
    this.#steps.push(told)
    if (this.#steps.length > MAX_STEPS) this.#steps.shift()
    this.#client?.next(this, told)
  }

  /** Whether one that comes or goes does so because of the limit: it takes the place of one that went, or one that comes takes its. */
  #displaced(event: DocumentEvent, step: readonly DocumentEvent[]): boolean {
    const full = this.#documents.size >= this.#limit
    if (event.kind === 'enter') {
      const displaced = this.#vacant > 0
      this.#vacant = Math.max(0, this.#vacant - 1)
      return displaced
    }
    if (event.kind !== 'leave' || !full) return false
    // Who comes next may have waited behind the limit.
    this.#vacant += 1
    return step.some(({ kind }) => kind === 'enter')
  }

  ended(reason: string): void {
    this.#ended = reason
    this.#client?.failed(this, reason)
  }

  // --- for a client

  /** Everything as it is now, as a step of this number. */
  all(id: number): readonly WireEvent[] {
    const documents = [...this.#documents].map(([key, document]) => ({ key, document }))
    return initEvents(documents, id)
  }

  /** What came after step `id`; null when that is not known any more. */
  since(id: number): readonly WireEvent[] | null {
    const missing = this.#current - id
    if (missing < 0 || missing > this.#steps.length) return null
    return missing === 0 ? [] : this.#steps.slice(-missing).flat()
  }

  /** Has the client, which was at `id`, take everything anew: the next step is the whole list. */
  restart(id: number): readonly WireEvent[] {
    this.#current = id + 1
    this.#steps.length = 0
    return this.all(this.#current)
  }
}
