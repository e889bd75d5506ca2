/** jscode2session and the two calls about session keys. */
import { timingSafeEqual } from 'node:crypto'
import { signSession } from '../crypto/open-data.ts'
import { refuse } from '../errcodes.ts'
import { type Call, type Handler, ok } from '../http/call.ts'
import type { Redeemed } from '../state/codes.ts'
import { unionidOf } from '../state/people.ts'
import type { World } from '../world.ts'
import { appBySecret, appByToken, requireCredentials } from './apps.ts'

/** `GET /sns/jscode2session`. Its answer is JSON under text/plain, as WeChat's is. */
export const jscode2session: Handler = (world, { query }) => {
  const param = (name: string): string => query.get(name) ?? ''
  const credentials = { appid: param('appid'), secret: param('secret') }
  requireCredentials(credentials)
  if (param('js_code') === '') refuse(41008)
  if (param('grant_type') !== 'authorization_code') refuse(40002)
  const app = appBySecret(world, credentials)
  if (app.kind !== 'miniprogram') refuse(48001)
  const user = world.codes.peek('login', param('js_code'))?.user
  if (user !== undefined) world.quotas.minute(`login ${app.appid} ${user}`, world.limits.loginsPerUserMinute)
  if (user !== undefined && world.people.named(user).blocked) refuse(40226)
  const redeemed = world.codes.redeem('login', param('js_code'), app.appid)
  const code = redeemed.ok ? redeemed.code : refuse(loginRefusal(redeemed))
  // A code that the simulator got carries the session key of that moment, so that a later wx.login makes it stale.
  const sessionKey = code.sessionKey ?? world.people.visit(app.appid, code.user).sessionKey
  const { openid } = world.people.visitor(app.appid, code.user)
  const unionid = unionidOf(app, code.user)
  const body = { session_key: sessionKey, openid, ...(unionid === null ? {} : { unionid }) }
  return { kind: 'json', body, type: 'text/plain' }
}

const loginRefusal = ({ why }: Extract<Redeemed, { ok: false }>): 40029 | 40163 => (why === 'used' ? 40163 : 40029)

/** The visitor whose newest session key signed this call. */
const signedVisitor = (world: World, call: Call) => {
  const app = appByToken(world, call)
  const openid = call.query.get('openid') ?? ''
  if (openid === '') refuse(41009)
  const visitor = world.people.byOpenid(app.appid, openid) ?? refuse(40003)
  const sessionKey = world.people.sessionKey(visitor)
  const expected = Buffer.from(sessionKey === null ? '' : signSession(sessionKey))
  const given = Buffer.from(call.query.get('signature') ?? '')
  const right = expected.length > 0 && expected.length === given.length && timingSafeEqual(expected, given)
  if (!right || call.query.get('sig_method') !== 'hmac_sha256') refuse(87009)
  return { app, visitor }
}

/** `GET /wxa/checksession`. */
export const checkSession: Handler = (world, call) => {
  signedVisitor(world, call)
  return ok()
}

/** `GET /wxa/resetusersessionkey`: the next session key, without a login. */
export const resetSessionKey: Handler = (world, call) => {
  const { app, visitor } = signedVisitor(world, call)
  const { openid, sessionKey } = world.people.visit(app.appid, visitor.person.name)
  return ok({ openid, session_key: sessionKey })
}
