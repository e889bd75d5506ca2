/** subscribe/send: one message for each permission that a person gave. */
import { refuse } from '../errcodes.ts'
import { type Handler, ok, postedJson } from '../http/call.ts'
import { isObject, type Json, type JsonObject, textOf } from '../kernel/json.ts'
import type { World } from '../world.ts'
import { appByToken } from './apps.ts'
import { isPage } from './pages.ts'

export const sendMessage: Handler = (world, call) => {
  const body = postedJson(call)
  const app = appByToken(world, call)
  const visitor = world.people.byOpenid(app.appid, textOf(body, 'touser')) ?? refuse(40003)
  const template = textOf(body, 'template_id')
  if (template === '' || app.templates?.includes(template) === false) refuse(40037)
  const data = isObject(body.data) ? body.data : refuse(47003, 'argument invalid! data')
  requireValues(data)
  const page = textOf(body, 'page')
  if (page !== '' && !isPage(app, page.split('?')[0] ?? '')) refuse(41030)
  const state = textOf(body, 'miniprogram_state') || 'formal'
  if (!['developer', 'trial', 'formal'].includes(state)) refuse(47003, 'argument invalid! miniprogram_state')
  const taken = world.mailbox.take({ appid: app.appid, openid: visitor.openid, template })
  if (taken !== 'ok') refuse(taken === 'banned' ? 43107 : 43101)
  const msgid = messageId(world)
  world.mailbox.deliver({
    msgid,
    at: world.clock.now(),
    appid: app.appid,
    openid: visitor.openid,
    user: visitor.person.name,
    template_id: template,
    page,
    data,
    miniprogram_state: state,
    lang: textOf(body, 'lang') || 'zh_CN',
  })
  return ok({ msgid })
}

const messageId = (world: World): number => world.random.bytes(6).readUIntBE(0, 6)

/** What each kind of template keyword may hold. */
const KINDS: Readonly<Record<string, RegExp>> = {
  thing: /^.{1,20}$/su,
  number: /^-?\d{1,32}(\.\d+)?$/,
  letter: /^[A-Za-z]{1,32}$/,
  symbol: /^[^\p{L}\p{N}\s]{1,5}$/u,
  character_string: /^[\x20-\x7e]{1,32}$/,
  time: /\d/,
  date: /\d/,
  amount: /^\D{0,2}\d{1,10}(\.\d+)?元?$/,
  phone_number: /^[\d+\-() ]{1,17}$/,
  car_number: /^.{1,8}$/su,
  name: /^(\p{Script=Han}{1,10}|[^\p{Script=Han}]{1,20})$/su,
  phrase: /^\p{Script=Han}{1,5}$/u,
}

/** Refuses with the name of the first member that does not fit. */
const requireValues = (data: JsonObject): void => {
  for (const [key, member] of Object.entries(data)) {
    const kind = KINDS[key.replace(/\d+$/, '')]
    const value = textValue(member)
    if (kind === undefined || value === null || !kind.test(value))
      refuse(47003, `argument invalid! data.${key}.value invalid`)
  }
}

const textValue = (member: Json | undefined): string | null => {
  const value = isObject(member) ? member.value : undefined
  return typeof value === 'string' || typeof value === 'number' ? String(value) : null
}
