/** The account service of one app: put together here, used by dialects through the functions beside this file. */
import type { Pool } from '../db/pool.ts'
import type { Clock } from '../kernel/clock.ts'
import { toError } from '../kernel/errors.ts'
import type { Ids } from '../kernel/ids.ts'
import type { Service } from '../kernel/service.ts'
import type { Mailer } from '../notify/mailer.ts'
import type { SmsSender } from '../notify/sms.ts'
import { DEFAULT_TEMPLATES, type MailTemplates } from '../notify/templates.ts'
import type { Log } from '../observe/log.ts'
import type { WechatClient } from '../wechat/client.ts'
import { createAccessTokens } from './access-token.ts'
import { createCaptcha } from './captcha.ts'
import type { AuthContext } from './context.ts'
import { sweepFlows } from './flow.sql.ts'
import { createHooks } from './hooks.ts'
import type { KeyRing } from './key-ring.ts'
import { createLimits } from './limits.ts'
import { createMessages } from './messages.ts'
import { OidcDirectory } from './oidc.ts'
import { createPasswords } from './passwords.ts'
import { createRedirects } from './redirects.ts'
import { Revocations } from './revocations.ts'
import { createSeen, type Seen } from './seen.ts'
import { createSessions, type Sessions } from './sessions.ts'
import type { AuthSettings } from './settings.ts'

export interface AuthOptions {
  readonly db: Pool
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
  readonly settings: AuthSettings
  readonly ring: KeyRing
  readonly mailer: Mailer
  /** Null when no provider is configured. */
  readonly sms: SmsSender | null
  readonly templates?: MailTemplates
  /** `--dev`: this machine only. */
  readonly development?: boolean
  /** Null when no mini-program is configured. */
  readonly wechat: WechatClient | null
  /** Where this server is reached from outside, without a slash at the end. */
  readonly externalUrl: () => string
}

export interface Auth extends Service {
  readonly context: AuthContext
  readonly sessions: Sessions
  readonly seen: Seen
  readonly wechat: WechatClient | null
  readonly directory: OidcDirectory
}

const SWEEP_EVERY_MS = 600_000
/** A login that went elsewhere and did not come back within this time never will. */
const FLOW_LIFE_MS = 24 * 3600 * 1000

export const createAuth = (options: AuthOptions): Auth => {
  const { clock, db, wechat } = options
  const work = background(options.log)
  const context = contextOf(options, work.later)
  const seen = createSeen(context)
  let cancel = (): void => {}
  const sweep = (): void => {
    cancel = clock.after(SWEEP_EVERY_MS, () => {
      context.later('sweep', async () => {
        await db.run(sweepFlows(new Date(clock.now() - FLOW_LIFE_MS)))
      })
      sweep()
    })
  }
  return {
    context,
    seen,
    wechat,
    sessions: createSessions(context),
    directory: new OidcDirectory(context),
    async start() {
      await context.revocations.start()
      seen.start()
      sweep()
    },
    async stop() {
      cancel()
      await work.done()
      await Promise.all([context.revocations.stop(), seen.stop()])
      options.mailer.stop()
    },
  }
}

/** Work that goes on after an answer: its failure is for the log, and the end of the service waits for it. */
const background = (log: Log) => {
  const under = new Set<Promise<void>>()
  const later = (what: string, work: () => Promise<void>): void => {
    const running: Promise<void> = work()
      .catch((error: unknown) => log.error({ error: toError(error), what }, 'work after an answer failed'))
      .finally(() => under.delete(running))
    under.add(running)
  }
  return { later, done: () => Promise.all(under) }
}

const contextOf = (options: AuthOptions, later: AuthContext['later']): AuthContext => {
  const { db, clock, ids, log, settings, ring, externalUrl, mailer, sms, templates = DEFAULT_TEMPLATES } = options
  const limits = createLimits({
    db,
    rates: settings.rates,
    pauses: { email: settings.email.maxFrequency, sms: settings.sms.maxFrequency },
    freeLoopback: options.development ?? false,
  })
  const hooks = createHooks({ db, clock, ids, log }, settings.hooks)
  const issuer = () => `${externalUrl()}/auth/v1`
  return {
    db,
    clock,
    ids,
    log,
    settings,
    ring,
    hooks,
    limits,
    externalUrl,
    later,
    captcha: createCaptcha(settings.captcha, log),
    passwords: createPasswords(),
    redirects: createRedirects(settings),
    revocations: new Revocations({ db, clock, log, longest: settings.jwtExpiry }),
    messages: createMessages({ mailer, sms, templates, settings, limits }),
    tokens: createAccessTokens({ ring, hooks, settings, issuer, appid: options.wechat?.appid ?? null }),
  }
}
