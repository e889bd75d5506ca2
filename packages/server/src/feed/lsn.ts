/** Positions in the write-ahead log, and the feed's own positions made from them. Pure. */

/** A log sequence number as a bigint: the form that compares and travels in the replication protocol. */
export type Lsn = bigint

/** Reads Postgres's `16/B374D848`. */
export const parseLsn = (text: string): Lsn => {
  const [high = '0', low = '0'] = text.split('/')
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`)
}

/** Writes Postgres's `16/B374D848`. */
export const formatLsn = (lsn: Lsn): string =>
  `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`

/**
 * Position of one change in the feed: commit position, then index inside the transaction.
 * Fixed width, so text order equals feed order and it works as a SQL key and as a client's cursor.
 */
export type Watermark = string

export const watermarkOf = (commit: Lsn, index: number): Watermark =>
  `${commit.toString(16).padStart(16, '0')}-${index.toString(16).padStart(8, '0')}`

/** The newest position before a point of the log. */
export const before = (lsn: Lsn): Watermark => (lsn === 0n ? '' : watermarkOf(lsn - 1n, 0xffffffff))

/** The commit position inside a watermark; null when the text is not one. */
export const commitOf = (watermark: Watermark): Lsn | null =>
  /^[0-9a-f]{16}-[0-9a-f]{8}$/.test(watermark) ? BigInt(`0x${watermark.slice(0, 16)}`) : null
