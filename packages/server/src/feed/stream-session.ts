/** The streaming part of one replication connection: decodes, batches, hands on, acknowledges. */
import type { Clock } from '../kernel/clock.ts'
import { toError } from '../kernel/errors.ts'
import { type Change, sizeOf } from './change.ts'
import type { Lsn, Watermark } from './lsn.ts'
import { PgoutputDecoder } from './pgoutput.ts'
import type { ReplicationConnection } from './replication-connection.ts'
import { TransactionReader } from './transactions.ts'

/** Batches are bounded so that one huge transaction costs constant memory. */
const MAX_BATCH_CHANGES = 1000
const MAX_BATCH_BYTES = 4 * 1024 * 1024
const ACKNOWLEDGE_EVERY_MS = 1000
const STATUS_EVERY_MS = 10_000

export interface SessionOptions {
  readonly replication: ReplicationConnection
  /** Takes changes in commit order. The session reads on once the promise resolves, and acknowledges only then. */
  readonly sink: { changes(batch: readonly Change[]): Promise<void> | void }
  readonly clock: Clock
  readonly last: Watermark
  readonly flushed: Lsn
}

/** One connection's stream; `last` and `flushed` say how far it came. */
export class StreamSession {
  last: Watermark
  flushed: Lsn
  readonly #options: SessionOptions
  readonly #decoder = new PgoutputDecoder()
  readonly #reader: TransactionReader
  #pending: Change[] = []
  #pendingBytes = 0
  /** End of the newest transaction whose changes are all in `#pending` or handed on. */
  #ended: Lsn
  #busy = false
  #closed = false
  #inFlight: Promise<void> = Promise.resolve()
  #scheduled = false
  #acknowledgedAt = 0
  #acknowledged: Lsn
  #cancelTimer: () => void = () => {}

  constructor(options: SessionOptions) {
    this.#options = options
    this.last = options.last
    this.flushed = options.flushed
    this.#ended = options.flushed
    this.#acknowledged = options.flushed
    this.#reader = new TransactionReader(options.last)
  }

  async run(command: string): Promise<void> {
    this.#tick()
    try {
      await this.#options.replication.stream(command, {
        data: (bytes) => this.#data(bytes),
        keepalive: (position, replyNow) => this.#keepalive(position, replyNow),
      })
    } finally {
      this.#closed = true
      this.#cancelTimer()
      // What is being handed on right now counts as handed on; forgetting it would repeat it.
      await this.#inFlight
    }
  }

  #data(bytes: Buffer): void {
    const before = this.#pending.length
    const ended = this.#reader.read(this.#decoder.decode(bytes), this.#pending)
    if (ended !== null) this.#ended = ended
    for (let index = before; index < this.#pending.length; index++) {
      const change = this.#pending[index]
      if (change !== undefined) this.#pendingBytes += sizeOf(change)
    }
    if (this.#pending.length >= MAX_BATCH_CHANGES || this.#pendingBytes >= MAX_BATCH_BYTES)
      this.#options.replication.pause()
    if (!this.#scheduled) {
      this.#scheduled = true
      // One batch per event-loop turn: everything that arrived in one read is matched and sent together.
      setImmediate(() => {
        this.#scheduled = false
        this.#flush()
      })
    }
  }

  #flush(): void {
    if (this.#busy || this.#closed) return
    const batch = this.#pending
    const ended = this.#ended
    this.#pending = []
    this.#pendingBytes = 0
    const handed = batch.length === 0 ? undefined : this.#options.sink.changes(batch)
    if (handed === undefined) {
      this.#handedOn(batch, ended)
      return
    }
    // What arrives meanwhile is handed on together; `#data` stops reading when that is a batch.
    this.#busy = true
    this.#inFlight = handed.then(
      () => {
        this.#busy = false
        this.#handedOn(batch, ended)
        if (this.#pending.length > 0 && !this.#closed) this.#flush()
      },
      (error) => this.#options.replication.fail(toError(error)),
    )
  }

  #handedOn(batch: readonly Change[], ended: Lsn): void {
    this.last = batch[batch.length - 1]?.watermark ?? this.last
    if (ended > this.flushed) this.flushed = ended
    if (!this.#busy) this.#options.replication.resume()
    if (this.#options.clock.now() - this.#acknowledgedAt >= ACKNOWLEDGE_EVERY_MS) this.#acknowledge()
  }

  #keepalive(position: Lsn, replyNow: boolean): void {
    // Nothing is open and nothing waits, so whatever the server has read until here concerns us no more: the slot may let go of it.
    if (!this.#reader.inside && this.#pending.length === 0 && !this.#busy && position > this.flushed) {
      this.flushed = position
      this.#ended = position
    }
    if (replyNow || this.#options.clock.now() - this.#acknowledgedAt >= ACKNOWLEDGE_EVERY_MS) this.#acknowledge()
  }

  #acknowledge(): void {
    this.#acknowledgedAt = this.#options.clock.now()
    this.#acknowledged = this.flushed
    this.#options.replication.acknowledge(this.flushed, this.#acknowledgedAt)
  }

  /** A status now and then, also while reading is paused: a silent receiver is cut off after wal_sender_timeout. */
  #tick(): void {
    const every = this.#acknowledged < this.flushed ? ACKNOWLEDGE_EVERY_MS : STATUS_EVERY_MS
    this.#cancelTimer = this.#options.clock.after(Math.min(every, STATUS_EVERY_MS), () => {
      this.#acknowledge()
      this.#tick()
    })
  }
}
