/** What an app takes from outside besides its settings: where it logs, what time it is, and how it names things. */
import type { Clock } from './kernel/clock.ts'
import type { Ids } from './kernel/ids.ts'
import type { RootLog } from './observe/log.ts'

export interface World {
  readonly log: RootLog
  readonly clock: Clock
  readonly ids: Ids
}
