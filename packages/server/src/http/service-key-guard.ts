/** Notices a service key in the hands of a client: it bypasses every policy, and whoever has the page or the mini-program has the key. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Caller } from '../identity/caller.ts'
import type { Clock } from '../kernel/clock.ts'
import { AppError } from '../kernel/errors.ts'
import type { Log } from '../observe/log.ts'

const WARN_EVERY_MS = 60_000
const MINI_PROGRAM = /^https:\/\/servicewechat\.com\//i

/** Who was recognised, and what came with their proof. */
export interface Recognised {
  readonly caller: Pick<Caller, 'role'>
  readonly headers: IncomingHttpHeaders
}

/** Throws AppError `forbidden` for a service key in a mini-program. */
export type ServiceKeyGuard = (recognised: Recognised) => void

/**
 * Refuses a service key from inside a mini-program, whose package anybody can take apart; warns of one from a browser, which may be the
 * operator's own. Headers can be left out by an attacker, so this protects from mistakes, not from thieves.
 */
export const createServiceKeyGuard = ({
  log,
  clock,
}: {
  readonly log: Log
  readonly clock: Clock
}): ServiceKeyGuard => {
  let warnedAt = Number.NEGATIVE_INFINITY
  const warn = (where: string): void => {
    if (clock.now() - warnedAt < WARN_EVERY_MS) return
    warnedAt = clock.now()
    log.warn(
      { where },
      'a service key was used from a client: it bypasses row-level security and belongs on servers only',
    )
  }
  return ({ caller, headers }) => {
    if (caller.role !== 'service_role') return
    const { referer, origin, 'user-agent': agent = '' } = headers
    if (MINI_PROGRAM.test(referer ?? '') || /\bMicroMessenger\b|\bminiProgram\b/i.test(agent)) {
      warn('mini-program')
      throw new AppError('forbidden', 'A service key may not be used in a mini-program: use the anon key', {
        reason: 'service_key_in_client',
      })
    }
    if (origin !== undefined || headers['sec-fetch-mode'] !== undefined) warn('browser')
  }
}
