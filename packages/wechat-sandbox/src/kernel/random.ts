/** Randomness as a dependency: the same seed gives the same keys and tokens in the same order. */
import { createHmac, randomBytes } from 'node:crypto'

export interface Random {
  bytes(count: number): Buffer
}

/** HMAC-SHA256 in counter mode over the seed; without a seed, the machine's own randomness. */
export const createRandom = (seed: string | undefined): Random => {
  if (seed === undefined) return { bytes: (count) => randomBytes(count) }
  let counter = 0
  const block = (): Buffer => {
    counter += 1
    return createHmac('sha256', seed).update(String(counter)).digest()
  }
  return {
    bytes: (count) => Buffer.concat(Array.from({ length: Math.ceil(count / 32) }, block)).subarray(0, count),
  }
}
