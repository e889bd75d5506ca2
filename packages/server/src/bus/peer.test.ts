/** What one node makes of another's frames when the network loses, repeats and reorders them. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runs } from '../../test/arbitraries.ts'
import { Peer } from './peer.ts'
import { SentFrames } from './sent.ts'

/** One thing that the network does next. */
const fate = fc.constantFrom('deliver', 'deliver', 'deliver', 'lose', 'repeat', 'delay')

const frameOf = (seq: number) => ({ seq, part: 0, parts: 1, body: Buffer.from(String(seq)) })

describe('a peer', () => {
  it('is heard once and in order whatever the network does, as long as what was missed is kept', () => {
    fc.assert(
      fc.property(fc.array(fate, { minLength: 1, maxLength: 300 }), (fates) => {
        const got: number[] = []
        const wanted: (readonly [number, number])[] = []
        let now = 0
        const peer = new Peer(
          {
            message: (bytes) => got.push(Number(bytes.toString())),
            want: (from, to) => wanted.push([from, to]),
            gap: () => expect.unreachable('nothing is gone for good'),
          },
          now,
        )
        peer.beat(0, 1, now)
        let delayed: number[] = []
        fates.forEach((what, index) => {
          now += 10
          if (what === 'deliver' || what === 'repeat') peer.data(frameOf(index + 1), now)
          if (what === 'repeat') peer.data(frameOf(index + 1), now)
          if (what === 'delay') delayed.push(index + 1)
          else for (const seq of delayed.splice(0)) peer.data(frameOf(seq), now)
        })
        delayed = []
        // Signs of life go on; what is asked for comes.
        for (let round = 0; round < 100 && got.length < fates.length; round++) {
          now += 1000
          peer.beat(fates.length, 1, now)
          for (const [from, to] of wanted.splice(0)) for (let seq = from; seq <= to; seq++) peer.data(frameOf(seq), now)
        }
        expect(got).toEqual(fates.map((_, index) => index + 1))
      }),
      runs(100),
    )
  })

  it('keeps a bounded number of frames behind a hole, and gets the rest when their turn comes', () => {
    const got: number[] = []
    const wanted: (readonly [number, number])[] = []
    const peer = new Peer(
      {
        message: (bytes) => got.push(Number(bytes.toString())),
        want: (from, to) => wanted.push([from, to]),
        gap: () => {},
      },
      0,
    )
    peer.beat(0, 1, 0)
    for (let seq = 2; seq <= 10_000; seq++) peer.data(frameOf(seq), 0)
    peer.data(frameOf(1), 1)
    expect(got.length).toBe(2001)
    for (let now = 1000; got.length < 10_000 && now < 100_000; now += 1000) {
      peer.beat(10_000, 1, now)
      for (const [from, to] of wanted.splice(0)) {
        expect(to - from).toBeLessThan(500)
        for (let seq = from; seq <= to; seq++) peer.data(frameOf(seq), now)
      }
    }
    expect(got).toEqual(Array.from({ length: 10_000 }, (_, index) => index + 1))
  })

  it('says so once when frames are gone, and goes on behind them', () => {
    const said: string[] = []
    const peer = new Peer(
      { message: (bytes) => said.push(bytes.toString()), want: () => {}, gap: () => said.push('gap') },
      0,
    )
    peer.data(frameOf(1), 0)
    peer.data(frameOf(9), 0)
    peer.beat(9, 8, 0)
    peer.data(frameOf(8), 0)
    peer.beat(9, 9, 0)
    expect(said).toEqual(['1', 'gap', '8', '9'])
  })
})

it('sent frames are kept as long as their number and bytes allow', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 0, max: 3000 }),
      fc.nat(3000),
      (limit, count, from) => {
        const sent = new SentFrames({ frames: limit, bytes: 1e9 })
        for (let seq = 1; seq <= count; seq++) sent.add(Buffer.from(String(seq)))
        expect([sent.last, sent.floor]).toEqual([count, count - Math.min(limit, count) + 1])
        const expected = Array.from({ length: count }, (_, index) => index + 1).filter(
          (seq) => seq >= sent.floor && seq >= from && seq <= from + 5,
        )
        expect(sent.range(from, from + 5).map((bytes) => Number(bytes.toString()))).toEqual(expected)
      },
    ),
    runs(100),
  )
})
