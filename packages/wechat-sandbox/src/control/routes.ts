/** The control API under `/sandbox`: the platform's other side, for a simulator or a test in another process. */

import type { Answer, Call } from '../http/call.ts'
import { isObject, type JsonObject, parseJson } from '../kernel/json.ts'
import type { AppSettings } from '../settings.ts'
import type { Control } from './control.ts'
import { ControlError } from './error.ts'
import {
  appChanges,
  choiceOf,
  faultInput,
  nameOf,
  optionalNumber,
  personChanges,
  requiredText,
  wordOf,
} from './input.ts'

interface Asked {
  readonly body: JsonObject
  readonly query: URLSearchParams
  /** The part of the path that stands for `:`. */
  readonly name: string
}

type Route = (control: Control, asked: Asked) => object | Promise<object>

/** An app without its secrets. */
const shown = ({ secret: _, push, ...app }: AppSettings) => ({
  ...app,
  push: push === null ? null : { url: push.url, mode: push.mode, format: push.format },
})

const appidOf = (body: JsonObject): string | undefined => (typeof body.appid === 'string' ? body.appid : undefined)

const ROUTES: Readonly<Record<string, Route>> = {
  'GET /sandbox': (control) => ({ apps: control.apps().map(shown) }),
  'POST /sandbox/codes': (control, { body }) => {
    const user = nameOf(requiredText(body, 'user'))
    const pool = body.pool === undefined ? 'login' : choiceOf(body, 'pool', ['login', 'phone'] as const)
    return { code: pool === 'login' ? control.loginCode(user, appidOf(body)) : control.phoneCode(user, appidOf(body)) }
  },
  'POST /sandbox/sessions/check': (control, { body }) => ({
    valid: control.sessionValid(nameOf(requiredText(body, 'user')), appidOf(body)),
  }),
  'POST /sandbox/sessions/end': (control, { body }) =>
    done(() => control.endSession(nameOf(requiredText(body, 'user')), appidOf(body))),
  'GET /sandbox/people': (control) => ({ people: control.people() }),
  'GET /sandbox/people/:': (control, { name }) => control.person(nameOf(name)),
  'POST /sandbox/people/:': (control, { name, body }) => control.changePerson(nameOf(name), personChanges(body)),
  'POST /sandbox/open-data': (control, { body }) => {
    const { data, watermark } = body
    return control.openData({
      appid: appidOf(body) ?? control.app().appid,
      user: nameOf(requiredText(body, 'user')),
      data: isObject(data) ? data : {},
      ...(isObject(watermark) ? { watermark } : {}),
    })
  },
  'POST /sandbox/permissions': (control, { body }) => ({
    left: control.permit({
      appid: appidOf(body) ?? control.app().appid,
      user: nameOf(requiredText(body, 'user')),
      template: requiredText(body, 'template'),
      answer: choiceOf(body, 'answer', ['accept', 'reject', 'ban'] as const),
      times: optionalNumber(body, 'times') ?? 1,
    }),
  }),
  'GET /sandbox/messages': (control, { query }) => {
    const user = query.get('user')
    return { messages: control.messages().filter((message) => user === null || message.user === user) }
  },
  'GET /sandbox/pushes': (control) => ({ pushes: control.pushes() }),
  'POST /sandbox/scans/:': (control, { name, body }) => ({
    location: control.scan({
      uuid: name,
      user: nameOf(requiredText(body, 'user')),
      action: choiceOf(body, 'action', ['scan', 'confirm', 'cancel'] as const),
    }),
  }),
  'GET /sandbox/faults': (control) => ({ faults: control.faults() }),
  'POST /sandbox/faults': (control, { body }) => control.fault(faultInput(body)),
  'DELETE /sandbox/faults': (control) => done(() => control.clearFaults()),
  'GET /sandbox/journal': (control, { query }) => ({
    entries: control.journal({ path: query.get('path') ?? undefined, after: Number(query.get('after') ?? 0) || 0 }),
  }),
  'DELETE /sandbox/journal': (control) => done(() => control.clearJournal()),
  'GET /sandbox/words': (control) => ({ words: control.words() }),
  'POST /sandbox/words': (control, { body }) => done(() => control.word(wordOf(body))),
  'POST /sandbox/apps/:': async (control, { name, body }) => shown(await control.changeApp(name, appChanges(body))),
  'POST /sandbox/tokens/end': (control, { body }) => ({
    ended: control.endTokens(
      appidOf(body) ?? control.app().appid,
      choiceOf(body, 'how', ['expired', 'replaced'] as const),
    ),
  }),
  'POST /sandbox/clock': (control, { body }) => ({ now: control.advance(optionalNumber(body, 'advance') ?? 0) }),
  'POST /sandbox/reset': (control) => done(() => control.reset()),
}

const done = (work: () => void): object => {
  work()
  return { done: true }
}

export const isControlPath = (path: string): boolean => path === '/sandbox' || path.startsWith('/sandbox/')

/** Answers a control request, with the status that tells how it went. */
export const answerControl = async (control: Control, call: Call): Promise<Answer> => {
  try {
    const { route, name } = findRoute(call)
    const answer = await route(control, { body: bodyOf(call), query: call.query, name })
    return { kind: 'json', body: { ...answer }, status: 200 }
  } catch (error) {
    if (!(error instanceof ControlError)) throw error
    return { kind: 'json', body: { error: error.message }, status: error.status }
  }
}

const findRoute = ({ method, path }: Call): { route: Route; name: string } => {
  const exact = ROUTES[`${method} ${path}`]
  if (exact !== undefined) return { route: exact, name: '' }
  const cut = path.lastIndexOf('/')
  const named = ROUTES[`${method} ${path.slice(0, cut)}/:`]
  if (named === undefined) throw new ControlError(404, `there is no ${method} ${path}`)
  return { route: named, name: decodeName(path.slice(cut + 1)) }
}

const decodeName = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new ControlError(400, 'the address cannot be read')
  }
}

/** JSON alone: a form of some web page cannot send that without asking first. */
const bodyOf = ({ method, body, contentType }: Call): JsonObject => {
  if (method !== 'POST' || body.length === 0) return {}
  if (!/^application\/json\b/i.test(contentType)) throw new ControlError(415, 'send JSON')
  const parsed = parseJson(body.toString('utf8'))
  if (!isObject(parsed)) throw new ControlError(400, 'the body should be a JSON object')
  return parsed
}
