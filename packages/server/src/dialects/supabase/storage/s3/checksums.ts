/** The checksums that S3 clients send beside a body. Node has most of them; CRC-32C and CRC-64/NVME, what AWS's own command line sends, are here. */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'

export interface Checksum {
  update(bytes: Uint8Array): void
  digest(): Buffer
}

export type ChecksumName = 'crc32' | 'crc32c' | 'crc64nvme' | 'sha1' | 'sha256'

/** A fresh checksum of each kind. */
export const CHECKSUMS: Readonly<Record<ChecksumName, () => Checksum>> = {
  crc32: () => new Crc32(),
  crc32c: () => new SlicedCrc(CRC32C, 4),
  crc64nvme: () => new SlicedCrc(CRC64_NVME, 8),
  sha1: () => hash('sha1'),
  sha256: () => hash('sha256'),
}

export const CHECKSUM_NAMES: readonly ChecksumName[] = ['crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256']

const hash = (name: string): Checksum => {
  const inner = createHash(name)
  return { update: (bytes) => void inner.update(bytes), digest: () => inner.digest() }
}

class Crc32 implements Checksum {
  #sum = 0

  update(bytes: Uint8Array): void {
    this.#sum = crc32(bytes, this.#sum)
  }

  digest(): Buffer {
    const sum = Buffer.alloc(4)
    sum.writeUInt32BE(this.#sum)
    return sum
  }
}

/** A reflected polynomial as two halves of 32 bits; one of 32 bits has nothing in the upper half. */
interface Polynomial {
  readonly high: number
  readonly low: number
}

const CRC32C: Polynomial = { high: 0, low: 0x82f63b78 }
const CRC64_NVME: Polynomial = { high: 0x9a6c9329, low: 0xac4bc9b5 }

const SLICES = 8

interface Tables {
  readonly high: Uint32Array
  readonly low: Uint32Array
}

const made = new Map<Polynomial, Tables>()

/** What each byte does to the sum from up to eight places away. */
const tablesOf = (polynomial: Polynomial): Tables => {
  const known = made.get(polynomial)
  if (known !== undefined) return known
  const tables = { high: new Uint32Array(256 * SLICES), low: new Uint32Array(256 * SLICES) }
  for (let byte = 0; byte < 256; byte += 1) {
    let [high, low] = [0, byte]
    for (let at = 0; at < SLICES; at += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const odd = low & 1
        low = (low >>> 1) | (high << 31)
        high >>>= 1
        if (odd === 1) {
          high ^= polynomial.high
          low ^= polynomial.low
        }
      }
      tables.high[at * 256 + byte] = high
      tables.low[at * 256 + byte] = low
    }
  }
  made.set(polynomial, tables)
  return tables
}

/**
 * Eight bytes a step, each through a table of its own: the naive byte by byte waits for the sum at every byte, and BigInt allocates one each.
 */
class SlicedCrc implements Checksum {
  readonly #tables: Tables
  readonly #width: number
  #high: number
  #low = 0xffffffff

  constructor(polynomial: Polynomial, width: 4 | 8) {
    this.#tables = tablesOf(polynomial)
    this.#width = width
    this.#high = width === 8 ? 0xffffffff : 0
  }

  update(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const whole = bytes.length - (bytes.length % SLICES)
    for (let at = 0; at < whole; at += SLICES) {
      this.#step(view.getUint32(at, true) ^ this.#low, view.getUint32(at + 4, true) ^ this.#high)
    }
    for (let at = whole; at < bytes.length; at += 1) this.#byte(view.getUint8(at))
  }

  #step(first: number, second: number): void {
    const { high, low } = this.#tables
    const [a, b, c, d] = [
      1792 + (first & 255),
      1536 + ((first >>> 8) & 255),
      1280 + ((first >>> 16) & 255),
      1024 + (first >>> 24),
    ]
    const [e, f, g, h] = [
      768 + (second & 255),
      512 + ((second >>> 8) & 255),
      256 + ((second >>> 16) & 255),
      second >>> 24,
    ]
    this.#high =
      at(high, a) ^ at(high, b) ^ at(high, c) ^ at(high, d) ^ at(high, e) ^ at(high, f) ^ at(high, g) ^ at(high, h)
    this.#low = at(low, a) ^ at(low, b) ^ at(low, c) ^ at(low, d) ^ at(low, e) ^ at(low, f) ^ at(low, g) ^ at(low, h)
  }

  #byte(byte: number): void {
    const index = (this.#low ^ byte) & 255
    this.#low = ((this.#low >>> 8) | (this.#high << 24)) ^ at(this.#tables.low, index)
    this.#high = (this.#high >>> 8) ^ at(this.#tables.high, index)
  }

  digest(): Buffer {
    const sum = Buffer.alloc(this.#width)
    sum.writeUInt32BE(~this.#low >>> 0, this.#width - 4)
    if (this.#width === 8) sum.writeUInt32BE(~this.#high >>> 0, 0)
    return sum
  }
}

/** The tables have an entry for every index that is made here. */
const at = (table: Uint32Array, index: number): number => table[index] ?? 0
