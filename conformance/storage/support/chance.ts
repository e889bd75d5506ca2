/** Chance that comes out the same with the same seed. */
export interface Chance {
  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number
  bytes(size: number): Buffer
}

/** Mulberry32: small, and good enough to choose when to kill something. */
export const chanceOf = (seed: number): Chance => {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  return {
    between: (least, most) => least + (next() % (most - least + 1)),
    bytes: (size) => {
      const words = new Uint32Array(Math.ceil(size / 4))
      for (let at = 0; at < words.length; at += 1) words[at] = next()
      return Buffer.from(words.buffer, 0, size)
    },
  }
}
