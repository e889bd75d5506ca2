/** Numbers from samples, and rounds in which the variants take turns. */

/** The value below which `share` of the samples are; null without samples. */
export const percentile = (samples, share) => {
  if (samples.length === 0) return null
  const sorted = Float64Array.from(samples).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}

export const median = (values) => {
  const known = values.filter((value) => value !== null && value !== undefined)
  return percentile(known, 0.5)
}

/** p50 and p99 of latencies in milliseconds. */
export const latencies = (samples) => ({ p50: percentile(samples, 0.5), p99: percentile(samples, 0.99) })

/**
 * Measures every variant once a round, the order turned by one each time, so that a disturbance of the machine or a cold cache does not
 * always meet the same one. Answers the median of each number by variant.
 */
export const inRounds = async (rounds, variants, measure) => {
  const results = new Map(variants.map((name) => [name, []]))
  for (let round = 0; round < rounds; round += 1) {
    for (let index = 0; index < variants.length; index += 1) {
      const name = variants[(index + round) % variants.length]
      results.get(name).push(await measure(name, round))
    }
  }
  return new Map([...results].map(([name, all]) => [name, mediansOf(all)]))
}

const mediansOf = (all) =>
  Object.fromEntries(Object.keys(all[0] ?? {}).map((key) => [key, median(all.map((each) => each[key]))]))
