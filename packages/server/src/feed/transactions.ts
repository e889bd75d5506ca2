/** Turns decoded messages into changes with positions, and remembers how far they were handed on, so that a stream that starts again repeats nothing. */
import { type Change, type Relation, type Row, type RowOperation, SCHEMA_MESSAGE } from './change.ts'
import { type Lsn, type Watermark, watermarkOf } from './lsn.ts'
import type { PgoutputMessage } from './pgoutput.ts'

interface OpenTransaction {
  readonly commitLsn: Lsn
  readonly commitTime: number
  readonly xid: number
  index: number
}

/** Assembles one connection's messages. `last` is the newest position that was already handed on. */
export class TransactionReader {
  #open: OpenTransaction | null = null
  #last: Watermark

  constructor(last: Watermark) {
    this.#last = last
  }

  /** Whether a transaction has begun and not ended. */
  get inside(): boolean {
    return this.#open !== null
  }

  /** Reads one message; appends its changes to `out`; answers the end of the transaction that it closes. */
  read(message: PgoutputMessage, out: Change[]): Lsn | null {
    switch (message.kind) {
      case 'begin':
        this.#open = { commitLsn: message.commitLsn, commitTime: message.commitTime, xid: message.xid, index: 0 }
        return null
      case 'commit':
        this.#open = null
        return message.endLsn
      case 'insert':
        this.#row(out, 'INSERT', message.relation, { new: message.new, old: null, oldIsFull: false })
        return null
      case 'update':
        this.#row(out, 'UPDATE', message.relation, message)
        return null
      case 'delete':
        this.#row(out, 'DELETE', message.relation, { new: null, old: message.old, oldIsFull: message.oldIsFull })
        return null
      case 'truncate':
        for (const relation of message.relations) {
          const position = this.#next()
          if (position !== null) out.push({ ...position, op: 'TRUNCATE', relation })
        }
        return null
      case 'message':
        if (message.prefix === SCHEMA_MESSAGE && message.transactional) {
          const position = this.#next()
          if (position !== null) out.push({ ...position, op: 'SCHEMA' })
        }
        return null
      case 'relation':
      case 'type':
      case 'origin':
        return null
    }
  }

  #row(
    out: Change[],
    op: RowOperation,
    relation: Relation,
    row: { new: Row | null; old: Row | null; oldIsFull: boolean },
  ): void {
    const position = this.#next()
    if (position === null) return
    out.push({ ...position, op, relation, new: row.new, old: row.old, oldIsFull: row.oldIsFull })
  }

  /** Position of the next change, or null when it was handed on before the stream started again. */
  #next(): { watermark: Watermark; xid: number; commitTime: number } | null {
    const open = this.#open
    if (open === null) throw new RangeError('a row outside of a transaction')
    const watermark = watermarkOf(open.commitLsn, open.index++)
    if (watermark <= this.#last) return null
    this.#last = watermark
    return { watermark, xid: open.xid, commitTime: open.commitTime }
  }
}
