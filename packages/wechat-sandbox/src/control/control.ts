/** What a test or a simulator does with the pretended platform: people open apps, scan codes, allow messages, and things go wrong. */

import { returnUrl } from '../api/web-login.ts'
import { encryptOpenData, signRawData } from '../crypto/open-data.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { Push } from '../push/pusher.ts'
import type { AppSettings } from '../settings.ts'
import type { Fault, FaultInput } from '../state/faults.ts'
import type { Entry, JournalFilter } from '../state/journal.ts'
import type { Delivered } from '../state/mailbox.ts'
import type { Word } from '../state/moderation.ts'
import { openidOf, type Person, type PersonChanges, unionidOf } from '../state/people.ts'
import { resetWorld, type World } from '../world.ts'
import { ControlError } from './error.ts'

/** A person with what each app knows of them. */
export interface PersonView extends Person {
  readonly apps: readonly { readonly appid: string; readonly openid: string; readonly unionid: string | null }[]
}

export interface OpenData {
  readonly rawData: string
  readonly signature: string
  readonly encryptedData: string
  readonly iv: string
}

export interface OpenDataOptions {
  readonly appid: string
  readonly user: string
  readonly data: JsonObject
  /** Parts of the watermark that should differ from the truth, for tests of refusals. */
  readonly watermark?: JsonObject
}

export interface Permit {
  readonly appid: string
  readonly user: string
  readonly template: string
  readonly answer: 'accept' | 'reject' | 'ban'
  readonly times?: number
}

export interface Scanned {
  readonly uuid: string
  readonly user: string
  readonly action: 'scan' | 'confirm' | 'cancel'
}

/** The same as the HTTP control API, for a test in the same process. */
export interface Control {
  /** What wx.login would give: a fresh session key goes with it. */
  loginCode(user: string, appid?: string): string
  /** What a tap on the getPhoneNumber button would give. */
  phoneCode(user: string, appid?: string): string
  /** What wx.checkSession asks: whether the newest session key of a person is still good. */
  sessionValid(user: string, appid?: string): boolean
  /** Ends the session key of a person, as the platform may at any time. */
  endSession(user: string, appid?: string): void
  person(name: string): PersonView
  people(): readonly PersonView[]
  changePerson(name: string, changes: PersonChanges): PersonView
  /** `wx.getUserInfo`-like data under the person's newest session key. */
  openData(options: OpenDataOptions): OpenData
  permit(permit: Permit): number
  messages(): readonly Delivered[]
  pushes(): readonly Push[]
  /** Answers where the website's page goes next; null while nothing was confirmed. */
  scan(scanned: Scanned): string | null
  fault(input: FaultInput): Fault
  faults(): readonly Fault[]
  clearFaults(): void
  journal(filter?: JournalFilter): readonly Entry[]
  clearJournal(): void
  word(word: Word): void
  words(): readonly Word[]
  app(appid?: string): AppSettings
  apps(): readonly AppSettings[]
  /** Changes an app; a new push address is asked for its echo first and refused when it does not answer. */
  changeApp(appid: string, changes: Partial<Omit<AppSettings, 'appid'>>): Promise<AppSettings>
  endTokens(appid: string, how: 'expired' | 'replaced'): number
  advance(ms: number): number
  reset(): void
}

export const createControl = (world: World): Control => ({
  ...accounts(world),
  ...conversation(world),
  ...appControl(world),
  fault: (input) => world.faults.plan(input),
  faults: () => world.faults.all(),
  clearFaults: () => world.faults.clear(),
  journal: (filter) => world.journal.read(filter),
  clearJournal: () => world.journal.clear(),
  word: (word) => world.moderation.add(word),
  words: () => world.moderation.words(),
  advance: (ms) => world.clock.advance(ms),
  reset: () => resetWorld(world),
})

/** The app that is meant; the first mini-program when none is named. */
const appOf = (world: World, appid?: string): AppSettings => {
  const apps = [...world.apps.values()]
  const app = appid === undefined ? (apps.find(({ kind }) => kind === 'miniprogram') ?? apps[0]) : world.apps.get(appid)
  if (app === undefined) throw new ControlError(404, `no app ${appid ?? ''} is registered`)
  return app
}

const accounts = (world: World) => {
  const view = (person: Person): PersonView => ({
    ...person,
    apps: [...world.apps.values()].map((app) => ({
      appid: app.appid,
      openid: openidOf(app.appid, person.name),
      unionid: unionidOf(app, person.name),
    })),
  })
  return {
    loginCode: (user: string, appid?: string): string => {
      const app = appOf(world, appid)
      const { sessionKey } = world.people.visit(app.appid, user)
      return world.codes.issue({ pool: 'login', user, appid: app.appid, sessionKey }).text
    },
    phoneCode: (user: string, appid?: string): string => {
      const app = appOf(world, appid)
      return world.codes.issue({ pool: 'phone', user, appid: app.appid }).text
    },
    sessionValid: (user: string, appid?: string): boolean =>
      world.people.sessionKey(world.people.visitor(appOf(world, appid).appid, user)) !== null,
    endSession: (user: string, appid?: string): void => world.people.endSession(appOf(world, appid).appid, user),
    person: (name: string) => view(world.people.named(name)),
    people: () => world.people.all().map(view),
    changePerson: (name: string, changes: PersonChanges) => view(world.people.change(name, changes)),
    openData: (options: OpenDataOptions) => openData(world, options),
  }
}

const openData = (world: World, { appid, user, data, watermark }: OpenDataOptions): OpenData => {
  const visitor = world.people.visitor(appOf(world, appid).appid, user)
  if (visitor.sessionKey === null) throw new ControlError(409, `${user} never logged in to ${appid}`)
  const rawData = JSON.stringify(data)
  const mark = { timestamp: Math.floor(world.clock.now() / 1000), appid, ...watermark }
  const iv = world.random.bytes(16)
  return {
    rawData,
    signature: signRawData(rawData, visitor.sessionKey),
    encryptedData: encryptOpenData(JSON.stringify({ ...data, watermark: mark }), visitor.sessionKey, iv),
    iv: iv.toString('base64'),
  }
}

const conversation = (world: World) => ({
  permit: ({ appid, user, template, answer, times }: Permit): number => {
    const { openid } = world.people.visitor(appOf(world, appid).appid, user)
    return world.mailbox.answer({ appid, openid, template }, answer, times)
  },
  messages: () => world.mailbox.delivered(),
  pushes: () => world.pusher.pushes(),
  scan: ({ uuid, user, action }: Scanned): string | null => {
    const scan = world.scans.find(uuid)
    if (scan === undefined) throw new ControlError(404, `no page shows the code ${uuid}`)
    if (world.scans.stateOf(scan) === 'expired') throw new ControlError(410, 'the code on that page is too old')
    if (action === 'scan') scan.phase = 'scanned'
    if (action === 'cancel') scan.phase = 'refused'
    if (action === 'confirm') {
      scan.phase = 'confirmed'
      scan.code ??= world.codes.issue({ pool: 'web', user, appid: scan.appid, scope: scan.scope }).text
    }
    return scan.code === null ? null : returnUrl(scan)
  },
})

const appControl = (world: World) => ({
  app: (appid?: string) => appOf(world, appid),
  apps: () => [...world.apps.values()],
  changeApp: async (appid: string, changes: Partial<Omit<AppSettings, 'appid'>>): Promise<AppSettings> => {
    const changed = { ...appOf(world, appid), ...changes }
    if (changes.push !== undefined && changes.push !== null) {
      const problem = await world.pusher.verify(changes.push)
      if (problem !== null) throw new ControlError(422, problem)
    }
    world.apps.set(appid, changed)
    return changed
  },
  endTokens: (appid: string, how: 'expired' | 'replaced') => world.tokens.end(appid, how),
})
