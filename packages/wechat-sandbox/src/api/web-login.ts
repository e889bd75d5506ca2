/** Web login by QR code (`wechat_qr`): the page to scan, its polling, and the OAuth calls of the website's server. */
import { refuse } from '../errcodes.ts'
import { type Answer, type Call, type Handler, json, ok } from '../http/call.ts'
import type { AppSettings } from '../settings.ts'
import { openidOf, unionidOf } from '../state/people.ts'
import type { Scan, ScanState } from '../state/scans.ts'
import type { WebLogin, WebTokens } from '../state/web-tokens.ts'
import type { World } from '../world.ts'
import { appBySecret } from './apps.ts'
import { errorPage, scanPage } from './web-page.ts'

const SCOPES = ['snsapi_login', 'snsapi_userinfo', 'snsapi_base']

const page = (text: string, status = 200): Answer => ({ kind: 'text', text, type: 'text/html; charset=utf-8', status })

/** `GET /connect/qrconnect` and `/connect/oauth2/authorize`. */
export const connectPage: Handler = (world, call) => {
  const { query, language, origin } = call
  const app = world.apps.get(query.get('appid') ?? '')
  if (app === undefined) return page(errorPage(language, 'appid'), 400)
  const redirectUri = query.get('redirect_uri') ?? ''
  if (!mayReturnTo(app, redirectUri)) return page(errorPage(language, 'redirect_uri'), 400)
  const scope = (query.get('scope') ?? '').split(',')[0] ?? ''
  if (!SCOPES.includes(scope)) return page(errorPage(language, 'scope'), 400)
  const uuid = world.random.bytes(12).toString('base64url')
  world.scans.open({ uuid, appid: app.appid, redirectUri, state: query.get('state') ?? '', scope })
  return page(scanPage({ language, uuid, origin, appid: app.appid, phone: false }))
}

const mayReturnTo = (app: AppSettings, uri: string): boolean => {
  if (!/^https?:\/\//i.test(uri) || !URL.canParse(uri)) return false
  return app.redirectHosts === null || app.redirectHosts.includes(new URL(uri).hostname)
}

/** What the page hears for each state: numbers are WeChat's own. */
const POLL: Readonly<Record<ScanState, number>> = {
  waiting: 408,
  scanned: 404,
  confirmed: 405,
  refused: 403,
  expired: 402,
}

/** `GET /connect/l/qrconnect?uuid=`: answers at once instead of holding the request. */
export const pollScan: Handler = (world, { query }) => {
  const scan = world.scans.find(query.get('uuid') ?? '')
  const state = scan === undefined ? 'expired' : world.scans.stateOf(scan)
  const text = `window.wx_errcode=${POLL[state]};window.wx_code='${scan?.code ?? ''}';`
  return { kind: 'text', text, type: 'text/javascript; charset=utf-8' }
}

/** `GET /connect/confirm?uuid=`: where the picture leads a phone that scans it. */
export const confirmPage: Handler = (world, { query, language, origin }) => {
  const scan = world.scans.find(query.get('uuid') ?? '')
  if (scan === undefined) return page(errorPage(language, 'uuid'), 400)
  return page(scanPage({ language, uuid: scan.uuid, origin, appid: scan.appid, phone: true }))
}

/** `GET /connect/return?uuid=`: where the page goes once its code was confirmed. */
export const returnToSite: Handler = (world, call) => {
  const scan = world.scans.find(call.query.get('uuid') ?? '')
  if (scan?.code === undefined || scan.code === null) return page(errorPage(call.language, 'uuid'), 400)
  return { kind: 'redirect', to: returnUrl(scan) }
}

/** The website's address with the code and its own state. */
export const returnUrl = (scan: Scan): string => {
  const url = new URL(scan.redirectUri)
  if (scan.code !== null) url.searchParams.set('code', scan.code)
  url.searchParams.set('state', scan.state)
  return url.toString()
}

const tokensAnswer = (world: World, tokens: WebTokens, login: WebLogin): Answer => {
  const app = world.apps.get(login.appid)
  const unionid = app === undefined ? null : unionidOf(app, login.user)
  return json({ ...tokens, openid: login.openid, scope: login.scope, ...(unionid === null ? {} : { unionid }) })
}

/** `GET /sns/oauth2/access_token`. */
export const webAccessToken: Handler = (world, { query }) => {
  const param = (name: string): string => query.get(name) ?? ''
  const app = appBySecret(world, { appid: param('appid'), secret: param('secret') })
  if (param('code') === '') refuse(41008)
  if (param('grant_type') !== 'authorization_code') refuse(40002)
  const redeemed = world.codes.redeem('web', param('code'), app.appid)
  const code = redeemed.ok ? redeemed.code : refuse(redeemed.why === 'used' ? 40163 : 40029)
  const { appid } = app
  const login = { appid, user: code.user, openid: openidOf(appid, code.user), scope: code.scope || 'snsapi_login' }
  return tokensAnswer(world, world.webSessions.open(login), login)
}

/** `GET /sns/oauth2/refresh_token`. */
export const webRefreshToken: Handler = (world, { query }) => {
  if (query.get('grant_type') !== 'refresh_token') refuse(40002)
  const refreshToken = query.get('refresh_token') ?? ''
  const login = world.webSessions.find('refresh', refreshToken)
  if (login === 'expired') return refuse(42002)
  if (login === 'unknown' || login.appid !== query.get('appid')) return refuse(40030)
  return tokensAnswer(world, world.webSessions.renew(refreshToken, login), login)
}

const loginOf = (world: World, { query }: Call): WebLogin => {
  const text = query.get('access_token') ?? ''
  if (text === '') return refuse(41001)
  const login = world.webSessions.find('access', text)
  if (login === 'unknown') return refuse(40001)
  if (login === 'expired') return refuse(42001)
  return login.openid === query.get('openid') ? login : refuse(40003)
}

/** `GET /sns/userinfo`. */
export const userInfo: Handler = (world, call) => {
  const login = loginOf(world, call)
  if (login.scope === 'snsapi_base') refuse(48001)
  const person = world.people.named(login.user)
  const app = world.apps.get(login.appid)
  const unionid = app === undefined ? null : unionidOf(app, login.user)
  return json({
    openid: login.openid,
    nickname: person.nickname,
    sex: 0,
    language: '',
    city: '',
    province: '',
    country: '',
    headimgurl: person.avatarUrl,
    privilege: [],
    ...(unionid === null ? {} : { unionid }),
  })
}

/** `GET /sns/auth`: whether a token is good for a person. */
export const checkWebToken: Handler = (world, call) => {
  loginOf(world, call)
  return ok()
}
