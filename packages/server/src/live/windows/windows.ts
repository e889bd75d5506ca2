/**
 * Windows: rows that match, in an order, at most so many, told once as they are and then difference by difference. What is shown is at every
 * moment what a fresh query of the caller would answer, as of the changes told so far.
 *
 * The naive way queries again after every change. Here a change that concerns a window is worked into what is known of it; only where that
 * does not suffice (spare rows used up, rights changed, an order or condition that only Postgres knows) is the window read, and the
 * differences told. Subscribers with the same question and the same rights share one window.
 */
import type { Pool } from '../../db/pool.ts'
import type { Feed } from '../../feed/feed.ts'
import type { Caller } from '../../identity/caller.ts'
import type { Clock } from '../../kernel/clock.ts'
import type { Service } from '../../kernel/service.ts'
import type { Live } from '../live.ts'
import { Seam } from './seam.ts'
import { SharedWindow } from './shared-window.ts'
import type { Window, WindowSink, WindowSource } from './source.ts'
import { TableWindows } from './table-windows.ts'

export interface WindowsOptions {
  readonly feed: Feed
  readonly live: Live
  readonly requests: Pool
  readonly clock: Clock
  readonly onError: (error: Error) => void
}

export class Windows implements Service {
  readonly #options: WindowsOptions
  readonly #seam: Seam
  readonly #shared = new Map<string, SharedWindow>()
  readonly #tables = new Map<number, TableWindows>()
  #unlisten: () => void = () => {}

  constructor(options: WindowsOptions) {
    this.#options = options
    this.#seam = new Seam(options)
  }

  /** Before the service of the subscriptions: what is told must have been noted first. */
  async start(): Promise<void> {
    this.#unlisten = this.#options.feed.listen({ changes: (batch) => this.#seam.note(batch), resync: () => {} })
  }

  async stop(): Promise<void> {
    this.#unlisten()
    for (const shared of [...this.#shared.values()]) shared.dispose()
  }

  /** Opens a window. Resolves after `sink.opened` was called; rejects when it cannot be read or followed. */
  async open(source: WindowSource, caller: Caller, sink: WindowSink): Promise<Window> {
    const key = shareKey(source, caller)
    let shared = this.#shared.get(key)
    if (shared === undefined) {
      const made = new SharedWindow(source, caller, {
        ...this.#options,
        seam: this.#seam,
        table: (oid) => this.#table(oid),
        onEmpty: () => {
          if (this.#shared.get(key) === made) this.#shared.delete(key)
        },
      })
      this.#shared.set(key, made)
      shared = made
    }
    return shared.join(sink)
  }

  /** Distinct windows that are kept. */
  get size(): number {
    return this.#shared.size
  }

  #table(oid: number): TableWindows {
    let table = this.#tables.get(oid)
    if (table === undefined) {
      const unfollow = this.#options.live.followTable(oid, (change) => made.changed(change))
      const made = new TableWindows(() => {
        unfollow()
        this.#tables.delete(oid)
      })
      this.#tables.set(oid, made)
      table = made
    }
    return table
  }
}

/** Policies may read any claim, so only callers with the same claims are certain to have the same rights, also after a policy has changed. */
const shareKey = (source: WindowSource, { role, claimsText }: Caller): string =>
  [source.key, role, claimsText].join('\0')
