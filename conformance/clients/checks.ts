/** Every method of a Supabase client that this server speaks for, called once. */
import { reads } from './reading.ts'
import { realtime } from './realtime.ts'
import { storage } from './storage.ts'
import { type Area, NotApplicable, type Platform, type Result } from './tools.ts'
import { functions, writes } from './writing.ts'

const AREAS: Readonly<Record<string, Area>> = {
  Reading: reads,
  Writing: writes,
  Functions: functions,
  Storage: storage,
  Realtime: realtime,
}

/** The mini-program client leaves some promises open for ever. */
const inTime = (work: Promise<void>): Promise<void> => {
  let timer: ReturnType<typeof setTimeout>
  const late = new Promise<void>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('never settled')), 20_000)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/** Calls everything once, in order. */
export const runChecks = async (platform: Platform): Promise<readonly Result[]> => {
  const results: Result[] = []
  for (const [area, checks] of Object.entries(AREAS)) {
    for (const [name, check] of Object.entries(checks)) {
      try {
        await inTime(check(platform))
        results.push({ area, name, outcome: 'passes', reason: '' })
      } catch (error) {
        const reason = error instanceof Error ? error.message : JSON.stringify(error)
        results.push({ area, name, outcome: error instanceof NotApplicable ? 'not applicable' : 'gap', reason })
      }
      await platform.close()
    }
  }
  return results
}
