import { createHash, randomBytes } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { WritableFile } from './file-system.ts'
import { createHasher, inlineHasher } from './hashing.ts'
import { PIECE, writeFile } from './write-file.ts'

const RUNS = process.env.TEAHOUSE_SOAK === '1' ? 2000 : 60
const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex')
const all = randomBytes(3 * PIECE)

/** A file in memory that is slow to take what it is given, and reads it only then. */
const slowFile = (failAt = Number.POSITIVE_INFINITY) => {
  const written: Buffer[] = []
  const calls: string[] = []
  let at = 0
  const file: WritableFile = {
    write: async (bytes) => {
      await setImmediate()
      at += bytes.length
      if (at > failAt) throw new Error('full')
      written.push(Buffer.from(bytes))
    },
    sync: async () => void calls.push('sync'),
    close: async () => void calls.push('close'),
  }
  return { file, calls, content: () => Buffer.concat(written) }
}

/** The first `total` bytes in parts of these sizes, and the rest. */
async function* cut(total: number, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0
  for (const size of [...sizes, total]) {
    const end = Math.min(at + size, total)
    yield all.subarray(at, end)
    at = end
  }
}

describe('a file that is written', () => {
  it('has the bytes of its source and their hash, however they are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.nat(10), fc.integer({ min: PIECE - 3, max: PIECE + 3 }), fc.nat(all.length)),
        fc.array(fc.oneof(fc.nat(70_000), fc.integer({ min: PIECE - 2, max: PIECE + 2 })), { maxLength: 12 }),
        async (total, sizes) => {
          const { file, calls, content } = slowFile()
          const stored = await writeFile(file, cut(total, sizes))
          const expected = all.subarray(0, total)
          expect(stored).toEqual({ size: total, md5: md5(expected) })
          expect(content().equals(expected)).toBe(true)
          expect(calls).toEqual(['sync', 'close'])
        },
      ),
      { seed: 7, numRuns: RUNS },
    )
  })

  it('is closed and not synced when the disk is full, wherever that comes', async () => {
    for (const room of [0, 1000, PIECE, 2 * PIECE + 5]) {
      const { file, calls } = slowFile(room)
      await expect(writeFile(file, cut(all.length, [60_000, 60_000]))).rejects.toThrow('full')
      expect(calls).toEqual(['close'])
    }
    // What was given up there does not disturb what comes after it.
    const { file, content } = slowFile()
    expect(await writeFile(file, cut(all.length, []))).toEqual({ size: all.length, md5: md5(all) })
    expect(content().equals(all)).toBe(true)
  })

  it('is closed when the source fails, which hears that nobody reads on when the file fails', async () => {
    async function* broken() {
      yield all.subarray(0, 2 * PIECE)
      throw new Error('went away')
    }
    const { file, calls } = slowFile()
    await expect(writeFile(file, broken())).rejects.toThrow('went away')
    expect(calls).toEqual(['close'])
    let ended = false
    async function* endless() {
      try {
        for (;;) yield all.subarray(0, 60_000)
      } finally {
        ended = true
      }
    }
    await expect(writeFile(slowFile(PIECE).file, endless())).rejects.toThrow('full')
    expect(ended).toBe(true)
  })
})

describe('a hasher', () => {
  it('is right beside others, in threads and without', async () => {
    const hashers = Array.from({ length: 12 }, (_, index) => (index % 4 === 0 ? inlineHasher() : createHasher()))
    const sums = await Promise.all(
      hashers.map(async (hasher, index) => {
        for (let at = 0; at < 5; at += 1) await hasher.update(all.subarray(index, index + at * 1000))
        return hasher.digest()
      }),
    )
    const expected = hashers.map((_, index) =>
      md5(Buffer.concat([0, 1, 2, 3, 4].map((at) => all.subarray(index, index + at * 1000)))),
    )
    expect(sums).toEqual(expected)
  })
})
