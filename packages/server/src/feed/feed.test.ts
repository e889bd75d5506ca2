/** Positions, transactions and the bounded log of the feed, without a database. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runs } from '../../test/arbitraries.ts'
import type { Change, Relation } from './change.ts'
import { ChangeLog } from './log.ts'
import { commitOf, formatLsn, parseLsn, watermarkOf } from './lsn.ts'
import { PgoutputDecoder } from './pgoutput.ts'
import { TransactionReader } from './transactions.ts'
import { slotName } from './wal-source.ts'

const relation: Relation = { oid: 1, schema: 'public', name: 't', identity: 'default', columns: [], index: new Map() }
const lsn = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })

describe('positions', () => {
  it('read what they write', () => {
    fc.assert(
      fc.property(lsn, (position) => {
        expect(parseLsn(formatLsn(position))).toBe(position)
        expect(commitOf(watermarkOf(position, 3))).toBe(position)
      }),
      runs(200),
    )
    expect(formatLsn(0x16_b374_d848n)).toBe('16/B374D848')
    expect(commitOf('nonsense')).toBe(null)
  })

  it('sort as text in the order of the feed', () => {
    const position = fc.tuple(lsn, fc.nat(1_000_000))
    fc.assert(
      fc.property(position, position, ([a, i], [b, j]) => {
        const order = a === b ? Math.sign(i - j) : a < b ? -1 : 1
        const [left, right] = [watermarkOf(a, i), watermarkOf(b, j)]
        expect(left === right ? 0 : left < right ? -1 : 1).toBe(order)
      }),
      runs(200),
    )
  })
})

describe('transactions', () => {
  const play = (reader: TransactionReader, commits: readonly (readonly [commit: bigint, rows: number])[]): string[] => {
    const out: Change[] = []
    for (const [commit, rows] of commits) {
      reader.read({ kind: 'begin', commitLsn: commit, commitTime: 0, xid: 1 }, out)
      for (let row = 0; row < rows; row++) reader.read({ kind: 'insert', relation, new: [] }, out)
      expect(reader.inside).toBe(true)
      expect(reader.read({ kind: 'commit', commitLsn: commit, endLsn: commit + 8n, commitTime: 0 }, out)).toBe(
        commit + 8n,
      )
    }
    return out.map((change) => change.watermark)
  }

  it('number their changes', () => {
    expect(
      play(new TransactionReader(''), [
        [1n, 2],
        [5n, 1],
      ]),
    ).toEqual([watermarkOf(1n, 0), watermarkOf(1n, 1), watermarkOf(5n, 0)])
  })

  it('repeat nothing when the stream starts again in the middle of one', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(4), { minLength: 1, maxLength: 6 }), fc.nat(30), (sizes, cut) => {
        const commits = sizes.map((rows, index) => [BigInt(index + 1) * 100n, rows] as const)
        const all = play(new TransactionReader(''), commits)
        const seen = all.slice(0, cut % (all.length + 1))
        expect([...seen, ...play(new TransactionReader(seen.at(-1) ?? ''), commits)]).toEqual(all)
      }),
      runs(200),
    )
  })

  it('refuse rows outside of one', () => {
    expect(() => new TransactionReader('').read({ kind: 'insert', relation, new: [] }, [])).toThrow(RangeError)
  })
})

describe('the log', () => {
  const change = (position: number): Change => ({
    op: 'INSERT',
    watermark: watermarkOf(BigInt(position), 0),
    xid: 1,
    commitTime: 0,
    relation,
    new: ['x'],
    old: null,
    oldIsFull: false,
  })

  it('answers what came after a position, or that it forgot some of it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 400 }),
        fc.nat(),
        (limit, batches, pick) => {
          const log = new ChangeLog({ changes: limit, bytes: 1e9 })
          const all: Change[] = []
          for (const size of batches) {
            const batch = Array.from({ length: size }, (_, index) => change(all.length + index + 1))
            all.push(...batch)
            log.append(batch)
          }
          expect(log.size).toBe(Math.min(limit, all.length))
          const at = pick % (all.length + 1)
          const after = log.since(all[at - 1]?.watermark ?? '')
          expect(after).toEqual(all.length - at > limit ? null : all.slice(at))
        },
      ),
      runs(60),
    )
  })

  it('is bounded in bytes too', () => {
    const log = new ChangeLog({ changes: 1000, bytes: 1000 })
    log.append(Array.from({ length: 50 }, (_, index) => change(index)))
    expect(log.bytes).toBeLessThanOrEqual(1000)
    expect(log.size).toBeGreaterThan(0)
  })
})

describe('the decoder', () => {
  it('throws RangeError, and nothing else, for bytes that are no message', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Buffer.from('BCRYIUDTMOSx')), fc.uint8Array({ maxLength: 40 }), (kind, bytes) => {
        try {
          new PgoutputDecoder().decode(Buffer.from([kind, ...bytes]))
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError)
        }
      }),
      runs(500),
    )
  })
})

it('slot names hold only what Postgres allows', () => {
  expect(slotName('Feed-1 é', '16384')).toBe('teahouse_feed_1___16384')
  expect(slotName('x'.repeat(100), '1').length).toBeLessThanOrEqual(63)
})
