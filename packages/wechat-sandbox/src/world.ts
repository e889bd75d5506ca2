/** Everything a running sandbox knows, in one value; no state lives anywhere else. */
import { type Clock, MovableClock } from './kernel/clock.ts'
import { createRandom, type Random } from './kernel/random.ts'
import { Pusher } from './push/pusher.ts'
import { type AppInput, type AppSettings, appOf, defaultLimits, type Limits } from './settings.ts'
import { Codes } from './state/codes.ts'
import { Faults } from './state/faults.ts'
import { Journal } from './state/journal.ts'
import { Mailbox } from './state/mailbox.ts'
import { Moderation } from './state/moderation.ts'
import { People } from './state/people.ts'
import { Quotas } from './state/quotas.ts'
import { Scans } from './state/scans.ts'
import { Tokens } from './state/tokens.ts'
import { WebSessions } from './state/web-tokens.ts'

export interface World {
  readonly clock: MovableClock
  readonly random: Random
  readonly limits: Limits
  readonly apps: Map<string, AppSettings>
  readonly people: People
  readonly codes: Codes
  readonly tokens: Tokens
  readonly webSessions: WebSessions
  readonly quotas: Quotas
  readonly faults: Faults
  readonly journal: Journal
  readonly moderation: Moderation
  readonly mailbox: Mailbox
  readonly scans: Scans
  readonly pusher: Pusher
}

export interface WorldOptions {
  readonly clock: Clock
  readonly seed: string | undefined
  readonly apps: readonly AppInput[]
  readonly limits: Partial<Limits>
  readonly acceptNamedCodes: boolean
  readonly people: readonly string[]
  readonly onNewPerson: ((name: string) => void) | undefined
}

export const createWorld = (options: WorldOptions): World => {
  const clock = new MovableClock(options.clock)
  const random = createRandom(options.seed)
  const limits = { ...defaultLimits, ...options.limits }
  const apps = new Map(options.apps.map((app) => [app.appid, appOf(app)]))
  const people = new People({ clock, random, onNew: options.onNewPerson, sessionKeyLife: limits.sessionKeyLife })
  for (const name of options.people) people.remember(name, [...apps.keys()])
  return {
    clock,
    random,
    limits,
    apps,
    people,
    codes: new Codes({ clock, life: limits.codeLife, acceptNamed: options.acceptNamedCodes }),
    tokens: new Tokens(clock, random, limits),
    webSessions: new WebSessions(clock, random),
    quotas: new Quotas(clock),
    faults: new Faults(),
    journal: new Journal(),
    moderation: new Moderation(),
    mailbox: new Mailbox(),
    scans: new Scans(clock),
    pusher: new Pusher(clock, random, limits),
  }
}

/** Forgets everything but the apps. */
export const resetWorld = (world: World): void => {
  const { people, codes, tokens, webSessions, quotas, faults, journal, moderation, mailbox, scans, pusher } = world
  for (const part of [people, codes, tokens, webSessions, quotas, faults, journal, moderation, mailbox, scans, pusher])
    part.clear()
  world.clock.reset()
}
