import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { CHECKSUM_NAMES, CHECKSUMS, type ChecksumName } from './checksums.ts'

const RUNS = process.env.TEAHOUSE_SOAK === '1' ? 5000 : 200

const sumOf = (name: ChecksumName, ...pieces: readonly Uint8Array[]): string => {
  const checksum = CHECKSUMS[name]()
  for (const piece of pieces) checksum.update(piece)
  return checksum.digest().toString('hex')
}

/** Bit by bit, as the standards write it. */
const slowCrc = (polynomial: bigint, width: bigint, bytes: Uint8Array): string => {
  const all = (1n << width) - 1n
  let sum = all
  for (const byte of bytes) {
    sum ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit += 1) sum = (sum & 1n) === 1n ? (sum >> 1n) ^ polynomial : sum >> 1n
  }
  return (sum ^ all).toString(16).padStart(Number(width / 4n), '0')
}

const SLOW: Readonly<Record<ChecksumName, (bytes: Uint8Array) => string>> = {
  crc32: (bytes) => slowCrc(0xedb88320n, 32n, bytes),
  crc32c: (bytes) => slowCrc(0x82f63b78n, 32n, bytes),
  crc64nvme: (bytes) => slowCrc(0x9a6c9329ac4bc9b5n, 64n, bytes),
  sha1: (bytes) => createHash('sha1').update(bytes).digest('hex'),
  sha256: (bytes) => createHash('sha256').update(bytes).digest('hex'),
}

it('has the check values of the catalogues', () => {
  const digits = Buffer.from('123456789')
  expect(sumOf('crc32', digits)).toBe('cbf43926')
  expect(sumOf('crc32c', digits)).toBe('e3069283')
  expect(sumOf('crc64nvme', digits)).toBe('ae8b14860a799888')
})

it.each(CHECKSUM_NAMES)('%s is what the slow way finds, however the bytes are cut', (name) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), fc.nat(7), (bytes, cut, skip) => {
      // At an odd place of a larger buffer, as bytes come from a socket.
      const inside = Buffer.concat([Buffer.alloc(skip), bytes]).subarray(skip)
      expect(sumOf(name, inside.subarray(0, cut), inside.subarray(cut))).toBe(SLOW[name](bytes))
    }),
    { seed: 7, numRuns: RUNS },
  )
})
