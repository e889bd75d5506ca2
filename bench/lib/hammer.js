/** Work done over and over by this very process, so many at a time. */
import { latencies } from './stats.js'

/** Keeps `inFlight` works under way for a while, and until one was counted; answers rate and latencies. */
export const hammer = async ({ inFlight, seconds, warmSeconds }, work) => {
  const times = []
  const from = performance.now() + warmSeconds * 1000
  const until = from + seconds * 1000
  let last = until
  const lane = async () => {
    for (;;) {
      const started = performance.now()
      if (started >= until && times.length > 0) return
      await work()
      const ended = performance.now()
      if (started < from || (ended >= until && times.length > 0)) continue
      times.push(ended - started)
      last = Math.max(last, ended)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
  return { rate: (times.length * 1000) / (last - from), ...latencies(times) }
}
