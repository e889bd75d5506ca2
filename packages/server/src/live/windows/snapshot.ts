/** What a database snapshot shows, asked by transaction: how a stream of changes is joined to rows that were read meanwhile. Pure. */

/** Changes that committed this long after a snapshot was taken cannot be in it; earlier ones are looked up. Generous, because clocks are set. */
const MARGIN_MICROS = 60_000_000

/** A snapshot as `pg_current_snapshot()` writes it (`xmin:xmax:running,…`), with the server's time when it was taken. */
export class Snapshot {
  readonly #min: number
  readonly #max: number
  readonly #running: ReadonlySet<number>
  readonly #takenAt: number

  constructor(text: string, takenAtMicros: number) {
    const [min = '', max = '', running = ''] = text.split(':')
    this.#min = to32(min)
    this.#max = to32(max)
    this.#running = new Set(running === '' ? [] : running.split(',').map(to32))
    this.#takenAt = takenAtMicros
  }

  /** Whether rows read in this snapshot hold what the transaction wrote. The log names transactions by 32 bits, in a circle. */
  sees(xid: number): boolean {
    if (isBefore(xid, this.#min)) return true
    return isBefore(xid, this.#max) && !this.#running.has(xid)
  }

  /**
   * Whether a change was in the rows already. Not decided by position: a transaction is in the log a moment before others see it, so two
   * neighbours of the log may be on either side of a snapshot.
   */
  holds(change: { readonly xid: number; readonly commitTime: number }): boolean {
    return !this.isPast(change.commitTime) && this.sees(change.xid)
  }

  /** Whether the snapshot has nothing to say any more about what commits from `commitTime` on. */
  isPast(commitTime: number): boolean {
    return commitTime > this.#takenAt + MARGIN_MICROS
  }
}

const to32 = (text: string): number => Number(BigInt(text) & 0xffffffffn)

/** Order of transaction ids modulo 2^32. */
const isBefore = (left: number, right: number): boolean => ((left - right) | 0) < 0
